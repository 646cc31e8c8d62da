// Walks over the structure of a hash index: can this block be reached, is all as it should be, and
// reclaiming it.
#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "index/hash/hash_shape.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

// A segment with more entries takes too long to look through after each reshape.
constexpr std::uint64_t kEntriesToCheck = 1024;

}  // namespace

bool HashShape::IsConsistentAround(const IndexRoot& root, std::uint64_t descriptor) const {
  const absl::StatusOr<DirectoryRef> directory = DirectoryOf(root);
  const absl::StatusOr<ReshapeDescriptor> change = DescriptorAt(descriptor);
  if (!directory.ok() || directory->entries == nullptr || !change.ok() ||
      change->kind == static_cast<std::uint64_t>(ReshapeKind::kDouble) ||
      change->kind == static_cast<std::uint64_t>(ReshapeKind::kMoveDirectory)) {
    return true;  // Reclaimed; or damaged, which is no mistake of ours; or of no segment.
  }
  const absl::StatusOr<Segment*> old = SegmentAt(change->old);
  if (!old.ok() || (*old)->depth > directory->depth) {
    return true;
  }
  const std::uint64_t count = std::uint64_t{1} << (directory->depth - (*old)->depth);
  const std::uint64_t first = DirectoryIndex((*old)->prefix, directory->depth) & ~(count - 1);
  for (std::uint64_t i = first; i < first + std::min(count, kEntriesToCheck); ++i) {
    const std::uint64_t offset = directory->entries[i].load(std::memory_order_acquire);
    const absl::StatusOr<Segment*> segment =
        offset <= kEntryGone ? absl::StatusOr<Segment*>(nullptr) : SegmentAt(offset);
    if (!segment.ok() || *segment == nullptr) {
      continue;
    }
    const std::uint64_t depth = (*segment)->depth;
    if (depth > directory->depth ||
        DirectoryIndex((*segment)->prefix, depth) != i >> (directory->depth - depth)) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<bool> HashShape::IsSegmentReachable(const IndexRoot& root,
                                                   std::uint64_t offset) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  const auto* const words = region_.At<Segment>(offset);
  if (words == nullptr || directory.entries == nullptr) {
    return false;  // No segment; or nothing is left of the root.
  }
  // Read once: the memory may belong to another block now, and change meanwhile.
  const Segment segment = *words;
  if (segment.depth > directory.depth) {
    return false;  // Never finished, so never published.
  }
  const std::uint64_t count = std::uint64_t{1} << (directory.depth - segment.depth);
  const std::uint64_t first = DirectoryIndex(segment.prefix, directory.depth) & ~(count - 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (directory.entries[first + i].load(std::memory_order_acquire) == offset) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<bool> HashShape::IsSegmentNeeded(const IndexRoot& root, std::uint64_t offset) const {
  COMMY_ASSIGN_OR_RETURN(const bool reachable, IsSegmentReachable(root, offset));
  if (reachable) {
    return true;
  }
  // After the entries: the merge that changed them is seen here, or is over.
  const std::uint64_t pending = root.pending_reshape.load(std::memory_order_seq_cst);
  if (pending <= kReshapeClosed) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const ReshapeDescriptor change, DescriptorAt(pending));
  return change.kind == static_cast<std::uint64_t>(ReshapeKind::kMerge) &&
         (change.old == offset || change.old_1 == offset);
}

Segment* HashShape::SegmentToWalk(const IndexRoot& root, const DirectoryRef& directory,
                                  std::uint64_t index, const EdgeWalk& walk) const {
  const std::uint64_t offset = directory.entries[index].load(std::memory_order_acquire);
  if (offset <= kEntryGone) {
    if (walk.whole) {
      walk.fault(absl::StrCat("namespace ", root.namespace_id & kNamespaceIdMask,
                              ": directory entry ", index, " is empty"));
    }
    return nullptr;
  }
  const absl::StatusOr<Segment*> segment = SegmentAt(offset);
  if (!segment.ok()) {
    walk.fault(std::string(segment.status().message()));
    return nullptr;
  }
  const std::uint64_t depth = (*segment)->depth;
  if (depth > directory.depth || (*segment)->bucket_count != directory.bucket_count ||
      DirectoryIndex((*segment)->prefix, depth) !=
          (depth == 0 ? 0 : index >> (directory.depth - depth))) {
    walk.fault(absl::StrCat("namespace ", root.namespace_id & kNamespaceIdMask, ": the segment at ",
                            base::Hex(offset), " does not belong at directory entry ", index));
    return nullptr;
  }
  // Once, at its first entry. That is not the first of its range while a split is half done, or
  // while it is being reclaimed.
  const std::uint64_t width = std::uint64_t{1} << (directory.depth - depth);
  const bool again = (index & (width - 1)) != 0 &&
                     directory.entries[index - 1].load(std::memory_order_acquire) == offset;
  return again ? nullptr : *segment;
}

absl::StatusOr<bool> HashShape::IsStructureReachable(const IndexRoot& root, BlockKind kind,
                                                     std::uint64_t offset) const {
  if (kind == BlockKind::kDirectory) {
    return root.directory.load(std::memory_order_acquire) == offset;
  }
  return kind == BlockKind::kSegment ? IsSegmentNeeded(root, offset) : absl::StatusOr<bool>(false);
}

// The first directory entry whose records are the segment's own, where it is named at `index`
// first. Before it may stand the segment that a half-done split or rebuild has put into its place.
// That one has the records of all entries of its own range, including those that are not replaced
// yet. An entry that a drop has reclaimed owns no records, so any of them that the segment still
// holds are its own. The segment of a half-done merge stands at the first of the entries of both:
// behind it may stand what is left of the lower one, and then the upper one.
std::uint64_t HashShape::FirstEntryOfItsOwn(const DirectoryRef& directory, std::uint64_t index,
                                            std::uint64_t depth) const {
  if (index == 0) {
    return 0;
  }
  const std::uint64_t offset = directory.entries[index - 1].load(std::memory_order_acquire);
  if (offset == kEntryGone) {
    return 0;
  }
  const absl::StatusOr<Segment*> before = SegmentAt(offset);
  if (!before.ok() || (*before)->depth > directory.depth) {
    return index;  // That is a fault of the entry before.
  }
  const std::uint64_t width = std::uint64_t{1} << (directory.depth - (*before)->depth);
  const std::uint64_t own = ((index - 1) | (width - 1)) + 1;
  if (depth == 0) {
    return own;
  }
  const std::uint64_t both_width = std::uint64_t{1} << (directory.depth - depth + 1);
  const std::uint64_t first_offset =
      directory.entries[index & ~(both_width - 1)].load(std::memory_order_acquire);
  if (first_offset == kEntryGone) {
    return own;
  }
  const absl::StatusOr<Segment*> first = SegmentAt(first_offset);
  return first.ok() && (*first)->depth + 1 == depth ? std::max(own, (index | (both_width - 1)) + 1)
                                                    : own;
}

absl::Status HashShape::WalkStructure(IndexRoot& root, const EdgeWalk& walk) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries == nullptr) {
    return absl::OkStatus();
  }
  walk.use({BlockKind::kDirectory, &root.directory, directory.offset});
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << directory.depth); ++i) {
    Segment* const segment = SegmentToWalk(root, directory, i, walk);
    if (segment == nullptr) {
      continue;
    }
    walk.use({BlockKind::kSegment, &directory.entries[i], region_.OffsetOf(segment)});
    const std::uint64_t depth = segment->depth;
    const std::uint64_t prefix = segment->prefix;
    const SlotArray slots = Slots(region_.OffsetOf(segment), *segment, directory.bucket_count);
    const std::uint64_t from = FirstEntryOfItsOwn(directory, i, depth);
    for (std::uint64_t k = 0; k < slots.count; ++k) {
      const std::uint64_t word = slots.words[k].load(std::memory_order_acquire);
      if (SlotPrefixOf(word) >> (kHashPrefixBits - directory.depth) < from) {
        continue;  // The segment that stands before has it.
      }
      WalkSlot(root, slots.words[k], walk, [&](std::string_view /*key*/, std::uint64_t hash) {
        return depth == 0 || (hash >> (64U - depth)) == (prefix >> (64U - depth));
      });
    }
  }
  return absl::OkStatus();
}

absl::Status HashShape::ReclaimSegment(Operation& op, const DirectoryRef& directory,
                                       std::uint64_t index) {
  const std::uint64_t offset = directory.entries[index].load(std::memory_order_acquire);
  if (offset <= kEntryGone) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(offset, directory.bucket_count));
  const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kSegment, offset));
  COMMY_RETURN_IF_ERROR(ReclaimSlots(op, Slots(offset, *segment, directory.bucket_count)));
  // Every entry that may name it, not only those that are left: then none does.
  if (segment->depth > directory.depth) {
    return base::DataLoss(region_.path(), ": the segment at ", base::Hex(offset),
                          " is deeper than its directory");
  }
  const std::uint64_t count = std::uint64_t{1} << (directory.depth - segment->depth);
  const std::uint64_t first = index & ~(count - 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    directory.entries[first + i].CompareAndSet(offset, kEntryGone, std::memory_order_seq_cst);
    COMMY_DCHECK(directory.entries[first + i].load(std::memory_order_relaxed) != offset);
  }
  COMMY_DCHECK(versions::IsNoted(op, offset));  // O1
  allocator_.Retire(op, offset);
  op.DropNotes(place);
  return absl::OkStatus();
}

absl::StatusOr<bool> HashShape::ReclaimStructure(Operation& op, IndexRoot& root,
                                                 std::int64_t deadline_ns) {
  COMMY_DCHECK(root.pending_reshape.load(std::memory_order_relaxed) ==
               kReshapeClosed);  // reclaim-1
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries != nullptr) {
    for (std::uint64_t i = 0; i < (std::uint64_t{1} << directory.depth); ++i) {
      if (directory.entries[i].load(std::memory_order_acquire) <= kEntryGone) {
        continue;
      }
      COMMY_RETURN_IF_ERROR(ReclaimSegment(op, directory, i));
      if (IsTimeUp(deadline_ns)) {
        return false;
      }
    }
    const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kDirectory, directory.offset));
    if (root.directory.CompareAndSet(directory.offset, 0, std::memory_order_seq_cst)) {
      allocator_.Retire(op, directory.offset);
    }
    op.DropNotes(place);
  }
  return true;
}

}  // namespace commy::index
