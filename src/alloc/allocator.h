// Hands out blocks of the region and takes them back, from any attached process.
//
// This floor may touch process/ and what is below; it knows nothing of what a block holds but its
// kind. Begin reading here, then in block_state.h and span_word.h.
//
// The region's spans each serve one size class and belong to a lane, which alone allocates from
// them; a state byte a block (block_state.h) and a word a span (span_word.h) are all there is.
// There are no free lists and no lists of retired blocks, so a process that dies leaves nothing to
// be taken over, and a damaged file nothing to be led astray by. What a lane remembers of its
// spans lies in process memory and can be read again from the span words.
//
// Large blocks are runs of whole spans.
//
// Concurrency: any method, any thread (with its own lane), any attached process, at any time.
// Crash safety: a process may die anywhere in here. A block that was allocated but is not
// reachable is in a note of the lane, and comes back when the lane is recovered.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/block_state.h"
#include "alloc/room.h"
#include "alloc/size_classes.h"
#include "alloc/span_word.h"
#include "process/operation.h"
#include "process/session.h"

namespace commy::alloc {

class LaneSpans;

// The purpose of an allocation. The last free spans of a full store are kept for operations that
// make room, and the very last for those that make room whatever snapshots are held.
enum class Purpose : std::uint8_t {
  kOrdinary,
  kReplaces,   // A block of the same size is given back for it at once.
  kMakesRoom,  // A delete: but a snapshot may need what it deletes.
  kClears,     // A clear or a drop.
};

// What a span is, and how much of it is in use.
struct SpanUse {
  SpanWord word;
  std::uint32_t blocks = 0;  // 0: it is not one of small blocks.
  std::uint32_t block_bytes = 0;
  std::uint32_t used = 0;
  bool stays = false;  // It is one of blocks that stay where they are.
};

// Where the bytes of a span are, by one look at its word and at each state: the parts add up to a
// span.
struct SpanSpace {
  enum class Kind : std::uint8_t {
    kFree,     // Also one that a lane sets up, or that belongs to a run that comes or goes.
    kReserve,  // Free, and kept ahead at the end of the file.
    kHole,
    kRetired,  // A span or a run that the epoch keeps from reuse; or a run that may be reused.
    kRun,
    kSmall,
    kLeaving,
  };
  Kind kind = Kind::kFree;
  std::uint32_t block_bytes = 0;  // Of small blocks; this and what follows is 0 for other spans.
  std::uint32_t blocks = 0;
  std::uint32_t used_blocks = 0;
  std::uint32_t retired_blocks = 0;
  std::uint64_t run_head = 0;  // Of a run: its first span.

  std::uint64_t live_bytes = 0;
  std::uint64_t reusable_bytes = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t fragmented_bytes = 0;  // Free blocks.
  std::uint64_t overhead_bytes = 0;
  std::uint64_t unused_bytes = 0;  // Of a span that is free, the reserve, or a hole.
};

struct AllocatorStats {
  std::uint64_t spans_total = 0;
  std::uint64_t spans_free = 0;
  std::uint64_t spans_small = 0;
  std::uint64_t spans_large = 0;
  std::uint64_t spans_hole = 0;  // Without disk blocks.
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_retired = 0;
  std::uint64_t bytes_used = 0;     // Of blocks in use, their class sizes.
  std::uint64_t bytes_retired = 0;  // Whether the epoch has moved since or not.
  std::uint64_t bytes_waiting = 0;  // Of these: it has not moved far enough for them to be reused.
  std::uint64_t bytes_free = 0;     // In free spans and free blocks.
};

struct BlockInfo {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;  // What the block has room for.
  bool used = false;
  bool retired = false;
  bool waits = false;  // Retired, and not reusable in the present epoch.
};

class Allocator {
 public:
  static constexpr std::uint64_t kBlockBytesMax = std::uint64_t{2} << 30;

  explicit Allocator(process::Session& session);

  // Returns the offset of at least `size_bytes` bytes of unspecified content, aligned to 16 (from
  // 1 KiB on: 64). The operation's notes name the block as a `kind` until the operation ends. Kinds
  // that stay where they are (region::Stays) get spans of their own, if there are any.
  //
  // Requires: 0 < size_bytes <= kBlockBytesMax; `op` is the lane's outermost operation.
  // ResourceExhausted: no room in the file, and it cannot grow; nothing has changed then.
  // Cost: a CAS and a few loads; now and then a walk over a few spans' state bytes, and rarely the
  // system calls that make the file grow.
  absl::StatusOr<std::uint64_t> Allocate(process::Operation& op, region::BlockKind kind,
                                         std::uint64_t size_bytes,
                                         Purpose purpose = Purpose::kOrdinary);

  // Gives a block back once two epochs have passed, or three if it is a run. A thread that pins
  // from now on must not be able to reach it, and `op` must have been pinned before it was
  // unlinked. Does nothing if the block is not in use, so any thread may repeat it. False:
  // `offset_bytes` is no block at all.
  bool Retire(process::Operation& op, std::uint64_t offset_bytes);

  // Asks the processor for what Retire(offset_bytes) will touch. Advice only.
  void PrefetchRetire(std::uint64_t offset_bytes) const;

  // How many bytes the block at an offset has room for; 0 if no block starts there.
  [[nodiscard]] std::uint64_t BlockBytes(std::uint64_t offset_bytes) const;
  // Whether the block at an offset is in use.
  [[nodiscard]] bool IsUsed(std::uint64_t offset_bytes) const;

  // Recovery of a dead lane: finishes its runs, spans that it was setting up, and its kRaw notes.
  absl::Status RecoverLane(process::Operation& own, region::LaneLayout& dead);
  // The spans of other lanes that are wanted besides the empty ones: of these classes, and with
  // this share of their blocks free. None, if no class is in the range.
  struct Wanted {
    std::uint32_t class_min = 1;
    std::uint32_t class_max = 0;
    std::uint32_t share = 8;     // One block in `share`.
    bool of_the_living = false;  // Also those of lanes that have an owner.
    bool spares_left = false;    // But not those that a shrink empties.
  };
  // The result, the best last.
  enum class TakeOver : std::uint8_t {
    kNothing,
    kEmptied,  // A span will be free.
    kLater,    // One is the lane's, and its blocks can be used when the epoch has moved.
    kAtOnce,   // The lane has one more that has blocks.
  };
  // Takes spans of other lanes, by the steps of other_lanes.cc. Looks at `span_limit` of them, from
  // where the last look of this process ended.
  TakeOver TakeFromOthers(process::Operation& op, const Wanted& wanted, std::uint64_t span_limit);
  // For a thread that found the store full: gives back every span that has become empty, this
  // lane's and others'. Returns whether there was any; they can be used when the epoch has moved
  // on. Linear, in operations of its own. Requires: the calling thread is in no operation.
  bool EmptyOthers();
  // --- Giving space back: leaving.cc and holes.cc ---

  // What a span is now. Requires: the caller is pinned; span < span_count().
  [[nodiscard]] SpanUse UseOf(std::uint64_t span) const;
  // leaving-1: no block of the span is handed out any more, by any lane. False: it is no span of
  // small blocks, or another lane is at it.
  bool Leave(process::Operation& op, std::uint64_t span);
  // leaving-3: gives back a span that was left, if all of it can be reused and the epoch has moved
  // on by three since.
  bool Release(process::Operation& op, std::uint64_t span);
  // leaving-4: a span that was left becomes the lane's, if the epoch has moved on by three.
  bool TakeBack(process::Operation& op, std::uint64_t span);
  // While one is there, the calling thread allocates from the lowest free spans, and neither from
  // other lanes' spans nor from more of the file: blocks that are moved make no room they need.
  class Packing {
   public:
    Packing(Allocator& allocator, process::Lane& lane);
    Packing(const Packing&) = delete;
    Packing& operator=(const Packing&) = delete;
    ~Packing();

   private:
    LaneSpans& spans_;
  };
  // Advice: makes so many more spans free, of holes or else by making the file larger.
  void MakeFree(process::Operation& op, std::uint64_t spans);
  // Turns the retired spans and runs among `limit` spans from `first` on into free ones, if they
  // are old enough.
  void ReclaimSpans(process::Operation& op, std::uint64_t first, std::uint64_t limit);
  // Makes all spans free that were set aside (set_aside.cc). Whether there were any.
  bool GiveSetAsideBack();
  // Makes a free span a hole that still has its blocks: it is used when there is nothing else.
  bool CloseFree(process::Operation& op, std::uint64_t span);
  // hole-1 to hole-3, for `count` spans from `first` on, if all are free or holes. Returns how many
  // were given back. Cost: one system call, of some microseconds a span.
  std::uint64_t Punch(process::Operation& op, std::uint64_t first, std::uint64_t count);
  // How many spans holes are made and filled by: see UNIT in holes.cc.
  [[nodiscard]] std::uint64_t HoleUnitSpans() const;

  // Background: keeps some room ahead of use, and the pages that this process writes to in its page
  // table.
  void KeepRoom() { room_.Keep(); }

  // Walks every block of every span. Linear; exact only while no thread writes.
  void ForEachBlock(const std::function<void(const BlockInfo&)>& visit) const;
  // Looks at every span, from the first one on; returns how many there are. Linear. Others may
  // write: each span is told as it was at one look. Requires: the caller is pinned.
  std::uint64_t ForEachSpan(
      absl::FunctionRef<void(std::uint64_t span, const SpanSpace& space)> visit) const;
  // Reports every span that contradicts itself, or that neither a run nor the lane that it names
  // accounts for. Linear; while others write, only a fault that is found twice counts.
  [[nodiscard]] std::vector<std::string> SpanFaults() const;
  // The first of these. DataLoss.
  [[nodiscard]] absl::Status CheckSpans() const;
  [[nodiscard]] AllocatorStats Stats() const;

  [[nodiscard]] const SizeClasses& classes() const { return classes_; }

 private:
  friend class LaneSpans;

  // Free spans that an ordinary allocation leaves, that a replacement leaves, and that a delete
  // leaves.
  static constexpr std::uint64_t kReserveSpans = 5;
  static constexpr std::uint64_t kDeletesSpans = 4;
  static constexpr std::uint64_t kClearsSpans = 2;
  // The spans that are looked at between two steps of the epoch, or before the file grows.
  static constexpr std::uint64_t kSpansAtOnce = 256;
  // Holes that are filled before the end of the file is used.
  static constexpr std::uint64_t kHolesAtOnce = 1;

  static constexpr std::uint64_t Spare(Purpose purpose) {
    return purpose == Purpose::kOrdinary    ? kReserveSpans
           : purpose == Purpose::kReplaces  ? kDeletesSpans
           : purpose == Purpose::kMakesRoom ? kClearsSpans
                                            : 0;
  }

  struct Place {
    base::Shared8* state = nullptr;  // Of a small block.
    std::uint64_t span = 0;
    SpanWord word;
    std::uint64_t raw_word = 0;
    bool is_run = false;
  };

  LaneSpans& SpansOf(process::Lane& lane);
  absl::StatusOr<std::uint64_t> AllocateRun(process::Operation& op, region::BlockKind kind,
                                            std::uint64_t size_bytes, Purpose purpose);
  // A run of free spans, claimed; 0: none without growing.
  std::uint64_t FindRun(process::Operation& op, region::BlockKind kind, std::uint64_t count,
                        std::uint64_t spare);
  struct RunSearch {
    std::uint64_t count = 0;  // Spans in a row.
    std::uint64_t spare = 0;  // More that shall be free then, anywhere.
    std::uint64_t begin = 0;  // Where they may be.
    std::uint64_t end = 0;
    std::uint64_t place = 0;  // Where to begin.
  };
  // One pass over the span words. `*waiting`: the spans that were retired too recently to be used.
  std::uint64_t TryClaimRun(process::Operation& op, region::BlockKind kind, const RunSearch& search,
                            std::uint64_t* waiting);
  bool ClaimRunAt(process::Operation& op, region::BlockKind kind, std::uint64_t first,
                  std::uint64_t count);
  // Claims one free span of `size_class` for `op`'s lane, but none of the last `spare`; leaves it
  // kClaimed. ResourceExhausted: there is none; or a span of another lane was taken over instead,
  // whose blocks can be used (`*look_again`).
  absl::StatusOr<std::uint64_t> ClaimSpan(process::Operation& op, std::uint32_t size_class,
                                          std::uint64_t spare, bool* look_again);
  // Spans of living lanes that are sparse. True: the lane has one whose blocks can be used at once.
  bool TakeSparse(process::Operation& op, Wanted wanted);
  // What is free at the end of the file is the last to be used: whether to look for another span
  // first. `*taken`: one of another lane was taken over.
  bool SpareTheEnd(process::Operation& op, const Wanted& wanted, std::uint64_t span,
                   std::uint64_t seen_count, bool* taken);
  // The same of any free span: whether those that are sparse, or others, are to be used first.
  bool LooksElsewhere(process::Operation& op, const Wanted& wanted, std::uint64_t span,
                      std::uint64_t seen_count, bool* taken);
  // False: another process was first.
  bool ClaimFound(const process::Operation& op, std::uint32_t size_class, std::uint64_t span,
                  std::uint64_t seen_count);
  // Where no span is free: from holes, other lanes (`*taken`), or by growth.
  absl::Status FindRoom(process::Operation& op, const Wanted& wanted, std::uint64_t seen_count,
                        std::uint64_t spare, bool* taken);
  // set_aside.cc: claims a span that was set aside. False: there is none.
  bool ClaimSetAside(std::uint64_t claimed_word, std::uint64_t* found);
  // Sets free spans behind this one aside.
  void SetAside(std::uint64_t span, std::uint64_t seen_count);
  // `lowest`: looks from the start of the file.
  bool FindFreeSpan(process::Operation& op, std::uint64_t spare, bool lowest, std::uint64_t* found);
  // Turns a retired span or run at `span` into free ones if it is old enough.
  void ReclaimSpan(process::Operation& op, std::uint64_t span);
  // `retired_word` is the head's word, found old enough.
  void GiveRunBack(process::Operation& op, std::uint64_t first, std::uint64_t retired_word);
  void FinishRunFree(std::uint32_t lane, std::uint64_t first, std::uint64_t count);
  void UndoRunClaim(std::uint32_t lane, std::uint64_t first, std::uint64_t count);
  void LowerHint(std::uint64_t span);

  // hole-4 to hole-6, of the holes from `span` to the end of its unit, until one that is none.
  // Returns how many; 0: it is no hole any more, or the disk is full.
  std::uint64_t Fill(process::Operation& op, std::uint64_t span);
  // The lowest holes. Returns how many were filled.
  std::uint64_t FillHoles(process::Operation& op, std::uint64_t limit);
  // The holes of the first row of `count` free spans and holes, and as many others as it takes for
  // `spare` spans to stay free beside it. False: there was nothing to fill, or the disk is full.
  bool FillForRun(process::Operation& op, std::uint64_t count, std::uint64_t spare);
  void CountHoles(std::int64_t change);

  // Spans of other lanes, one by one.
  TakeOver TakeSpan(process::Operation& op, const Wanted& wanted, std::uint64_t span);
  bool TakeIdleSpan(process::Operation& op, std::uint64_t span, std::uint64_t raw);
  // emptying-0 to emptying-6; `keep`: emptying-4, if it is not empty.
  TakeOver Empty(process::Operation& op, std::uint64_t span, std::uint64_t raw, bool keep);
  void FinishTaking(std::uint32_t thief, std::uint64_t span);
  void PutBack(std::uint32_t thief, std::uint64_t span);
  // Makes blocks that were retired long ago free; returns how many are free.
  std::uint32_t FreeRetired(base::Shared8* states, std::uint32_t count) const;
  [[nodiscard]] std::uint32_t CountReusable(std::uint64_t span, const SizeClass& sizes,
                                            std::uint64_t epoch) const;
  [[nodiscard]] base::Shared8* StatesOf(std::uint64_t span) const;
  [[nodiscard]] std::uint64_t EpochNow() const {
    // After an unlinking, no epoch older than it: one order with that CAS and advance-4.
    return region_.header().epoch.load(std::memory_order_seq_cst);
  }
  bool Locate(std::uint64_t offset_bytes, Place* place) const;
  [[nodiscard]] SpanSpace LookAtBlocks(std::uint64_t span, const SpanWord& word,
                                       std::uint64_t epoch) const;

  process::Session& session_;
  region::Region& region_;
  const SizeClasses classes_;
  Room room_;
  std::atomic<std::uint64_t> others_place_{0};
  std::atomic<std::uint64_t> run_place_{0};   // Where the last run that was claimed ended.
  std::atomic<std::uint64_t> run_credit_{0};  // Spans that runs may take from the end of the file.
};

}  // namespace commy::alloc
