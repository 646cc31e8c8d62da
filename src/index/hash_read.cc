// Finding things in a hash index.
#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/status.h"
#include "index/hash_index.h"

namespace commy::index {
namespace {

// A reader that meets structure that is being taken back looks again at the namespace, which has
// moved on. More often than this in a row means that the file contradicts itself.
constexpr int kStaleLimit = 1000;

absl::Status Damaged(const region::Region& region, std::string_view what, std::uint64_t offset) {
  return base::DataLoss(region.path(), ": ", base::ToAbsl(what), " at ", base::Hex(offset),
                        " does not make sense; `commy check` tells more");
}

}  // namespace

HashIndex::HashIndex(process::Session& session, alloc::Allocator& allocator)
    : session_(session),
      region_(session.region()),
      allocator_(allocator),
      bucket_count_(session.region().geometry().segment_buckets) {}

std::uint64_t HashIndex::Hash(std::string_view key) const {
  return base::HashKey(key, region_.geometry().hash_seed);
}

absl::StatusOr<IndexRoot*> HashIndex::RootAt(const Anchor& anchor, std::uint64_t offset) const {
  auto* const root = region_.At<IndexRoot>(offset);
  if (root == nullptr || root->namespace_id != anchor.id) [[unlikely]] {
    return Damaged(region_, "an index root", offset);
  }
  return root;
}

absl::StatusOr<IndexRoot*> HashIndex::CurrentRoot(const Anchor& anchor,
                                                  std::uint64_t* offset) const {
  *offset = anchor.object->root.load(std::memory_order_acquire);
  if (*offset == 0) [[unlikely]] {
    return absl::AbortedError("dropped");
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, *offset));
  SettleWord(region_, root->commit);
  if (root->successor.load(std::memory_order_acquire) == kDropMark) [[unlikely]] {
    return absl::AbortedError("being dropped");
  }
  return root;
}

absl::StatusOr<HashIndex::DirectoryRef> HashIndex::DirectoryAt(std::uint64_t offset) const {
  DirectoryRef found;
  const auto* const directory = region_.At<Directory>(offset);
  if (directory == nullptr) [[unlikely]] {
    return Damaged(region_, "a directory", offset);
  }
  found.offset = offset;
  found.depth = directory->depth;
  if (found.depth > kDepthMax ||
      region_.At(offset, DirectoryBytes(found.depth), alignof(Directory)) == nullptr) [[unlikely]] {
    return Damaged(region_, "a directory", offset);
  }
  found.entries = region_.At<Shared64>(offset + sizeof(Directory));
  return found;
}

absl::StatusOr<HashIndex::DirectoryRef> HashIndex::DirectoryOf(const IndexRoot& root) const {
  const std::uint64_t offset = root.directory.load(std::memory_order_acquire);
  if (offset == 0) {
    return DirectoryRef();  // Taken back.
  }
  return DirectoryAt(offset);
}

absl::StatusOr<Segment*> HashIndex::SegmentAt(std::uint64_t offset) const {
  auto* const segment =
      reinterpret_cast<Segment*>(region_.At(offset, SegmentBytes(bucket_count_), alignof(Segment)));
  if (segment == nullptr || segment->bucket_count != bucket_count_ || segment->depth > kDepthMax)
      [[unlikely]] {
    return Damaged(region_, "a segment", offset);
  }
  return segment;
}

absl::StatusOr<HashIndex::SegmentRef> HashIndex::FindSegment(const IndexRoot& root,
                                                             std::uint64_t hash) const {
  SegmentRef found;
  const std::uint64_t directory_offset = root.directory.load(std::memory_order_acquire);
  if (directory_offset == 0) [[unlikely]] {
    return found;  // Taken back.
  }
  const auto* const directory = region_.At<Directory>(directory_offset);
  const std::uint64_t depth = directory == nullptr ? kDepthMax + 1 : directory->depth;
  const auto* const words = depth > kDepthMax
                                ? nullptr
                                : reinterpret_cast<const Shared64*>(region_.At(
                                      directory_offset, DirectoryBytes(depth), alignof(Directory)));
  if (words == nullptr) [[unlikely]] {
    return Damaged(region_, "a directory", directory_offset);
  }
  found.offset = words[sizeof(Directory) / sizeof(Shared64) + DirectoryIndex(hash, depth)].load(
      std::memory_order_acquire);
  if (found.offset <= kEntryGone) [[unlikely]] {
    return found;
  }
  // Only its bounds: its header lies on another cache line than the bucket that is wanted.
  found.segment = reinterpret_cast<Segment*>(
      region_.At(found.offset, SegmentBytes(bucket_count_), alignof(Segment)));
  if (found.segment == nullptr) [[unlikely]] {
    return Damaged(region_, "a segment", found.offset);
  }
  return found;
}

Shared64* HashIndex::Bucket(Segment& segment, std::uint64_t index) const {
  return reinterpret_cast<Shared64*>(reinterpret_cast<std::byte*>(&segment) + sizeof(Segment) +
                                     index * kBucketBytes);
}

bool HashIndex::IsLive(const RecordView& view) const {
  return view.valid() && !view.tombstone() &&
         (view.record->expiry_ns == 0 || view.record->expiry_ns > session_.platform().WallNs());
}

absl::Status HashIndex::Find(const Anchor& anchor, std::string_view key, RecordView* found) {
  const std::uint64_t hash = Hash(key);
  for (int attempt = 0; attempt < kStaleLimit; ++attempt) {
    std::uint64_t root_offset = 0;
    COMMY_ASSIGN_OR_RETURN(const IndexRoot* root, CurrentRoot(anchor, &root_offset));
    COMMY_ASSIGN_OR_RETURN(const SegmentRef at, FindSegment(*root, hash));
    if (at.segment == nullptr) [[unlikely]] {
      continue;
    }
    const Shared64* const slots = Bucket(*at.segment, BucketIndex(hash, bucket_count_));
    __builtin_prefetch(slots + kSlotsPerBucket / 2);  // A bucket lies on two cache lines.
    for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
      const std::uint64_t word = slots[i].load(std::memory_order_acquire);
      if (SlotIsEmpty(word)) {
        break;
      }
      if (!SlotHasTag(word, hash) || SlotIsDead(word)) {
        continue;
      }
      const RecordView view = ViewRecord(region_, SlotOffset(word));
      if (!view.valid()) [[unlikely]] {
        return Damaged(region_, "a record", SlotOffset(word));
      }
      if (view.key == key) {
        SettleWord(region_, view.record->commit);
        if (IsLive(view)) {
          *found = view;
        }
        return absl::OkStatus();
      }
    }
    // In a namespace that is being dropped slots go dead before the walk ends: then the key is not
    // what is missing.
    return root->successor.load(std::memory_order_acquire) == kDropMark
               ? absl::AbortedError("being dropped")
               : absl::OkStatus();
  }
  return base::DataLoss(region_.path(), ": the index of namespace ", anchor.id & kIdMask,
                        " leads in a circle; `commy check` tells more");
}

absl::Status HashIndex::ScanBucket(const Shared64* slots, std::uint64_t cursor,
                                   absl::FunctionRef<void(const RecordView&)> use) {
  std::array<RecordView, kSlotsPerBucket> found;
  std::size_t count = 0;
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    // While a split is half done, the old segment still stands for its upper half: what lies below
    // the cursor was seen in the lower one.
    if (SlotIsEmpty(word) || SlotIsDead(word) || SlotTagOf(word) < SlotTag(cursor)) {
      continue;
    }
    const RecordView view = ViewRecord(region_, SlotOffset(word));
    if (!view.valid()) {
      return Damaged(region_, "a record", SlotOffset(word));
    }
    SettleWord(region_, view.record->commit);
    found.at(count++) = view;
  }
  for (std::size_t i = 0; i < count; ++i) {
    // A key that was deleted and put again meanwhile has come by in two slots: the later one counts.
    const bool again =
        std::any_of(found.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    found.begin() + static_cast<std::ptrdiff_t>(count),
                    [&](const RecordView& other) { return other.key == found.at(i).key; });
    if (!again && IsLive(found.at(i))) {
      use(found.at(i));
    }
  }
  return absl::OkStatus();
}

const Shared64* HashIndex::PeekBucket(const Anchor& anchor, std::uint64_t hash) const {
  const auto* const root =
      region_.At<IndexRoot>(anchor.object->root.load(std::memory_order_acquire));
  if (root == nullptr) {
    return nullptr;
  }
  const absl::StatusOr<SegmentRef> at = FindSegment(*root, hash);
  if (!at.ok() || at->segment == nullptr) {
    return nullptr;
  }
  return Bucket(*at->segment, BucketIndex(hash, bucket_count_));
}

void HashIndex::PrefetchSlots(const Anchor& anchor, std::uint64_t hash) const {
  if (const Shared64* const slots = PeekBucket(anchor, hash); slots != nullptr) {
    __builtin_prefetch(slots);
    __builtin_prefetch(slots + kSlotsPerBucket / 2);
  }
}

void HashIndex::PrefetchRecord(const Anchor& anchor, std::uint64_t hash) const {
  const Shared64* const slots = PeekBucket(anchor, hash);
  for (std::uint64_t i = 0; slots != nullptr && i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word)) {
      return;
    }
    if (SlotHasTag(word, hash) && !SlotIsDead(word)) {
      if (const std::byte* const record = region_.At(SlotOffset(word), sizeof(Record), 1);
          record != nullptr) {
        __builtin_prefetch(record);
        __builtin_prefetch(record + 64);
        __builtin_prefetch(record + 128);
      }
      return;
    }
  }
}

absl::StatusOr<bool> HashIndex::ScanSegment(const Anchor& anchor, std::uint64_t* cursor,
                                            absl::FunctionRef<void(const RecordView&)> use) {
  for (int attempt = 0; attempt < kStaleLimit; ++attempt) {
    std::uint64_t root_offset = 0;
    COMMY_ASSIGN_OR_RETURN(const IndexRoot* root, CurrentRoot(anchor, &root_offset));
    COMMY_ASSIGN_OR_RETURN(const SegmentRef at, FindSegment(*root, *cursor));
    if (at.segment == nullptr) {
      continue;
    }
    for (std::uint64_t bucket = 0; bucket < bucket_count_; ++bucket) {
      COMMY_RETURN_IF_ERROR(ScanBucket(Bucket(*at.segment, bucket), *cursor, use));
    }
    if (root->successor.load(std::memory_order_acquire) == kDropMark) {
      return absl::AbortedError("being dropped");
    }
    const std::uint64_t depth = at.segment->depth;
    if (depth > kDepthMax) {
      return Damaged(region_, "a segment", at.offset);
    }
    if (depth == 0) {
      return false;
    }
    const std::uint64_t width = std::uint64_t{1} << (64U - depth);
    const std::uint64_t next = (*cursor & ~(width - 1)) + width;
    *cursor = next;
    return next != 0;
  }
  return base::DataLoss(region_.path(), ": the index of namespace ", anchor.id & kIdMask,
                        " leads in a circle; `commy check` tells more");
}

absl::StatusOr<std::uint64_t> HashIndex::Size(const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(const IndexRoot* root, CurrentRoot(anchor, &root_offset));
  const std::uint64_t cells = (region_.geometry().lane_count + kCounterGroups - 1) / kCounterGroups;
  std::int64_t sum = 0;
  for (const Shared64& group : root->counters) {
    const std::uint64_t offset = group.load(std::memory_order_acquire);
    if (offset <= kCountersClosed) {
      continue;
    }
    const auto* const block =
        reinterpret_cast<const Shared64*>(region_.At(offset, cells * 8, alignof(Shared64)));
    if (block == nullptr) {
      return Damaged(region_, "a counter block", offset);
    }
    for (std::uint64_t i = 0; i < cells; ++i) {
      sum += CellValue(block[i].load(std::memory_order_acquire));
    }
  }
  return static_cast<std::uint64_t>(sum < 0 ? 0 : sum);
}

}  // namespace commy::index
