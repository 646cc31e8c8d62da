// What a lane remembers of its spans, in process memory: which they are, and which blocks of the
// current one can be handed out. All of it can be read again from the file, and is when a thread
// claims a lane that another thread had before.
//
// It may be out of date: another lane may have taken a span over, or emptied it (other_lanes.cc).
// So each operation looks at a span's word before it uses what is remembered of it, and forgets a
// span that is no longer the lane's. A span that went and came back may be remembered twice:
// harmless.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "base/check.h"

namespace commy::alloc {

class LaneSpans final : public process::LaneExtension {
 public:
  LaneSpans(Allocator& allocator, process::Lane& lane);

  // A block of the class, now used, noted as `kind`. ResourceExhausted: no room.
  absl::StatusOr<std::uint64_t> Allocate(process::Operation& op, std::uint32_t size_class,
                                         region::BlockKind kind, Purpose purpose);
  // Likewise of a class of blocks that stay. The first ones of a size take blocks of a larger one:
  // there are few of most sizes, and each would have a span for itself.
  absl::StatusOr<std::uint64_t> AllocateStaying(process::Operation& op, std::uint32_t size_class,
                                                region::BlockKind kind);
  // A block of any larger class, where there is no other: of this lane, or of one that no thread
  // has. 0: none.
  std::uint64_t AllocateLarger(process::Operation& op, std::uint32_t size_class,
                               region::BlockKind kind);
  // Gives every empty span of the lane back. Whether there was one.
  bool ReleaseAllEmpty();
  // The lane has one span more.
  void Remember(std::uint32_t size_class, std::uint64_t span) {
    COMMY_DCHECK(size_class < by_class_.size());
    by_class_[size_class].all.push_back(span);
  }
  // See Allocator::Packing.
  void set_packing(bool packing) { packing_ = packing; }
  [[nodiscard]] bool packing() const { return packing_; }
  // Reads the lane's spans from the file.
  void Reload();
  // The epoch in which the lane last took spans of living lanes: see Allocator::TakeSparse().
  [[nodiscard]] std::uint64_t took_in_epoch() const { return took_in_epoch_; }
  void set_took_in_epoch(std::uint64_t epoch) { took_in_epoch_ = epoch; }

 private:
  struct Spans {
    std::vector<std::uint64_t> all;
    std::size_t next = 0;             // Where the walk over `all` goes on.
    std::uint64_t current = 0;        // The span that blocks are taken from.
    std::vector<std::uint16_t> free;  // Its blocks that could be taken, the next one last.
  };

  // A larger class of blocks that stay, of whose current span much is free; or the same class.
  std::uint32_t RoomyClassFrom(process::Operation& op, std::uint32_t size_class);
  // Takes the next block of the current span; 0: it has none left.
  std::uint64_t TakeBlock(process::Operation& op, std::uint32_t size_class, Spans& spans,
                          std::uint32_t note_place, region::BlockKind kind);
  // Makes a span current that has blocks to hand out.
  absl::Status Refill(process::Operation& op, std::uint32_t size_class, Spans& spans);
  // Walks at most `span_limit` of the class's spans for one with `wanted` blocks.
  bool FindSpan(std::uint32_t size_class, Spans& spans, std::size_t span_limit, std::size_t wanted);
  // `*look_again`: not added, but a span of another lane was taken over.
  absl::Status AddSpan(process::Operation& op, std::uint32_t size_class, std::uint64_t spare,
                       bool* look_again);
  // For operations that make room, in a full store: a block of any larger class, or one of the last
  // spans.
  absl::StatusOr<std::uint64_t> AllocateFromReserve(process::Operation& op,
                                                    std::uint32_t size_class,
                                                    std::uint32_t note_place,
                                                    region::BlockKind kind, Purpose purpose);
  // Whether the span is the lane's, and of the class.
  [[nodiscard]] bool IsMine(std::uint32_t size_class, std::uint64_t span) const;
  // Drops the span at `index` of the list from it.
  static void Forget(Spans& spans, std::size_t index);
  void CollectFree(const SizeClass& size_class, std::uint64_t span,
                   std::vector<std::uint16_t>& free);
  // Whether a move of the epoch may bring something: the last walk has seen a block that waits for
  // it, or a span of this lane waits. Otherwise true now and then, since others' may wait. A move
  // interrupts other processors.
  bool IsWorthAnEpoch();
  // Looks at a few spans of any class and gives back those that are empty.
  void ReleaseSomeEmpty(std::size_t span_limit);
  void ReleaseIfEmpty(std::uint32_t size_class, Spans& spans, std::size_t index);
  // Asks the processor for the block that will be taken next.
  void PrefetchNext(const SizeClass& sizes, const Spans& spans) const;
  void PrepareTable(std::uint64_t epoch);

  Allocator& allocator_;
  process::Lane& lane_;
  std::vector<Spans> by_class_;
  std::size_t release_class_ = 0;
  std::uint64_t table_epoch_ = 0;
  std::array<bool, 256> reusable_{};  // By state byte, at table_epoch_.
  std::array<bool, 256> waits_{};     // Likewise: retired, and not old enough.
  bool saw_waiting_ = false;          // In the last walk.
  bool gave_spans_back_ = false;      // Since the epoch was last moved on for that.
  std::uint32_t walks_in_vain_ = 0;
  bool packing_ = false;
  std::uint64_t took_in_epoch_ = 0;
};

}  // namespace commy::alloc
