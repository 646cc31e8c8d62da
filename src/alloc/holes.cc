// Holes: free spans whose disk blocks were given back.
//
// WORDS   the span's word: 0 (free) | kHoleChanging(lane) | kHole
//         hole_spans of the header: about how many holes there are; advice
// STEPS   hole-1  punch: CAS the word 0 -> kHoleChanging(me)
//         hole-2  give the blocks back
//         hole-3  CAS the word -> kHole, also if that failed, since a part may be done; -> 0, if
//                 there are no holes in such a file
//         hole-4  fill, before the span is used: CAS the word kHole -> kHoleChanging(me)
//         hole-5  reserve the blocks, and make the pages present
//         hole-6  CAS the word -> 0; or -> kHole again, if the disk is full
//
// WHY     A free span has no reader: every pin from before its retiring is down (S1), so the pages
//         may go. From hole-1 to hole-3, and from hole-4 to hole-6, no other lane claims it: so
//         blocks are never given back under a user, and no user finds a span without blocks, where
//         a store would be a signal on a full disk (G1).
// DEATH   at hole-1 to hole-6: recovery sets the word kHole: there may be blocks or none, and the
//         next fill reserves them again. No system call of the dead process can come later (L2).
//         A stopped process keeps a span from the others, and no more.
// MODEL   tests/model/hole_model_test.cc. Its weakened forms fail: a punch without a claim, or of a
//         retired span; a fill that frees first, or on a full disk; a recovery, or a punch that
//         failed, that makes the span free; a claim that is taken from a stopped process.
#include <algorithm>

#include "alloc/allocator.h"
#include "base/check.h"

namespace commy::alloc {

using base::Shared64;
using process::Operation;

namespace {

std::uint64_t ChangingBy(const Operation& op) {
  return Pack({SpanKind::kHoleChanging, 0, static_cast<std::uint16_t>(op.lane().index()), 0});
}

}  // namespace

void Allocator::CountHoles(std::int64_t change) {
  Shared64& holes = region_.header().hole_spans;
  std::uint64_t seen = holes.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    next = change < 0 ? seen - std::min(seen, static_cast<std::uint64_t>(-change))
                      : seen + static_cast<std::uint64_t>(change);
  } while (!holes.compare_exchange(seen, next, std::memory_order_acq_rel));
}

std::uint64_t Allocator::Punch(Operation& op, std::uint64_t first, std::uint64_t limit) {
  COMMY_DCHECK(op.entered());
  const std::uint64_t end = std::min(first + limit, region_.span_count());
  const std::uint64_t mine = ChangingBy(op);
  std::uint64_t claimed = first;
  while (claimed < end &&
         region_.span_word(claimed).CompareAndSet(0, mine, std::memory_order_seq_cst)) {  // hole-1
    ++claimed;
  }
  if (claimed == first) {
    return 0;
  }
  const absl::Status punched =
      region_.GiveBack(region_.SpanOffset(first),
                       (claimed - first) << region_.geometry().span_shift);  // hole-2
  // Another failure may come when some blocks are gone already: on a full disk these may be missing
  // when the span is used (G1).
  const bool untouched = absl::IsFailedPrecondition(punched);
  for (std::uint64_t span = first; span < claimed; ++span) {
    [[maybe_unused]] const bool done = region_.span_word(span).CompareAndSet(
        mine, untouched ? 0 : kHoleWord, std::memory_order_seq_cst);  // hole-3
    COMMY_DCHECK(done);
  }
  if (untouched) {
    LowerHint(first);
    return 0;
  }
  CountHoles(static_cast<std::int64_t>(claimed - first));
  return punched.ok() ? claimed - first : 0;
}

bool Allocator::Fill(Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());
  const std::uint64_t mine = ChangingBy(op);
  if (!region_.span_word(span).CompareAndSet(kHoleWord, mine,
                                             std::memory_order_seq_cst)) {  // hole-4
    return false;
  }
  const bool filled = region_.ReserveInside(region_.SpanOffset(span), region_.geometry().span_bytes)
                          .ok();  // hole-5
  [[maybe_unused]] const bool done = region_.span_word(span).CompareAndSet(
      mine, filled ? 0 : kHoleWord, std::memory_order_seq_cst);  // hole-6
  COMMY_DCHECK(done);
  if (filled) {
    LowerHint(span);
    CountHoles(-1);
  }
  return filled;
}

bool Allocator::FillHoles(Operation& op, std::uint64_t limit) {
  if (region_.header().hole_spans.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  std::uint64_t filled = 0;
  bool any = false;
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t span = 0; span < count && filled < limit; ++span) {
    if (region_.span_word(span).load(std::memory_order_relaxed) != kHoleWord) {
      continue;
    }
    any = true;
    if (Fill(op, span)) {
      ++filled;
    } else if (region_.span_word(span).load(std::memory_order_relaxed) == kHoleWord) {
      break;  // The disk is full.
    }
  }
  if (!any) {
    // A process was killed between a change and its count.
    region_.header().hole_spans.store(0, std::memory_order_relaxed);
  }
  return filled != 0;
}

bool Allocator::FillForRun(Operation& op, std::uint64_t count) {
  if (region_.header().hole_spans.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  const std::uint64_t total = region_.span_count();
  std::uint64_t length = 0;
  bool hole = false;
  for (std::uint64_t span = 0; span < total; ++span) {
    const std::uint64_t word = region_.span_word(span).load(std::memory_order_relaxed);
    if (word != 0 && word != kHoleWord) {
      length = 0;
      hole = false;
      continue;
    }
    hole |= word == kHoleWord;
    if (++length < count) {
      continue;
    }
    if (!hole) {
      return false;  // Another lane has filled them, or given them back: look again.
    }
    for (std::uint64_t each = span + 1 - count; each <= span; ++each) {
      if (region_.span_word(each).load(std::memory_order_relaxed) == kHoleWord && !Fill(op, each)) {
        return false;
      }
    }
    return true;
  }
  return false;
}

}  // namespace commy::alloc
