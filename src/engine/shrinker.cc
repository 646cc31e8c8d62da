#include "engine/shrinker.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/holders.h"
#include "engine/lifecycle.h"
#include "engine/maintenance.h"
#include "process/holders.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// Spans that are looked at under one pin.
constexpr std::uint64_t kSpansAtOnce = 1024;
// What is moved under one pin.
constexpr std::uint64_t kBytesAtOnce = std::uint64_t{1} << 20;
constexpr std::int64_t kPinNs = 1'000'000;
// Of a call: between two looks at its limits.
constexpr std::int64_t kStepNs = 5'000'000;
constexpr std::uint64_t kRounds = 40;
constexpr std::uint64_t kMovesMax = 2;
// From the survey to the punch, as long as there is so much to gain.
constexpr int kPasses = 4;
constexpr double kPassGain = 0.06;
// Attempts to move the epoch on, of some milliseconds each, before what waits for it is given up.
constexpr int kSettlings = 8;
// Pieces of sweeping before it begins all the same: others may leave more all the time.
constexpr int kPrepareSteps = 1000;
// For the room to move to, the file may become larger by so many spans, or by this part.
constexpr std::uint64_t kRoomToMove = 32;
constexpr std::uint64_t kRoomPart = 16;
// Free spans that allocations leave.
constexpr std::uint64_t kSpareSpans = 6;

// The background looks at the store this often, and works so long in each beat.
constexpr std::int64_t kLookNs = 10'000'000'000;
constexpr std::int64_t kBeatNs = 10'000'000;
constexpr double kBackgroundFill = 0.6;
constexpr double kBackgroundGain = 0.3;
constexpr std::uint64_t kBackgroundGainSpans = 128;

}  // namespace

absl::Status Shrinker::ForSpans(std::uint64_t begin, std::uint64_t end,
                                absl::FunctionRef<void(Operation&, std::uint64_t)> use) const {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine_.session.ThisLane());
  Operation op(*lane, OpKind::kMove, 0);
  if (!op.entered()) {
    return op.status();
  }
  for (std::uint64_t span = begin; span < end; ++span) {
    use(op, span);
  }
  return absl::OkStatus();
}

void Shrinker::Begin(const ShrinkAims& aims) {
  phase_ = Phase::kPrepare;
  aims_ = aims;
  place_ = 0;
  round_ = 0;
  passes_ = 0;
  moved_before_ = 0;
  tally_ = {};
  closed_units_.clear();
  stuck_bytes_ = 0;
  stuck_blocks_ = 0;
}

absl::StatusOr<ShrinkReport> Shrinker::Run(const ShrinkOptions& options) {
  COMMY_ASSIGN_OR_RETURN(const Lane* const lane, engine_.session.ThisLane());
  if (lane->active()) {
    return base::FailedPrecondition(engine_.path,
                                    ": a shrink cannot be called from inside a callback");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  ShrinkReport report;
  COMMY_ASSIGN_OR_RETURN(report.disk_bytes_before, engine_.region.DiskBytes());
  COMMY_ASSIGN_OR_RETURN(report.file_bytes_before, engine_.region.FileBytes());
  if (phase_ == Phase::kIdle || aims_.background) {
    Begin({.fill = options.fill, .move_end = options.move_end});
  }
  const std::uint64_t moved_before = tally_.bytes;
  const std::uint64_t blocks_before = tally_.blocks;
  const std::int64_t start = engine_.session.platform().MonotonicNs();
  const std::int64_t limit_ns = absl::ToInt64Nanoseconds(options.time_limit);
  while (phase_ != Phase::kIdle) {
    const std::int64_t now = engine_.session.platform().MonotonicNs();
    const std::uint64_t moved = tally_.bytes - moved_before;
    const absl::Status done = Step(now + std::min(kStepNs, limit_ns),
                                   options.bytes_limit - std::min(moved, options.bytes_limit));
    if (!done.ok()) {
      phase_ = Phase::kIdle;  // The next one begins anew, and finds the spans that were left.
      return done;
    }
    if (options.progress && !options.progress({tally_.bytes - moved_before, round_})) {
      break;
    }
    if (engine_.session.platform().MonotonicNs() - start >= limit_ns ||
        tally_.bytes - moved_before >= options.bytes_limit) {
      break;
    }
  }
  report.moved_bytes = tally_.bytes - moved_before;
  report.moved_blocks = tally_.blocks - blocks_before;
  Tell(&report);
  COMMY_ASSIGN_OR_RETURN(report.disk_bytes_after, engine_.region.DiskBytes());
  COMMY_ASSIGN_OR_RETURN(report.file_bytes_after, engine_.region.FileBytes());
  return report;
}

void Shrinker::Background() {
  if (engine_.session.read_only() || engine_.session.ending() || !mutex_.try_lock()) {
    return;  // Another thread of this process is at it.
  }
  const std::lock_guard<std::mutex> lock(mutex_, std::adopt_lock);
  const std::int64_t now = engine_.session.platform().MonotonicNs();
  if (phase_ == Phase::kIdle) {
    const std::uint64_t clock =
        engine_.region.header().commit_clock.load(std::memory_order_relaxed);
    if (next_look_ns_ == 0) {
      next_look_ns_ = now + kLookNs;
    }
    if (now < next_look_ns_ || clock == seen_clock_ || !TakeTurn()) {
      return;
    }
    seen_clock_ = clock;
    next_look_ns_ = now + kLookNs;
    const std::uint64_t spans = engine_.region.span_count();
    Begin({.fill = kBackgroundFill,
           .move_end = false,
           .background = true,
           .only_worthwhile = true,
           .gain_part = kBackgroundGain,
           .gain_spans = kBackgroundGainSpans,
           .keep_free = std::max<std::uint64_t>(kBackgroundGainSpans / 2, spans / 8)});
    phase_ = Phase::kSurvey;  // The rest of the heartbeat's work has prepared it.
  }
  const std::int64_t deadline = now + kBeatNs;
  while (phase_ != Phase::kIdle && engine_.session.platform().MonotonicNs() < deadline &&
         !engine_.session.ending()) {
    if (!Step(deadline, UINT64_MAX).ok()) {
      phase_ = Phase::kIdle;  // For `check`, or the next operation, to report.
    }
    if (phase_ == Phase::kSettle) {
      break;  // The epoch moves with the beats.
    }
  }
}

bool Shrinker::TakeTurn() const {
  base::Shared64& shrinker = engine_.region.header().shrinker;
  std::uint64_t seen = shrinker.load(std::memory_order_acquire);
  const std::uint64_t own = engine_.session.owner_word();
  return seen == own || ((seen == 0 || process::IsGone(engine_.region, seen, own)) &&
                         shrinker.compare_exchange(seen, own, std::memory_order_acq_rel));
}

absl::Status Shrinker::Step(std::int64_t deadline_ns, std::uint64_t bytes_limit) {
  switch (phase_) {
    case Phase::kIdle:
      return absl::OkStatus();
    case Phase::kPrepare:
      Prepare(deadline_ns);
      return absl::OkStatus();
    case Phase::kSurvey:
      return Survey(deadline_ns);
    case Phase::kLeave:
      return Leave();
    case Phase::kMove:
      return Move(deadline_ns, bytes_limit);
    case Phase::kSettle:
      return Settle();
    case Phase::kReopen:
      return Reopen();
    case Phase::kPunch:
      return Punch(deadline_ns);
  }
  return absl::OkStatus();
}

void Shrinker::Prepare(std::int64_t deadline_ns) {
  (void)engine_.session.RecoverDead();
  (void)RemoveDropped(engine_, deadline_ns + Maintenance::kBudgetNs);
  if (!engine_.maintenance.MaintainNamespaces(deadline_ns) && ++settlings_ < kPrepareSteps) {
    return;
  }
  settlings_ = 0;
  (void)engine_.session.MoveEpochs();
  if (engine_.allocator.EmptyOthers()) {
    (void)engine_.session.MoveEpochs();
  }
  phase_ = Phase::kSurvey;
  place_ = 0;
}

absl::Status Shrinker::Survey(std::int64_t deadline_ns) {
  const std::uint64_t count = engine_.region.span_count();
  if (place_ == 0) {
    plan_.Begin(count, engine_.allocator.HoleUnitSpans(), engine_.region.geometry().span_bytes);
  }
  while (place_ < plan_.span_count()) {
    const std::uint64_t end = std::min(place_ + kSpansAtOnce, plan_.span_count());
    COMMY_RETURN_IF_ERROR(ForSpans(place_, end, [&](Operation& op, std::uint64_t span) {
      engine_.allocator.ReclaimSpans(op, span, 1);
      plan_.Add(span, engine_.allocator.UseOf(span));
    }));
    place_ = end;
    if (engine_.session.platform().MonotonicNs() >= deadline_ns && place_ < plan_.span_count()) {
      return absl::OkStatus();
    }
  }
  COMMY_RETURN_IF_ERROR(ListNamespaces());
  phase_ = plan_.Choose(aims_, stuck_) ? Phase::kLeave : Phase::kReopen;
  place_ = 0;
  return absl::OkStatus();
}

absl::Status Shrinker::ListNamespaces() {
  namespaces_.clear();
  slots_place_ = {};
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine_.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return NotEntered(engine_);
  }
  const region::Geometry& geometry = engine_.region.geometry();
  const auto stays = [&](std::uint64_t offset) {
    if (offset >= geometry.data_offset) {
      plan_.Pin((offset - geometry.data_offset) >> geometry.span_shift);
    }
  };
  stays(engine_.region.header().catalog_root.load(std::memory_order_acquire));
  return engine_.catalog.ForEach("", [&](std::string_view, std::uint64_t object) {
    const auto* const words = engine_.region.At<namespaces::NamespaceObject>(object);
    if (words == nullptr) {
      return true;
    }
    namespaces_.push_back({object, words->id.load(std::memory_order_acquire)});
    const std::uint64_t root_offset = words->root.load(std::memory_order_acquire);
    for (const std::uint64_t offset :
         {object, root_offset, words->type.load(std::memory_order_acquire),
          words->sums.load(std::memory_order_acquire)}) {
      stays(offset);
    }
    if (const auto* const root = engine_.region.At<index::IndexRoot>(root_offset)) {
      for (const base::Shared64& counters : root->counters) {
        stays(counters.load(std::memory_order_acquire));
      }
    }
    return true;
  });
}

absl::Status Shrinker::Leave() {
  // While a stopped process holds the epoch back, what is moved would wait beside its copies: the
  // file would only grow.
  if (!engine_.session.MoveEpochs()) {
    if (++settlings_ >= kSettlings) {
      settlings_ = 0;
      phase_ = Phase::kReopen;
    }
    return absl::OkStatus();
  }
  if (round_++ == 0) {
    // Others may undo what a round does: an end comes, whatever they do.
    move_limit_ = kMovesMax * plan_.used_spans() * engine_.region.geometry().span_bytes;
  }
  COMMY_RETURN_IF_ERROR(MakeRoom());
  COMMY_RETURN_IF_ERROR(CloseFree());
  for (std::size_t i = 0; i < plan_.leaving().size(); i += kSpansAtOnce) {
    const std::size_t end = std::min<std::size_t>(i + kSpansAtOnce, plan_.leaving().size());
    COMMY_RETURN_IF_ERROR(ForSpans(i, end, [&](Operation& op, std::uint64_t at) {
      (void)engine_.allocator.Leave(op, plan_.leaving()[at]);
    }));
  }
  moving_again_ = false;
  freed_ = 0;
  settlings_ = 0;
  phase_ = Phase::kMove;
  return absl::OkStatus();
}

absl::Status Shrinker::MakeRoom() {
  (void)engine_.allocator.GiveSetAsideBack();
  // What is free in units that would be closed; else the file may have to grow a little.
  const std::uint64_t wanted =
      kSpareSpans +
      std::min(plan_.RoomNeeded(), std::max(kRoomToMove, plan_.span_count() / kRoomPart));
  plan_.OpenForRoom(wanted);
  if (plan_.free_spans() < wanted) {
    COMMY_RETURN_IF_ERROR(ForSpans(0, 1, [&](Operation& op, std::uint64_t) {
      engine_.allocator.MakeFree(op, wanted - plan_.free_spans());
    }));
  }
  std::uint64_t free = 0;
  for (std::uint64_t span = engine_.region.span_count(); span-- > 0;) {
    const bool closed = plan_.IsClosed(span);
    free += !closed && engine_.region.span_word(span).load(std::memory_order_relaxed) == 0 ? 1 : 0;
  }
  plan_.Limit(free - std::min(free, kSpareSpans));
  return absl::OkStatus();
}

absl::Status Shrinker::CloseFree() {
  const std::uint64_t unit = plan_.unit_spans();
  for (std::uint64_t first = 0; first < plan_.span_count(); first += unit) {
    if (!plan_.IsClosed(first)) {
      continue;
    }
    closed_units_.insert(first / unit);
    COMMY_RETURN_IF_ERROR(ForSpans(
        first, std::min(first + unit, plan_.span_count()),
        [&](Operation& op, std::uint64_t span) { engine_.allocator.CloseFree(op, span); }));
  }
  return absl::OkStatus();
}

absl::Status Shrinker::Move(std::int64_t deadline_ns, std::uint64_t bytes_limit) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine_.session.ThisLane());
  const alloc::Allocator::Packing packing(engine_.allocator, *lane);
  const region::Geometry& geometry = engine_.region.geometry();
  const auto moves = [&](std::uint64_t offset) {
    return offset >= geometry.data_offset &&
           plan_.Moves((offset - geometry.data_offset) >> geometry.span_shift);
  };
  const std::uint64_t before = tally_.bytes;
  while (!namespaces_.empty() && !engine_.session.ending()) {
    const std::int64_t now = engine_.session.platform().MonotonicNs();
    const std::uint64_t moved = tally_.bytes - before;
    if (now >= deadline_ns || moved >= bytes_limit) {
      return absl::OkStatus();
    }
    bool done = false;
    const base::Result result =
        TryWrite(engine_, *lane, namespaces_.back(), OpKind::kMove,
                 [&](Operation& op, const NamespaceRef& ns) {
                   return engine_.map.mover().Move(
                       op, ns, moves, std::min(deadline_ns, now + kPinNs),
                       std::min(kBytesAtOnce, bytes_limit - moved), &slots_place_, &tally_, &done);
                 });
    if (!result.done() && !result.is(base::Outcome::kDropped)) {
      COMMY_RETURN_IF_ERROR(result.status());
    }
    if (tally_.no_room) {
      tally_.no_room = false;
      moving_again_ = true;
      phase_ = Phase::kSettle;
      return absl::OkStatus();
    }
    if (done || !result.done()) {
      namespaces_.pop_back();
      slots_place_ = {};
    }
  }
  moving_again_ = false;
  phase_ = Phase::kSettle;
  return absl::OkStatus();
}

absl::Status Shrinker::Settle() {
  // What was retired is free after two epochs, a span after three more.
  const bool moved = engine_.session.MoveEpochs();
  std::uint64_t freed = 0;
  std::uint64_t left = 0;
  for (std::size_t i = 0; i < plan_.leaving().size(); i += kSpansAtOnce) {
    const std::size_t end = std::min<std::size_t>(i + kSpansAtOnce, plan_.leaving().size());
    COMMY_RETURN_IF_ERROR(ForSpans(i, end, [&](Operation& op, std::uint64_t at) {
      const std::uint64_t span = plan_.leaving()[at];
      freed += engine_.allocator.Release(op, span) ? 1 : 0;
      const alloc::SpanUse use = engine_.allocator.UseOf(span);
      left += use.word.kind == alloc::SpanKind::kLeaving ? 1 : 0;
      if (use.word.kind == alloc::SpanKind::kLeaving && use.used != 0 && !moving_again_) {
        stuck_[span] = use.used;
      }
    }));
  }
  freed_ += freed;
  if (!moved && left != 0 && ++settlings_ < kSettlings) {
    return absl::OkStatus();  // Once more.
  }
  settlings_ = 0;
  (void)engine_.session.MoveEpochs();
  COMMY_RETURN_IF_ERROR(Reclaim());
  COMMY_RETURN_IF_ERROR(CloseFree());
  const bool some = freed_ != 0;
  freed_ = 0;
  if (moving_again_ && some) {
    phase_ = Phase::kMove;
  } else if (!some || round_ >= kRounds || tally_.bytes > move_limit_) {
    phase_ = Phase::kReopen;
  } else {
    phase_ = Phase::kSurvey;
    place_ = 0;
  }
  return absl::OkStatus();
}

absl::Status Shrinker::Reopen() {
  if (tally_.kept_by_snapshots != 0) {
    stuck_.clear();  // They may be free when the snapshots are.
  }
  stuck_bytes_ = 0;
  stuck_blocks_ = 0;
  const std::uint64_t count = engine_.region.span_count();
  for (std::uint64_t first = 0; first < count; first += kSpansAtOnce) {
    COMMY_RETURN_IF_ERROR(ForSpans(
        first, std::min(first + kSpansAtOnce, count), [&](Operation& op, std::uint64_t span) {
          const alloc::SpanUse use = engine_.allocator.UseOf(span);
          if (use.word.kind == alloc::SpanKind::kLeaving && use.used != 0) {
            stuck_bytes_ += engine_.region.geometry().span_bytes;
            stuck_blocks_ += use.used;
            (void)engine_.allocator.TakeBack(op, span);
          }
        }));
  }
  if (!aims_.background) {
    (void)engine_.session.MoveEpochs();
  }
  COMMY_RETURN_IF_ERROR(Reclaim());
  phase_ = Phase::kPunch;
  place_ = 0;
  return absl::OkStatus();
}

absl::Status Shrinker::Reclaim() {
  const std::uint64_t count = engine_.region.span_count();
  for (std::uint64_t span = 0; span < count; span += kSpansAtOnce) {
    COMMY_RETURN_IF_ERROR(ForSpans(span, span + 1, [&](Operation& op, std::uint64_t at) {
      engine_.allocator.ReclaimSpans(op, at, kSpansAtOnce);
    }));
  }
  return absl::OkStatus();
}

absl::Status Shrinker::Punch(std::int64_t deadline_ns) {
  const std::uint64_t count = engine_.region.span_count();
  const std::uint64_t unit = engine_.allocator.HoleUnitSpans();
  if (place_ == 0) {
    (void)engine_.allocator.GiveSetAsideBack();
    kept_free_ = FreeInUsedUnits(count, unit);
  }
  while (place_ < count) {
    const std::uint64_t end = std::min(place_ + std::max(unit, kSpansAtOnce / 8), count);
    COMMY_RETURN_IF_ERROR(ForSpans(place_, place_ + 1, [&](Operation& op, std::uint64_t) {
      for (; place_ < end; place_ += unit) {
        // The free spans that stay are the lowest.
        const std::uint64_t free = FreeIfUnused(place_, std::min(place_ + unit, count));
        if (kept_free_ < aims_.keep_free) {
          kept_free_ += free;
        } else if (free != 0 || !aims_.background || closed_units_.contains(place_ / unit)) {
          // (In the background what has long been given back is passed by.)
          (void)engine_.allocator.Punch(op, place_, std::min(unit, count - place_));
        }
      }
    }));
    if (engine_.session.platform().MonotonicNs() >= deadline_ns && place_ < count) {
      return absl::OkStatus();
    }
  }
  // Writes of others meanwhile may leave much to gain.
  const bool again = !aims_.background && ++passes_ < kPasses && tally_.bytes <= move_limit_ &&
                     tally_.bytes != moved_before_;
  moved_before_ = tally_.bytes;
  aims_.only_worthwhile = true;
  aims_.gain_part = kPassGain;
  phase_ = again ? Phase::kSurvey : Phase::kIdle;
  place_ = 0;
  return absl::OkStatus();
}

std::uint64_t Shrinker::FreeInUsedUnits(std::uint64_t count, std::uint64_t unit) const {
  std::uint64_t free = 0;
  for (std::uint64_t first = 0; first < count; first += unit) {
    const std::uint64_t end = std::min(first + unit, count);
    if (FreeIfUnused(first, end) != 0) {
      continue;
    }
    for (std::uint64_t span = first; span < end; ++span) {
      free += engine_.region.span_word(span).load(std::memory_order_relaxed) == 0 ? 1 : 0;
    }
  }
  return free;
}

std::uint64_t Shrinker::FreeIfUnused(std::uint64_t begin, std::uint64_t end) const {
  std::uint64_t free = 0;
  for (std::uint64_t span = begin; span < end; ++span) {
    const std::uint64_t word = engine_.region.span_word(span).load(std::memory_order_relaxed);
    if (word != 0 && word != alloc::kHoleWord) {
      return 0;
    }
    free += word == 0 ? 1 : 0;
  }
  return free;
}

void Shrinker::Tell(ShrinkReport* report) const {
  report->done = phase_ == Phase::kIdle;
  report->stuck_bytes = stuck_bytes_;
  report->stuck_for_snapshots = std::min(tally_.kept_by_snapshots, stuck_blocks_);
  report->stuck_busy = std::min(tally_.busy, stuck_blocks_ - report->stuck_for_snapshots);
  report->stuck_for_good = stuck_blocks_ - report->stuck_for_snapshots - report->stuck_busy;
  const absl::StatusOr<Lane*> lane = engine_.session.ThisLane();
  if (!lane.ok()) {
    return;
  }
  const Pin pin(**lane);
  if (!pin.entered()) {
    return;
  }
  report->waiting_bytes = engine_.allocator.Stats().bytes_waiting;
  if (report->waiting_bytes != 0 || report->stuck_for_snapshots != 0) {
    report->held_by = Holders(engine_, OwnPins::kLeftOut);
  }
  const std::uint64_t count = engine_.region.span_count();
  std::uint64_t unused = 0;
  while (unused < count) {
    const std::uint64_t word =
        engine_.region.span_word(count - 1 - unused).load(std::memory_order_relaxed);
    if (!region::IsUnusedWord(word)) {
      break;
    }
    ++unused;
  }
  report->end_bytes = unused << engine_.region.geometry().span_shift;
}

}  // namespace commy::engine
