// Leaving a span: no block of it is handed out any more, so that it becomes free when the blocks in
// use have been moved, or deleted.
//
// WORDS   the span's word: kSmall(class, L, 0) | kLeaving(class, L, tag) | kSpanRetired(tag)
// STEPS   leaving-1  any lane: CAS the word kSmall(class, L, 0) -> kLeaving(class, L, tag); the tag
//                    is that of an epoch that was read before
//         leaving-2  the blocks in use are moved (namespaces/mover.h), one by one, by any process,
//                    or not at all
//         leaving-3  any lane, when the tag is old enough: CAS the state of each block that can be
//                    reused -> kFree; if all are, CAS the word -> kSpanRetired(tag of now)
//         leaving-4  or back, by any lane that wants its blocks, when the tag is old enough: CAS
//                    the word -> kSmall(class, me, 0)
//
// WHY     An owner looks at the word under the pin under which it takes a block. One that looked
//         before leaving-1 may take a block after it; its pin is down when the tag is old enough
//         (three epochs, since the tag may be one behind). From then on no process takes a block:
//         a block that can be reused stays so, and a count of them is not too high. So leaving-3
//         needs no claim and no mark on the blocks. After leaving-4 there is one owner again, and
//         no former one that may be late: so no block can be taken by two of them within one pin
//         (B3), which is why it has to wait, too.
//         The tag comes round after 126 epochs: then a wait is repeated, and no more.
//         Owners and thieves (other_lanes.cc) change a word only from kSmall, by a CAS from the
//         very word that they have seen.
// DEATH   at any step: there is nothing to finish. A span that was left stays closed until any
//         process does leaving-3 or leaving-4: one that looks for room in others' spans, one that
//         finds the store full, the next shrink.
// MODEL   tests/model/leaving_model_test.cc. Its weakened forms fail: leaving-3 or leaving-4
//         without the wait, an owner that does not look, a span that is free at once.
#include <algorithm>

#include "alloc/allocator.h"
#include "alloc/lane_spans.h"
#include "base/check.h"

namespace commy::alloc {

using process::Operation;

SpanUse Allocator::UseOf(std::uint64_t span) const {
  SpanUse use;
  // Pairs with the CAS that made it kSmall: its states are seen.
  use.word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
  if (!HasBlocks(use.word) || use.word.size_class >= classes_.count()) {
    return use;
  }
  const SizeClass& sizes = classes_.at(use.word.size_class);
  const base::Shared8* const states = StatesOf(span);
  if (states == nullptr) {
    return use;
  }
  use.blocks = sizes.block_count;
  use.block_bytes = sizes.block_bytes;
  use.stays = classes_.Stays(use.word.size_class);
  const auto* const words = reinterpret_cast<const base::Shared64*>(states);
  for (std::uint32_t word = 0; word < (sizes.block_count + 7) / 8; ++word) {
    const std::uint64_t eight = words[word].load(std::memory_order_relaxed);
    if (eight == kAllUsed) {
      use.used += 8;
      continue;
    }
    for (std::uint64_t rest = eight; rest != 0; rest >>= 8U) {
      use.used += static_cast<BlockState>(rest) == kUsed ? 1 : 0;
    }
  }
  return use;
}

bool Allocator::Leave([[maybe_unused]] Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());
  SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
  if (word.kind != SpanKind::kSmall || word.number != 0) {
    return false;
  }
  const std::uint64_t small = Pack(word);
  word.kind = SpanKind::kLeaving;
  word.number = EpochTag(EpochNow());
  return region_.span_word(span).CompareAndSet(small, Pack(word),
                                               std::memory_order_seq_cst);  // leaving-1
}

bool Allocator::Release([[maybe_unused]] Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());  // The epoch moves at most once while it compares.
  const std::uint64_t raw = region_.span_word(span).load(std::memory_order_acquire);
  const SpanWord word = Unpack(raw);
  if (word.kind != SpanKind::kLeaving || word.size_class >= classes_.count() ||
      !IsSpanOldEnough(static_cast<std::uint8_t>(word.number), EpochNow())) {
    return false;
  }
  const SizeClass& sizes = classes_.at(word.size_class);
  base::Shared8* const states = StatesOf(span);
  if (states == nullptr || FreeRetired(states, sizes.block_count) != sizes.block_count) {
    return false;
  }
  const bool retired = region_.span_word(span).CompareAndSet(
      raw, Pack({SpanKind::kSpanRetired, EpochTag(EpochNow()), 0, 0}),
      std::memory_order_seq_cst);  // leaving-3
  if (retired) {
    LowerHint(span);
  }
  return retired;
}

// Tags come round: of blocks that were retired at many different times some always look young. What
// was seen old enough once is free from then on.
std::uint32_t Allocator::FreeRetired(base::Shared8* states, std::uint32_t count) const {
  std::uint32_t free = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    BlockState seen = states[i].load(std::memory_order_acquire);
    if (IsRetired(seen) && IsReusable(seen, EpochNow()) &&
        states[i].compare_exchange(seen, kFree, std::memory_order_seq_cst)) {
      seen = kFree;
    }
    free += seen == kFree ? 1 : 0;
  }
  return free;
}

bool Allocator::TakeBack(Operation& op, std::uint64_t span) {
  COMMY_DCHECK(op.entered());
  const std::uint64_t raw = region_.span_word(span).load(std::memory_order_acquire);
  SpanWord word = Unpack(raw);
  if (word.kind != SpanKind::kLeaving || word.size_class >= classes_.count() ||
      !IsSpanOldEnough(static_cast<std::uint8_t>(word.number), EpochNow())) {
    return false;
  }
  word.kind = SpanKind::kSmall;
  word.lane = static_cast<std::uint16_t>(op.lane().index());
  word.number = 0;
  if (!region_.span_word(span).CompareAndSet(raw, Pack(word),
                                             std::memory_order_seq_cst)) {  // leaving-4
    return false;
  }
  SpansOf(op.lane()).Remember(word.size_class, span);
  return true;
}

void Allocator::ReclaimSpans(Operation& op, std::uint64_t first, std::uint64_t limit) {
  const std::uint64_t end = std::min(first + limit, region_.span_count());
  for (std::uint64_t span = first; span < end; ++span) {
    if (region_.span_word(span).load(std::memory_order_relaxed) != 0) {
      ReclaimSpan(op, span);
    }
  }
}

Allocator::Packing::Packing(Allocator& allocator, process::Lane& lane)
    : spans_(allocator.SpansOf(lane)) {
  spans_.set_packing(true);
}

Allocator::Packing::~Packing() {
  spans_.set_packing(false);
}

}  // namespace commy::alloc
