// Changes of an ordered index's shape, as their poster sees them: which is needed, how its targets
// are made, and which blocks are retired afterwards. The steps are those of shape.h.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/debug.h"
#include "base/hash.h"
#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

// A delete that leaves a leaf this much emptier than it may be looks for a neighbour to merge it
// with; the result is at most half full.
constexpr std::uint64_t kSparseLeaf = 4;
constexpr std::uint64_t kMergedFill = 2;
constexpr int kShrinkLimit = 64;
constexpr std::uint32_t kShrinkSkipsWhenFull = 4096;

std::uint64_t Kind(TreeReshapeKind kind) {
  return static_cast<std::uint64_t>(kind);
}

}  // namespace

// --- How the targets of a change are made
// ----------------------------------------------------------

absl::StatusOr<std::uint64_t> TreeShape::BuildLeaf(Operation& op, std::uint64_t capacity,
                                                   std::uint32_t append, std::uint64_t low,
                                                   alloc::Purpose purpose) const {
  const std::uint64_t bytes = LeafBytes(capacity, append);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kLeaf, bytes, purpose));
  std::byte* const block = region_.At(offset, bytes, alignof(Leaf));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  COMMY_DCHECK(allocator_.BlockBytes(offset) >= bytes);
  base::ZeroIn(block, bytes);
  auto* const leaf = reinterpret_cast<Leaf*>(block);
  leaf->head = {0, static_cast<std::uint32_t>(capacity), low};
  leaf->append = append;
  return offset;
}

absl::StatusOr<std::uint64_t> TreeShape::BuildEmpty(Operation& op, alloc::Purpose purpose) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         BuildLeaf(op, 0, limits_.leaf_append, 0, purpose));
  COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
  leaf->count.store(1, std::memory_order_relaxed);
  return offset;
}

absl::StatusOr<std::uint64_t> TreeShape::BuildSeparator(Operation& op,
                                                        std::string_view text) const {
  const std::uint64_t bytes = sizeof(Separator) + text.size();
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kSeparator, bytes));
  auto* const separator =
      reinterpret_cast<Separator*>(region_.At(offset, bytes, alignof(Separator)));
  if (separator == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  separator->size = text.size();
  separator->checksum = base::Checksum(text.data(), text.size());
  base::CopyIn(separator + 1, text.data(), text.size());
  return offset;
}

absl::StatusOr<std::uint64_t> TreeShape::BuildInner(Operation& op, std::uint32_t level,
                                                    std::uint64_t low,
                                                    const Offsets& separators) const {
  const std::uint64_t children = separators.size() + 1;
  const std::uint64_t bytes = InnerBytes(children);
  if (children > kChildrenLimit || level > kLevelLimit) {
    return base::Internal("an inner node of ", children, " children at level ", level);
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kInner, bytes));
  std::byte* const block = region_.At(offset, bytes, alignof(InnerNode));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  COMMY_DCHECK(allocator_.BlockBytes(offset) >= bytes);
  base::ZeroIn(block, bytes);
  auto* const node = reinterpret_cast<InnerNode*>(block);
  node->head = {level, static_cast<std::uint32_t>(children), low};
  if (separators.empty()) {
    return offset;
  }
  std::string_view first;
  std::string_view last;
  COMMY_RETURN_IF_ERROR(SeparatorAt(separators.front(), &first).status());
  COMMY_RETURN_IF_ERROR(SeparatorAt(separators.back(), &last).status());
  node->prefix_size = CommonPrefix(first, last);
  base::CopyIn(node->prefix, first.data(), std::min(node->prefix_size, kPrefixInline));
  for (std::size_t i = 0; i < separators.size(); ++i) {
    std::string_view text;
    COMMY_RETURN_IF_ERROR(SeparatorAt(separators[i], &text).status());
    Heads(*node)[i] = HeadOf(text, node->prefix_size);
    Separators(*node)[i].store(separators[i], std::memory_order_relaxed);
  }
  return offset;
}

TreeShape::Offsets TreeShape::SeparatorsOf(InnerNode& node, std::uint64_t begin,
                                           std::uint64_t end) {
  Offsets separators;
  for (std::uint64_t i = begin; i < end; ++i) {
    separators.push_back(Separators(node)[i].load(std::memory_order_relaxed));
  }
  return separators;
}

absl::Status TreeShape::BuildLeafTargets(Operation& op, Plan* plan) const {
  TreeReshape& change = plan->change;
  const bool divides = change.kind == Kind(TreeReshapeKind::kSplit) ||
                       change.kind == Kind(TreeReshapeKind::kNewRoot);
  constexpr auto kPurpose = alloc::Purpose::kOrdinary;
  COMMY_ASSIGN_OR_RETURN(change.target_0, BuildLeaf(op, plan->capacity_0, limits_.leaf_append,
                                                    change.fence, kPurpose));
  if (divides) {
    COMMY_ASSIGN_OR_RETURN(change.separator, BuildSeparator(op, plan->separator));
    COMMY_ASSIGN_OR_RETURN(change.target_1, BuildLeaf(op, plan->capacity_1, limits_.leaf_append,
                                                      change.separator, kPurpose));
  }
  return absl::OkStatus();
}

// Returns the separator that goes up.
absl::StatusOr<std::uint64_t> TreeShape::BuildInnerTargets(Operation& op, Plan* plan) const {
  TreeReshape& change = plan->change;
  COMMY_ASSIGN_OR_RETURN(InnerNode * old, InnerAt(change.old_0));
  const std::uint64_t last = old->head.capacity - std::uint64_t{1};
  if (change.kind == Kind(TreeReshapeKind::kRebuild)) {
    COMMY_ASSIGN_OR_RETURN(change.target_0, BuildInner(op, old->head.level, change.fence,
                                                       SeparatorsOf(*old, 0, last)));
    return 0;
  }
  if (change.kind != Kind(TreeReshapeKind::kMerge)) {
    COMMY_DCHECK(plan->split_at >= 1 && plan->split_at <= last);  // No half is without a child.
    const std::uint64_t middle = plan->split_at - 1;
    const std::uint64_t up = Separators(*old)[middle].load(std::memory_order_relaxed);
    COMMY_ASSIGN_OR_RETURN(change.target_0, BuildInner(op, old->head.level, change.fence,
                                                       SeparatorsOf(*old, 0, middle)));
    COMMY_ASSIGN_OR_RETURN(
        change.target_1, BuildInner(op, old->head.level, up, SeparatorsOf(*old, middle + 1, last)));
    return up;
  }
  COMMY_ASSIGN_OR_RETURN(InnerNode * parent, InnerAt(change.parent));
  COMMY_ASSIGN_OR_RETURN(InnerNode * right, InnerAt(change.old_1));
  Offsets all = SeparatorsOf(*old, 0, last);
  all.push_back(Separators(*parent)[change.index].load(std::memory_order_relaxed));
  for (const std::uint64_t offset : SeparatorsOf(*right, 0, right->head.capacity - 1)) {
    all.push_back(offset);
  }
  COMMY_ASSIGN_OR_RETURN(change.target_0, BuildInner(op, old->head.level, change.fence, all));
  return 0;
}

absl::Status TreeShape::BuildTargets(Operation& op, Plan* plan) const {
  TreeReshape& change = plan->change;
  if (change.kind == Kind(TreeReshapeKind::kLoseRoot)) {
    return absl::OkStatus();
  }
  std::uint64_t up = 0;
  std::uint32_t level = 0;
  if (plan->leaves) {
    COMMY_RETURN_IF_ERROR(BuildLeafTargets(op, plan));
    up = change.separator;
  } else {
    COMMY_ASSIGN_OR_RETURN(up, BuildInnerTargets(op, plan));
    COMMY_ASSIGN_OR_RETURN(const InnerNode* old, InnerAt(change.old_0));
    level = old->head.level;
  }
  if (change.kind == Kind(TreeReshapeKind::kNewRoot)) {
    COMMY_ASSIGN_OR_RETURN(change.target_parent, BuildInner(op, level + 1, 0, Offsets{up}));
  } else if (change.parent != 0) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * parent, InnerAt(change.parent));
    Offsets separators = SeparatorsOf(*parent, 0, parent->head.capacity - 1);
    const auto* const at = separators.begin() + static_cast<std::ptrdiff_t>(change.index);
    if (change.kind == Kind(TreeReshapeKind::kMerge)) {
      separators.erase(at);
    } else {
      separators.insert(at, up);
    }
    COMMY_ASSIGN_OR_RETURN(change.target_parent,
                           BuildInner(op, parent->head.level, parent->head.low, separators));
  }
  return absl::OkStatus();
}

// --- Which change ------------------------------------------------------------------------------

void TreeShape::SetHolder(const Path& path, std::size_t depth, TreeReshape* change) {
  COMMY_DCHECK(depth <= path.size());
  if (depth > 0) {
    change->holder = path[depth - 1].offset;
    change->holder_index = path[depth - 1].index;
  }
}

absl::Status TreeShape::PlanSplit(const Path& path, const LeafRef& at, const LeafKeys& keys,
                                  Plan* plan) const {
  TreeReshape& change = plan->change;
  // The topmost node on the way that has to be split before the nodes below it can be.
  std::size_t depth = path.size();
  while (depth > 0 && path[depth - 1].node->head.capacity >= limits_.node_children) {
    --depth;
  }
  change.kind = Kind(depth == 0 ? TreeReshapeKind::kNewRoot : TreeReshapeKind::kSplit);
  if (depth > 0) {
    change.parent = path[depth - 1].offset;
    change.index = path[depth - 1].index;
    SetHolder(path, depth - 1, &change);
  }
  plan->leaves = depth == path.size();
  if (!plan->leaves) {
    const Step& step = path[depth];
    change.old_0 = step.offset;
    change.fence = step.node->head.low;
    // Keys in ascending order leave full nodes behind.
    const std::uint64_t count = step.node->head.capacity;
    plan->split_at = step.index + 1 == count ? count - 1 : count / 2;
    return absl::OkStatus();
  }
  COMMY_DCHECK(keys.size() >= 2);  // Both halves have one.
  change.old_0 = at.offset;
  change.fence = at.leaf->head.low;
  // Where keys came in order behind (or before) those of the base, the base stays whole.
  const auto appended = [&](const LeafKey& entry) {
    const Shared64* const words = AppendSlots(*at.leaf);
    return std::any_of(words, words + at.leaf->append, [&](const Shared64& word) {
      return (word.load(std::memory_order_acquire) & ~kSlotFrozen) == entry.word;
    });
  };
  const auto* const is_new = std::find_if(keys.begin(), keys.end(), appended);
  const auto* const is_old = std::find_if_not(keys.begin(), keys.end(), appended);
  std::uint64_t left = keys.size() / 2;
  if (is_new != keys.begin() && std::all_of(is_new, keys.end(), appended)) {
    left = static_cast<std::uint64_t>(is_new - keys.begin());
  } else if (is_old != keys.begin() && std::none_of(is_old, keys.end(), appended)) {
    left = static_cast<std::uint64_t>(is_old - keys.begin());
  }
  left = std::clamp<std::uint64_t>(left, 1, keys.size() - 1);
  const std::string_view below = keys[left - 1].key;
  const std::string_view above = keys[left].key;
  plan->separator = std::string(above.substr(0, CommonPrefix(below, above) + 1));
  plan->capacity_0 = left;
  plan->capacity_1 = keys.size() - left;
  return absl::OkStatus();
}

absl::Status TreeShape::MakeRoom(Operation& op, const Position& at, std::string_view key,
                                 std::uint64_t /*hash*/) {
  COMMY_DCHECK(at.slot == nullptr);
  if (at.root->pending_reshape.load(std::memory_order_acquire) != 0) {
    return HelpPending(*at.root);  // Or it is closed: the namespace has another root now.
  }
  Path path;
  COMMY_ASSIGN_OR_RETURN(const LeafRef found, Descend(*at.root, Seek::kAt, key, &path));
  if (found.leaf == nullptr || found.offset != at.place_offset ||
      FreeAppendSlots(*found.leaf) != 0) {
    return absl::OkStatus();  // Replaced since.
  }
  LeafKeys keys;
  COMMY_RETURN_IF_ERROR(Collect(*found.leaf, &keys));
  Plan plan;
  if (keys.size() > limits_.leaf_keys) {
    COMMY_RETURN_IF_ERROR(PlanSplit(path, found, keys, &plan));
  } else {
    plan.change.kind = Kind(TreeReshapeKind::kRebuild);
    plan.change.old_0 = found.offset;
    plan.change.fence = found.leaf->head.low;
    plan.capacity_0 = keys.size();
    SetHolder(path, path.size(), &plan.change);
  }
  return Post(op, *at.root, plan);
}

absl::StatusOr<bool> TreeShape::PlanLeafMerge(const Path& path, const LeafRef& at,
                                              Plan* plan) const {
  const std::uint64_t most = plan->packs ? limits_.leaf_keys : limits_.leaf_keys / kMergedFill;
  if (path.empty() || (!plan->packs && LiveSlots(Slots(at)) > limits_.leaf_keys / kSparseLeaf)) {
    return false;
  }
  const Step& above = path.back();
  for (const std::uint64_t index : {above.index, above.index - 1}) {
    if (index + 1 >= above.node->head.capacity || index > above.index ||
        (plan->packs && index == above.index)) {
      continue;
    }
    const std::uint64_t left_offset = Children(*above.node)[index].load(std::memory_order_acquire);
    const std::uint64_t right_offset =
        Children(*above.node)[index + 1].load(std::memory_order_acquire);
    if (left_offset <= kEntryGone || right_offset <= kEntryGone) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(Leaf * left, LeafAt(left_offset));
    COMMY_ASSIGN_OR_RETURN(Leaf * right, LeafAt(right_offset));
    // In this order: a word that is taken in between counts in both.
    const std::uint64_t free = FreeAppendSlots(*left) + FreeAppendSlots(*right);
    const std::uint64_t in_left = LiveSlots(Slots({left_offset, left}));
    const std::uint64_t in_right = LiveSlots(Slots({right_offset, right}));
    const std::uint64_t live = in_left + in_right;
    const std::uint64_t room = 2 * (std::uint64_t{limits_.leaf_keys} + limits_.leaf_append);
    if (free + live > room || (in_left != 0 && in_right != 0 && live > most)) {
      continue;
    }
    TreeReshape& change = plan->change;
    change.kind = Kind(TreeReshapeKind::kMerge);
    change.parent = above.offset;
    change.index = index;
    change.old_0 = left_offset;
    change.old_1 = right_offset;
    change.fence = left->head.low;
    change.separator = Separators(*above.node)[index].load(std::memory_order_relaxed);
    plan->capacity_0 = free + live;
    SetHolder(path, path.size() - 1, &change);
    return true;
  }
  return false;
}

absl::StatusOr<bool> TreeShape::PlanInnerMerge(const Path& path, std::size_t depth,
                                               Plan* plan) const {
  COMMY_DCHECK(depth > 0 && depth < path.size());
  const Step& above = path[depth - 1];
  for (const std::uint64_t index : {above.index, above.index - 1}) {
    if (index + 1 >= above.node->head.capacity || index > above.index) {
      continue;
    }
    const std::uint64_t left_offset = Children(*above.node)[index].load(std::memory_order_acquire);
    const std::uint64_t right_offset =
        Children(*above.node)[index + 1].load(std::memory_order_acquire);
    if (left_offset <= kEntryGone || right_offset <= kEntryGone) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const InnerNode* left, InnerAt(left_offset));
    COMMY_ASSIGN_OR_RETURN(const InnerNode* right, InnerAt(right_offset));
    const std::uint64_t sum = std::uint64_t{left->head.capacity} + right->head.capacity;
    const bool single = left->head.capacity == 1 || right->head.capacity == 1;
    if (sum > 2 * std::uint64_t{limits_.node_children} ||
        (!single && sum > limits_.node_children / kMergedFill)) {
      continue;
    }
    TreeReshape& change = plan->change;
    change.kind = Kind(TreeReshapeKind::kMerge);
    change.parent = above.offset;
    change.index = index;
    change.old_0 = left_offset;
    change.old_1 = right_offset;
    change.fence = left->head.low;
    plan->leaves = false;
    SetHolder(path, depth - 1, &change);
    return true;
  }
  return false;
}

absl::StatusOr<bool> TreeShape::ShrinkAround(Operation& op, IndexRoot& root, std::string_view key) {
  Path path;
  COMMY_ASSIGN_OR_RETURN(const LeafRef leaf, Descend(root, Seek::kAt, key, &path));
  if (leaf.leaf == nullptr || path.empty()) {
    return false;
  }
  Plan plan;
  bool wanted = path.front().node->head.capacity == 1;
  if (wanted) {
    plan.change.kind = Kind(TreeReshapeKind::kLoseRoot);
    plan.change.parent = path.front().offset;
  } else {
    COMMY_ASSIGN_OR_RETURN(wanted, PlanLeafMerge(path, leaf, &plan));
  }
  for (std::size_t depth = path.size(); !wanted && depth-- > 1;) {
    COMMY_ASSIGN_OR_RETURN(wanted, PlanInnerMerge(path, depth, &plan));
  }
  if (!wanted) {
    return false;
  }
  const std::uint64_t pending = root.pending_reshape.load(std::memory_order_acquire);
  if (pending == kReshapeClosed) {
    return false;  // The root is being reclaimed.
  }
  COMMY_RETURN_IF_ERROR(pending != 0 ? HelpPending(root) : Post(op, root, plan));
  return true;
}

void TreeShape::AfterClose(Operation& op, IndexRoot& root, std::string_view key) {
  // In a full store the search for room costs more than a thousand deletes.
  if (const std::uint32_t skips = shrink_skips_.load(std::memory_order_relaxed); skips != 0)
      [[unlikely]] {
    shrink_skips_.store(skips - 1, std::memory_order_relaxed);
    return;
  }
  for (int step = 0; step < kShrinkLimit; ++step) {
    const absl::StatusOr<bool> more = ShrinkAround(op, root, key);
    if (absl::IsResourceExhausted(more.status())) {
      shrink_skips_.store(kShrinkSkipsWhenFull, std::memory_order_relaxed);
    }
    if (!more.ok() || !*more) {
      return;  // Done; or the next delete there, or the sweep, has another occasion.
    }
  }
}

// --- reshape-1 and reshape-6
// -----------------------------------------------------------------------

absl::Status TreeShape::Post(Operation& op, IndexRoot& root, Plan& plan) {
  TreeReshape& change = plan.change;
  const BlockKind kind = plan.leaves ? BlockKind::kLeaf : BlockKind::kInner;
  const std::uint32_t first_note =
      op.AddNote(change.old_0 == 0 ? 0 : BlockNote(kind, change.old_0));
  op.AddNote(change.old_1 == 0 ? 0 : BlockNote(kind, change.old_1));
  op.AddNote(change.parent == 0 ? 0 : BlockNote(BlockKind::kInner, change.parent));
  op.AddNote(change.separator == 0 ? 0 : BlockNote(BlockKind::kSeparator, change.separator));
  const std::uint32_t made = op.notes_used();
  // Everything that the reshape needs is there before it is posted: a helper allocates nothing.
  std::uint64_t descriptor = 0;
  absl::Status built = BuildTargets(op, &plan);
  if (built.ok()) {
    const absl::StatusOr<std::uint64_t> block =
        allocator_.Allocate(op, BlockKind::kDescriptor, sizeof(TreeReshape));
    built = block.status();
    if (auto* const words = region_.At<TreeReshape>(block.value_or(0)); built.ok()) {
      base::CopyIn(words, &change, sizeof(change));
      descriptor = *block;
    }
  }
  for ([[maybe_unused]] const std::uint64_t block :
       {change.old_0, change.old_1, change.parent, change.separator, change.target_0,
        change.target_1, change.target_parent, descriptor}) {
    COMMY_DCHECK(!built.ok() || block == 0 || versions::IsNoted(op, block));  // O1
  }
  if (!built.ok() ||
      !root.pending_reshape.CompareAndSet(0, descriptor, std::memory_order_seq_cst)) {  // reshape-1
    for (std::uint32_t place = made; place < op.notes_used(); ++place) {
      const process::Note note =
          process::ReadNote(op.lane().words().notes[place].load(std::memory_order_relaxed));
      if (note.offset_bytes != 0) {
        allocator_.Retire(op, note.offset_bytes);
      }
    }
    op.DropNotes(first_note);
    return built;
  }
  COMMY_RETURN_IF_ERROR(Help(root, descriptor));  // Else it stays posted, and the notes with it.
  const bool consistent = !base::kDebug || IsConsistentAround(root, descriptor);  // T1, T2, T3
  allocator_.Retire(op, descriptor);
  absl::Status retired = RetireAfterReshape(op, root, change, plan.leaves);
  op.DropNotes(first_note);
  return consistent ? retired : Damaged("an index root", region_.OffsetOf(&root));
}

absl::Status TreeShape::RetireAfterReshape(Operation& op, const IndexRoot& root,
                                           const TreeReshape& change, bool leaves) {
  // The reshape is done, by this process or a helper; or it was idle, since its old ones had been
  // replaced: then nothing names its targets, and some of the old ones may be in use.
  const BlockKind kind = leaves ? BlockKind::kLeaf : BlockKind::kInner;
  const std::pair<BlockKind, std::uint64_t> blocks[] = {{kind, change.old_0},
                                                        {kind, change.old_1},
                                                        {kind, change.target_0},
                                                        {kind, change.target_1},
                                                        {BlockKind::kInner, change.parent},
                                                        {BlockKind::kInner, change.target_parent},
                                                        {BlockKind::kSeparator, change.separator}};
  std::array<std::uint64_t, std::size(blocks)> unreachable{};
  std::size_t count = 0;
  for (const auto& [block_kind, offset] : blocks) {
    if (offset == 0) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const bool reachable, IsStructureReachable(root, block_kind, offset));
    if (!reachable) {
      unreachable.at(count++) = offset;
    }
  }
  // Retired together, after the last look: a look reads the bounds of blocks, separators among
  // them.
  for (std::size_t i = 0; i < count; ++i) {
    allocator_.Retire(op, unreachable[i]);
  }
  return absl::OkStatus();
}

}  // namespace commy::index
