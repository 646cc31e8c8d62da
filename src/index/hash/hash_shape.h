// The hash index: extendible hashing without a lock.
//
// A directory of segments, by the top bits of a key's hash; a segment of buckets; a bucket of 16
// slots. What a slot is, and how the shape changes, is in slots.h and shape.h.
//
// BUCKETS   All segments of a directory have as many, so a place in one is found without its
//           header. In one that was filled at once (builder.h) they may be fewer than the store's.
// SLOTS     A bucket's slots are claimed strictly in order: an inserter walks from the first one
//           and CASes the first empty one; an inserter that loses the CAS reads the same slot
//           again. So two inserters of one key cannot both succeed. A closed slot is never used
//           again in its segment's life.
// CHANGES   split of a segment, rebuild (drops closed slots), merge of two (merge.cc), doubling of
//           the directory, another or half a directory. reshape-4 is the CAS of the directory's
//           entries, or of the root's directory word.
// FULL      A rebuild in a full store takes its block from the reserve: it gives one back. So new
//           keys can take the places of deleted ones though no span is empty.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/hash/layout.h"
#include "index/scan_cursor.h"
#include "index/shape.h"

namespace commy::index {

class HashShape final : public Shape {
 public:
  HashShape(process::Session& session, alloc::Allocator& allocator, const versions::Chains& chains,
            const versions::Intents& intents);

  // How deep this process lets directories grow. Tests set it low, where the real bound is a
  // directory of 256 MiB. Call it before the first write.
  void set_depth_max(std::uint64_t depth_max) { depth_max_ = depth_max; }

  // A reader's search for a key: kKey (then `found` is its newest record, resolved), kNoKey, or
  // kGone.
  absl::StatusOr<Found> FindNewest(const IndexRoot& root, std::string_view key, std::uint64_t hash,
                                   versions::RecordView* found) const;

  // Asks the processor for the memory that FindNewest() of this key will touch: first for the
  // slots, then, once these have come, for the record. Advice only.
  void PrefetchSlots(const IndexRoot& root, std::uint64_t hash) const;
  void PrefetchRecord(const IndexRoot& root, std::uint64_t hash) const;

  // Calls `use` for the records that count, or counted then, in the segment at the cursor, until it
  // returns false, and moves the cursor on. `*more`: there is a further one, and `use` wants it.
  // kAgain: the structure is being reclaimed. kConflict: see Intents::Read.
  base::Result Scan(const IndexRoot& root, const versions::AsOf& as_of, ScanCursor* cursor,
                    absl::FunctionRef<bool(const versions::RecordView&)> use, bool* more) const;

 private:
  friend class HashBuilder;

  struct SegmentRef {
    std::uint64_t offset = 0;
    Segment* segment = nullptr;
    std::uint64_t bucket_count = 0;
  };
  struct DirectoryRef {
    std::uint64_t offset = 0;
    std::uint64_t depth = 0;
    std::uint64_t bucket_count = 0;
    Shared64* entries = nullptr;
  };

  absl::StatusOr<Found> FindPlace(std::string_view key, std::uint64_t hash,
                                  Position* at) const override;
  absl::StatusOr<SlotArray> SlotsOf(const IndexRoot& root, std::string_view key,
                                    std::uint64_t hash) const override;
  absl::StatusOr<bool> ForEachSlotsFrom(
      const IndexRoot& root, SlotPlace* place,
      absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const override;
  absl::Status MakeRoom(process::Operation& op, const Position& at, std::string_view key,
                        std::uint64_t hash) override;
  absl::Status MoveStructure(process::Operation& op, IndexRoot& root, std::uint64_t array,
                             absl::FunctionRef<bool(std::uint64_t)> moves) override;
  absl::StatusOr<std::uint64_t> BuildEmpty(process::Operation& op, alloc::Purpose purpose) override;
  absl::StatusOr<bool> IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const override;
  absl::Status Apply(IndexRoot& root, std::uint64_t descriptor) override;
  absl::StatusOr<bool> ReclaimStructure(process::Operation& op, IndexRoot& root,
                                        std::int64_t deadline_ns) override;
  absl::StatusOr<bool> IsStructureReachable(const IndexRoot& root, region::BlockKind kind,
                                            std::uint64_t offset) const override;
  absl::Status WalkStructure(IndexRoot& root, const EdgeWalk& walk) const override;
  [[nodiscard]] bool IsConsistentAround(const IndexRoot& root,
                                        std::uint64_t descriptor) const override;

  absl::StatusOr<DirectoryRef> DirectoryOf(const IndexRoot& root) const;
  absl::StatusOr<DirectoryRef> DirectoryAt(std::uint64_t offset) const;
  // With this number of buckets, or 0: with any that there can be.
  absl::StatusOr<Segment*> SegmentAt(std::uint64_t offset, std::uint64_t bucket_count = 0) const;
  // Whether it is as the root's directory says, if there still is one.
  absl::Status CheckBuckets(const IndexRoot& root, Segment& segment) const;
  // Null segment: the root's structure is being reclaimed; look at the namespace again.
  absl::StatusOr<SegmentRef> FindSegment(const IndexRoot& root, std::uint64_t hash) const;
  // Null: the bucket cannot be found without a closer look.
  [[nodiscard]] const Shared64* PeekBucket(const IndexRoot& root, std::uint64_t hash) const;
  static Shared64* Bucket(Segment& segment, std::uint64_t index);
  static SlotArray Slots(std::uint64_t offset, Segment& segment, std::uint64_t bucket_count);

  base::Result ScanBucket(const Shared64* slots, const versions::AsOf& as_of, std::uint64_t cursor,
                          absl::FunctionRef<bool(const versions::RecordView&)> use) const;

  absl::Status PostReshape(process::Operation& op, const Position& at, ReshapeKind kind);
  // reshape-1 to reshape-6 of what is described, but for its targets.
  absl::Status Post(process::Operation& op, IndexRoot& root, ReshapeDescriptor change);
  // reshape-1's preparation, and reshape-6.
  absl::Status BuildTargets(process::Operation& op, const Segment* old, ReshapeDescriptor* change);
  absl::StatusOr<std::uint64_t> BuildDescriptor(process::Operation& op,
                                                const ReshapeDescriptor& change,
                                                alloc::Purpose purpose);
  absl::Status RetireAfterReshape(process::Operation& op, const IndexRoot& root,
                                  const ReshapeDescriptor& change, std::uint64_t descriptor_offset);
  absl::StatusOr<std::uint64_t> BuildSegment(process::Operation& op, std::uint64_t bucket_count,
                                             std::uint64_t depth, std::uint64_t prefix,
                                             alloc::Purpose purpose = alloc::Purpose::kOrdinary);
  absl::StatusOr<std::uint64_t> BuildDirectory(process::Operation& op, std::uint64_t bucket_count,
                                               std::uint64_t depth,
                                               alloc::Purpose purpose = alloc::Purpose::kOrdinary);
  absl::StatusOr<ReshapeDescriptor> DescriptorAt(std::uint64_t offset) const;
  // reshape-2
  static void FreezeSlots(Segment& old);
  absl::Status ApplySegment(IndexRoot& root, const ReshapeDescriptor& change);
  absl::Status ApplyDoubling(IndexRoot& root, const ReshapeDescriptor& change);

  // --- Getting smaller (merge.cc) ---

  // The directory's entries of two segments: the first one, and how many each has.
  struct EntryRange {
    std::uint64_t first = 0;
    std::uint64_t width = 0;
  };
  // The segments of a merge, the lower one first.
  struct MergeParts {
    std::array<Segment*, 2> olds;
    Segment* both = nullptr;
    std::array<Segment*, 2> alone;  // The targets, if both have no room in one.
  };
  // Merges the segment with the one beside it if both are sparse. Whether it has.
  absl::StatusOr<bool> MergeAround(process::Operation& op, IndexRoot& root, std::uint64_t array);
  absl::Status BuildMergeTargets(process::Operation& op, std::uint64_t bucket_count,
                                 ReshapeDescriptor* change);
  absl::StatusOr<EntryRange> RangeOf(const DirectoryRef& directory,
                                     const ReshapeDescriptor& change) const;
  absl::StatusOr<bool> IsMergeInPlace(const IndexRoot& root, const ReshapeDescriptor& change) const;
  absl::StatusOr<MergeParts> PartsOf(const IndexRoot& root, const ReshapeDescriptor& change) const;
  absl::Status ApplyMerge(IndexRoot& root, const ReshapeDescriptor& change);
  // The two halves of reshape-3 and reshape-4 of a merge, given whether both fit into one segment.
  static void FillMerged(const MergeParts& parts, bool fits);
  absl::Status PutMergedInPlace(const IndexRoot& root, const ReshapeDescriptor& change, bool fits);
  absl::Status ApplyMoveDirectory(IndexRoot& root, const ReshapeDescriptor& change);
  // Slots that name a record, frozen or not.
  static std::uint64_t LiveInBucket(Segment& segment, std::uint64_t bucket);
  // Copies the bucket of a frozen segment behind the `*used` slots that are filled.
  static void CopyBucket(Segment& from, Segment& to, std::uint64_t bucket, std::uint64_t* used);
  // Whether every two entries that halving makes one are the same.
  static bool IsTwofold(const DirectoryRef& directory);

  absl::Status ReclaimSegment(process::Operation& op, const DirectoryRef& directory,
                              std::uint64_t index);
  // Whether an entry names it.
  absl::StatusOr<bool> IsSegmentReachable(const IndexRoot& root, std::uint64_t offset) const;
  // Whether an entry names it, or the merge that is posted does: see RETIRE in merge.cc.
  absl::StatusOr<bool> IsSegmentNeeded(const IndexRoot& root, std::uint64_t offset) const;
  std::uint64_t FirstEntryOfItsOwn(const DirectoryRef& directory, std::uint64_t index,
                                   std::uint64_t depth) const;
  // The segment at a directory entry, if that is the first that names it. Null: nothing more to do
  // there.
  Segment* SegmentToWalk(const IndexRoot& root, const DirectoryRef& directory, std::uint64_t index,
                         const EdgeWalk& walk) const;

  // Of the segments of a new directory, and the most that there can be.
  const std::uint64_t bucket_count_;
  std::uint64_t depth_max_ = kDepthMax;
};

}  // namespace commy::index
