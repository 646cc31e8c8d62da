// Finding things in a hash index.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/status.h"
#include "index/hash/hash_shape.h"

namespace commy::index {

HashShape::HashShape(process::Session& session, alloc::Allocator& allocator,
                     const versions::Chains& chains, const versions::Intents& intents)
    : Shape(session, allocator, chains, intents),
      bucket_count_(session.region().geometry().segment_buckets) {}

absl::StatusOr<HashShape::DirectoryRef> HashShape::DirectoryAt(std::uint64_t offset) const {
  DirectoryRef found;
  const auto* const directory = region_.At<Directory>(offset);
  if (directory == nullptr) [[unlikely]] {
    return Damaged("a directory", offset);
  }
  found.offset = offset;
  found.depth = directory->depth;
  found.bucket_count = directory->bucket_count;
  if (found.depth > kDepthMax || found.bucket_count == 0 || found.bucket_count > bucket_count_ ||
      region_.At(offset, DirectoryBytes(found.depth), alignof(Directory)) == nullptr) [[unlikely]] {
    return Damaged("a directory", offset);
  }
  found.entries = region_.At<Shared64>(offset + sizeof(Directory));
  return found;
}

absl::StatusOr<HashShape::DirectoryRef> HashShape::DirectoryOf(const IndexRoot& root) const {
  const std::uint64_t offset = root.directory.load(std::memory_order_acquire);  // reshape-4
  if (offset == 0) {
    return DirectoryRef();  // Reclaimed.
  }
  return DirectoryAt(offset);
}

absl::StatusOr<Segment*> HashShape::SegmentAt(std::uint64_t offset,
                                              std::uint64_t bucket_count) const {
  auto* const segment = region_.At<Segment>(offset);
  if (segment == nullptr || segment->depth > kDepthMax || segment->bucket_count == 0 ||
      segment->bucket_count > bucket_count_ ||
      (bucket_count != 0 && segment->bucket_count != bucket_count) ||
      region_.At(offset, SegmentBytes(segment->bucket_count), alignof(Segment)) == nullptr)
      [[unlikely]] {
    return Damaged("a segment", offset);
  }
  return segment;
}

absl::StatusOr<HashShape::SegmentRef> HashShape::FindSegment(const IndexRoot& root,
                                                             std::uint64_t hash) const {
  SegmentRef found;
  const std::uint64_t directory_offset = root.directory.load(std::memory_order_acquire);
  if (directory_offset == 0) [[unlikely]] {
    return found;  // Reclaimed.
  }
  const auto* const directory = region_.At<Directory>(directory_offset);
  const std::uint64_t depth = directory == nullptr ? kDepthMax + 1 : directory->depth;
  const auto* const words = depth > kDepthMax
                                ? nullptr
                                : reinterpret_cast<const Shared64*>(region_.At(
                                      directory_offset, DirectoryBytes(depth), alignof(Directory)));
  found.bucket_count = directory == nullptr ? 0 : directory->bucket_count;
  if (words == nullptr || found.bucket_count - 1 >= bucket_count_) [[unlikely]] {
    return Damaged("a directory", directory_offset);
  }
  found.offset = words[sizeof(Directory) / sizeof(Shared64) + DirectoryIndex(hash, depth)].load(
      std::memory_order_acquire);  // reshape-4
  if (found.offset <= kEntryGone) [[unlikely]] {
    return found;
  }
  // Only its bounds: its header lies on another cache line than the bucket that is wanted.
  found.segment = reinterpret_cast<Segment*>(
      region_.At(found.offset, SegmentBytes(found.bucket_count), alignof(Segment)));
  if (found.segment == nullptr) [[unlikely]] {
    return Damaged("a segment", found.offset);
  }
  return found;
}

Shared64* HashShape::Bucket(Segment& segment, std::uint64_t index) {
  return reinterpret_cast<Shared64*>(reinterpret_cast<std::byte*>(&segment) + sizeof(Segment) +
                                     index * kBucketBytes);
}

absl::Status HashShape::CheckBuckets(const IndexRoot& root, Segment& segment) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  return directory.entries == nullptr || directory.bucket_count == segment.bucket_count
             ? absl::OkStatus()
             : Damaged("a segment", region_.OffsetOf(&segment));
}

SlotArray HashShape::Slots(std::uint64_t offset, Segment& segment, std::uint64_t bucket_count) {
  return {offset, Bucket(segment, 0), bucket_count * kSlotsPerBucket, &segment.mark, &segment.due};
}

absl::StatusOr<Found> HashShape::FindPlace(std::string_view key, std::uint64_t hash,
                                           Position* at) const {
  COMMY_ASSIGN_OR_RETURN(const SegmentRef found, FindSegment(*at->root, hash));
  if (found.segment == nullptr) [[unlikely]] {
    return Found::kGone;
  }
  at->place_offset = found.offset;
  Shared64* const slots = Bucket(*found.segment, BucketIndex(hash, found.bucket_count));
  __builtin_prefetch(slots + kSlotsPerBucket / 2, 1);  // A bucket lies on two cache lines.
  return WalkSlots(slots, kSlotsPerBucket, key, hash, at);
}

absl::StatusOr<SlotArray> HashShape::SlotsOf(const IndexRoot& root, std::string_view /*key*/,
                                             std::uint64_t hash) const {
  COMMY_ASSIGN_OR_RETURN(const SegmentRef found, FindSegment(root, hash));
  return found.segment == nullptr ? SlotArray()
                                  : Slots(found.offset, *found.segment, found.bucket_count);
}

absl::StatusOr<bool> HashShape::ForEachSlotsFrom(
    const IndexRoot& root, SlotPlace* place,
    absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries == nullptr) {
    return true;
  }
  const std::uint64_t first = DirectoryIndex(place->hash, directory.depth);
  std::uint64_t last = 0;
  for (std::uint64_t i = first; i < (std::uint64_t{1} << directory.depth); ++i) {
    const std::uint64_t offset = directory.entries[i].load(std::memory_order_acquire);
    if (offset <= kEntryGone || offset == last) {
      continue;
    }
    last = offset;
    COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(offset, directory.bucket_count));
    COMMY_ASSIGN_OR_RETURN(const bool more, use(Slots(offset, *segment, directory.bucket_count)));
    if (!more) {
      // In a directory of one entry there is no place but the first.
      place->hash = i == first ? place->hash : i << (64U - directory.depth);
      COMMY_DCHECK(DirectoryIndex(place->hash, directory.depth) == i);
      return false;
    }
  }
  return true;
}

absl::StatusOr<Found> HashShape::FindNewest(const IndexRoot& root, std::string_view key,
                                            std::uint64_t hash, versions::RecordView* found) const {
  COMMY_ASSIGN_OR_RETURN(const SegmentRef at, FindSegment(root, hash));
  if (at.segment == nullptr) [[unlikely]] {
    return Found::kGone;
  }
  const Shared64* const slots = Bucket(*at.segment, BucketIndex(hash, at.bucket_count));
  __builtin_prefetch(slots + kSlotsPerBucket / 2);  // A bucket lies on two cache lines.
  return ReadSlots(region_, slots, kSlotsPerBucket, key, hash, found);
}

base::Result HashShape::ScanBucket(const Shared64* slots, const versions::AsOf& as_of,
                                   std::uint64_t cursor,
                                   absl::FunctionRef<bool(const versions::RecordView&)> use) const {
  std::array<versions::RecordView, kSlotsPerBucket> found;
  std::size_t count = 0;
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    // While a split is half done, the old segment still stands for its upper half: the records
    // below the cursor were seen in the lower one.
    if (SlotIsEmpty(word) || SlotIsClosed(word) || SlotPrefixOf(word) < HashPrefix(cursor)) {
      continue;
    }
    const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
    if (!view.valid()) {
      return Damaged("a record", SlotOffset(word));
    }
    versions::ResolveCommit(region_, view.record->commit);
    found.at(count++) = view;
  }
  for (std::size_t i = 0; i < count; ++i) {
    // A key that was deleted and put again meanwhile was seen in two slots: the later one counts.
    const bool again = std::any_of(
        found.begin() + static_cast<std::ptrdiff_t>(i) + 1,
        found.begin() + static_cast<std::ptrdiff_t>(count),
        [&](const versions::RecordView& other) { return other.key == found.at(i).key; });
    if (again) {
      continue;
    }
    versions::RecordView view = found.at(i);
    COMMY_TRY(chains_.ToVersionAsOf(as_of, &view));
    if (chains_.IsLive(view, as_of) && !use(view)) {
      return base::Outcome::kAbsent;  // Enough.
    }
  }
  return base::Outcome::kDone;
}

const Shared64* HashShape::PeekBucket(const IndexRoot& root, std::uint64_t hash) const {
  const absl::StatusOr<SegmentRef> at = FindSegment(root, hash);
  if (!at.ok() || at->segment == nullptr) {
    return nullptr;
  }
  return Bucket(*at->segment, BucketIndex(hash, at->bucket_count));
}

void HashShape::PrefetchSlots(const IndexRoot& root, std::uint64_t hash) const {
  if (const Shared64* const slots = PeekBucket(root, hash); slots != nullptr) {
    __builtin_prefetch(slots);
    __builtin_prefetch(slots + kSlotsPerBucket / 2);
  }
}

void HashShape::PrefetchRecord(const IndexRoot& root, std::uint64_t hash) const {
  const Shared64* const slots = PeekBucket(root, hash);
  for (std::uint64_t i = 0; slots != nullptr && i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word)) {
      return;
    }
    if (SlotHasPrefix(word, hash) && !SlotIsClosed(word)) {
      if (const std::byte* const record = region_.At(SlotOffset(word), sizeof(versions::Record), 1);
          record != nullptr) {
        __builtin_prefetch(record);
        __builtin_prefetch(record + 64);
        __builtin_prefetch(record + 128);
      }
      return;
    }
  }
}

base::Result HashShape::Scan(const IndexRoot& root, const versions::AsOf& as_of, ScanCursor* cursor,
                             absl::FunctionRef<bool(const versions::RecordView&)> use,
                             bool* more) const {
  COMMY_ASSIGN_OR_RETURN(const SegmentRef at, FindSegment(root, cursor->hash));
  if (at.segment == nullptr) {
    return base::Outcome::kAgain;
  }
  bool wants_more = true;
  for (std::uint64_t bucket = 0; bucket < at.bucket_count && wants_more; ++bucket) {
    const base::Result scanned = ScanBucket(Bucket(*at.segment, bucket), as_of, cursor->hash, use);
    wants_more = !scanned.is(base::Outcome::kAbsent);
    if (wants_more) {
      COMMY_TRY(scanned);
    }
  }
  const std::uint64_t depth = at.segment->depth;
  if (depth > kDepthMax) {
    return Damaged("a segment", at.offset);
  }
  const std::uint64_t width = depth == 0 ? 0 : std::uint64_t{1} << (64U - depth);
  [[maybe_unused]] const std::uint64_t before = cursor->hash;
  cursor->hash = depth == 0 ? 0 : (cursor->hash & ~(width - 1)) + width;
  COMMY_DCHECK(cursor->hash == 0 || cursor->hash > before);
  *more = wants_more && cursor->hash != 0;
  return base::Outcome::kDone;
}

}  // namespace commy::index
