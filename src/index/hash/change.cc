// Changes of a hash index's shape: split, rebuild, doubling. The steps are those of shape.h; merge
// and move are in merge.cc.
#include "base/check.h"
#include "base/debug.h"
#include "base/status.h"
#include "index/hash/hash_shape.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

// With this many closed slots in a full bucket, its segment is rebuilt and not split.
constexpr std::uint64_t kClosedForRebuild = kSlotsPerBucket / 4;

bool IsOfDirectory(const ReshapeDescriptor& change) {
  return change.kind == static_cast<std::uint64_t>(ReshapeKind::kDouble) ||
         change.kind == static_cast<std::uint64_t>(ReshapeKind::kMoveDirectory);
}

}  // namespace

absl::StatusOr<std::uint64_t> HashShape::BuildSegment(Operation& op, std::uint64_t bucket_count,
                                                      std::uint64_t depth, std::uint64_t prefix,
                                                      alloc::Purpose purpose) {
  COMMY_DCHECK(depth <= kDepthMax);
  COMMY_DCHECK(bucket_count != 0 && bucket_count <= bucket_count_);
  const std::uint64_t bytes = SegmentBytes(bucket_count);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kSegment, bytes, purpose));
  std::byte* const block = region_.At(offset, bytes, alignof(Segment));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  COMMY_DCHECK(allocator_.BlockBytes(offset) >= bytes);
  base::ZeroIn(block, bytes);
  auto* const segment = reinterpret_cast<Segment*>(block);
  segment->depth = depth;
  segment->prefix = prefix;
  segment->bucket_count = bucket_count;
  return offset;
}

absl::StatusOr<std::uint64_t> HashShape::BuildDirectory(Operation& op, std::uint64_t bucket_count,
                                                        std::uint64_t depth,
                                                        alloc::Purpose purpose) {
  COMMY_DCHECK(depth <= kDepthMax);
  const std::uint64_t bytes = DirectoryBytes(depth);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kDirectory, bytes, purpose));
  std::byte* const block = region_.At(offset, bytes, alignof(Directory));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(block, bytes);
  auto* const directory = reinterpret_cast<Directory*>(block);
  directory->depth = depth;
  directory->bucket_count = bucket_count;
  return offset;
}

absl::StatusOr<std::uint64_t> HashShape::BuildEmpty(Operation& op, alloc::Purpose purpose) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t directory,
                         BuildDirectory(op, bucket_count_, 0, purpose));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t segment,
                         BuildSegment(op, bucket_count_, 0, 0, purpose));
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef entries, DirectoryAt(directory));
  entries.entries[0].store(segment, std::memory_order_relaxed);
  return directory;
}

absl::Status HashShape::MakeRoom(Operation& op, const Position& at, std::string_view /*key*/,
                                 std::uint64_t hash) {
  COMMY_DCHECK(at.slot == nullptr);
  COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(at.place_offset));
  const Shared64* const slots = Bucket(*segment, BucketIndex(hash, segment->bucket_count));
  std::uint64_t closed = 0;
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_relaxed);
    if (SlotIsFrozen(word)) {
      return absl::OkStatus();  // Another process is replacing it.
    }
    closed += SlotIsClosed(word) ? 1 : 0;
  }
  if (closed >= kClosedForRebuild) {
    return PostReshape(op, at, ReshapeKind::kRebuild);
  }
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(*at.root));
  if (directory.entries == nullptr) {
    return absl::OkStatus();
  }
  absl::Status full;
  if (segment->depth < directory.depth) {
    full = PostReshape(op, at, ReshapeKind::kSplit);
  } else if (directory.depth < depth_max_) {
    full = PostReshape(op, at, ReshapeKind::kDouble);
  } else {
    full = base::ResourceExhausted(
        region_.path(), ": too many keys of one namespace have the same hash; the directory is at ",
        "its depth bound, ", depth_max_);
  }
  // In a full store a place or two will do.
  return absl::IsResourceExhausted(full) && closed > 0 ? PostReshape(op, at, ReshapeKind::kRebuild)
                                                       : full;
}

absl::Status HashShape::BuildTargets(Operation& op, const Segment* old, ReshapeDescriptor* change) {
  switch (static_cast<ReshapeKind>(change->kind)) {
    case ReshapeKind::kDouble: {
      COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryAt(change->old));
      COMMY_ASSIGN_OR_RETURN(change->target_0,
                             BuildDirectory(op, directory.bucket_count, directory.depth + 1));
      return absl::OkStatus();
    }
    case ReshapeKind::kRebuild: {
      COMMY_ASSIGN_OR_RETURN(
          change->target_0,
          BuildSegment(op, old->bucket_count, old->depth, old->prefix, alloc::Purpose::kReplaces));
      return absl::OkStatus();
    }
    case ReshapeKind::kSplit: {
      const std::uint64_t high_bit = std::uint64_t{1} << (63U - old->depth);
      COMMY_ASSIGN_OR_RETURN(change->target_0,
                             BuildSegment(op, old->bucket_count, old->depth + 1, old->prefix));
      COMMY_ASSIGN_OR_RETURN(change->target_1, BuildSegment(op, old->bucket_count, old->depth + 1,
                                                            old->prefix | high_bit));
      return absl::OkStatus();
    }
    case ReshapeKind::kMerge:
      return BuildMergeTargets(op, old->bucket_count, change);
    case ReshapeKind::kMoveDirectory: {
      COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryAt(change->old));
      const bool halves = directory.depth > 0 && IsTwofold(directory);
      COMMY_ASSIGN_OR_RETURN(change->target_0, BuildDirectory(op, directory.bucket_count,
                                                              directory.depth - (halves ? 1 : 0)));
      return absl::OkStatus();
    }
  }
  return base::Internal("unknown change");
}

absl::StatusOr<std::uint64_t> HashShape::BuildDescriptor(Operation& op,
                                                         const ReshapeDescriptor& change,
                                                         alloc::Purpose purpose) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, BlockKind::kDescriptor, sizeof(change), purpose));
  auto* const words = region_.At<ReshapeDescriptor>(offset);
  if (words == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  base::CopyIn(words, &change, sizeof(change));
  return offset;
}

absl::Status HashShape::PostReshape(Operation& op, const Position& at, ReshapeKind kind) {
  IndexRoot& root = *at.root;
  ReshapeDescriptor change{};
  change.kind = static_cast<std::uint64_t>(kind);
  change.old = at.place_offset;
  if (IsOfDirectory(change)) {
    COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
    if (directory.entries == nullptr ||
        (kind == ReshapeKind::kDouble && directory.depth >= depth_max_)) {
      return absl::OkStatus();  // Reclaimed, or doubled by another process, since MakeRoom looked.
    }
    change.old = directory.offset;
  }
  return Post(op, root, change);
}

absl::Status HashShape::Post(Operation& op, IndexRoot& root, ReshapeDescriptor change) {
  if (root.pending_reshape.load(std::memory_order_acquire) != 0) {
    return HelpPending(root);  // Or it is closed: the namespace has another root now.
  }
  const bool of_directory = IsOfDirectory(change);
  Segment* segment = nullptr;
  if (!of_directory) {
    COMMY_ASSIGN_OR_RETURN(segment, SegmentAt(change.old));
    COMMY_RETURN_IF_ERROR(CheckBuckets(root, *segment));
  }
  const std::uint32_t first_note =
      op.AddNote(BlockNote(of_directory ? BlockKind::kDirectory : BlockKind::kSegment, change.old));
  op.AddNote(change.old_1 == 0 ? 0 : BlockNote(BlockKind::kSegment, change.old_1));
  // Everything that the reshape needs is there before it is posted: a helper allocates nothing.
  std::uint64_t descriptor = 0;
  absl::Status built = BuildTargets(op, segment, &change);
  if (built.ok()) {
    const bool rebuild = change.kind == static_cast<std::uint64_t>(ReshapeKind::kRebuild);
    const absl::StatusOr<std::uint64_t> made = BuildDescriptor(
        op, change, rebuild ? alloc::Purpose::kMakesRoom : alloc::Purpose::kOrdinary);
    built = made.status();
    descriptor = made.value_or(0);
  }
  COMMY_DCHECK(versions::IsNoted(op, change.old));                         // O1
  COMMY_DCHECK(change.old_1 == 0 || versions::IsNoted(op, change.old_1));  // O1
  COMMY_DCHECK(!built.ok() || (versions::IsNoted(op, change.target_0) &&
                               (change.target_1 == 0 || versions::IsNoted(op, change.target_1)) &&
                               (change.target_2 == 0 || versions::IsNoted(op, change.target_2)) &&
                               versions::IsNoted(op, descriptor)));  // O1
  if (!built.ok() ||
      !root.pending_reshape.CompareAndSet(0, descriptor, std::memory_order_seq_cst)) {  // reshape-1
    for (const std::uint64_t made :
         {change.target_0, change.target_1, change.target_2, descriptor}) {
      if (made != 0) {
        allocator_.Retire(op, made);
      }
    }
    op.DropNotes(first_note);
    return built;
  }
  COMMY_RETURN_IF_ERROR(Help(root, descriptor));  // Else it stays posted, and the notes with it.
  const bool consistent = !base::kDebug || IsConsistentAround(root, descriptor);  // C1
  absl::Status retired = RetireAfterReshape(op, root, change, descriptor);
  op.DropNotes(first_note);
  return consistent ? retired : Damaged("an index root", region_.OffsetOf(&root));
}

absl::Status HashShape::RetireAfterReshape(Operation& op, const IndexRoot& root,
                                           const ReshapeDescriptor& change,
                                           std::uint64_t descriptor_offset) {
  COMMY_DCHECK(root.pending_reshape.load(std::memory_order_relaxed) != descriptor_offset);  // C2
  // The reshape is done, by this process or a helper: no process that pins from now on finds the
  // old one. If the old one had been replaced before this was posted, the reshape was idle, and
  // nothing names its targets. Of a merge one old one may have been replaced before, and the other
  // one is still in use; and of its targets one or two are left over.
  allocator_.Retire(op, descriptor_offset);
  for (const std::uint64_t block :
       {change.old, change.old_1, change.target_0, change.target_1, change.target_2}) {
    if (block == 0) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const bool reachable,
                           IsOfDirectory(change)
                               ? root.directory.load(std::memory_order_acquire) == block
                               : IsSegmentNeeded(root, block));
    if (!reachable) {
      allocator_.Retire(op, block);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReshapeDescriptor> HashShape::DescriptorAt(std::uint64_t offset) const {
  const auto* const words = region_.At<ReshapeDescriptor>(offset);
  if (words == nullptr) {
    return base::DataLoss(region_.path(), ": a reshape descriptor at ", base::Hex(offset),
                          " lies outside the file");
  }
  return *words;
}

absl::StatusOr<bool> HashShape::IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const {
  COMMY_ASSIGN_OR_RETURN(const ReshapeDescriptor change, DescriptorAt(descriptor));
  if (IsOfDirectory(change)) {
    return root.directory.load(std::memory_order_seq_cst) == change.old;
  }
  return change.kind == static_cast<std::uint64_t>(ReshapeKind::kMerge)
             ? IsMergeInPlace(root, change)
             : IsSegmentReachable(root, change.old);
}

absl::Status HashShape::Apply(IndexRoot& root, std::uint64_t descriptor) {
  COMMY_ASSIGN_OR_RETURN(const ReshapeDescriptor change, DescriptorAt(descriptor));
  switch (static_cast<ReshapeKind>(change.kind)) {
    case ReshapeKind::kSplit:
    case ReshapeKind::kRebuild:
      return ApplySegment(root, change);
    case ReshapeKind::kDouble:
      return ApplyDoubling(root, change);
    case ReshapeKind::kMerge:
      return ApplyMerge(root, change);
    case ReshapeKind::kMoveDirectory:
      return ApplyMoveDirectory(root, change);
  }
  return base::DataLoss(region_.path(), ": a reshape descriptor at ", base::Hex(descriptor),
                        " has the unknown kind ", change.kind);
}

void HashShape::FreezeSlots(Segment& old) {
  Shared64* const slots = Bucket(old, 0);
  for (std::uint64_t i = 0; i < old.bucket_count * kSlotsPerBucket; ++i) {
    slots[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
  }
}

absl::Status HashShape::ApplySegment(IndexRoot& root, const ReshapeDescriptor& change) {
  const bool split = change.kind == static_cast<std::uint64_t>(ReshapeKind::kSplit);
  COMMY_ASSIGN_OR_RETURN(Segment * old, SegmentAt(change.old));
  COMMY_ASSIGN_OR_RETURN(Segment * low, SegmentAt(change.target_0));
  Segment* high = low;
  if (split) {
    COMMY_ASSIGN_OR_RETURN(high, SegmentAt(change.target_1));
  }
  COMMY_RETURN_IF_ERROR(CheckBuckets(root, *old));
  if (low->bucket_count != old->bucket_count || high->bucket_count != old->bucket_count) {
    return Damaged("a segment", change.target_0);
  }
  FreezeSlots(*old);  // reshape-2
  const Shared64* const slots = Bucket(*old, 0);
  for (std::uint64_t bucket = 0; bucket < old->bucket_count; ++bucket) {  // reshape-3
    std::uint64_t used[2] = {0, 0};
    for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
      COMMY_DCHECK(
          SlotIsFrozen(slots[bucket * kSlotsPerBucket + i].load(std::memory_order_relaxed)));  // H2
      const std::uint64_t word =
          slots[bucket * kSlotsPerBucket + i].load(std::memory_order_acquire) & ~kSlotFrozen;
      if (word == 0 || SlotIsClosed(word)) {
        continue;
      }
      const std::uint64_t side = split ? SplitSide(word, old->depth) : 0;
      Segment& target = side == 0 ? *low : *high;
      Shared64& place = Bucket(target, bucket)[used[side]++];
      place.CompareAndSet(0, word, std::memory_order_seq_cst);
      COMMY_DCHECK(place.load(std::memory_order_relaxed) != 0);  // H2: never 0 again.
    }
  }
  if (const std::uint64_t mark = old->mark.load(std::memory_order_seq_cst); mark != 0) {
    SetMark(low->mark, mark);
    SetMark(high->mark, mark);
  }
  PassDueOn(old->due, low->due);
  PassDueOn(old->due, high->due);
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));  // reshape-4
  if (directory.entries == nullptr || old->depth > directory.depth) {
    // Long done: the whole root has been reclaimed since, or the segment was merged with another
    // and the directory halved. (What is in place is not too deep: see IsInPlace.)
    return absl::OkStatus();
  }
  const std::uint64_t count = std::uint64_t{1} << (directory.depth - old->depth);
  const std::uint64_t first = DirectoryIndex(old->prefix, directory.depth) & ~(count - 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t target = split && i >= count / 2 ? change.target_1 : change.target_0;
    directory.entries[first + i].CompareAndSet(change.old, target, std::memory_order_seq_cst);
    // C1: an offset that was replaced does not come back under this pin.
    COMMY_DCHECK(directory.entries[first + i].load(std::memory_order_relaxed) != change.old);
  }
  return absl::OkStatus();
}

absl::Status HashShape::ApplyDoubling(IndexRoot& root, const ReshapeDescriptor& change) {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef old, DirectoryAt(change.old));
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef wide, DirectoryAt(change.target_0));
  if (wide.depth != old.depth + 1) {
    return base::DataLoss(region_.path(), ": the directory at ", base::Hex(change.target_0),
                          " is not twice the one at ", base::Hex(change.old));
  }
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << old.depth); ++i) {
    const std::uint64_t entry = old.entries[i].load(std::memory_order_acquire);
    wide.entries[2 * i].CompareAndSet(0, entry, std::memory_order_seq_cst);  // reshape-3
    wide.entries[2 * i + 1].CompareAndSet(0, entry, std::memory_order_seq_cst);
  }
  root.directory.CompareAndSet(change.old, change.target_0, std::memory_order_seq_cst);
  COMMY_DCHECK(root.directory.load(std::memory_order_relaxed) != change.old);  // C1
  return absl::OkStatus();
}

}  // namespace commy::index
