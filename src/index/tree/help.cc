// Changes of an ordered index's shape, as each process that meets one carries it out: reshape-2 to
// reshape-4 of shape.h.
#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {

absl::StatusOr<TreeReshape> TreeShape::ReshapeAt(std::uint64_t descriptor) const {
  const auto* const words = region_.At<TreeReshape>(descriptor);
  if (words == nullptr) {
    return base::DataLoss(region_.path(), ": a reshape descriptor at ", base::Hex(descriptor),
                          " lies outside the file");
  }
  return *words;
}

absl::StatusOr<bool> TreeShape::IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const {
  COMMY_ASSIGN_OR_RETURN(const TreeReshape change, ReshapeAt(descriptor));
  const bool swaps_parent = change.parent != 0;
  const std::uint64_t top = swaps_parent ? change.parent : change.old_0;
  Path path;
  COMMY_ASSIGN_OR_RETURN(const LeafRef leaf, DescendToFence(root, change.fence, &path));
  if (leaf.leaf == nullptr) {
    return false;
  }
  // The node that the way from the root names at `depth`.
  const auto named = [&](std::size_t depth) {
    return depth < path.size() ? path[depth].offset : depth == path.size() ? leaf.offset : 0;
  };
  std::size_t depth = 0;
  if (change.holder != 0) {
    while (depth < path.size() && path[depth].offset != change.holder) {
      ++depth;
    }
    if (depth == path.size() || path[depth].index != change.holder_index) {
      return false;
    }
    ++depth;
  }
  if (named(depth) != top) {
    return false;
  }
  if (!swaps_parent || change.kind == static_cast<std::uint64_t>(TreeReshapeKind::kLoseRoot)) {
    return true;
  }
  if (depth >= path.size() || path[depth].index != change.index ||
      named(depth + 1) != change.old_0) {
    return false;
  }
  InnerNode& parent = *path[depth].node;
  return change.old_1 == 0 ||
         (change.index + 1 < parent.head.capacity &&
          Children(parent)[change.index + 1].load(std::memory_order_acquire) == change.old_1);
}

absl::Status TreeShape::Apply(IndexRoot& root, std::uint64_t descriptor) {
  COMMY_ASSIGN_OR_RETURN(const TreeReshape change, ReshapeAt(descriptor));
  const auto kind = static_cast<TreeReshapeKind>(change.kind);
  if (kind < TreeReshapeKind::kRebuild || kind > TreeReshapeKind::kLoseRoot) {
    return base::DataLoss(region_.path(), ": a reshape descriptor at ", base::Hex(descriptor),
                          " has the unknown kind ", change.kind);
  }
  if (kind != TreeReshapeKind::kLoseRoot) {
    const auto* const old = region_.At<NodeHead>(change.old_0);
    if (old == nullptr) {
      return Damaged("a node", change.old_0);
    }
    COMMY_RETURN_IF_ERROR(old->level == 0 ? FillLeaves(change) : FillInners(change));
    if (change.target_parent != 0) {
      COMMY_RETURN_IF_ERROR(FillParent(change));
    }
  }
  return SwapTop(root, change);
}

// --- reshape-2 and reshape-3
// -----------------------------------------------------------------------

absl::Status TreeShape::FillLeaves(const TreeReshape& change) const {
  LeafKeys keys;
  const std::uint64_t olds[] = {change.old_0, change.old_1};
  for (const std::uint64_t offset : olds) {
    if (offset == 0) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
    const SlotArray slots = Slots({offset, leaf});
    for (std::uint64_t i = 0; i < slots.count; ++i) {
      slots.words[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);  // reshape-2
    }
  }
  std::uint64_t mark = 0;
  for (const std::uint64_t offset : olds) {
    if (offset != 0) {
      COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
      COMMY_RETURN_IF_ERROR(Collect(*leaf, &keys));
      [[maybe_unused]] const SlotArray slots = Slots({offset, leaf});
      COMMY_DCHECK(std::all_of(slots.words, slots.words + slots.count, [](const Shared64& word) {
        return SlotIsFrozen(word.load(std::memory_order_relaxed));
      }));  // H2: so every helper collects the same.
      const std::uint64_t seen = leaf->mark.load(std::memory_order_seq_cst);  // Frozen before.
      mark = mark == 0 || seen == kSweepNeeded || seen == kSweepRunning ? seen : mark;
    }
  }
  std::uint64_t left = keys.size();
  if (change.target_1 != 0) {
    std::string_view separator;
    COMMY_ASSIGN_OR_RETURN(const bool there, SeparatorAt(change.separator, &separator));
    if (!there) {
      return Damaged("a separator", change.separator);
    }
    left = static_cast<std::uint64_t>(
        std::partition_point(keys.begin(), keys.end(),
                             [&](const LeafKey& entry) { return entry.key < separator; }) -
        keys.begin());
    COMMY_RETURN_IF_ERROR(FillLeaf(change.target_1, keys.data() + left, keys.size() - left));
  }
  COMMY_RETURN_IF_ERROR(FillLeaf(change.target_0, keys.data(), left));
  for (const std::uint64_t offset : {change.target_0, change.target_1}) {
    if (offset == 0) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
    if (mark != 0) {
      SetMark(leaf->mark, mark);
    }
    for (const std::uint64_t old_offset : olds) {
      if (old_offset != 0) {
        COMMY_ASSIGN_OR_RETURN(const Leaf* const old, LeafAt(old_offset));
        PassDueOn(old->due, leaf->due);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status TreeShape::FillLeaf(std::uint64_t target, const LeafKey* keys,
                                 std::uint64_t count) const {
  COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(target));
  if (count > leaf->head.capacity) {
    return Damaged("a leaf", target);
  }
  // Every process stores the same plain values, and they never change.
  const std::uint64_t prefix = count == 0 ? 0 : CommonPrefix(keys[0].key, keys[count - 1].key);
  leaf->prefix_size.store(prefix, std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < count; ++i) {
    Heads(*leaf)[i].store(HeadOf(keys[i].key, prefix), std::memory_order_relaxed);
    BaseSlots(*leaf)[i].CompareAndSet(0, keys[i].word, std::memory_order_seq_cst);  // reshape-3
    COMMY_DCHECK(BaseSlots(*leaf)[i].load(std::memory_order_relaxed) != 0);  // H2: never 0 again.
  }
  COMMY_DCHECK(leaf->count.load(std::memory_order_relaxed) == 0 ||
               leaf->count.load(std::memory_order_relaxed) == count + 1);
  leaf->count.store(count + 1, std::memory_order_release);  // All is filled.
  return absl::OkStatus();
}

void TreeShape::FillChildren(InnerNode& target, const Offsets& children, std::uint64_t first) {
  for (std::uint64_t i = 0; i < target.head.capacity && first + i < children.size(); ++i) {
    Children(target)[i].CompareAndSet(0, children[first + i], std::memory_order_seq_cst);
  }
}

absl::Status TreeShape::FillInners(const TreeReshape& change) const {
  Offsets children;
  for (const std::uint64_t offset : {change.old_0, change.old_1}) {
    if (offset == 0) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(InnerNode * old, InnerAt(offset));
    for (std::uint64_t i = 0; i < old->head.capacity; ++i) {
      children.push_back(Children(*old)[i].load(std::memory_order_acquire));
    }
  }
  COMMY_ASSIGN_OR_RETURN(InnerNode * left, InnerAt(change.target_0));
  FillChildren(*left, children, 0);
  std::uint64_t filled = left->head.capacity;
  if (change.target_1 != 0) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * right, InnerAt(change.target_1));
    FillChildren(*right, children, left->head.capacity);
    filled += right->head.capacity;
  }
  return filled == children.size() ? absl::OkStatus() : Damaged("an inner node", change.target_0);
}

absl::Status TreeShape::FillParent(const TreeReshape& change) const {
  Offsets children;
  if (change.parent != 0) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * parent, InnerAt(change.parent));
    for (std::uint64_t i = 0; i < parent->head.capacity; ++i) {
      const bool replaced = i == change.index || (change.old_1 != 0 && i == change.index + 1);
      if (!replaced) {
        children.push_back(Children(*parent)[i].load(std::memory_order_acquire));
        continue;
      }
      if (i == change.index) {
        children.push_back(change.target_0);
        if (change.target_1 != 0) {
          children.push_back(change.target_1);
        }
      }
    }
  } else {
    children = {change.target_0, change.target_1};
  }
  COMMY_ASSIGN_OR_RETURN(InnerNode * target, InnerAt(change.target_parent));
  if (target->head.capacity != children.size()) {
    return Damaged("an inner node", change.target_parent);
  }
  FillChildren(*target, children, 0);
  return absl::OkStatus();
}

// --- reshape-4
// -------------------------------------------------------------------------------------

absl::Status TreeShape::SwapTop(IndexRoot& root, const TreeReshape& change) const {
  const std::uint64_t old_top = change.parent != 0 ? change.parent : change.old_0;
  std::uint64_t new_top = change.target_parent != 0 ? change.target_parent : change.target_0;
  if (change.kind == static_cast<std::uint64_t>(TreeReshapeKind::kLoseRoot)) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * parent, InnerAt(change.parent));
    new_top = Children(*parent)[0].load(std::memory_order_acquire);
  }
  Shared64* word = &root.directory;
  if (change.holder != 0) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * holder, InnerAt(change.holder));
    if (change.holder_index >= holder->head.capacity) {
      return Damaged("an inner node", change.holder);
    }
    word = &Children(*holder)[change.holder_index];
  }
  word->CompareAndSet(old_top, new_top, std::memory_order_seq_cst);  // reshape-4
  // An offset that was replaced does not come back under this pin.
  COMMY_DCHECK(word->load(std::memory_order_relaxed) != old_top);
  return absl::OkStatus();
}

}  // namespace commy::index
