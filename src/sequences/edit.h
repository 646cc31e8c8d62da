// A sequence in memory while it is changed: the root's parts, and the tree with its new nodes.
// Reading it reads the file where nothing was changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "sequences/tree.h"
#include "transactions/transaction_state.h"

namespace commy::sequences {

class Edit {
 public:
  // `fresh_node`: the id of the first node of a sequence that has no root.
  Edit(NodeReader& reader, std::uint64_t fresh_node);
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;

  // Reads the root. After an error of this or of a change the edit is of no use.
  absl::Status Load();

  [[nodiscard]] std::uint64_t next_node() const { return tree_.next_node(); }
  [[nodiscard]] std::uint64_t size() const {
    return front_.count() + tree_.count() + back_.count();
  }
  // Puts `insert` in the place of `erase` elements from `at` on. OutOfRange.
  absl::Status Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert,
                      bool lasting = false);
  // Calls `use` with elements from `index` on that lie together. Requires: `index` < size().
  absl::Status Find(std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use) const;
  // If the run at this end is empty, brings some of the tree's elements there, at least one, from
  // where it is cheap to take them.
  absl::Status Refill(bool back);

  // Nodes of their own for large elements that are leased or were returned.
  std::uint64_t AddItem(std::string_view bytes);
  absl::Status ReadItem(std::uint64_t node, std::string* bytes) const;
  absl::Status DropItem(std::uint64_t node) { return nodes_.Drop(node); }

  // A queue's own part; see queue_state.h.
  [[nodiscard]] const std::string& queue() const { return queue_; }
  void SetQueue(std::string queue) { queue_ = std::move(queue); }

  // Longer runs at the ends: for an edit of many changes.
  void KeepInMemory();
  // FailedPrecondition: a callback of this change has made another one in the same transaction.
  absl::Status CheckUnchanged();
  // Writes all of it. `lasting`: the edit outlives the transaction's commit; else its bytes are
  // copied. Afterwards no changes.
  absl::Status Publish(transactions::TransactionState& transaction,
                       const std::shared_ptr<const engine::NamespaceState>& ns, bool lasting);

 private:
  absl::Status SpliceRun(RunBuilder& run, std::uint64_t at, std::uint64_t erase,
                         const ElementRun& insert);
  absl::Status FlushFront();
  absl::Status FlushBack();

  NodeReader& reader_;
  internal::SequenceSizes sizes_;
  NodeSet nodes_;
  Tree tree_;
  RunBuilder front_;
  RunBuilder back_;
  std::string queue_;
  std::uint64_t loaded_size_ = 0;
  std::string loaded_root_;
  std::string root_;  // As it is published.
};

}  // namespace commy::sequences
