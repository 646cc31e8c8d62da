// The harness's table: every operation that it strikes.
#pragma once

#include <utility>
#include <vector>

#include "crash/expiry_operations.h"
#include "crash/operations.h"
#include "crash/transaction_operations.h"
#include "crash/waiting_operations.h"

namespace commy::test {

inline std::vector<Operation> AllOperations() {
  std::vector<Operation> all = Operations();
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    for (auto* const more : {TransactionOperations, ExpiryOperations, WaitingOperations}) {
      for (Operation& operation : more(order)) {
        all.push_back(std::move(operation));
      }
    }
  }
  return all;
}

}  // namespace commy::test
