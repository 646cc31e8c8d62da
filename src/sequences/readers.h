// Where a sequence is read: as it is now, as a snapshot sees it, or as a transaction does.
#pragma once

#include <memory>

#include "commy/namespace.h"
#include "sequences/nodes.h"
#include "transactions/transaction_state.h"

namespace commy::sequences {

class NamespaceReader : public NodeReader {
 public:
  // `snapshot` null: as it is now; then a node may be gone though its root was there.
  NamespaceReader(const Namespace& ns, const Snapshot* snapshot) : ns_(ns), snapshot_(snapshot) {}
  absl::StatusOr<bool> Read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> use) override {
    const absl::Status status = ns_.ReadWith(key, use, {.snapshot = snapshot_});
    if (absl::IsNotFound(status)) {
      return false;
    }
    return status.ok() ? absl::StatusOr<bool>(true) : status;
  }

 private:
  const Namespace& ns_;
  const Snapshot* const snapshot_;
};

class TransactionReader : public NodeReader {
 public:
  TransactionReader(transactions::TransactionState& transaction,
                    std::shared_ptr<const engine::NamespaceState> ns)
      : transaction_(transaction), ns_(std::move(ns)) {}
  absl::StatusOr<bool> Read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> use) override {
    // A node is never changed: only the root has to stay.
    return transaction_.ReadWith(ns_, key, use, /*unchanging=*/!key.empty());
  }

 private:
  transactions::TransactionState& transaction_;
  const std::shared_ptr<const engine::NamespaceState> ns_;
};

}  // namespace commy::sequences
