// Which spans a shrink is to empty, and which parts of the file it is to give back.
//
// Disk blocks are given back by units (alloc/holes.cc, UNIT), so it is not enough that spans become
// free: whole units must. A plan empties sparse spans; and it closes units, that is, all of their
// spans are emptied, however full they are, and what is free there is not used meanwhile.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "alloc/allocator.h"

namespace commy::engine {

struct ShrinkAims {
  double fill = 0.8;  // Spans that are at most this full are emptied.
  // Units are closed from the end on, as many as there can be; else only those of which little is
  // left when the sparse spans are empty.
  bool move_end = true;
  bool background = false;
  bool only_worthwhile = false;  // Else sparse spans are emptied for the least gain.
  // The least that must be gained: so much of what the file takes on disk, and in spans.
  double gain_part = 0;
  std::uint64_t gain_spans = 1;
  std::uint64_t keep_free = 8;  // Free spans that keep their disk blocks.
};

// Spans that a shrink could not empty, with the number of blocks that stayed in them.
using StuckSpans = std::unordered_map<std::uint64_t, std::uint32_t>;

// What a survey has found, span by span, and the choice.
class ShrinkPlan {
 public:
  void Begin(std::uint64_t span_count, std::uint64_t unit_spans, std::uint64_t span_bytes);
  void Add(std::uint64_t span, const alloc::SpanUse& use);
  // The span has a block that never moves.
  void Pin(std::uint64_t span);
  // When all spans were added. True: there is something to move.
  bool Choose(const ShrinkAims& aims, const StuckSpans& stuck);

  // How many spans what is to be moved fills, about. A walk moves blocks in the order of their
  // keys, so nothing becomes free before nearly all is moved.
  [[nodiscard]] std::uint64_t RoomNeeded() const;
  // Opens closed units, the lowest first, until so many spans are free outside of closed ones, if
  // there are.
  void OpenForRoom(std::uint64_t wanted);
  // Leaves the fullest out, so that the rest needs at most so many spans.
  void Limit(std::uint64_t room_spans);

  // Whether what lies in the span is to be moved.
  [[nodiscard]] bool Moves(std::uint64_t span) const {
    return span < moves_.size() && moves_[span];
  }
  // The spans of small blocks among these.
  [[nodiscard]] const std::vector<std::uint64_t>& leaving() const { return leaving_; }
  // Whether the span is in a unit that is closed.
  [[nodiscard]] bool IsClosed(std::uint64_t span) const {
    return span < spans_.size() && closed_[span / unit_];
  }
  // Outside of closed units.
  [[nodiscard]] std::uint64_t free_spans() const { return free_; }
  [[nodiscard]] std::uint64_t used_spans() const { return used_; }
  [[nodiscard]] std::uint64_t span_count() const { return spans_.size(); }
  [[nodiscard]] std::uint64_t unit_spans() const { return unit_; }

 private:
  enum class Kind : std::uint8_t { kOther, kFree, kHole, kSmall, kRun };
  struct Span {
    Kind kind = Kind::kOther;
    bool stays = false;  // It cannot be emptied.
    std::uint8_t size_class = 0;
    bool left = false;       // Already.
    std::uint32_t used = 0;  // Blocks; of a run its spans, in its first one.
    std::uint32_t blocks = 0;
    std::uint32_t block_bytes = 0;
  };

  struct UnitSum {
    std::uint64_t spans = 0;
    std::uint64_t kept = 0;  // In use, and not to be moved so far.
    std::uint64_t holes = 0;
    bool stays = false;
  };
  [[nodiscard]] UnitSum SumOf(std::uint64_t first) const;

  // Chooses sparse spans. Returns how many spans will be needed for all that is there.
  std::uint64_t ChooseSparse(double fill);
  [[nodiscard]] std::uint64_t FreeIn(std::uint64_t unit) const;
  void CloseUnits(const ShrinkAims& aims, std::uint64_t needed);
  void MoveSpan(std::uint64_t span);
  // What is in use of a span of small blocks, or of a run from its first span on, in bytes.
  [[nodiscard]] std::uint64_t BytesIn(const Span& span) const {
    return std::uint64_t{span.used} * (span.kind == Kind::kRun ? span_bytes_ : span.block_bytes);
  }

  std::uint64_t unit_ = 1;
  std::uint64_t span_bytes_ = 1;
  std::vector<Span> spans_;
  std::vector<bool> moves_;
  std::vector<bool> closed_;  // By unit.
  std::vector<std::uint64_t> leaving_;
  bool runs_move_ = false;
  std::uint64_t free_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t holes_ = 0;
};

}  // namespace commy::engine
