#include "index/tree/builder.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/status.h"

namespace commy::index {
namespace {

// New keys go to the append area, and a leaf is rebuilt, or split, when it is full. Leaves that are
// built at once have one part in this many of the usual room for them.
constexpr std::uint32_t kAppendPart = 4;

void Lower(std::uint64_t& due, std::uint64_t other) {
  if (other != 0 && (due == 0 || other < due)) {
    due = other;
  }
}

}  // namespace

TreeBuilder::TreeBuilder(TreeShape& shape) : shape_(shape) {
  const TreeLimits& limits = shape.limits_;
  append_ = std::max(1U, limits.leaf_append / kAppendPart);
  const alloc::SizeClasses& classes = shape.allocator_.classes();
  double least = std::numeric_limits<double>::max();
  // At most what a merge makes.
  const std::uint64_t most = 2 * (std::uint64_t{limits.leaf_keys} + limits.leaf_append) - append_;
  for (std::uint64_t keys = limits.leaf_keys; keys <= most; ++keys) {
    const std::uint64_t bytes = LeafBytes(keys, append_);
    const std::uint64_t block =
        bytes > classes.small_bytes_max() ? bytes : classes.at(classes.ClassFor(bytes)).block_bytes;
    const double each = static_cast<double>(block) / static_cast<double>(keys);
    if (each < least) {
      least = each;
      keys_a_leaf_ = keys;
    }
  }
}

absl::Status TreeBuilder::Add(process::Operation& op, std::string_view key,
                              std::uint64_t record_offset, std::uint64_t hash,
                              std::int64_t expiry_ns) {
  COMMY_DCHECK(keys_.empty() || keys_.back().key < key);
  if (keys_.size() >= keys_a_leaf_) {
    const std::string_view below = keys_.back().key;
    COMMY_RETURN_IF_ERROR(MakeLeaf(op));
    const std::uint32_t notes = op.notes_used();
    COMMY_ASSIGN_OR_RETURN(low_,
                           shape_.BuildSeparator(op, key.substr(0, CommonPrefix(below, key) + 1)));
    op.DropNotes(notes);
  }
  keys_.push_back({key, PackSlot(hash, record_offset)});
  Lower(leaf_due_, static_cast<std::uint64_t>(expiry_ns));
  return absl::OkStatus();
}

absl::Status TreeBuilder::MakeLeaf(process::Operation& op) {
  const std::uint32_t notes = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      shape_.BuildLeaf(op, keys_.size(), append_, low_, alloc::Purpose::kOrdinary));
  op.DropNotes(notes);
  COMMY_RETURN_IF_ERROR(shape_.FillLeaf(offset, keys_.data(), keys_.size()));
  COMMY_ASSIGN_OR_RETURN(Leaf * leaf, shape_.LeafAt(offset));
  leaf->due.store(leaf_due_, std::memory_order_relaxed);
  Lower(due_, leaf_due_);
  leaf_due_ = 0;
  leaves_.push_back({offset, low_});
  keys_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TreeBuilder::Node>> TreeBuilder::MakeLevel(
    process::Operation& op, std::uint32_t level, const std::vector<Node>& below) {
  std::vector<Node> made;
  const std::size_t nodes =
      (below.size() + shape_.limits_.node_children - 1) / shape_.limits_.node_children;
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::size_t begin = below.size() * i / nodes;
    const std::size_t end = below.size() * (i + 1) / nodes;
    TreeShape::Offsets separators;
    for (std::size_t k = begin + 1; k < end; ++k) {
      separators.push_back(below[k].low);
    }
    const std::uint32_t notes = op.notes_used();
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                           shape_.BuildInner(op, level, below[begin].low, separators));
    op.DropNotes(notes);
    COMMY_ASSIGN_OR_RETURN(InnerNode * node, shape_.InnerAt(offset));
    for (std::size_t k = begin; k < end; ++k) {
      TreeShape::Children(*node)[k - begin].store(below[k].offset, std::memory_order_relaxed);
    }
    made.push_back({offset, below[begin].low});
  }
  return made;
}

absl::StatusOr<std::uint64_t> TreeBuilder::Finish(process::Operation& op) {
  if (!keys_.empty() || leaves_.empty()) {
    COMMY_RETURN_IF_ERROR(MakeLeaf(op));
  }
  std::vector<Node> nodes = std::move(leaves_);
  for (std::uint32_t level = 1; nodes.size() > 1; ++level) {
    COMMY_ASSIGN_OR_RETURN(nodes, MakeLevel(op, level, nodes));
  }
  return nodes.front().offset;
}

}  // namespace commy::index
