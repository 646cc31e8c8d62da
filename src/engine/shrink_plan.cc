#include "engine/shrink_plan.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"

namespace commy::engine {
namespace {

// A unit of which at most this part stays in use is closed.
constexpr std::uint64_t kClosePart = 4;
constexpr std::size_t kClasses = 256;
// Headers and roundings take less than this part of a span.
constexpr std::uint64_t kHeaderPart = 16;

}  // namespace

void ShrinkPlan::Begin(std::uint64_t span_count, std::uint64_t unit_spans,
                       std::uint64_t span_bytes) {
  COMMY_DCHECK(unit_spans != 0);
  *this = ShrinkPlan();
  unit_ = unit_spans;
  span_bytes_ = span_bytes;
  spans_.resize(span_count);
  moves_.assign(span_count, false);
  closed_.assign(span_count / unit_ + 1, false);
}

void ShrinkPlan::Add(std::uint64_t span, const alloc::SpanUse& use) {
  if (span >= spans_.size()) {
    return;
  }
  Span& at = spans_[span];
  used_ += use.blocks != 0 ? 1 : use.word.kind == alloc::SpanKind::kRunHead ? use.word.number : 0;
  if (use.blocks != 0) {
    at.kind = Kind::kSmall;
    at.size_class = use.word.size_class;
    at.left = use.word.kind == alloc::SpanKind::kLeaving;
    at.used = use.used;
    at.blocks = use.blocks;
    at.block_bytes = use.block_bytes;
    at.stays |= use.stays;
  } else if (use.word.kind == alloc::SpanKind::kRunHead) {
    at.used = use.word.number;
    for (std::uint64_t i = span; i < span + use.word.number && i < spans_.size(); ++i) {
      spans_[i].kind = Kind::kRun;
    }
  } else if (use.word.kind == alloc::SpanKind::kFree ||
             use.word.kind == alloc::SpanKind::kSetAside) {
    at.kind = Kind::kFree;
    ++free_;
  } else if (use.word.kind == alloc::SpanKind::kHole) {
    at.kind = Kind::kHole;
    ++holes_;
  }
}

void ShrinkPlan::Pin(std::uint64_t span) {
  if (span < spans_.size()) {
    spans_[span].stays = true;
  }
}

void ShrinkPlan::MoveSpan(std::uint64_t span) {
  if (!moves_[span]) {
    moves_[span] = true;
    leaving_.push_back(span);
  }
}

std::uint64_t ShrinkPlan::ChooseSparse(double fill) {
  struct ClassSum {
    std::uint64_t spans = 0;
    std::uint64_t used = 0;
    std::uint64_t blocks = 1;
  };
  const auto is_sparse = [fill](const Span& span) {
    return span.kind == Kind::kSmall && !span.stays &&
           (span.left || span.used <= fill * span.blocks);
  };
  std::array<ClassSum, kClasses> sums;
  std::uint64_t needed = 0;
  for (const Span& span : spans_) {
    if (is_sparse(span)) {
      ClassSum& sum = sums.at(span.size_class);
      ++sum.spans;
      sum.used += span.used;
      sum.blocks = span.blocks;
    } else {
      needed += span.kind != Kind::kFree && span.kind != Kind::kHole ? 1 : 0;
    }
  }
  for (std::uint64_t i = 0; i < spans_.size(); ++i) {
    if (!is_sparse(spans_[i])) {
      continue;
    }
    const ClassSum& sum = sums.at(spans_[i].size_class);
    // A span that was left before stays to be emptied, or it would be closed for ever.
    if (spans_[i].left || sum.spans > base::RoundUp(sum.used, sum.blocks) / sum.blocks) {
      MoveSpan(i);
    }
  }
  for (const ClassSum& sum : sums) {
    needed += std::min(sum.spans, base::RoundUp(sum.used, sum.blocks) / sum.blocks);
  }
  return needed;
}

ShrinkPlan::UnitSum ShrinkPlan::SumOf(std::uint64_t first) const {
  UnitSum sum;
  const std::uint64_t behind = std::min<std::uint64_t>(first + unit_, spans_.size());
  for (std::uint64_t i = first; i < behind; ++i) {
    const Span& span = spans_[i];
    sum.stays |= span.stays || span.kind == Kind::kOther;
    sum.holes += span.kind == Kind::kHole ? 1 : 0;
    sum.kept += span.kind != Kind::kFree && span.kind != Kind::kHole && !moves_[i] ? 1 : 0;
  }
  sum.spans = behind - first;
  return sum;
}

void ShrinkPlan::CloseUnits(const ShrinkAims& aims, std::uint64_t needed) {
  const std::uint64_t room = needed + aims.keep_free;
  std::uint64_t open = 0;
  for (std::uint64_t first = 0; first < spans_.size(); first += unit_) {
    const UnitSum sum = SumOf(first);
    open += sum.holes == sum.spans ? 0 : sum.spans;
  }
  // From the back, as long as what stays open has room for all.
  for (std::uint64_t unit = base::RoundUp(spans_.size(), unit_) / unit_; unit-- > 0;) {
    const std::uint64_t first = unit * unit_;
    const UnitSum sum = SumOf(first);
    if (sum.holes == sum.spans || open < room + sum.spans || sum.stays ||
        (!aims.move_end && sum.kept > unit_ / kClosePart)) {
      continue;
    }
    open -= sum.spans;
    closed_[unit] = true;
    for (std::uint64_t i = first; i < first + sum.spans; ++i) {
      if (spans_[i].kind == Kind::kSmall) {
        MoveSpan(i);
      } else if (spans_[i].kind == Kind::kRun) {
        std::uint64_t head = i;
        while (head > 0 && spans_[head].used == 0) {
          --head;
        }
        runs_move_ |= !moves_[head];
        moves_[head] = true;
      }
    }
  }
}

std::uint64_t ShrinkPlan::FreeIn(std::uint64_t unit) const {
  std::uint64_t free = 0;
  for (std::uint64_t i = unit * unit_;
       i < std::min<std::uint64_t>((unit + 1) * unit_, spans_.size()); ++i) {
    free += spans_[i].kind == Kind::kFree ? 1 : 0;
  }
  return free;
}

void ShrinkPlan::OpenForRoom(std::uint64_t wanted) {
  free_ = 0;
  for (std::uint64_t unit = 0; unit < closed_.size(); ++unit) {
    free_ += closed_[unit] ? 0 : FreeIn(unit);
  }
  for (std::uint64_t unit = 0; unit < closed_.size() && free_ < wanted; ++unit) {
    if (closed_[unit] && FreeIn(unit) != 0) {
      closed_[unit] = false;
      free_ += FreeIn(unit);
    }
  }
}

std::uint64_t ShrinkPlan::RoomNeeded() const {
  std::uint64_t bytes = 0;
  std::array<bool, kClasses> classes{};
  for (std::uint64_t i = 0; i < spans_.size(); ++i) {
    if (moves_[i]) {
      bytes += BytesIn(spans_[i]);
      classes.at(spans_[i].size_class) |= spans_[i].kind == Kind::kSmall;
    }
  }
  // Spans have headers, and the last one of each class is not full.
  return bytes / span_bytes_ + bytes / span_bytes_ / kHeaderPart +
         static_cast<std::uint64_t>(std::count(classes.begin(), classes.end(), true)) + 1;
}

void ShrinkPlan::Limit(std::uint64_t room_spans) {
  if (RoomNeeded() <= room_spans) {
    return;
  }
  std::vector<std::uint64_t> moved;
  for (std::uint64_t i = 0; i < spans_.size(); ++i) {
    if (moves_[i]) {
      moved.push_back(i);
    }
  }
  std::stable_sort(moved.begin(), moved.end(), [this](std::uint64_t a, std::uint64_t b) {
    return BytesIn(spans_[a]) < BytesIn(spans_[b]);
  });
  std::fill(moves_.begin(), moves_.end(), false);
  leaving_.clear();
  std::array<bool, kClasses> classes{};
  std::uint64_t bytes = 0;
  for (const std::uint64_t span : moved) {
    const Span& at = spans_[span];
    bytes += BytesIn(at);
    if (at.kind == Kind::kSmall && !classes.at(at.size_class)) {
      classes.at(at.size_class) = true;
      bytes += span_bytes_;
    }
    if (bytes + bytes / kHeaderPart > room_spans * span_bytes_ && !at.left) {
      continue;
    }
    moves_[span] = true;
    if (at.kind == Kind::kSmall) {
      leaving_.push_back(span);
    }
  }
}

bool ShrinkPlan::Choose(const ShrinkAims& aims, const StuckSpans& stuck) {
  for (const auto& [span, used] : stuck) {
    if (span < spans_.size() && spans_[span].kind == Kind::kSmall && spans_[span].used == used) {
      spans_[span].stays = true;
    }
  }
  const std::uint64_t needed = ChooseSparse(aims.fill);
  const std::uint64_t on_disk = spans_.size() - holes_;
  const std::uint64_t gain = on_disk - std::min(on_disk, needed + aims.keep_free);
  const bool worthwhile =
      gain >= aims.gain_spans &&
      static_cast<double>(gain) >= aims.gain_part * static_cast<double>(on_disk);
  if (worthwhile) {
    CloseUnits(aims, needed);
  } else if (aims.only_worthwhile) {
    std::fill(moves_.begin(), moves_.end(), false);
    leaving_.clear();
    for (std::uint64_t i = 0; i < spans_.size(); ++i) {
      if (spans_[i].left) {
        MoveSpan(i);
      }
    }
  }
  return !leaving_.empty() || runs_move_;
}

}  // namespace commy::engine
