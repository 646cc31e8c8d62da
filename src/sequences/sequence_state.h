// What an edit holds: its transaction, and the sequence in memory.
#pragma once

#include <memory>
#include <optional>

#include "commy/internal/sequence.h"
#include "sequences/edit.h"
#include "sequences/readers.h"

namespace commy::internal {

struct SequenceEdit::State {
  // In a transaction that somebody else commits.
  State(transactions::TransactionState& within,
        const std::shared_ptr<const engine::NamespaceState>& of);

  std::optional<Transaction> own;  // That Publish() commits.
  transactions::TransactionState* transaction;
  std::shared_ptr<const engine::NamespaceState> ns;
  sequences::TransactionReader reader;
  sequences::Edit edit;
  absl::Status failed;  // The first error of a change.
};

}  // namespace commy::internal

namespace commy::sequences {

// Runs `change` in a transaction of its own, again after each conflict, at most `attempts` times
// (0: until the store's operation_timeout); or in the given one. Aborted: that often.
absl::Status ChangeSequence(const Namespace& ns, Transaction* transaction, int attempts,
                            absl::FunctionRef<absl::Status(internal::SequenceEdit::State&)> change);

// Of a reader that sees one moment, a node that is not there is damage.
absl::Status OneMoment(absl::Status status);

}  // namespace commy::sequences
