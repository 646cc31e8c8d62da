// Recovery's questions to a hash index: finish what is posted, and can this block be reached?
#include "base/status.h"
#include "index/hash_index.h"

namespace commy::index {
namespace {

using process::NoteKind;
using process::Operation;

constexpr int kChainLimit = 1'000'000;

}  // namespace

absl::Status HashIndex::FinishPosted([[maybe_unused]] Operation& own, const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  const std::uint64_t successor = root->successor.load(std::memory_order_acquire);
  if (successor == kDropMark) {
    return absl::AbortedError("being dropped");
  }
  if (successor != 0) {
    return CompleteClear(anchor, root_offset, *root, successor);
  }
  const std::uint64_t baton = root->baton.load(std::memory_order_acquire);
  return baton > kBatonClosed ? Help(*root, baton) : absl::OkStatus();
}

absl::Status HashIndex::ForEachRoot(
    const Anchor& anchor,
    absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, IndexRoot&)> visit) const {
  std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  for (int step = 0; step < kChainLimit && offset != 0; ++step) {
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
    COMMY_ASSIGN_OR_RETURN(const bool go_on, visit(offset, *root));
    if (!go_on) {
      return absl::OkStatus();
    }
    offset = root->prev.load(std::memory_order_acquire);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HashIndex::IsSegmentReachable(const IndexRoot& root,
                                                   std::uint64_t offset) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  const auto* const words = region_.At<Segment>(offset);
  if (words == nullptr || directory.entries == nullptr) {
    return false;  // No segment; or nothing is left of the root.
  }
  // Read once: the memory may be somebody else's by now, and change under our eyes.
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

absl::StatusOr<bool> HashIndex::IsRecordReachable(const IndexRoot& root,
                                                  std::uint64_t offset) const {
  const RecordView wanted = ViewRecord(region_, offset);
  if (!wanted.valid()) {
    return false;  // Never finished, so never published.
  }
  const std::uint64_t hash = Hash(wanted.key);
  COMMY_ASSIGN_OR_RETURN(const SegmentRef at, FindSegment(root, hash));
  if (at.segment == nullptr) {
    return false;
  }
  const Shared64* const slots = Bucket(*at.segment, BucketIndex(hash, bucket_count_));
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word) || SlotIsDead(word) || !SlotHasTag(word, hash)) {
      continue;
    }
    std::uint64_t next = SlotOffset(word);
    for (int step = 0; step < kChainLimit && next != 0; ++step) {
      if (next == offset) {
        return true;
      }
      const auto* const record = region_.At<Record>(next);
      next = record == nullptr ? 0 : record->prev.load(std::memory_order_acquire) & ~kPrevFrozen;
    }
  }
  return false;
}

absl::StatusOr<bool> HashIndex::IsReachable(const Anchor& anchor, NoteKind kind,
                                            std::uint64_t offset) {
  bool found = false;
  COMMY_RETURN_IF_ERROR(
      ForEachRoot(anchor, [&](std::uint64_t root_offset, IndexRoot& root) -> absl::StatusOr<bool> {
        switch (kind) {
          case NoteKind::kIndexRoot:
            found = root_offset == offset;
            break;
          case NoteKind::kDirectory:
            found = root.directory.load(std::memory_order_acquire) == offset;
            break;
          case NoteKind::kDescriptor:
            found = root.baton.load(std::memory_order_acquire) == offset;
            break;
          case NoteKind::kSegment: {
            COMMY_ASSIGN_OR_RETURN(found, IsSegmentReachable(root, offset));
            break;
          }
          case NoteKind::kRecord: {
            COMMY_ASSIGN_OR_RETURN(found, IsRecordReachable(root, offset));
            break;
          }
          case NoteKind::kCounters:
            for (const Shared64& group : root.counters) {
              found |= group.load(std::memory_order_acquire) == offset;
            }
            break;
          default:
            break;
        }
        return !found;
      }));
  return found;
}

// --- Walk ------------------------------------------------------------------------------------

void HashIndex::WalkChain(const Anchor& anchor, std::uint64_t word, std::uint64_t hash_prefix,
                          std::uint64_t depth, bool current, BlockVisitor visit, FaultVisitor fault,
                          std::uint64_t* keys) const {
  std::uint64_t offset = SlotOffset(word);
  bool head = true;
  for (int step = 0; step < kChainLimit && offset != 0; ++step) {
    const std::string where =
        absl::StrCat("namespace ", anchor.id & kIdMask, ", record at ", base::Hex(offset));
    const RecordView view = ViewRecord(region_, offset);
    if (!view.valid() ||
        allocator_.BlockBytes(offset) < RecordBytes(view.key.size(), view.value.size())) {
      fault(absl::StrCat(where, ": its sizes do not fit into its block"));
      return;
    }
    if (!visit(NoteKind::kRecord, offset)) {
      return;  // Seen before: two chains that meet, or one that leads in a circle.
    }
    if (!VerifyRecord(view)) {
      fault(absl::StrCat(where, ": wrong checksum"));
    }
    const std::uint64_t hash = Hash(view.key);
    if (view.record->namespace_id != anchor.id) {
      fault(absl::StrCat(where, ": it belongs to namespace ", view.record->namespace_id & kIdMask));
    }
    if (!SlotHasTag(word, hash) ||
        (depth != 0 && (hash >> (64U - depth)) != (hash_prefix >> (64U - depth)))) {
      fault(absl::StrCat(where, ": its key does not belong there"));
    }
    if (head && current && !view.tombstone()) {
      ++*keys;
    }
    head = false;
    offset = view.record->prev.load(std::memory_order_acquire) & ~kPrevFrozen;
  }
}

Segment* HashIndex::SegmentToWalk(const Anchor& anchor, const DirectoryRef& directory,
                                  std::uint64_t index, bool current, FaultVisitor fault) const {
  const std::uint64_t offset = directory.entries[index].load(std::memory_order_acquire);
  if (offset <= kEntryGone) {
    if (current) {
      fault(absl::StrCat("namespace ", anchor.id & kIdMask, ": directory entry ", index,
                         " is empty"));
    }
    return nullptr;
  }
  const absl::StatusOr<Segment*> segment = SegmentAt(offset);
  if (!segment.ok()) {
    fault(std::string(segment.status().message()));
    return nullptr;
  }
  const std::uint64_t depth = (*segment)->depth;
  if (depth > directory.depth || DirectoryIndex((*segment)->prefix, depth) !=
                                     (depth == 0 ? 0 : index >> (directory.depth - depth))) {
    fault(absl::StrCat("namespace ", anchor.id & kIdMask, ": the segment at ", base::Hex(offset),
                       " does not belong at directory entry ", index));
    return nullptr;
  }
  const std::uint64_t width = std::uint64_t{1} << (directory.depth - depth);
  if ((index & (width - 1)) == 0) {
    return *segment;
  }
  // A segment that is being taken back loses its entries in this order: here is the first one left.
  const std::uint64_t before = directory.entries[index - 1].load(std::memory_order_acquire);
  return before == kEntryGone ? *segment : nullptr;
}

absl::Status HashIndex::WalkRoot(const Anchor& anchor, IndexRoot& root, bool current,
                                 BlockVisitor visit, FaultVisitor fault,
                                 std::uint64_t* keys) const {
  for (const Shared64& group : root.counters) {
    if (const std::uint64_t offset = group.load(std::memory_order_acquire);
        offset > kCountersClosed) {
      visit(NoteKind::kCounters, offset);
    }
  }
  if (const std::uint64_t baton = root.baton.load(std::memory_order_acquire);
      baton > kBatonClosed) {
    visit(NoteKind::kDescriptor, baton);
  }
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries == nullptr) {
    return absl::OkStatus();
  }
  visit(NoteKind::kDirectory, directory.offset);
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << directory.depth); ++i) {
    Segment* const segment = SegmentToWalk(anchor, directory, i, current, fault);
    if (segment == nullptr) {
      continue;
    }
    visit(NoteKind::kSegment, region_.OffsetOf(segment));
    for (std::uint64_t k = 0; k < SlotCount(); ++k) {
      const std::uint64_t word = Slots(*segment)[k].load(std::memory_order_acquire);
      if (!SlotIsEmpty(word) && !SlotIsDead(word)) {
        WalkChain(anchor, word, segment->prefix, segment->depth, current, visit, fault, keys);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status HashIndex::Walk(const Anchor& anchor, BlockVisitor visit, FaultVisitor fault,
                             std::uint64_t* keys) {
  bool current = true;
  return ForEachRoot(anchor, [&](std::uint64_t offset, IndexRoot& root) -> absl::StatusOr<bool> {
    visit(NoteKind::kIndexRoot, offset);
    // A dropped one has no keys, and its directory entries go as its memory is taken back.
    const bool whole = current && root.successor.load(std::memory_order_acquire) != kDropMark;
    COMMY_RETURN_IF_ERROR(WalkRoot(anchor, root, whole, visit, fault, keys));
    current = false;
    return true;
  });
}

}  // namespace commy::index
