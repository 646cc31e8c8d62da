// Which spans a shrink is to empty.
#pragma once

#include <cstdint>
#include <vector>

#include "alloc/allocator.h"

namespace commy::engine {

struct ShrinkAims {
  double fill = 0.8;     // Spans that are at most this full are emptied.
  bool move_end = true;  // And those behind the end that the file could have.
  bool background = false;
  // In the background: the least that must be gained, as a part of what is in use, and in spans.
  double gain_part = 0;
  std::uint64_t gain_spans = 1;
  std::uint64_t keep_free = 8;  // Free spans that keep their disk blocks.
};

// What a survey has found, span by span, and the choice.
class ShrinkPlan {
 public:
  void Begin(std::uint64_t span_count);
  void Add(std::uint64_t span, const alloc::SpanUse& use);
  // When all spans were added. True: there is something to gain.
  bool Choose(const ShrinkAims& aims, std::uint64_t chunk_spans);

  [[nodiscard]] bool Moves(std::uint64_t span) const {
    return span < moves_.size() && moves_[span];
  }
  // The spans of small blocks among these.
  [[nodiscard]] const std::vector<std::uint64_t>& leaving() const { return leaving_; }
  [[nodiscard]] std::uint64_t free_spans() const { return free_; }
  [[nodiscard]] std::uint64_t used_spans() const { return small_ + run_spans_; }

 private:
  struct Small {
    std::uint64_t span;
    std::uint32_t used;
    std::uint32_t blocks;
    bool left;  // Already.
  };
  struct Run {
    std::uint64_t span;
    std::uint64_t count;
  };

  std::vector<bool> moves_;
  std::vector<std::uint64_t> leaving_;
  std::vector<std::vector<Small>> by_class_;
  std::vector<Run> runs_;
  std::uint64_t small_ = 0;
  std::uint64_t run_spans_ = 0;
  std::uint64_t free_ = 0;
  bool run_moves_ = false;
};

}  // namespace commy::engine
