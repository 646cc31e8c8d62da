// The hash index: extendible hashing without a lock.
//
// A directory of segments, by the top bits of a key's hash; a segment of buckets; a bucket of 16
// slots; a slot is one word that names the newest record of a key. Every change of a key is one
// CAS of a slot.
//
// SLOTS     A bucket's slots are claimed strictly in order: an inserter walks from the first one
//           and CASes the first empty one; who loses looks at that slot again. So two inserters of
//           one key cannot both succeed. A dead slot is never used again in its segment's life.
// CHANGES   split, rebuild (drops dead slots), doubling of the directory:
//             S1  the poster allocates and zeroes what will replace the old, makes a descriptor,
//                 and posts it: CAS baton 0 -> descriptor
//                 A post may come too late, when the old one has been replaced already; then the
//                 memory of the old one may be reused while later comers read the baton. So who
//                 helps first looks whether the directory still names the old one, and then whether
//                 the baton still names the descriptor (which keeps the poster's pin up, and so the
//                 old one's memory); only then does he touch the old one. If the directory does not
//                 name it he goes to S5 at once. The poster retires targets that are nowhere.
//             S2  set the frozen bit in every slot of the old segment (a directory needs none: only
//                 who holds the baton changes its entries)
//             S3  fill the replacements: CAS of each word from 0
//             S4  CAS the directory's entries (or the root's directory word) old -> replacement
//             S5  CAS baton descriptor -> 0
//             S6  retire the old one and the descriptor
//           S2 to S5 are done by whoever comes, any number at once: what is frozen does not
//           change, so all fill in the same words in the same order, and a late CAS from 0 fails,
//           since a word never goes back to 0 in its segment's life. The poster noted the old one,
//           the replacements and the descriptor, and does S6; else his recoverer does.
// CLEAR     C1  build an empty root whose prev is the old root; CAS old.successor 0 -> new
//           C2  finish a posted change; CAS baton 0 -> closed: nothing changes shape any more
//           C3  freeze every slot: no put can succeed any more
//           C4  settle every head: all their commits are earlier than the clear's
//           C5  CAS the namespace's root word old -> new; settle the new root
//           C6  take the old root's memory back, block by block: note, CAS its word away, retire
//           C2 to C5 are done by whoever is held up. A drop is the same with the mark 1 as
//           successor and the catalog's CAS in the place of C5.
// DEATH     after each step the next comer goes on; what nobody can reach is in the notes.
// READERS   read frozen slots like others, and never help but to settle what they return.
// TESTED    tests/model/, tests/index/, tests/crash/
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "index/hash_layout.h"
#include "index/record.h"
#include "process/lane.h"
#include "process/session.h"

namespace commy::index {

// A namespace as an operation addresses it. Found under a pin, and good under that pin.
struct Anchor {
  std::uint64_t offset = 0;
  NamespaceObject* object = nullptr;
  std::uint64_t id = 0;
};

enum class Decide : std::uint8_t { kKeep, kPut, kDelete };

// What a writer wants, having seen the present record.
struct Decision {
  Decide kind = Decide::kKeep;
  std::string_view value;
  std::int64_t expiry_ns = 0;
  bool buffer_reused = false;  // The same bytes may hold another value at the next call.
};

// Called with the live record, or null, each time that it has to be decided anew. Must not use the
// store.
using Decider = absl::FunctionRef<Decision(const RecordView* live)>;

struct WriteOutcome {
  bool changed = false;
  bool existed = false;  // A live record was there before.
};

// Blocks of one namespace, for walks over everything. Returns whether it was met for the first time.
using BlockVisitor = absl::FunctionRef<bool(process::NoteKind kind, std::uint64_t offset_bytes)>;
using FaultVisitor = absl::FunctionRef<void(const std::string& fault)>;

// Every method works on what `anchor` names and needs a pin (or the operation's) around it.
// Aborted means that the namespace is being dropped: the caller finishes the drop. DataLoss names
// the offset that does not make sense.
class HashIndex {
 public:
  HashIndex(process::Session& session, alloc::Allocator& allocator);

  [[nodiscard]] std::uint64_t Hash(std::string_view key) const;

  // How deep this process lets directories grow. Tests set it low, where the real bound is a
  // directory of 256 MiB. Call it before anybody writes.
  void set_depth_max(std::uint64_t depth_max) { depth_max_ = depth_max; }

  // Builds an empty, unpublished root and returns its offset.
  absl::StatusOr<std::uint64_t> BuildRoot(process::Operation& op, std::uint64_t namespace_id,
                                          std::uint64_t prev, alloc::Purpose purpose);

  // The live record of a key, settled; not valid() if there is none.
  absl::Status Find(const Anchor& anchor, std::string_view key, RecordView* found);

  // Asks the processor for what Find() of this key will touch: first for the slots, then, once
  // these have come, for the record. Advice only.
  void PrefetchSlots(const Anchor& anchor, std::uint64_t hash) const;
  void PrefetchRecord(const Anchor& anchor, std::uint64_t hash) const;

  absl::Status Write(process::Operation& op, const Anchor& anchor, std::string_view key,
                     Decider decide, WriteOutcome* outcome);

  // Calls `use` for the live records of the segment at `*cursor` (start at 0) and moves the cursor
  // on. False: that was the last one.
  absl::StatusOr<bool> ScanSegment(const Anchor& anchor, std::uint64_t* cursor,
                                   absl::FunctionRef<void(const RecordView&)> use);

  absl::StatusOr<std::uint64_t> Size(const Anchor& anchor);

  absl::Status Clear(process::Operation& op, const Anchor& anchor);
  // C1 to C4 of a drop. Idempotent. True: it was this call that marked the namespace.
  absl::StatusOr<bool> CloseForDrop(process::Operation& op, const Anchor& anchor);
  // C6 for every root that was cleared away. Cheap if there is none.
  absl::Status ReclaimCleared(process::Operation& op, const Anchor& anchor);
  // C6 for all that a dropped namespace had, but for the object itself.
  absl::Status ReclaimDropped(process::Operation& op, const Anchor& anchor);
  // Prunes versions and removes tombstones in marked segments. Cheap if none is marked.
  absl::Status Sweep(process::Operation& op, const Anchor& anchor);

  // Recovery, R1: finishes what is posted in the namespace's index.
  absl::Status FinishPosted(process::Operation& own, const Anchor& anchor);
  // Recovery, R2: whether a noted block can be reached.
  absl::StatusOr<bool> IsReachable(const Anchor& anchor, process::NoteKind kind,
                                   std::uint64_t offset_bytes);
  // Marks the segment of a key for sweeping.
  absl::Status MarkForSweep(process::Operation& op, const Anchor& anchor, std::uint64_t hash);

  // Visits every block that the namespace's index consists of, and reports what does not make
  // sense. Counts live keys.
  absl::Status Walk(const Anchor& anchor, BlockVisitor visit, FaultVisitor fault,
                    std::uint64_t* keys);

 private:
  // Where a key is, or would be.
  struct Position {
    std::uint64_t root_offset = 0;
    IndexRoot* root = nullptr;
    std::uint64_t segment_offset = 0;
    Segment* segment = nullptr;
    Shared64* slot = nullptr;  // Of the key, or the first empty one; null: the bucket is full.
    std::uint64_t word = 0;    // What was seen in it.
    RecordView head;           // Not valid(): the key has no slot.
  };
  struct SegmentRef {
    std::uint64_t offset = 0;
    Segment* segment = nullptr;
  };
  struct DirectoryRef {
    std::uint64_t offset = 0;
    std::uint64_t depth = 0;
    Shared64* entries = nullptr;
  };
  // An unpublished record, and what it was made from.
  struct Draft {
    std::uint64_t offset = 0;
    std::uint64_t block_bytes = 0;
    Record* record = nullptr;
    Decision from;
    std::uint32_t notes_end = 0;
  };

  absl::StatusOr<IndexRoot*> RootAt(const Anchor& anchor, std::uint64_t offset) const;
  // The present root, settled. Aborted: being dropped.
  absl::StatusOr<IndexRoot*> CurrentRoot(const Anchor& anchor, std::uint64_t* offset) const;
  absl::StatusOr<DirectoryRef> DirectoryOf(const IndexRoot& root) const;
  absl::StatusOr<DirectoryRef> DirectoryAt(std::uint64_t offset) const;
  absl::StatusOr<Segment*> SegmentAt(std::uint64_t offset) const;
  // Null segment: the root's structure is being taken back; look at the namespace again.
  absl::StatusOr<SegmentRef> FindSegment(const IndexRoot& root, std::uint64_t hash) const;
  // Null: there is none to be found without a closer look.
  [[nodiscard]] const Shared64* PeekBucket(const Anchor& anchor, std::uint64_t hash) const;
  [[nodiscard]] Shared64* Bucket(Segment& segment, std::uint64_t index) const;
  [[nodiscard]] std::uint64_t SlotCount() const { return bucket_count_ * kSlotsPerBucket; }
  [[nodiscard]] Shared64* Slots(Segment& segment) const { return Bucket(segment, 0); }

  absl::Status LocateForWrite(process::Operation& op, const Anchor& anchor, std::string_view key,
                              std::uint64_t hash, Position* at);
  absl::Status ScanBucket(const Shared64* slots, std::uint64_t cursor,
                          absl::FunctionRef<void(const RecordView&)> use);
  // One walk; false: a frozen slot was in the way.
  absl::StatusOr<bool> WalkBucket(std::string_view key, std::uint64_t hash, Position* at) const;
  absl::Status HelpFrozen(process::Operation& op, const Anchor& anchor, const Position& at);
  [[nodiscard]] bool IsLive(const RecordView& view) const;

  // The lane's cell of the root's counters. Null: the root's memory is being taken back.
  absl::StatusOr<Shared64*> CounterCell(process::Operation& op, IndexRoot& root,
                                        alloc::Purpose purpose);
  // One attempt of Write. False: look again.
  absl::StatusOr<bool> TryWrite(process::Operation& op, const Anchor& anchor, std::string_view key,
                                std::uint64_t hash, Decider decide, std::uint32_t first_note,
                                Draft* draft, WriteOutcome* outcome);
  absl::Status PrepareDraft(process::Operation& op, const Anchor& anchor, std::string_view key,
                            const Decision& decision, std::uint32_t first_note, Draft* draft);
  void Finish(process::Operation& op, const Anchor& anchor, std::uint64_t hash, const Position& at,
              Draft& draft, std::uint32_t old_note);
  // Drops what is below `record`. False: something has to be left for the sweep.
  bool Prune(process::Operation& op, std::uint32_t note_place, Record& record);
  bool SnapshotsForbidPruning() const;

  absl::Status MakeRoom(process::Operation& op, const Anchor& anchor, const Position& at,
                        std::uint64_t hash);
  absl::Status PostChange(process::Operation& op, const Anchor& anchor, const Position& at,
                          ChangeKind kind);
  // S1's preparation, and S6.
  absl::Status BuildTargets(process::Operation& op, const Segment& segment,
                            ChangeDescriptor* change);
  absl::StatusOr<std::uint64_t> BuildDescriptor(process::Operation& op,
                                                const ChangeDescriptor& change);
  absl::Status RetireAfterChange(process::Operation& op, const IndexRoot& root,
                                 const ChangeDescriptor& change, std::uint64_t descriptor_offset);
  absl::StatusOr<std::uint64_t> BuildSegment(process::Operation& op, std::uint64_t depth,
                                             std::uint64_t prefix,
                                             alloc::Purpose purpose = alloc::Purpose::kOrdinary);
  absl::StatusOr<std::uint64_t> BuildDirectory(process::Operation& op, std::uint64_t depth,
                                               alloc::Purpose purpose = alloc::Purpose::kOrdinary);
  // Whether the directory (or the root) still names what a change replaces. False, and no error,
  // if what is found there makes no sense: then it is somebody else's memory by now.
  absl::StatusOr<bool> IsInPlace(const IndexRoot& root, const ChangeDescriptor& change) const;
  // S2 to S5.
  absl::Status Help(IndexRoot& root, std::uint64_t descriptor_offset);
  absl::Status HelpSegmentChange(IndexRoot& root, const ChangeDescriptor& change);
  absl::Status HelpDoubling(IndexRoot& root, const ChangeDescriptor& change);

  // C2 to C4.
  absl::Status CloseRoot(IndexRoot& root);
  // C2 to C5.
  absl::Status CompleteClear(const Anchor& anchor, std::uint64_t root_offset, IndexRoot& root,
                             std::uint64_t successor);
  absl::Status ReclaimContent(process::Operation& op, IndexRoot& root);
  absl::Status ReclaimSegment(process::Operation& op, const DirectoryRef& directory,
                              std::uint64_t index);
  void ReclaimChain(process::Operation& op, Shared64& slot, std::uint64_t word,
                    std::uint32_t first_note);
  absl::Status SweepSegment(process::Operation& op, const Anchor& anchor, Segment& segment);

  absl::StatusOr<bool> IsSegmentReachable(const IndexRoot& root, std::uint64_t offset) const;
  absl::StatusOr<bool> IsRecordReachable(const IndexRoot& root, std::uint64_t offset) const;
  absl::Status ForEachRoot(
      const Anchor& anchor,
      absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, IndexRoot&)> visit) const;
  absl::Status WalkRoot(const Anchor& anchor, IndexRoot& root, bool current, BlockVisitor visit,
                        FaultVisitor fault, std::uint64_t* keys) const;
  // The segment at a directory entry, if that is the first that names it. Null: nothing more
  // to do there.
  Segment* SegmentToWalk(const Anchor& anchor, const DirectoryRef& directory, std::uint64_t index,
                         bool current, FaultVisitor fault) const;
  void WalkChain(const Anchor& anchor, std::uint64_t word, std::uint64_t hash_prefix,
                 std::uint64_t depth, bool current, BlockVisitor visit, FaultVisitor fault,
                 std::uint64_t* keys) const;

  process::Session& session_;
  region::Region& region_;
  alloc::Allocator& allocator_;
  const std::uint64_t bucket_count_;
  std::uint64_t depth_max_ = kDepthMax;
};

}  // namespace commy::index
