#include "engine/shrink_plan.h"

#include <algorithm>

namespace commy::engine {
namespace {

// The end that a file could have is a little behind what is in use: others go on writing.
constexpr std::uint64_t kEndPart = 32;
constexpr std::uint64_t kEndSpans = 8;

}  // namespace

void ShrinkPlan::Begin(std::uint64_t span_count) {
  *this = ShrinkPlan();
  moves_.assign(span_count, false);
}

void ShrinkPlan::Add(std::uint64_t span, const alloc::SpanUse& use) {
  if (use.blocks != 0) {
    by_class_.resize(std::max<std::size_t>(by_class_.size(), use.word.size_class + std::size_t{1}));
    by_class_[use.word.size_class].push_back(
        {span, use.used, use.blocks, use.word.kind == alloc::SpanKind::kLeaving});
    ++small_;
  } else if (use.word.kind == alloc::SpanKind::kRunHead) {
    runs_.push_back({span, use.word.number});
    run_spans_ += use.word.number;
  } else if (use.word.kind == alloc::SpanKind::kFree) {
    ++free_;
  }
}

bool ShrinkPlan::Choose(const ShrinkAims& aims, std::uint64_t chunk_spans) {
  std::uint64_t gain = 0;
  std::uint64_t needed = run_spans_;
  std::vector<Small> chosen;
  for (std::vector<Small>& spans : by_class_) {
    const auto sparse = std::partition(spans.begin(), spans.end(), [&](const Small& each) {
      return each.left || each.used <= aims.fill * each.blocks;
    });
    std::uint64_t used = 0;
    for (auto each = spans.begin(); each != sparse; ++each) {
      used += each->used;
    }
    const auto candidates = static_cast<std::uint64_t>(sparse - spans.begin());
    const std::uint64_t blocks = spans.empty() ? 1 : spans.front().blocks;
    const std::uint64_t wanted = (used + blocks - 1) / blocks;
    if (candidates > wanted) {
      gain += candidates - wanted;
      needed += wanted + (spans.size() - candidates);
      chosen.insert(chosen.end(), spans.begin(), sparse);
      spans.erase(spans.begin(), sparse);
    } else {
      needed += spans.size();
      // A span that was left before stays to be emptied, or it would be closed for ever.
      for (const Small& each : spans) {
        if (each.left) {
          chosen.push_back(each);
        }
      }
    }
  }
  const bool worthwhile =
      gain >= aims.gain_spans &&
      static_cast<double>(gain) >= aims.gain_part * static_cast<double>(used_spans());
  if (!worthwhile) {
    chosen.clear();
  }
  for (const Small& each : chosen) {
    moves_[each.span] = true;
    leaving_.push_back(each.span);
  }
  const std::uint64_t end = needed + needed / kEndPart + aims.keep_free + kEndSpans;
  if (aims.move_end && moves_.size() >= end + chunk_spans) {
    for (const std::vector<Small>& spans : by_class_) {
      for (const Small& each : spans) {
        if (each.span >= end && !moves_[each.span]) {
          moves_[each.span] = true;
          leaving_.push_back(each.span);
        }
      }
    }
    for (const Run& run : runs_) {
      if (run.span + run.count > end) {
        moves_[run.span] = true;
        run_moves_ = true;
      }
    }
  }
  return !leaving_.empty() || run_moves_;
}

}  // namespace commy::engine
