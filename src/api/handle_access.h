// What public handles hold, for the floors above this one, whose containers are made of them.
#pragma once

#include <memory>
#include <utility>

#include "commy/namespace.h"
#include "commy/store.h"
#include "commy/transaction.h"
#include "engine/namespace_state.h"
#include "transactions/transaction_state.h"

namespace commy::api {

struct HandleAccess {
  static const std::shared_ptr<const engine::NamespaceState>& StateOf(const Namespace& ns) {
    return ns.state_;
  }
  static const std::shared_ptr<engine::OpenStore>& StateOf(const Store& store) {
    return store.state_;
  }
  static Store StoreOf(const Namespace& ns) { return Store(ns.state_->store); }
  // Null: the transaction was moved from.
  static transactions::TransactionState* StateOf(Transaction& transaction) {
    return transaction.state_.get();
  }
};

}  // namespace commy::api
