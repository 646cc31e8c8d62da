// The tree of a sequence: a counted B+tree whose nodes are never changed. A change makes new nodes
// from the leaf up to the root's entries, and drops those that it replaces.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "commy/internal/sequence_sizes.h"
#include "sequences/nodes.h"

namespace commy::sequences {

// Finds the leaf with an element: `use` gets the elements of the leaf from that one on. Requires:
// `index` is below the tree's count.
absl::Status FindInTree(NodeReader& reader, std::string_view root_entries, std::uint32_t height,
                        std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use);

class Tree {
 public:
  Tree(NodeSet& nodes, const internal::SequenceSizes& sizes) : nodes_(nodes), sizes_(sizes) {}

  void Set(std::vector<Entry> entries, std::uint32_t height, std::uint64_t next_node);
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::uint32_t height() const { return height_; }
  [[nodiscard]] std::uint64_t next_node() const { return next_node_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The id of a node that is not one of the tree's.
  std::uint64_t TakeNode() { return next_node_++; }

  // Puts `insert` in the place of `erase` elements from `at` on. `lasting`: its bytes stay where
  // they are until the change is published. Requires: at + erase <= count(). After an error the
  // tree is of no use.
  absl::Status Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert,
                      bool lasting);
  // Calls `use` with the elements from `index` on that lie together.
  absl::Status Find(std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use) const;
  // The first leaf, or the last one (`back`). Requires: count() > 0.
  absl::Status LeafAt(bool back, absl::FunctionRef<void(const ElementRun&)> use) const;

 private:
  using Entries = std::vector<Entry>;
  struct Change {
    std::uint64_t at = 0;
    std::uint64_t erase = 0;
    const ElementRun& insert;
    bool lasting = false;
  };
  // The entries that a change touches: from `first` to `last`, both included; `before`: elements
  // before `first`, `before_last`: before `last`.
  struct Span {
    std::size_t first = 0;
    std::size_t last = 0;
    std::uint64_t before = 0;
    std::uint64_t before_last = 0;
  };

  static Span Touched(const Entries& entries, std::uint64_t at, std::uint64_t erase);
  absl::Status SpliceIn(std::uint32_t level, Entries& entries, const Change& change);
  absl::Status SpliceLeaves(Entries& entries, const Change& change);
  absl::Status SpliceInner(std::uint32_t level, Entries& entries, const Change& change);
  absl::Status MergeLeaves(const Entries& entries, Span* span, RunBuilder* run);
  absl::Status DropBelow(std::uint32_t level, const Entry& entry);
  absl::Status LowerTop();
  Entries MakeLeaves(const ElementRun& run, std::uint64_t leaf_bytes, bool lasting);
  Entries MakeInner(const Entries& children);
  void Replace(Entries& entries, const Span& span, const Entries& by);

  NodeSet& nodes_;
  const internal::SequenceSizes& sizes_;
  Entries entries_;
  std::uint32_t height_ = 0;
  std::uint64_t next_node_ = 1;
  std::uint64_t count_ = 0;
};

}  // namespace commy::sequences
