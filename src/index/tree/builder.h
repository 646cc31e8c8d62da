// An ordered index that is built at once, of keys that come in order.
//
// For a root that no name leads to yet, in a store that no other participant has: there is no
// publishing in it, and no note that recovery could need.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/tree/tree_shape.h"
#include "process/operation.h"

namespace commy::index {

// Leaves are as large as a split leaves them or larger, so that their blocks are full, with a
// little room for new keys. Each inner node is nearly full. Keeps two words a node in memory.
class TreeBuilder {
 public:
  explicit TreeBuilder(TreeShape& shape);

  // A key above all earlier ones, and its record, which expires then (0: never). `key` must lie in
  // the record. ResourceExhausted: no room in the file.
  absl::Status Add(process::Operation& op, std::string_view key, std::uint64_t record_offset,
                   std::uint64_t hash, std::int64_t expiry_ns);
  // All keys have come. Returns the offset of the topmost node.
  absl::StatusOr<std::uint64_t> Finish(process::Operation& op);

  // When the first of the keys expires; 0: none does.
  [[nodiscard]] std::uint64_t due() const { return due_; }

 private:
  struct Node {
    std::uint64_t offset;
    std::uint64_t low;  // The separator before it; 0: none.
  };

  absl::Status MakeLeaf(process::Operation& op);
  // The nodes above these.
  absl::StatusOr<std::vector<Node>> MakeLevel(process::Operation& op, std::uint32_t level,
                                              const std::vector<Node>& below);

  TreeShape& shape_;
  std::uint64_t keys_a_leaf_ = 0;
  std::uint32_t append_ = 0;
  TreeShape::LeafKeys keys_;    // Of the leaf that is to be made.
  std::uint64_t leaf_due_ = 0;  // Of these.
  std::uint64_t low_ = 0;       // The separator before them.
  std::vector<Node> leaves_;
  std::uint64_t due_ = 0;
};

}  // namespace commy::index
