// Spans that are set aside for blocks that stay where they are (region::Stays).
//
// Such blocks come one by one while a store grows. Each in a free span of its time, they would lie
// all over the file, and a large page with one of them can never be given back (UNIT in holes.cc).
// So a lane that takes a span for them sets some behind it aside, in the same large page: the next
// ones, of any lane and size, go there.
//
// WORDS   the span's word: 0 (free) | kSetAside | kClaimed(lane)
// STEPS   aside-1  any lane that has claimed a span before: CAS the words behind it, 0 -> kSetAside
//         aside-2  any lane that needs one for blocks that stay: CAS kSetAside -> kClaimed(me)
//         aside-3  any lane that finds the store full, a shrink, or a copy that is complete: CAS
//                  kSetAside -> 0
//         aside-4  or a shrink that closes the unit: CAS kSetAside -> kHole (CloseFree)
//
// WHY     A span that is set aside is free: it has no reader, no owner and its disk blocks. Its
//         word only says for what it is to be used first, so any lane may change it at any time.
// DEATH   at any step: there is nothing to finish.
#include <algorithm>

#include "alloc/allocator.h"
#include "base/check.h"

namespace commy::alloc {
namespace {

// At most so much of the file is set aside at once, and as many as are used like this.
constexpr std::uint64_t kFilePart = 64;

}  // namespace

bool Allocator::ClaimSetAside(std::uint64_t claimed_word, std::uint64_t* found) {
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t span = 0; span < count; ++span) {
    if (region_.span_word(span).load(std::memory_order_relaxed) == kSetAsideWord &&
        region_.span_word(span).CompareAndSet(kSetAsideWord, claimed_word,
                                              std::memory_order_seq_cst)) {  // aside-2
      *found = span;
      return true;
    }
  }
  return false;
}

void Allocator::SetAside(std::uint64_t span, std::uint64_t seen_count) {
  COMMY_DCHECK(span < seen_count);
  const std::uint64_t unit = HoleUnitSpans();
  std::uint64_t staying = 0;
  for (std::uint64_t each = 0; each < seen_count; ++each) {
    const SpanWord word = Unpack(region_.span_word(each).load(std::memory_order_relaxed));
    staying += word.kind == SpanKind::kSmall && classes_.Stays(word.size_class) ? 1 : 0;
  }
  const std::uint64_t end = std::min(
      {(span / unit + 1) * unit, seen_count, span + 1 + std::min(staying, seen_count / kFilePart)});
  for (std::uint64_t next = span + 1; next < end; ++next) {
    region_.span_word(next).CompareAndSet(0, kSetAsideWord, std::memory_order_seq_cst);  // aside-1
  }
}

bool Allocator::GiveSetAsideBack() {
  bool any = false;
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t span = 0; span < count; ++span) {
    if (region_.span_word(span).load(std::memory_order_relaxed) == kSetAsideWord) {
      any |= region_.span_word(span).CompareAndSet(kSetAsideWord, 0,
                                                   std::memory_order_seq_cst);  // aside-3
    }
  }
  if (any) {
    LowerHint(0);
  }
  return any;
}

}  // namespace commy::alloc
