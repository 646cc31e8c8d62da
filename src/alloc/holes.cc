// Holes: free spans whose disk blocks were given back.
//
// WORDS   the span's word: 0 (free) | kHoleChanging(lane) | kHole
//         hole_spans of the header: about how many holes there are; advice
// STEPS   hole-1  punch: CAS the words of a unit, which are 0 or kHole, -> kHoleChanging(me)
//         hole-2  give the blocks back, if hole-1 went through
//         hole-3  CAS the words -> kHole, also if that failed, since a part may be done
//         hole-4  fill, before the span is used: CAS the word kHole -> kHoleChanging(me)
//         hole-5  reserve the blocks, and make the pages present
//         hole-6  CAS the word -> 0; or -> kHole again, if the disk is full
//
// UNIT    The system may keep a file in large pages. A store to one of them takes blocks for all of
//         it, also for a part that was given back before. So holes are made and filled by whole
//         large pages, where chunks have these; else by spans.
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

bool Allocator::CloseFree([[maybe_unused]] Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());
  // hole-1 to hole-3 at once, without giving anything back: a hole may have blocks.
  if (!region_.span_word(span).CompareAndSet(0, kHoleWord, std::memory_order_seq_cst) &&
      !region_.span_word(span).CompareAndSet(kSetAsideWord, kHoleWord, std::memory_order_seq_cst)) {
    return false;
  }
  CountHoles(1);
  return true;
}

std::uint64_t Allocator::Punch(Operation& op, std::uint64_t first, std::uint64_t count) {
  COMMY_DCHECK(op.entered());
  COMMY_DCHECK(first + count <= region_.span_count());
  const std::uint64_t mine = ChangingBy(op);
  std::uint64_t claimed = first;
  std::uint64_t holes = 0;
  while (claimed < first + count) {
    std::uint64_t seen = region_.span_word(claimed).load(std::memory_order_acquire);
    if ((seen != 0 && seen != kHoleWord) ||
        !region_.span_word(claimed).compare_exchange(seen, mine,
                                                     std::memory_order_seq_cst)) {  // hole-1
      break;
    }
    holes += seen == kHoleWord ? 1 : 0;
    ++claimed;
  }
  const bool all = claimed == first + count;
  const bool punched =
      all && region_.GiveBack(region_.SpanOffset(first), count << region_.geometry().span_shift)
                 .ok();  // hole-2
  for (std::uint64_t span = first; span < claimed; ++span) {
    [[maybe_unused]] const bool done = region_.span_word(span).CompareAndSet(
        mine, kHoleWord, std::memory_order_seq_cst);  // hole-3
    COMMY_DCHECK(done);
  }
  CountHoles(static_cast<std::int64_t>(claimed - first - holes));
  return punched ? count : 0;
}

std::uint64_t Allocator::HoleUnitSpans() const {
  const region::Geometry& geometry = region_.geometry();
  return geometry.chunk_bytes % platform::kLargePageBytes == 0
             ? platform::kLargePageBytes >> geometry.span_shift
             : 1;
}

std::uint64_t Allocator::Fill(Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());
  const std::uint64_t mine = ChangingBy(op);
  // All holes of its large page in a row from here on.
  const std::uint64_t unit = HoleUnitSpans();
  const std::uint64_t end = std::min((span / unit + 1) * unit, region_.span_count());
  std::uint64_t claimed = span;
  while (claimed < end && region_.span_word(claimed).CompareAndSet(
                              kHoleWord, mine, std::memory_order_seq_cst)) {  // hole-4
    ++claimed;
  }
  if (claimed == span) {
    return 0;
  }
  const bool filled = region_
                          .ReserveInside(region_.SpanOffset(span),
                                         (claimed - span) << region_.geometry().span_shift)
                          .ok();  // hole-5
  for (std::uint64_t each = span; each < claimed; ++each) {
    [[maybe_unused]] const bool done = region_.span_word(each).CompareAndSet(
        mine, filled ? 0 : kHoleWord, std::memory_order_seq_cst);  // hole-6
    COMMY_DCHECK(done);
  }
  if (!filled) {
    return 0;
  }
  LowerHint(span);
  CountHoles(-static_cast<std::int64_t>(claimed - span));
  return claimed - span;
}

std::uint64_t Allocator::FillHoles(Operation& op, std::uint64_t limit) {
  const std::uint64_t counted = region_.header().hole_spans.load(std::memory_order_relaxed);
  if (counted == 0) {
    return 0;
  }
  std::uint64_t filled = 0;
  bool any = false;
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t span = 0; span < count && filled < limit; ++span) {
    if (region_.span_word(span).load(std::memory_order_relaxed) != kHoleWord) {
      continue;
    }
    any = true;
    const std::uint64_t some = Fill(op, span);
    filled += some;
    if (some == 0 && region_.span_word(span).load(std::memory_order_relaxed) == kHoleWord) {
      break;  // The disk is full.
    }
  }
  if (!any) {
    // A process was killed between a change and its count. (Another lane may make holes now.)
    region_.header().hole_spans.CompareAndSet(counted, 0, std::memory_order_acq_rel);
  }
  return filled;
}

void Allocator::MakeFree(Operation& op, std::uint64_t spans) {
  const std::uint64_t filled = FillHoles(op, spans);
  if (filled < spans) {
    region_.Grow(region_.span_count(), spans - filled).IgnoreError();
  }
}

bool Allocator::FillForRun(Operation& op, std::uint64_t count, std::uint64_t spare) {
  if (region_.header().hole_spans.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  const std::uint64_t total = region_.span_count();
  std::uint64_t length = 0;
  std::uint64_t holes = 0;
  for (std::uint64_t span = 0; span < total; ++span) {
    const std::uint64_t word = region_.span_word(span).load(std::memory_order_relaxed);
    if (word != 0 && word != kHoleWord) {
      length = 0;
      holes = 0;
      continue;
    }
    holes += word == kHoleWord ? 1 : 0;
    if (++length < count) {
      continue;
    }
    std::uint64_t filled = 0;
    for (std::uint64_t each = span + 1 - count; each <= span; ++each) {
      if (region_.span_word(each).load(std::memory_order_relaxed) == kHoleWord) {
        const std::uint64_t some = Fill(op, each);
        if (some == 0) {
          return false;
        }
        filled += some;
      }
    }
    // A row that is free is there already, or was filled by another lane: spare ones are lacking.
    const std::uint64_t wanted = holes + spare;
    return (filled < wanted ? FillHoles(op, wanted - filled) : 0) + filled != 0;
  }
  return false;
}

}  // namespace commy::alloc
