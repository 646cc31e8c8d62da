#include "alloc/allocator.h"

#include <algorithm>
#include <memory>

#include "alloc/lane_spans.h"
#include "base/check.h"
#include "base/status.h"

namespace commy::alloc {
namespace {

using base::Shared64;
using base::Shared8;
using process::Note;
using process::Operation;
using region::BlockKind;

// Of a living lane, a span with one block in this many free is taken before another one is used;
// and so many for each, if the epoch has moved since by this.
constexpr std::uint64_t kTakeEpochs = 2;
constexpr std::uint32_t kSparseShare = 4;
constexpr int kSparseAtOnce = 4;
// The spans that are looked at for one.
constexpr std::uint64_t kSparseLook = 64;

}  // namespace

Allocator::Allocator(process::Session& session)
    : session_(session),
      region_(session.region()),
      classes_(session.region().geometry().span_bytes),
      room_(session) {}

LaneSpans& Allocator::SpansOf(process::Lane& lane) {
  std::unique_ptr<process::LaneExtension>& extension = lane.extension();
  if (extension == nullptr) [[unlikely]] {
    extension = std::make_unique<LaneSpans>(*this, lane);
  }
  return static_cast<LaneSpans&>(*extension);
}

absl::StatusOr<std::uint64_t> Allocator::Allocate(Operation& op, BlockKind kind,
                                                  std::uint64_t size_bytes, Purpose purpose) {
  COMMY_DCHECK(op.entered());
  COMMY_DCHECK(size_bytes != 0);
  if (size_bytes <= classes_.small_bytes_max()) [[likely]] {
    LaneSpans& spans = SpansOf(op.lane());
    const std::uint32_t size_class = classes_.ClassFor(size_bytes);
    if (region::Stays(kind)) {
      absl::StatusOr<std::uint64_t> offset =
          spans.AllocateStaying(op, classes_.ForThoseThatStay(size_class), kind);
      if (!absl::IsResourceExhausted(offset.status())) {
        return offset;
      }
      // Among those that move it costs space once these have moved: better than not at all.
    }
    absl::StatusOr<std::uint64_t> offset = spans.Allocate(op, size_class, kind, purpose);
    if (absl::IsResourceExhausted(offset.status()) && region::IsOfIndex(kind) && !spans.packing()) {
      // In a full store keys are deleted, and put, only if nodes can be made.
      const std::uint64_t larger = spans.AllocateLarger(op, size_class, kind);
      return larger == 0 ? offset : absl::StatusOr<std::uint64_t>(larger);
    }
    return offset;
  }
  return AllocateRun(op, kind, size_bytes, purpose);
}

bool Allocator::Locate(std::uint64_t offset_bytes, Place* place) const {
  const region::Geometry& geometry = region_.geometry();
  if (offset_bytes < geometry.data_offset) {
    return false;
  }
  place->span = (offset_bytes - geometry.data_offset) >> geometry.span_shift;
  if (place->span >= geometry.span_count_max ||
      region_.At(region_.SpanOffset(place->span), geometry.span_bytes, 8) == nullptr) {
    return false;
  }
  // Pairs with the CAS that made it kSmall or a run: the span's header and states are seen.
  place->raw_word = region_.span_word(place->span).load(std::memory_order_acquire);
  place->word = Unpack(place->raw_word);
  const std::uint64_t inside_span = offset_bytes - region_.SpanOffset(place->span);
  COMMY_DCHECK(inside_span < geometry.span_bytes);
  if (place->word.kind == SpanKind::kRunHead || place->word.kind == SpanKind::kRunRetired) {
    place->is_run = true;
    return inside_span == 0;
  }
  if (!HasBlocks(place->word) || place->word.size_class >= classes_.count()) {
    return false;
  }
  const SizeClass& sizes = classes_.at(place->word.size_class);
  const std::uint32_t index = classes_.BlockIndex(sizes, inside_span);
  if (index >= sizes.block_count) {
    return false;
  }
  place->state =
      region_.At<Shared8>(region_.SpanOffset(place->span) + sizeof(region::SpanHeader) + index);
  return place->state != nullptr;
}

bool Allocator::Retire([[maybe_unused]] Operation& op, std::uint64_t offset_bytes) {
  COMMY_DCHECK(op.entered());
  Place place;
  if (!Locate(offset_bytes, &place)) {
    return false;
  }
  const std::uint64_t epoch = EpochNow();
  if (!place.is_run) {
    place.state->CompareAndSet(kUsed, RetiredAt(epoch), std::memory_order_seq_cst);
    return true;
  }
  if (place.word.kind == SpanKind::kRunHead) {
    region_.span_word(place.span)
        .CompareAndSet(place.raw_word,
                       Pack({SpanKind::kRunRetired, EpochTag(epoch), 0, place.word.number}),
                       std::memory_order_seq_cst);
  }
  return true;
}

void Allocator::PrefetchRetire(std::uint64_t offset_bytes) const {
  Place place;
  if (Locate(offset_bytes, &place) && place.state != nullptr) {
    __builtin_prefetch(place.state, 1);
  }
}

std::uint64_t Allocator::BlockBytes(std::uint64_t offset_bytes) const {
  Place place;
  if (!Locate(offset_bytes, &place)) {
    return 0;
  }
  if (place.is_run) {
    return std::uint64_t{place.word.number} << region_.geometry().span_shift;
  }
  return classes_.at(place.word.size_class).block_bytes;
}

bool Allocator::IsUsed(std::uint64_t offset_bytes) const {
  Place place;
  if (!Locate(offset_bytes, &place)) {
    return false;
  }
  return place.is_run ? place.word.kind == SpanKind::kRunHead
                      : place.state->load(std::memory_order_acquire) == kUsed;
}

// --- Spans -----------------------------------------------------------------------------------

void Allocator::LowerHint(std::uint64_t span) {
  Shared64& hint = region_.header().span_hint;
  std::uint64_t seen = hint.load(std::memory_order_relaxed);
  while (span < seen && !hint.compare_exchange(seen, span, std::memory_order_relaxed)) {
  }
}

void Allocator::ReclaimSpan(Operation& op, std::uint64_t span) {
  // Pairs with the CAS that retired it, so that the epoch read below is no older.
  const std::uint64_t raw = region_.span_word(span).load(std::memory_order_acquire);
  const SpanWord word = Unpack(raw);
  if (word.kind != SpanKind::kSpanRetired && word.kind != SpanKind::kRunRetired) {
    return;
  }
  if (!IsSpanOldEnough(word.size_class, EpochNow())) {
    return;
  }
  if (word.kind == SpanKind::kSpanRetired) {
    region_.span_word(span).CompareAndSet(raw, 0, std::memory_order_seq_cst);
  } else {
    GiveRunBack(op, span, raw);
  }
}

// Finds a free span behind which `spare` more are free, looking from the hint on and then from the
// start.
bool Allocator::FindFreeSpan(Operation& op, std::uint64_t spare, bool lowest,
                             std::uint64_t* found) {
  const std::uint64_t count = region_.span_count();
  const std::uint64_t hint =
      lowest ? 0 : std::min(region_.header().span_hint.load(std::memory_order_relaxed), count);
  COMMY_DCHECK(hint <= count);
  bool have = false;
  std::uint64_t seen_free = 0;
  for (std::uint64_t step = 0; step < count; ++step) {
    const std::uint64_t span = hint + step < count ? hint + step : hint + step - count;
    if (region_.span_word(span).load(std::memory_order_relaxed) != 0) {
      ReclaimSpan(op, span);
      if (region_.span_word(span).load(std::memory_order_acquire) != 0) {
        continue;
      }
    }
    COMMY_DCHECK(span < count);
    if (!have) {
      have = true;
      *found = span;
    }
    if (++seen_free > spare) {
      return true;
    }
  }
  return false;
}

// Lanes that only read and delete by now keep spans with ever fewer blocks in use, while others
// make the file grow. What is taken from a living one can be used when the epoch has moved.
//
// Not again before it has: else, while a stopped process holds it back, each new span would keep
// the free blocks of others from use; and lanes would take each other's newest spans by turns.
bool Allocator::TakeSparse(Operation& op, Wanted wanted) {
  LaneSpans& spans = SpansOf(op.lane());
  const std::uint64_t epoch = EpochNow();
  if (epoch < spans.took_in_epoch() + kTakeEpochs) {
    return false;
  }
  wanted.share = kSparseShare;
  wanted.of_the_living = true;
  wanted.spares_left = true;
  TakeOver taken = TakeOver::kLater;
  for (int i = 0; i < kSparseAtOnce && taken == TakeOver::kLater; ++i) {
    taken = TakeFromOthers(op, wanted, kSparseLook);
    if (taken == TakeOver::kLater) {
      spans.set_took_in_epoch(epoch);
    }
  }
  return taken == TakeOver::kAtOnce;
}

bool Allocator::SpareTheEnd(Operation& op, const Wanted& wanted, std::uint64_t span,
                            std::uint64_t seen_count, bool* taken) {
  if (span >= room_.ReserveStart(seen_count) && FillHoles(op, kHolesAtOnce) != 0) {
    return true;
  }
  if (!room_.IsReserve(span, seen_count)) {
    return false;
  }
  *taken = TakeFromOthers(op, wanted, kSpansAtOnce) == TakeOver::kAtOnce;
  if (!*taken) {
    room_.ReserveReached(seen_count);
    // Retired spans that were passed by as too young may be old enough by now.
    (void)op.session().PushEpoch();
    region_.header().span_hint.store(0, std::memory_order_relaxed);
  }
  return true;
}

bool Allocator::LooksElsewhere(Operation& op, const Wanted& wanted, std::uint64_t span,
                               std::uint64_t seen_count, bool* taken) {
  if (SpansOf(op.lane()).packing()) {
    return false;
  }
  *taken = !classes_.Stays(wanted.class_min) && TakeSparse(op, wanted);
  return *taken || SpareTheEnd(op, wanted, span, seen_count, taken);
}

bool Allocator::ClaimFound(const Operation& op, std::uint32_t size_class, std::uint64_t span,
                           std::uint64_t seen_count) {
  // Pairs with the CAS that set it free: what was stored in the span is over.
  if (!region_.span_word(span).CompareAndSet(0, ClaimedBy(op.lane().index()),
                                             std::memory_order_seq_cst)) {
    return false;
  }
  if (classes_.Stays(size_class)) {
    SetAside(span, seen_count);
  } else if (!SpansOf(op.lane()).packing()) {
    region_.header().span_hint.store(span + 1, std::memory_order_relaxed);
  }
  room_.Taken(span + 1, seen_count);
  return true;
}

absl::Status Allocator::FindRoom(Operation& op, const Wanted& wanted, std::uint64_t seen_count,
                                 std::uint64_t spare, bool* taken) {
  if (SpansOf(op.lane()).packing()) {
    return base::ResourceExhausted(region_.path(), ": no span is free to move blocks to");
  }
  if (FillHoles(op, spare + 1) != 0) {
    return absl::OkStatus();
  }
  *taken = TakeFromOthers(op, wanted, kSpansAtOnce) == TakeOver::kAtOnce;
  if (*taken) {
    return absl::OkStatus();
  }
  // A dead participant's pin may be all that holds back the reuse of retired blocks.
  (void)op.session().PushEpoch();
  const std::uint64_t at_end = room_.FreeAtTheEnd(seen_count, spare);
  absl::Status grown = room_.Grow(seen_count, spare + 1 - at_end);
  return absl::IsResourceExhausted(grown) && GiveSetAsideBack() ? absl::OkStatus() : grown;
}

absl::StatusOr<std::uint64_t> Allocator::ClaimSpan(Operation& op, std::uint32_t size_class,
                                                   std::uint64_t spare, bool* look_again) {
  COMMY_DCHECK(op.entered());
  const Wanted wanted{.class_min = size_class, .class_max = size_class};
  const bool stays = classes_.Stays(size_class);
  const bool lowest = stays || SpansOf(op.lane()).packing();
  *look_again = false;
  std::uint64_t span = 0;
  if (stays && ClaimSetAside(ClaimedBy(op.lane().index()), &span)) {
    return span;
  }
  while (!*look_again) {
    const std::uint64_t seen_count = region_.span_count();
    if (!FindFreeSpan(op, spare, lowest, &span)) {
      COMMY_RETURN_IF_ERROR(FindRoom(op, wanted, seen_count, spare, look_again));
    } else if (!LooksElsewhere(op, wanted, span, seen_count, look_again) &&
               ClaimFound(op, size_class, span, seen_count)) {
      return span;
    }
  }
  return base::ResourceExhausted("look again");
}

// --- Recovery and background ---------------------------------------------------------------------

absl::Status Allocator::RecoverLane(Operation& own, region::LaneLayout& dead) {
  const auto lane = static_cast<std::uint32_t>(
      (region_.OffsetOf(&dead) - region_.geometry().lanes_offset) / sizeof(region::LaneLayout));
  COMMY_DCHECK(own.entered());
  COMMY_DCHECK(lane < region_.geometry().lane_count);
  COMMY_DCHECK(lane != own.lane().index());  // N1
  for (const region::Shared64& word : dead.notes) {
    // Pairs with the release of the dead lane's SetNote().
    const Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind == BlockKind::kRaw) {
      Retire(own, note.offset_bytes);
    } else if (note.kind == BlockKind::kEmptying) {
      FinishTaking(lane, note.first_span);
      PutBack(lane, note.first_span);
    } else if (note.kind == BlockKind::kRunFree) {
      FinishRunFree(lane, note.first_span, note.span_count);
    } else if (note.kind == BlockKind::kRunClaim) {
      UndoRunClaim(lane, note.first_span, note.span_count);
      // Committed, but the note had not become the block's: it was never published.
      const std::uint64_t offset = region_.SpanOffset(note.first_span);
      Place place;
      if (Locate(offset, &place) && place.word.kind == SpanKind::kRunHead &&
          place.word.lane == lane && place.word.number == note.span_count) {
        Retire(own, offset);
      }
    }
  }
  const std::uint64_t claimed = ClaimedBy(lane);
  const std::uint64_t changing =
      Pack({SpanKind::kHoleChanging, 0, static_cast<std::uint16_t>(lane), 0});
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t span = 0; span < count; ++span) {
    const std::uint64_t word = region_.span_word(span).load(std::memory_order_relaxed);
    if (word == claimed) {
      region_.span_word(span).CompareAndSet(claimed, 0, std::memory_order_seq_cst);
      LowerHint(span);
    } else if (word == changing) {
      region_.span_word(span).CompareAndSet(changing, kHoleWord, std::memory_order_seq_cst);
    }
  }
  return absl::OkStatus();
}

// --- Walks -----------------------------------------------------------------------------------

void Allocator::ForEachBlock(const std::function<void(const BlockInfo&)>& visit) const {
  const std::uint64_t count = region_.span_count();
  const std::uint64_t epoch = region_.header().epoch.load(std::memory_order_acquire);
  for (std::uint64_t span = 0; span < count; ++span) {
    const SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
    const std::uint64_t start = region_.SpanOffset(span);
    if (word.kind == SpanKind::kRunHead || word.kind == SpanKind::kRunRetired) {
      const bool retired = word.kind == SpanKind::kRunRetired;
      visit({start, std::uint64_t{word.number} << region_.geometry().span_shift, !retired, retired,
             retired && !IsSpanOldEnough(word.size_class, epoch)});
    }
    if (!HasBlocks(word) || word.size_class >= classes_.count()) {
      continue;
    }
    const SizeClass& sizes = classes_.at(word.size_class);
    const auto* const states = region_.At<Shared8>(start + sizeof(region::SpanHeader));
    for (std::uint32_t i = 0; states != nullptr && i < sizes.block_count; ++i) {
      const BlockState state = states[i].load(std::memory_order_acquire);
      visit({start + sizes.data_start + std::uint64_t{i} * sizes.block_bytes, sizes.block_bytes,
             state == kUsed, IsRetired(state), IsRetired(state) && !IsReusable(state, epoch)});
    }
  }
}

AllocatorStats Allocator::Stats() const {
  AllocatorStats stats;
  stats.spans_total = region_.span_count();
  for (std::uint64_t span = 0; span < stats.spans_total; ++span) {
    switch (Unpack(region_.span_word(span).load(std::memory_order_relaxed)).kind) {
      case SpanKind::kFree:
      case SpanKind::kSetAside:
      case SpanKind::kSpanRetired:
        ++stats.spans_free;
        stats.bytes_free += region_.geometry().span_bytes;
        break;
      case SpanKind::kClaimed:
      case SpanKind::kSmall:
      case SpanKind::kLeaving:
        ++stats.spans_small;
        break;
      case SpanKind::kHole:
      case SpanKind::kHoleChanging:
        ++stats.spans_hole;
        break;
      default:
        ++stats.spans_large;
    }
  }
  ForEachBlock([&stats](const BlockInfo& block) {
    if (block.used) {
      ++stats.blocks_used;
      stats.bytes_used += block.size_bytes;
    } else if (block.retired) {
      ++stats.blocks_retired;
      stats.bytes_retired += block.size_bytes;
      stats.bytes_waiting += block.waits ? block.size_bytes : 0;
    } else {
      stats.bytes_free += block.size_bytes;
    }
  });
  return stats;
}

}  // namespace commy::alloc
