// Changes of a hash index that make it smaller, or that move its blocks elsewhere.
//
// MERGE     of two segments of one depth that differ in the last bit of their prefixes:
//           The poster (reshape-1) has counted: both together fill a part of one segment. It makes
//           three targets: one of both, and one for each of them alone. All slots of both are
//           frozen (reshape-2). If each bucket of both has room in one, target_0 is filled
//           (reshape-3): of each bucket first the slots of the lower, then those of the upper. Else
//           (writers came before the freeze) target_1 and target_2 are, which is a rebuild of both.
//           Frozen slots do not change, so every helper decides alike. The directory's entries are
//           changed in order (reshape-4): those of the lower one, then those of the upper one.
//           In place is a merge as long as the last entry names the upper one and the first one
//           names the lower one or a target: so a helper that comes while the entries are half
//           changed goes on, and one that comes later does nothing.
// RETIRE    While the entries are half changed none names the lower one any more, and helpers may
//           still begin, which work on it. So as long as the merge is posted no process retires
//           what it names as old; one that had put the lower one there may come to its reshape-6
//           that late, or be dead and recovered. The poster of the merge retires it, or its
//           recoverer.
// HALF DONE While the entries are half changed the new segment stands in front of the upper one,
//           which it includes. Scans skip what is below their cursor, and walks what an entry in
//           front owns, as with a split.
// DIRECTORY Another directory has the same entries, or half as many where all stand twice. No entry
//           changes while the reshape is posted, as that takes a reshape, too. If they do not stand
//           twice any more when it is posted, it is refused, by a word in the target: a helper that
//           comes late may find that they do again. A helper that comes
//           late to its reshape-4 may find a directory that the segments are too deep for: then
//           it has nothing to do.
// MODEL     tests/model/merge_model_test.cc. Its weakened forms fail: an upper one that is not
//           frozen; filling before the freeze; no fallback; in place by the first entry alone; the
//           upper entries first; retiring the upper one of an idle merge, or what a posted one
//           names.
// TESTED    tests/index/hash_shape_test.cc, tests/crash/
#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/status.h"
#include "index/hash/hash_shape.h"

namespace commy::index {

using process::Operation;

namespace {

// Segments are merged if both have at most this many keys a bucket: so a bucket rarely gets too
// small, and the result is far from being split again.
constexpr std::uint64_t kMergedKeysABucket = 7;
// And if no bucket of the result is nearly full.
constexpr std::uint64_t kMergedBucketMax = kSlotsPerBucket - 2;

bool IsLiveSlot(std::uint64_t word) {
  const std::uint64_t plain = word & ~kSlotFrozen;
  return plain != 0 && !SlotIsClosed(plain);
}

}  // namespace

std::uint64_t HashShape::LiveInBucket(Segment& segment, std::uint64_t bucket) {
  const Shared64* const slots = Bucket(segment, bucket);
  return static_cast<std::uint64_t>(std::count_if(
      slots, slots + kSlotsPerBucket,
      [](const Shared64& slot) { return IsLiveSlot(slot.load(std::memory_order_acquire)); }));
}

absl::Status HashShape::MoveStructure(Operation& op, IndexRoot& root, std::uint64_t array,
                                      absl::FunctionRef<bool(std::uint64_t)> moves) {
  const absl::StatusOr<bool> merged = MergeAround(op, root, array);
  if (!merged.ok() && !absl::IsResourceExhausted(merged.status())) {
    return merged.status();
  }
  if (!merged.value_or(false) && moves(array)) {
    Position at;
    at.root = &root;
    at.place_offset = array;
    COMMY_RETURN_IF_ERROR(PostReshape(op, at, ReshapeKind::kRebuild));
  }
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries != nullptr && moves(directory.offset)) {
    Position at;
    at.root = &root;
    return PostReshape(op, at, ReshapeKind::kMoveDirectory);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HashShape::MergeAround(Operation& op, IndexRoot& root, std::uint64_t array) {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(array));
  const std::uint64_t depth = segment->depth;
  if (directory.entries == nullptr || depth == 0 || depth > directory.depth ||
      root.pending_reshape.load(std::memory_order_acquire) != 0) {
    return false;
  }
  const std::uint64_t bit = std::uint64_t{1} << (64U - depth);
  const std::uint64_t buddy =
      directory.entries[DirectoryIndex(segment->prefix ^ bit, directory.depth)].load(
          std::memory_order_acquire);
  if (buddy <= kEntryGone || buddy == array) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(Segment * other, SegmentAt(buddy));
  const std::uint64_t buckets = segment->bucket_count;
  if (other->depth != depth || other->bucket_count != buckets ||
      other->prefix != (segment->prefix ^ bit)) {
    return false;
  }
  std::uint64_t live = 0;
  for (std::uint64_t bucket = 0; bucket < buckets; ++bucket) {
    const std::uint64_t both = LiveInBucket(*segment, bucket) + LiveInBucket(*other, bucket);
    live += both;
    if (both > kMergedBucketMax || live > buckets * kMergedKeysABucket) {
      return false;
    }
  }
  const bool is_low = (segment->prefix & bit) == 0;
  ReshapeDescriptor change{};
  change.kind = static_cast<std::uint64_t>(ReshapeKind::kMerge);
  change.old = is_low ? array : buddy;
  change.old_1 = is_low ? buddy : array;
  change.depth = depth;
  change.prefix = segment->prefix & ~bit;
  COMMY_RETURN_IF_ERROR(Post(op, root, change));
  return true;
}

absl::Status HashShape::BuildMergeTargets(Operation& op, std::uint64_t bucket_count,
                                          ReshapeDescriptor* change) {
  COMMY_DCHECK(change->depth > 0);
  const std::uint64_t bit = std::uint64_t{1} << (64U - change->depth);
  COMMY_ASSIGN_OR_RETURN(change->target_0,
                         BuildSegment(op, bucket_count, change->depth - 1, change->prefix));
  COMMY_ASSIGN_OR_RETURN(change->target_1,
                         BuildSegment(op, bucket_count, change->depth, change->prefix));
  COMMY_ASSIGN_OR_RETURN(change->target_2,
                         BuildSegment(op, bucket_count, change->depth, change->prefix | bit));
  return absl::OkStatus();
}

absl::StatusOr<HashShape::EntryRange> HashShape::RangeOf(const DirectoryRef& directory,
                                                         const ReshapeDescriptor& change) const {
  if (change.depth == 0 || change.depth > directory.depth) {
    return base::DataLoss(region_.path(), ": a merge of segments at ", base::Hex(change.old),
                          " is deeper than the directory");
  }
  const std::uint64_t width = std::uint64_t{1} << (directory.depth - change.depth);
  const std::uint64_t first = DirectoryIndex(change.prefix, directory.depth) & ~(2 * width - 1);
  return EntryRange{first, width};
}

absl::StatusOr<bool> HashShape::IsMergeInPlace(const IndexRoot& root,
                                               const ReshapeDescriptor& change) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries == nullptr || change.depth > directory.depth) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const EntryRange range, RangeOf(directory, change));
  // In this order: the last entry is the last to be changed.
  const std::uint64_t first = directory.entries[range.first].load(std::memory_order_seq_cst);
  const std::uint64_t last =
      directory.entries[range.first + 2 * range.width - 1].load(std::memory_order_seq_cst);
  return last == change.old_1 &&
         (first == change.old || first == change.target_0 || first == change.target_1);
}

void HashShape::CopyBucket(Segment& from, Segment& to, std::uint64_t bucket, std::uint64_t* used) {
  const Shared64* const slots = Bucket(from, bucket);
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    COMMY_DCHECK(SlotIsFrozen(word));  // H2
    if (!IsLiveSlot(word)) {
      continue;
    }
    COMMY_DCHECK(*used < kSlotsPerBucket);
    Shared64& place = Bucket(to, bucket)[(*used)++];
    place.CompareAndSet(0, word & ~kSlotFrozen, std::memory_order_seq_cst);  // reshape-3
    COMMY_DCHECK(place.load(std::memory_order_relaxed) != 0);                // H2: never 0 again.
  }
}

absl::StatusOr<HashShape::MergeParts> HashShape::PartsOf(const IndexRoot& root,
                                                         const ReshapeDescriptor& change) const {
  MergeParts parts;
  COMMY_ASSIGN_OR_RETURN(parts.olds[0], SegmentAt(change.old));
  COMMY_RETURN_IF_ERROR(CheckBuckets(root, *parts.olds[0]));
  const std::uint64_t buckets = parts.olds[0]->bucket_count;
  COMMY_ASSIGN_OR_RETURN(parts.olds[1], SegmentAt(change.old_1, buckets));
  COMMY_ASSIGN_OR_RETURN(parts.both, SegmentAt(change.target_0, buckets));
  COMMY_ASSIGN_OR_RETURN(parts.alone[0], SegmentAt(change.target_1, buckets));
  COMMY_ASSIGN_OR_RETURN(parts.alone[1], SegmentAt(change.target_2, buckets));
  return parts;
}

absl::Status HashShape::ApplyMerge(IndexRoot& root, const ReshapeDescriptor& change) {
  COMMY_ASSIGN_OR_RETURN(const MergeParts parts, PartsOf(root, change));
  FreezeSlots(*parts.olds[0]);  // reshape-2
  FreezeSlots(*parts.olds[1]);
  bool fits = true;
  for (std::uint64_t bucket = 0; bucket < parts.both->bucket_count && fits; ++bucket) {
    fits = LiveInBucket(*parts.olds[0], bucket) + LiveInBucket(*parts.olds[1], bucket) <=
           kSlotsPerBucket;
  }
  FillMerged(parts, fits);
  return PutMergedInPlace(root, change, fits);
}

void HashShape::FillMerged(const MergeParts& parts, bool fits) {
  for (std::uint64_t bucket = 0; bucket < parts.both->bucket_count; ++bucket) {  // reshape-3
    std::uint64_t used = 0;
    CopyBucket(*parts.olds[0], fits ? *parts.both : *parts.alone[0], bucket, &used);
    used = fits ? used : 0;
    CopyBucket(*parts.olds[1], fits ? *parts.both : *parts.alone[1], bucket, &used);
  }
  for (std::size_t side = 0; side < parts.olds.size(); ++side) {
    const Segment& old = *parts.olds[side];
    Segment& target = fits ? *parts.both : *parts.alone[side];
    if (const std::uint64_t mark = old.mark.load(std::memory_order_seq_cst); mark != 0) {
      SetMark(target.mark, mark);
    }
    PassDueOn(old.due, target.due);
  }
}

absl::Status HashShape::PutMergedInPlace(const IndexRoot& root, const ReshapeDescriptor& change,
                                         bool fits) {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));  // reshape-4
  if (directory.entries == nullptr || change.depth > directory.depth) {
    // Long done: the whole root has been reclaimed since, or the directory was halved.
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const EntryRange range, RangeOf(directory, change));
  for (std::uint64_t i = 0; i < 2 * range.width; ++i) {
    const bool lower = i < range.width;
    const std::uint64_t old = lower ? change.old : change.old_1;
    const std::uint64_t alone = lower ? change.target_1 : change.target_2;
    Shared64& entry = directory.entries[range.first + i];
    entry.CompareAndSet(old, fits ? change.target_0 : alone, std::memory_order_seq_cst);
    // C1: an offset that was replaced does not come back under this pin.
    COMMY_DCHECK(entry.load(std::memory_order_relaxed) != old);
  }
  return absl::OkStatus();
}

bool HashShape::IsTwofold(const DirectoryRef& directory) {
  COMMY_DCHECK(directory.depth > 0);
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << directory.depth); i += 2) {
    if (directory.entries[i].load(std::memory_order_acquire) !=
        directory.entries[i + 1].load(std::memory_order_acquire)) {
      return false;
    }
  }
  return true;
}

absl::Status HashShape::ApplyMoveDirectory(IndexRoot& root, const ReshapeDescriptor& change) {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef old, DirectoryAt(change.old));
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef next, DirectoryAt(change.target_0));
  const bool halves = next.depth + 1 == old.depth;
  if (!halves && next.depth != old.depth) {
    return base::DataLoss(region_.path(), ": the directory at ", base::Hex(change.target_0),
                          " is neither as large as the one at ", base::Hex(change.old),
                          " nor half of it");
  }
  if (halves && !IsTwofold(old)) {  // A segment was split before this was posted.
    next.entries[0].CompareAndSet(0, kEntryGone, std::memory_order_seq_cst);
    return absl::OkStatus();
  }
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << next.depth); ++i) {
    const std::uint64_t entry = old.entries[halves ? 2 * i : i].load(std::memory_order_acquire);
    next.entries[i].CompareAndSet(0, entry, std::memory_order_seq_cst);  // reshape-3
  }
  if (next.entries[0].load(std::memory_order_seq_cst) == kEntryGone) {
    return absl::OkStatus();  // Refused, long ago; or the whole root has been reclaimed since.
  }
  root.directory.CompareAndSet(change.old, change.target_0, std::memory_order_seq_cst);
  COMMY_DCHECK(root.directory.load(std::memory_order_relaxed) != change.old);  // C1
  return absl::OkStatus();
}

}  // namespace commy::index
