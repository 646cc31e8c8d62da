// Walks over the structure of an ordered index: all leaves, can this block be reached, is all as it
// should be, and reclaiming it.
#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

}  // namespace

absl::StatusOr<bool> TreeShape::ForEachLeaf(std::uint64_t offset, std::uint32_t level_limit,
                                            std::uint64_t behind, LeafWalk* walk) const {
  if (offset <= kEntryGone) {
    return true;
  }
  const auto* const head = region_.At<NodeHead>(offset);
  if (head == nullptr || head->level > level_limit) {
    return Damaged("a node", offset);
  }
  if (head->level == 0) {
    COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
    COMMY_ASSIGN_OR_RETURN(const bool more, walk->use(Slots({offset, leaf})));
    if (more) {
      walk->behind = behind;
    }
    return more;
  }
  COMMY_ASSIGN_OR_RETURN(InnerNode * node, InnerAt(offset));
  std::uint64_t first = 0;
  if (!walk->from.empty()) {
    COMMY_ASSIGN_OR_RETURN(first, ChildFor(*node, Seek::kAt, walk->from));
    if (first == kNoChild) {
      return true;  // It is being reclaimed.
    }
  }
  for (std::uint64_t i = first; i < node->head.capacity; ++i) {
    const bool is_last = i + 1 == node->head.capacity;
    COMMY_ASSIGN_OR_RETURN(
        const bool more,
        ForEachLeaf(Children(*node)[i].load(std::memory_order_acquire), node->head.level - 1,
                    is_last ? behind : Separators(*node)[i].load(std::memory_order_acquire), walk));
    if (!more) {
      return false;
    }
    walk->from = std::string_view();
  }
  return true;
}

absl::StatusOr<bool> TreeShape::ForEachSlotsFrom(
    const IndexRoot& root, SlotPlace* place,
    absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const {
  LeafWalk walk{place->key, use};
  COMMY_ASSIGN_OR_RETURN(const bool all, ForEachLeaf(root.directory.load(std::memory_order_acquire),
                                                     kLevelLimit, 0, &walk));
  if (!all && walk.behind != 0) {
    std::string_view bound;
    COMMY_ASSIGN_OR_RETURN(const bool there, SeparatorAt(walk.behind, &bound));
    if (there && bound <= place->key) {
      return Damaged("a separator", walk.behind);  // A damaged tree could keep a walk for ever.
    }
    if (there) {  // Else it is being reclaimed, and there is nothing to go on with.
      place->key.assign(bound);
    }
  }
  return all;
}

// --- Assertions ----------------------------------------------------------------------------------

bool TreeShape::FitsItsChildren(InnerNode& node) const {
  for (std::uint64_t i = 0; i < node.head.capacity; ++i) {
    const std::uint64_t low =
        i == 0 ? node.head.low : Separators(node)[i - 1].load(std::memory_order_acquire);
    const std::uint64_t child = Children(node)[i].load(std::memory_order_acquire);
    if (child <= kEntryGone || (i != 0 && low <= kEntryGone)) {
      continue;  // Being taken back.
    }
    const auto* const head = region_.At<NodeHead>(child);
    if (head != nullptr && (head->level + 1 != node.head.level || head->low != low)) {
      return false;
    }
  }
  return true;
}

bool TreeShape::IsConsistentAround(const IndexRoot& root, std::uint64_t descriptor) const {
  const absl::StatusOr<TreeReshape> change = ReshapeAt(descriptor);
  Path path;
  if (!change.ok() || !DescendToFence(root, change->fence, &path).ok()) {
    return true;  // Damaged, which is no mistake of ours.
  }
  return std::all_of(path.begin(), path.end(),
                     [this](const Step& step) { return FitsItsChildren(*step.node); });
}

// --- Reachability --------------------------------------------------------------------------------

absl::StatusOr<bool> TreeShape::IsStructureReachable(const IndexRoot& root, BlockKind kind,
                                                     std::uint64_t offset) const {
  Path path;
  if (kind == BlockKind::kSeparator) {
    // The way to a separator's own key leads through the node that names it.
    COMMY_RETURN_IF_ERROR(DescendToFence(root, offset, &path).status());
    return std::any_of(path.begin(), path.end(), [offset](const Step& step) {
      const Shared64* const words = Separators(*step.node);
      return std::any_of(words, words + step.node->head.capacity, [offset](const Shared64& word) {
        return word.load(std::memory_order_acquire) == offset;
      });
    });
  }
  const auto* const head = region_.At<NodeHead>(offset);
  if ((kind != BlockKind::kLeaf && kind != BlockKind::kInner) || head == nullptr) {
    return false;
  }
  // Read once: the memory may belong to another block now, or never have been finished.
  const std::uint64_t low = head->low;
  COMMY_ASSIGN_OR_RETURN(const LeafRef leaf, DescendToFence(root, low, &path));
  return leaf.offset == offset || std::any_of(path.begin(), path.end(), [offset](const Step& step) {
           return step.offset == offset;
         });
}

// --- Reclaiming ----------------------------------------------------------------------------------

absl::StatusOr<bool> TreeShape::ReclaimNode(Operation& op, Shared64& word, std::uint64_t gone,
                                            std::uint32_t level_limit, std::int64_t deadline_ns) {
  const std::uint64_t offset = word.load(std::memory_order_acquire);
  if (offset <= kEntryGone) {
    return true;
  }
  const auto* const head = region_.At<NodeHead>(offset);
  if (head == nullptr || head->level > level_limit) {
    return Damaged("a node", offset);
  }
  const bool is_leaf = head->level == 0;
  if (!is_leaf) {
    COMMY_ASSIGN_OR_RETURN(InnerNode * node, InnerAt(offset));
    for (std::uint64_t i = 0; i < node->head.capacity; ++i) {
      COMMY_ASSIGN_OR_RETURN(const bool done, ReclaimNode(op, Children(*node)[i], kEntryGone,
                                                          node->head.level - 1, deadline_ns));
      if (!done) {
        return false;
      }
      COMMY_DCHECK(Children(*node)[i].load(std::memory_order_relaxed) <= kEntryGone);
    }
    ReclaimSeparators(op, *node);
  }
  const std::uint32_t place =
      op.AddNote(BlockNote(is_leaf ? BlockKind::kLeaf : BlockKind::kInner, offset));
  if (is_leaf) {
    COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
    COMMY_RETURN_IF_ERROR(ReclaimSlots(op, Slots({offset, leaf})));
  }
  if (word.CompareAndSet(offset, gone, std::memory_order_seq_cst)) {  // reclaim-2
    allocator_.Retire(op, offset);
  }
  op.DropNotes(place);
  return !is_leaf || gone == 0 || !IsTimeUp(deadline_ns);
}

// Only when no child is left: the way to a child needs them.
void TreeShape::ReclaimSeparators(Operation& op, InnerNode& node) {
  for (std::uint64_t i = 0; i + 1 < node.head.capacity; ++i) {
    Shared64& separator = Separators(node)[i];
    const std::uint64_t text = separator.load(std::memory_order_acquire);
    if (text <= kEntryGone) {
      continue;
    }
    const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kSeparator, text));
    if (separator.CompareAndSet(text, kEntryGone, std::memory_order_seq_cst)) {  // reclaim-2
      allocator_.Retire(op, text);
    }
    op.DropNotes(place);
  }
}

absl::StatusOr<bool> TreeShape::ReclaimStructure(Operation& op, IndexRoot& root,
                                                 std::int64_t deadline_ns) {
  COMMY_DCHECK(root.pending_reshape.load(std::memory_order_relaxed) ==
               kReshapeClosed);  // reclaim-1
  return ReclaimNode(op, root.directory, 0, kLevelLimit, deadline_ns);
}

// --- Check
// -----------------------------------------------------------------------------------------

struct TreeShape::Walk {
  const IndexRoot& root;
  const EdgeWalk& edges;

  void Fault(std::string_view what, std::uint64_t offset, std::string_view problem) const {
    edges.fault(absl::StrCat("namespace ", root.namespace_id & kNamespaceIdMask, ": the ",
                             base::ToAbsl(what), " at ", base::Hex(offset), " ",
                             base::ToAbsl(problem)));
  }
};

absl::Status TreeShape::WalkStructure(IndexRoot& root, const EdgeWalk& walk) const {
  const std::uint64_t offset = root.directory.load(std::memory_order_acquire);
  const Walk here{root, walk};
  if (offset != 0) {
    WalkNode(here, root.directory, offset, kLevelLimit, Bounds());
  } else if (walk.whole) {
    here.Fault("root", region_.OffsetOf(&root), "names no node");
  }
  return absl::OkStatus();
}

void TreeShape::WalkNode(const Walk& walk, Shared64& word, std::uint64_t offset,
                         std::uint32_t level_limit, const Bounds& bounds) const {
  const auto* const head = region_.At<NodeHead>(offset);
  if (head == nullptr || head->level > level_limit) {
    walk.Fault("node", offset, "does not make sense");
    return;
  }
  if (level_limit < kLevelLimit && head->level != level_limit) {
    walk.Fault("node", offset, "is on the wrong level");
  }
  if (head->low != bounds.low_offset) {
    walk.Fault("node", offset, "has another lower bound than its parent says");
  }
  if (head->level == 0) {
    const absl::StatusOr<Leaf*> leaf = LeafAt(offset);
    if (!leaf.ok()) {
      walk.edges.fault(std::string(leaf.status().message()));
    } else if (walk.edges.use({BlockKind::kLeaf, &word, offset})) {
      WalkLeaf(walk, {offset, *leaf}, bounds);
    }
    return;
  }
  const absl::StatusOr<InnerNode*> node = InnerAt(offset);
  if (!node.ok()) {
    walk.edges.fault(std::string(node.status().message()));
  } else if (walk.edges.use({BlockKind::kInner, &word, offset})) {
    WalkInner(walk, offset, **node, bounds);
  }
}

// The separator behind child `index`, whose lower bound and the node's upper one are `bounds`.
void TreeShape::WalkSeparator(const Walk& walk, InnerNode& node, std::uint64_t index,
                              std::string_view text, const Bounds& bounds) const {
  const std::uint64_t offset = region_.OffsetOf(text.data()) - sizeof(Separator);
  walk.edges.use({BlockKind::kSeparator, &Separators(node)[index], offset});
  const auto* const words = region_.At<Separator>(offset);
  if (words->checksum != base::Checksum(text.data(), text.size())) {
    walk.Fault("separator", offset, "has a wrong checksum");
  }
  const std::uint64_t inlined = std::min(node.prefix_size, kPrefixInline);
  const bool shares = text.size() >= node.prefix_size &&
                      text.substr(0, inlined) ==
                          std::string_view(reinterpret_cast<const char*>(node.prefix), inlined);
  const bool in_order =
      (bounds.low_offset == 0 || text > bounds.low) && (!bounds.has_high || text < bounds.high);
  if (!shares || !in_order || Heads(node)[index] != HeadOf(text, node.prefix_size)) {
    walk.Fault("separator", offset, "does not belong there");
  }
}

void TreeShape::WalkInner(const Walk& walk, std::uint64_t offset, InnerNode& node,
                          const Bounds& bounds) const {
  Bounds part = bounds;
  for (std::uint64_t i = 0; i < node.head.capacity; ++i) {
    const bool is_last = i + 1 == node.head.capacity;
    const std::uint64_t separator = Separators(node)[i].load(std::memory_order_acquire);
    std::string_view text = bounds.high;
    if (!is_last) {
      const absl::StatusOr<bool> there = SeparatorAt(separator, &text);
      if (!there.ok()) {
        walk.edges.fault(std::string(there.status().message()));
        return;
      }
      if (!*there) {
        if (walk.edges.whole) {
          walk.Fault("inner node", offset, "has lost a separator");
        }
        continue;  // Then the children are gone too.
      }
      part.has_high = bounds.has_high;
      part.high = bounds.high;
      WalkSeparator(walk, node, i, text, part);
    }
    part.has_high = is_last ? bounds.has_high : true;
    part.high = text;
    const std::uint64_t child = Children(node)[i].load(std::memory_order_acquire);
    if (child > kEntryGone) {
      WalkNode(walk, Children(node)[i], child, node.head.level - 1, part);
    } else if (walk.edges.whole) {
      walk.Fault("inner node", offset, "has lost a child");
    }
    part.low_offset = separator;
    part.low = text;
  }
}

void TreeShape::WalkLeaf(const Walk& walk, const LeafRef& at, const Bounds& bounds) const {
  Leaf& leaf = *at.leaf;
  const std::uint64_t base = std::max<std::uint64_t>(leaf.count.load(std::memory_order_acquire), 1);
  const std::uint64_t prefix = leaf.prefix_size.load(std::memory_order_acquire);
  const SlotArray slots = Slots(at);
  std::string_view last;
  bool first = true;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const bool in_base = i < leaf.head.capacity;
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (in_base && SlotIsEmpty(word) != (i >= base - 1)) {
      walk.Fault("leaf", at.offset, "has an entry where none belongs, or lacks one");
    }
    if (SlotIsEmpty(word) || SlotIsClosed(word)) {
      continue;
    }
    if (const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
        in_base && view.valid()) {
      if ((!first && view.key <= last) ||
          Heads(leaf)[i].load(std::memory_order_relaxed) != HeadOf(view.key, prefix)) {
        walk.Fault("leaf", at.offset, "is out of order");
      }
      first = false;
      last = view.key;
    }
    WalkSlot(walk.root, slots.words[i], walk.edges,
             [&](std::string_view key, std::uint64_t /*hash*/) {
               return (bounds.low_offset == 0 || key >= bounds.low) &&
                      (!bounds.has_high || key < bounds.high);
             });
  }
}

}  // namespace commy::index
