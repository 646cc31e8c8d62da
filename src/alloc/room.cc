#include "alloc/room.h"

#include <algorithm>
#include <thread>

#include "alloc/span_word.h"
#include "base/bytes.h"
#include "base/check.h"

namespace commy::alloc {
namespace {

// Files below kSmallChunks chunks are small. Of larger ones, one part in kSmallChunks is kept free
// at the end, but at most kAheadChunksMax chunks.
constexpr std::uint64_t kSmallChunks = 32;
constexpr std::uint64_t kAheadChunksMax = 32;

constexpr std::int64_t kGrowNsMax = 50'000'000;  // Each time: a slow disk makes others wait.

// A process that has opened this many spans goes on writing; a command that puts one key does not.
constexpr std::uint32_t kOpenedToMap = 4;
constexpr std::int64_t kMapNsMax = 20'000'000;  // Each time.
constexpr std::uint64_t kMapBytes = std::uint64_t{16}
                                    << 20;  // So many before it looks at the file.

}  // namespace

Room::Room(process::Session& session)
    : session_(session),
      region_(session.region()),
      chunk_spans_(session.region().geometry().chunk_bytes >>
                   session.region().geometry().span_shift),
      spans_at_open_(session.region().span_count()) {
  COMMY_DCHECK(chunk_spans_ != 0);
}

std::uint64_t Room::AheadSpans(std::uint64_t span_count) const {
  const std::uint64_t chunks = span_count / chunk_spans_;
  return chunks < kSmallChunks ? chunk_spans_ / 2
                               : std::min(chunks / kSmallChunks, kAheadChunksMax) * chunk_spans_;
}

std::uint64_t Room::FreeAtTheEnd(std::uint64_t span_count, std::uint64_t limit) const {
  COMMY_DCHECK(span_count <= region_.geometry().span_count_max);
  std::uint64_t free = 0;
  while (free < limit && free < span_count) {
    const SpanKind kind =
        Unpack(region_.span_word(span_count - 1 - free).load(std::memory_order_seq_cst)).kind;
    if (kind != SpanKind::kFree && kind != SpanKind::kSpanRetired && kind != SpanKind::kSetAside) {
      break;
    }
    ++free;
  }
  return free;
}

std::uint64_t Room::About(std::uint64_t span_count) const {
  return span_count / std::max(chunk_spans_, AheadSpans(span_count));
}

bool Room::IsReserve(std::uint64_t span, std::uint64_t span_count) const {
  return span + AheadSpans(span_count) >= span_count &&
         reached_at_.load(std::memory_order_relaxed) != About(span_count);
}

void Room::ReserveReached(std::uint64_t span_count) {
  reached_at_.store(About(span_count), std::memory_order_relaxed);
}

void Room::Taken(std::uint64_t end_span, std::uint64_t span_count) {
  if (end_span + AheadSpans(span_count) <= span_count ||
      asked_at_.load(std::memory_order_relaxed) == span_count ||
      growing_to_.load(std::memory_order_seq_cst) != 0) {
    return;
  }
  asked_at_.store(span_count, std::memory_order_relaxed);
  session_.Nudge();
}

absl::Status Room::Grow(std::uint64_t seen_span_count, std::uint64_t span_count) {
  COMMY_DCHECK(span_count != 0);
  // Not more than it is about to make: small stores stay small.
  if (base::RoundUp(seen_span_count + 1, chunk_spans_) <
      growing_to_.load(std::memory_order_relaxed)) {
    region_.PrepareToGrow(seen_span_count);
    if (region_.span_count() != seen_span_count) {
      return absl::OkStatus();
    }
  }
  return region_.Grow(seen_span_count, span_count);
}

absl::Status Room::Open(std::uint64_t span) {
  COMMY_DCHECK(span < region_.geometry().span_count_max);
  if (opened_.load(std::memory_order_relaxed) < kOpenedToMap &&
      opened_.fetch_add(1, std::memory_order_relaxed) + 1 == kOpenedToMap && spans_at_open_ != 0) {
    session_.Nudge();
  }
  return region_.Populate(region_.SpanOffset(span), region_.geometry().span_bytes);
}

void Room::Keep() {
  const std::int64_t deadline = session_.platform().MonotonicNs() + kMapNsMax;
  do {
    // Again: a thread that took spans while this one grew the file has not woken it for these.
    while (GrowAhead()) {
      if (session_.platform().MonotonicNs() > deadline) {
        session_.Nudge();  // Not without a beat between, if one is due.
        return;
      }
    }
  } while (MapSomeOfTheRest() && session_.platform().MonotonicNs() < deadline &&
           !session_.ending());
}

bool Room::GrowAhead() {
  const std::uint64_t first = region_.span_count();
  const std::uint64_t ahead = AheadSpans(first);
  if (first == 0 || FreeAtTheEnd(first, ahead) >= ahead ||
      region_.header().hole_spans.load(std::memory_order_relaxed) != 0) {
    return false;  // Holes are filled before the file grows.
  }
  // A dead participant's pin may be all that keeps what was retired from being used again.
  (void)session_.PushEpoch();
  // A piece at a time, each for all to use at once, up to the end of a chunk.
  const std::uint64_t used = first - FreeAtTheEnd(first, ahead);
  const bool small = first < kSmallChunks * chunk_spans_;
  const std::uint64_t target = base::RoundUp(used + (small ? ahead : 2 * ahead), chunk_spans_);
  COMMY_DCHECK(used <= first && target >= used);
  growing_to_.store(target, std::memory_order_relaxed);
  const std::int64_t deadline = session_.platform().MonotonicNs() + kGrowNsMax;
  bool late = false;
  std::uint64_t count = first;
  while (count < target && !late && !session_.ending()) {
    if (!region_.Grow(count, 1).ok() || region_.span_count() <= count) {
      break;  // Full: the operation that needs the room reports it.
    }
    count = region_.span_count();
    late = session_.platform().MonotonicNs() > deadline;
    std::this_thread::yield();  // A thread that needs the room may be waiting for this processor.
  }
  // Pairs with the load in Taken(): a thread that sees 0 wakes the heartbeat thread itself.
  growing_to_.store(0, std::memory_order_seq_cst);
  if (late) {
    session_.Nudge();  // The rest follows; a beat, or a fork(), comes between.
  }
  return count >= target && !late;
}

bool Room::MapSomeOfTheRest() {
  if (opened_.load(std::memory_order_relaxed) < kOpenedToMap || mapped_spans_ == spans_at_open_) {
    return false;
  }
  COMMY_DCHECK(mapped_spans_ < spans_at_open_);
  const std::uint64_t end =
      std::min(mapped_spans_ + (kMapBytes >> region_.geometry().span_shift), spans_at_open_);
  region_.PopulateResident(region_.SpanOffset(mapped_spans_),
                           region_.SpanOffset(end) - region_.SpanOffset(mapped_spans_));
  mapped_spans_ = end;
  return true;
}

}  // namespace commy::alloc
