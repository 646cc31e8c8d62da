// Moving the blocks of an ordered index: a rebuild of a leaf, or of an inner node, puts a copy into
// its place. Separators stay where they are: all nodes beside them name them. Leaves that have
// become sparse are merged.
#include "base/check.h"
#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {

using process::Operation;

absl::Status TreeShape::MoveStructure(Operation& op, IndexRoot& root, std::uint64_t array,
                                      absl::FunctionRef<bool(std::uint64_t)> moves) {
  COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(array));
  Path path;
  COMMY_ASSIGN_OR_RETURN(const LeafRef at, DescendToFence(root, leaf->head.low, &path));
  if (at.leaf == nullptr || at.offset != array) {
    return absl::OkStatus();  // Replaced, or reclaimed.
  }
  // With the one before, whose records the walk has moved, as it has those of this one.
  Plan merge;
  merge.packs = true;
  COMMY_ASSIGN_OR_RETURN(const bool sparse, PlanLeafMerge(path, at, &merge));
  if (sparse) {
    // The inner node above is replaced with it.
    absl::Status merged = PostOrHelp(op, root, merge);
    if (!absl::IsResourceExhausted(merged)) {
      return merged;
    }
  }
  if (moves(array)) {
    // In this order: a word that is taken in between counts in both.
    const std::uint64_t free = FreeAppendSlots(*leaf);
    const std::uint64_t live = LiveSlots(Slots(at));
    Plan plan;
    plan.change.kind = static_cast<std::uint64_t>(TreeReshapeKind::kRebuild);
    plan.change.old_0 = array;
    plan.change.fence = leaf->head.low;
    plan.capacity_0 = free + live;
    SetHolder(path, path.size(), &plan.change);
    COMMY_RETURN_IF_ERROR(PostOrHelp(op, root, plan));
  }
  for (std::size_t depth = path.size(); depth-- > 0;) {
    if (!moves(path[depth].offset)) {
      continue;
    }
    Plan plan;
    plan.leaves = false;
    plan.change.kind = static_cast<std::uint64_t>(TreeReshapeKind::kRebuild);
    plan.change.old_0 = path[depth].offset;
    plan.change.fence = path[depth].node->head.low;
    SetHolder(path, depth, &plan.change);
    // What is above it in the path may be replaced next, with the copy in its place by then.
    COMMY_RETURN_IF_ERROR(PostOrHelp(op, root, plan));
  }
  return absl::OkStatus();
}

absl::Status TreeShape::PostOrHelp(Operation& op, IndexRoot& root, Plan& plan) {
  return root.pending_reshape.load(std::memory_order_acquire) != 0 ? HelpPending(root)
                                                                   : Post(op, root, plan);
}

}  // namespace commy::index
