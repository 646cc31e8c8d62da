// Steps of the kill and stop harness that are transactions or batches.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "crash/steps.h"

namespace commy::test {

// The changes of a transaction.
struct TransactionPlan {
  std::map<std::string, std::optional<std::string>> keys;  // Of "a"; no value: it deletes the key.
  std::string in_b;     // A key of "b" that it puts, if this is not empty.
  bool counts = false;  // Whether it reads and increments the counter "n" of "a".
  Isolation isolation = Isolation::kSnapshot;
};

Step Transact(const TransactionPlan& plan);
// The same as a batch, which does not count.
Step WriteBatchOf(const TransactionPlan& plan);
// A transaction that aborts, since the last key that it puts has a newer version.
Step Conflict(const std::string& key);
// Puts the key with a time to live that is over at once.
Step TransactExpired(const std::string& key);

}  // namespace commy::test
