// Large blocks: runs of whole spans. The steps are those of span_word.h.
#include <algorithm>

#include "alloc/allocator.h"
#include "alloc/lane_spans.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

namespace commy::alloc {
namespace {

using process::Operation;
using region::BlockKind;

// When this many retired spans wait for the epoch, it is moved on for them.
constexpr std::uint64_t kWaitingSpans = 16;
// After a walk over all spans in vain, one part in this many of the file is taken from its end.
constexpr std::uint64_t kCreditPart = 512;

// Spans that are free when the epoch has moved.
std::uint64_t WaitingIn(const SpanWord& word) {
  switch (word.kind) {
    case SpanKind::kRunRetired:
      return word.number;
    case SpanKind::kSpanRetired:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<std::uint64_t> Allocator::AllocateRun(Operation& op, BlockKind kind,
                                                     std::uint64_t size_bytes, Purpose purpose) {
  if (size_bytes > kBlockBytesMax) {
    return base::ResourceExhausted("a block of ", size_bytes, " bytes was asked for; ",
                                   kBlockBytesMax, " is the most");
  }
  const std::uint64_t span_bytes = region_.geometry().span_bytes;
  const std::uint64_t count = (size_bytes + span_bytes - 1) >> region_.geometry().span_shift;
  if (count >= region::kSpanCountLimit) {
    return base::ResourceExhausted("a block of ", size_bytes, " bytes does not fit into spans of ",
                                   span_bytes);
  }
  COMMY_DCHECK(count != 0);
  for (int pushes = 0;;) {
    const std::uint64_t seen_count = region_.span_count();
    if (const std::uint64_t offset = FindRun(op, kind, count, Spare(purpose)); offset != 0) {
      const std::uint64_t first = (offset - region_.geometry().data_offset) / span_bytes;
      room_.Taken(first + count, seen_count);
      return offset;
    }
    if (SpansOf(op.lane()).packing()) {
      return base::ResourceExhausted(region_.path(), ": no spans are free to move a block to");
    }
    const std::uint64_t wanted = count + Spare(purpose);
    const std::uint64_t at_end = room_.FreeAtTheEnd(seen_count, wanted);
    const absl::Status grown =
        region_.Grow(seen_count, std::max<std::uint64_t>(1, wanted - at_end));
    if (absl::IsResourceExhausted(grown) && pushes++ < 4) {
      // Retired runs may come free, and spans of small blocks that are empty by now. (These need
      // epochs that this operation's own pin holds back: the caller's next try finds them.)
      TakeFromOthers(op, Wanted{}, region_.span_count());
      SpansOf(op.lane()).ReleaseAllEmpty();
      (void)GiveSetAsideBack();
      (void)op.session().PushEpoch();
      continue;
    }
    COMMY_RETURN_IF_ERROR(grown);
  }
}

std::uint64_t Allocator::FindRun(Operation& op, BlockKind kind, std::uint64_t count,
                                 std::uint64_t spare) {
  const std::uint64_t total = region_.span_count();
  const std::uint64_t reserve = room_.ReserveStart(total);
  // A walk in vain is not repeated for each run that the end of the file has room for.
  const std::uint64_t credit = run_credit_.load(std::memory_order_relaxed);
  if (credit >= count && !SpansOf(op.lane()).packing()) {
    std::uint64_t waiting = 0;
    if (const std::uint64_t offset =
            TryClaimRun(op, kind, {count, spare, reserve, total, reserve}, &waiting);
        offset != 0) {
      run_credit_.store(credit - count, std::memory_order_relaxed);
      return offset;
    }
  }
  // First the spans in front of the reserve, from where the last run ended. Before the reserve is
  // used the epoch moves, if that may bring something: a megabyte may wait for it.
  std::uint64_t waiting = 0;
  do {
    waiting = 0;
    const std::uint64_t place =
        SpansOf(op.lane()).packing() ? 0 : run_place_.load(std::memory_order_relaxed);
    if (const std::uint64_t offset =
            TryClaimRun(op, kind, {count, spare, 0, reserve, place}, &waiting);
        offset != 0) {
      return offset;
    }
  } while (waiting >= std::max(count, kWaitingSpans) && op.session().PushEpoch());
  if (!SpansOf(op.lane()).packing() && FillForRun(op, count, spare)) {
    const std::uint64_t offset = TryClaimRun(op, kind, {count, spare, 0, total, 0}, &waiting);
    if (offset != 0) {
      return offset;
    }
  }
  if (reserve == total) {
    return 0;
  }
  run_credit_.store(std::max(kWaitingSpans, total / kCreditPart), std::memory_order_relaxed);
  return TryClaimRun(op, kind, {count, spare, 0, total, reserve}, &waiting);
}

std::uint64_t Allocator::TryClaimRun(Operation& op, BlockKind kind, const RunSearch& search,
                                     std::uint64_t* waiting) {
  COMMY_DCHECK(search.count != 0 && search.begin <= search.end);
  const std::uint64_t size = search.end - search.begin;
  const std::uint64_t start = std::clamp(search.place, search.begin, search.end) - search.begin;
  // Spans behind the ones that are searched count for what shall be left free.
  std::uint64_t free = room_.FreeAtTheEnd(region_.span_count(), region_.span_count() - search.end);
  std::uint64_t length = 0;
  std::uint64_t found = UINT64_MAX;
  // A little further than round: a row may lie on both sides of where the search began.
  const std::uint64_t steps = size + std::min(start, search.count - 1);
  for (std::uint64_t step = 0; step < steps; ++step) {
    const std::uint64_t span = search.begin + (start + step) % size;
    length = span == search.begin ? 0 : length;
    if (region_.span_word(span).load(std::memory_order_relaxed) != 0) {
      ReclaimSpan(op, span);
      const SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
      if (word.kind != SpanKind::kFree) {
        length = 0;
        *waiting += WaitingIn(word);
        continue;
      }
    }
    free += step < size ? 1 : 0;
    if (++length == search.count && found == UINT64_MAX) {
      found = span + 1 - search.count;
    }
    COMMY_DCHECK(length <= search.count || found != UINT64_MAX);
    if (found == UINT64_MAX || free < search.count + search.spare) {
      continue;
    }
    COMMY_DCHECK(found >= search.begin && found + search.count <= search.end);
    if (ClaimRunAt(op, kind, found, search.count)) {
      run_place_.store(found + search.count, std::memory_order_relaxed);
      return region_.SpanOffset(found);
    }
    found = UINT64_MAX;
    length = 0;
  }
  return 0;
}

bool Allocator::ClaimRunAt(Operation& op, BlockKind kind, std::uint64_t first,
                           std::uint64_t count) {
  COMMY_DCHECK(op.entered());
  COMMY_DCHECK(first + count <= region_.geometry().span_count_max);
  const auto lane = static_cast<std::uint16_t>(op.lane().index());
  const std::uint64_t body = Pack({SpanKind::kRunBody, 0, lane, static_cast<std::uint32_t>(first)});
  const std::uint64_t head = Pack({SpanKind::kRunHead, 0, lane, static_cast<std::uint32_t>(count)});
  const std::uint32_t place = op.AddNote(process::RunNote(BlockKind::kRunClaim, first, count));
  bool won = true;
  for (std::uint64_t i = 1; won && i < count; ++i) {
    // run-1. Pairs with the CAS that set the span free.
    won = region_.span_word(first + i).CompareAndSet(0, body, std::memory_order_seq_cst);
  }
  // run-2: publishes the run to Locate().
  if (won && region_.span_word(first).CompareAndSet(0, head, std::memory_order_seq_cst)) {
    // run-3: one store turns the claim's note into the block's, so that at no moment a published
    // block has only the claim's.
    op.SetNote(place, process::BlockNote(kind, region_.SpanOffset(first)));
    return true;
  }
  UndoRunClaim(lane, first, count);
  op.DropNotes(place);
  return false;
}

void Allocator::UndoRunClaim(std::uint32_t lane, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t head = Pack(
      {SpanKind::kRunHead, 0, static_cast<std::uint16_t>(lane), static_cast<std::uint32_t>(count)});
  const std::uint64_t body = Pack(
      {SpanKind::kRunBody, 0, static_cast<std::uint16_t>(lane), static_cast<std::uint32_t>(first)});
  if (first >= region_.span_count()) {
    return;
  }
  const std::uint64_t now = region_.span_word(first).load(std::memory_order_acquire);
  if (now == head) {
    return;  // Committed.
  }
  // Committed and retired since; or another lane's run of the same length, which then has the
  // second span too, and this lane has none.
  if (Unpack(now).kind == SpanKind::kRunRetired && Unpack(now).number == count) {
    return;
  }
  for (std::uint64_t i = 1; i < count && first + i < region_.span_count(); ++i) {
    region_.span_word(first + i).CompareAndSet(body, 0, std::memory_order_seq_cst);
  }
}

void Allocator::GiveRunBack(Operation& op, std::uint64_t first, std::uint64_t retired_word) {
  const auto lane = static_cast<std::uint16_t>(op.lane().index());
  COMMY_DCHECK(op.entered());
  COMMY_DCHECK(Unpack(retired_word).kind == SpanKind::kRunRetired);
  const std::uint64_t count = Unpack(retired_word).number;
  const std::uint32_t place = op.AddNote(process::RunNote(BlockKind::kRunFree, first, count));
  const std::uint64_t mine = Pack({SpanKind::kRunBody, 0, lane, static_cast<std::uint32_t>(first)});
  // run-5. From exactly the word that was found old enough: another run may have come and gone.
  if (region_.span_word(first).CompareAndSet(retired_word, mine, std::memory_order_seq_cst)) {
    FinishRunFree(lane, first, count);
  }
  op.DropNotes(place);
}

void Allocator::FinishRunFree(std::uint32_t lane, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t mine = Pack(
      {SpanKind::kRunBody, 0, static_cast<std::uint16_t>(lane), static_cast<std::uint32_t>(first)});
  if (first >= region_.span_count() ||
      region_.span_word(first).load(std::memory_order_acquire) != mine) {
    return;  // Never begun, or done.
  }
  for (std::uint64_t i = 1; i < count && first + i < region_.span_count(); ++i) {
    std::uint64_t raw = region_.span_word(first + i).load(std::memory_order_acquire);
    const SpanWord word = Unpack(raw);
    if (word.kind == SpanKind::kRunBody && word.number == first) {
      region_.span_word(first + i).compare_exchange(raw, 0, std::memory_order_seq_cst);
    }
  }
  region_.span_word(first).CompareAndSet(mine, 0, std::memory_order_seq_cst);
  LowerHint(first);
}

}  // namespace commy::alloc
