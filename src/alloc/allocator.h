// Hands out blocks of the region and takes them back, from any attached process.
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
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/block_state.h"
#include "alloc/room.h"
#include "alloc/size_classes.h"
#include "alloc/span_word.h"
#include "process/lane.h"
#include "process/session.h"

namespace commy::alloc {

class LaneSpans;

// What an allocation is for. The last free spans of a full store are kept for what makes room.
enum class Purpose { kOrdinary, kMakesRoom };

struct AllocatorStats {
  std::uint64_t spans_total = 0;
  std::uint64_t spans_free = 0;
  std::uint64_t spans_small = 0;
  std::uint64_t spans_large = 0;
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
  // 1 KiB on: 64). The operation's notes name the block as a `kind` until the operation ends.
  //
  // Requires: 0 < size_bytes <= kBlockBytesMax; `op` is the lane's outermost operation.
  // ResourceExhausted: no room in the file, and it cannot grow; nothing has changed then.
  // Cost: a CAS and a few loads; now and then a walk over a few spans' state bytes, and rarely the
  // system calls that make the file grow.
  absl::StatusOr<std::uint64_t> Allocate(process::Operation& op, process::NoteKind kind,
                                         std::uint64_t size_bytes,
                                         Purpose purpose = Purpose::kOrdinary);

  // Gives a block back once two epochs have passed. Nobody who pins from now on may be able to
  // reach it, and `op` must have been pinned before it was unlinked. Does nothing if the block is
  // not in use, so it may be called again, by anyone. False: `offset_bytes` is no block at all.
  bool Retire(process::Operation& op, std::uint64_t offset_bytes);

  // Asks the processor for what Retire(offset_bytes) will touch. Advice only.
  void PrefetchRetire(std::uint64_t offset_bytes) const;

  // How many bytes the block at an offset has room for; 0 if no block starts there.
  [[nodiscard]] std::uint64_t BlockBytes(std::uint64_t offset_bytes) const;
  // Whether the block at an offset is in use.
  [[nodiscard]] bool IsUsed(std::uint64_t offset_bytes) const;

  // Recovery of a dead lane: settles its runs, spans that it was setting up, and its kRaw notes.
  absl::Status RecoverLane(process::Operation& own, region::LaneLayout& dead);
  // Background: keeps some room ahead of use, and what this process writes to in its page table.
  void KeepRoom() { room_.Keep(); }

  // Walks every block of every span. Linear; exact only while nobody writes.
  void ForEachBlock(const std::function<void(const BlockInfo&)>& visit) const;
  // Reports the first span that contradicts itself.
  [[nodiscard]] absl::Status CheckSpans() const;
  [[nodiscard]] AllocatorStats Stats() const;

  [[nodiscard]] const SizeClasses& classes() const { return classes_; }

 private:
  friend class LaneSpans;

  // Free spans that only what makes room may take.
  static constexpr std::uint64_t kReserveSpans = 2;

  struct Place {
    base::Shared8* state = nullptr;  // Of a small block.
    std::uint64_t span = 0;
    SpanWord word;
    std::uint64_t raw_word = 0;
    bool is_run = false;
  };

  LaneSpans& SpansOf(process::Lane& lane);
  absl::StatusOr<std::uint64_t> AllocateRun(process::Operation& op, process::NoteKind kind,
                                            std::uint64_t size_bytes, Purpose purpose);
  // One pass over the span words for `count` free ones in a row, and a claim of them. 0: none.
  std::uint64_t TryClaimRun(process::Operation& op, process::NoteKind kind, std::uint64_t count,
                            Purpose purpose);
  bool ClaimRunAt(process::Operation& op, process::NoteKind kind, std::uint64_t first,
                  std::uint64_t count);
  // Claims one free span for `op`'s lane; leaves it kClaimed. NotFound: there is none.
  absl::StatusOr<std::uint64_t> ClaimSpan(process::Operation& op, Purpose purpose);
  bool FindFreeSpan(process::Operation& op, std::uint64_t spare, std::uint64_t* found);
  // Turns a retired span or run at `span` into free ones if it is old enough.
  void ReclaimSpan(process::Operation& op, std::uint64_t span);
  // `retired_word` is the head's word, found old enough.
  void GiveRunBack(process::Operation& op, std::uint64_t first, std::uint64_t retired_word);
  void FinishRunFree(std::uint32_t lane, std::uint64_t first, std::uint64_t count);
  void UndoRunClaim(std::uint32_t lane, std::uint64_t first, std::uint64_t count);
  void LowerHint(std::uint64_t span);
  // Moves the spans of idle lanes to `op`'s. False: there were none.
  bool AdoptIdleSpans(process::Operation& op);
  bool Locate(std::uint64_t offset_bytes, Place* place) const;

  process::Session& session_;
  region::Region& region_;
  const SizeClasses classes_;
  Room room_;
};

}  // namespace commy::alloc
