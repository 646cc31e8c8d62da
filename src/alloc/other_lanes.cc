// Room in the spans of other lanes: what has become free there is for every lane, whether the
// owner's thread lives, only reads, or has ended.
//
// A thief is a lane that needs a span. The owner goes on allocating meanwhile.
//
//   emptying-0  note the span
//   emptying-1  CAS its word kSmall(class, L, 0) -> kSmall(class, L, me): one thief at a time
//   emptying-2  CAS each state that is reusable -> kEvacuated
//   emptying-3  all are: CAS the word -> kSpanRetired
//   emptying-4  or enough are: CAS the word -> kSmall(class, me, me); each state that is evacuated
//               or retired -> retired now; CAS the word -> kSmall(class, me, 0)
//   emptying-5  or back: each evacuated state -> kFree; CAS the word -> kSmall(class, L, 0)
//   emptying-6  drop the note
//
// OWNER   It looks at the word of a span before it takes a block there, under the operation's pin.
//         What it learned in an earlier operation does not count.
// LATE    An owner that looked before emptying-3 or -4 may still be about to take a block. After
//         emptying-3 there is none, and the span is used again only when that owner's pin is gone.
//         After emptying-4 the owner may take a block that the thief has not evacuated, but none
//         that the thief may take as well: that one was retired at emptying-4 or later, so it
//         becomes free when the owner's pin is gone. (Otherwise recovery of the owner could find
//         in its note a block that is the thief's meanwhile, and retire it.)
// IDLE    Where no process owns the lane there is no such owner: the thief holds the lane, changes
//         the span's word in one step, and uses its blocks at once.
// DEATH   of a thief: the note tells of emptying-1 to -5. If the word is kSmall(dead, dead),
//         recovery does the rest of emptying-4; if it is kSmall(L, dead), emptying-5. Otherwise the
//         protocol was over.
// MODEL   tests/model/span_model_test.cc. Its weakened forms fail: the owner does not look; blocks
//         that are taken over are free at once, or keep their age; no claim, or one that goes too
//         early; a recovery that forgets the span; an empty span that is free at once.
#include "alloc/allocator.h"
#include "alloc/lane_spans.h"
#include "base/check.h"
#include "base/status.h"

namespace commy::alloc {
namespace {

using base::Shared64;
using base::Shared8;
using process::Operation;
using region::BlockKind;

// Spans of idle lanes that are taken over by one look.
constexpr int kIdleSpansAtOnce = 32;

}  // namespace

Shared8* Allocator::StatesOf(std::uint64_t span) const {
  return region_.At<Shared8>(region_.SpanOffset(span) + sizeof(region::SpanHeader));
}

std::uint32_t Allocator::CountReusable(std::uint64_t span, const SizeClass& sizes,
                                       std::uint64_t epoch) const {
  const Shared8* const states = StatesOf(span);
  if (states == nullptr) {
    return 0;
  }
  std::uint32_t reusable = 0;
  const auto* const words = reinterpret_cast<const Shared64*>(states);
  for (std::uint32_t word = 0; word < (sizes.block_count + 7) / 8; ++word) {
    std::uint64_t eight = words[word].load(std::memory_order_relaxed);
    if (eight == kAllUsed) {
      continue;
    }
    for (; eight != 0; eight >>= 8U) {
      reusable += IsReusable(static_cast<BlockState>(eight), epoch) ? 1 : 0;
    }
  }
  return reusable;
}

Allocator::TakeOver Allocator::TakeFromOthers(Operation& op, const Wanted& wanted,
                                              std::uint64_t span_limit) {
  TakeOver best = TakeOver::kNothing;
  int idle_left = kIdleSpansAtOnce;
  const std::uint64_t count = region_.span_count();
  std::uint64_t span = others_place_.load(std::memory_order_relaxed);
  for (std::uint64_t step = std::min(span_limit, count); step > 0 && idle_left > 0; --step) {
    span = span >= count ? 0 : span;
    COMMY_DCHECK(span < count);
    const TakeOver taken = TakeSpan(op, wanted, span++);
    idle_left -= taken == TakeOver::kAtOnce ? 1 : 0;
    best = std::max(best, taken);
    if (taken == TakeOver::kLater) {
      break;
    }
  }
  others_place_.store(span, std::memory_order_relaxed);
  return best;
}

Allocator::TakeOver Allocator::TakeSpan(Operation& op, const Wanted& wanted, std::uint64_t span) {
  // Pairs with the CAS that made it kSmall: its states are seen.
  const std::uint64_t raw = region_.span_word(span).load(std::memory_order_acquire);
  const SpanWord word = Unpack(raw);
  if (word.kind == SpanKind::kLeaving) {
    if (Release(op, span)) {
      return TakeOver::kEmptied;
    }
    const bool wants = wanted.of_the_living && !wanted.spares_left &&
                       word.size_class >= wanted.class_min && word.size_class <= wanted.class_max;
    return wants && TakeBack(op, span) ? TakeOver::kAtOnce : TakeOver::kNothing;
  }
  if (word.kind != SpanKind::kSmall || word.size_class >= classes_.count() || word.number != 0 ||
      word.lane == op.lane().index() || word.lane >= region_.geometry().lane_count) {
    return TakeOver::kNothing;
  }
  const SizeClass& sizes = classes_.at(word.size_class);
  const std::uint32_t reusable = CountReusable(span, sizes, EpochNow());
  const bool fits = word.size_class >= wanted.class_min && word.size_class <= wanted.class_max &&
                    reusable != 0 && reusable >= sizes.block_count / wanted.share;
  if (fits && TakeIdleSpan(op, span, raw)) {
    return TakeOver::kAtOnce;
  }
  if (reusable != sizes.block_count && !(fits && wanted.of_the_living)) {
    return TakeOver::kNothing;
  }
  return Empty(op, span, raw, fits && wanted.of_the_living);
}

bool Allocator::TakeIdleSpan(Operation& op, std::uint64_t span, std::uint64_t raw) {
  SpanWord word = Unpack(raw);
  COMMY_DCHECK(word.kind == SpanKind::kSmall && word.number == 0);
  COMMY_DCHECK(word.lane != op.lane().index());
  // While the lane is held no thread can begin an operation in it, and it has none. The release
  // below pairs with the CAS of the next thread that claims the lane.
  Shared64& owner = region_.lane(word.lane).owner;
  if (owner.load(std::memory_order_relaxed) != 0 ||
      !owner.CompareAndSet(0, session_.owner_word(), std::memory_order_seq_cst)) {
    return false;
  }
  word.lane = static_cast<std::uint16_t>(op.lane().index());
  const bool taken =
      region_.span_word(span).CompareAndSet(raw, Pack(word), std::memory_order_seq_cst);
  owner.store(0, std::memory_order_release);
  if (taken) {
    SpansOf(op.lane()).Remember(word.size_class, span);
  }
  return taken;
}

Allocator::TakeOver Allocator::Empty(Operation& op, std::uint64_t span, std::uint64_t raw,
                                     bool keep) {
  Shared8* const states = StatesOf(span);
  if (states == nullptr) {
    return TakeOver::kNothing;  // Damaged; for `check` to report.
  }
  SpanWord word = Unpack(raw);
  COMMY_DCHECK(op.entered());
  COMMY_DCHECK(word.kind == SpanKind::kSmall && word.number == 0);
  COMMY_DCHECK(word.lane != op.lane().index());
  const SizeClass& sizes = classes_.at(word.size_class);
  const auto mine = static_cast<std::uint16_t>(op.lane().index());
  const std::uint32_t place =
      op.AddNote(process::RunNote(BlockKind::kEmptying, span, 1));  // emptying-0
  TakeOver result = TakeOver::kNothing;
  word.number = mine + 1U;
  if (region_.span_word(span).CompareAndSet(raw, Pack(word),
                                            std::memory_order_seq_cst)) {  // emptying-1
    std::uint32_t taken = 0;
    for (std::uint32_t i = 0; i < sizes.block_count; ++i) {  // emptying-2
      BlockState seen = states[i].load(std::memory_order_acquire);
      if (IsReusable(seen, EpochNow()) &&
          states[i].compare_exchange(seen, kEvacuated, std::memory_order_seq_cst)) {
        ++taken;
      }
    }
    COMMY_DCHECK(taken <= sizes.block_count);
    if (taken == sizes.block_count) {
      [[maybe_unused]] const bool emptied = region_.span_word(span).CompareAndSet(
          Pack(word), Pack({SpanKind::kSpanRetired, EpochTag(EpochNow()), 0, 0}),
          std::memory_order_seq_cst);  // emptying-3
      COMMY_DCHECK(emptied);           // Since emptying-1 no other lane changes the word.
      LowerHint(span);
      result = TakeOver::kEmptied;
    } else if (keep && taken != 0) {
      const std::uint64_t claimed = Pack(word);
      word.lane = mine;
      [[maybe_unused]] const bool moved =
          region_.span_word(span).CompareAndSet(claimed, Pack(word), std::memory_order_seq_cst);
      COMMY_DCHECK(moved);  // Likewise.
      FinishTaking(mine, span);
      SpansOf(op.lane()).Remember(word.size_class, span);
      result = TakeOver::kLater;
    } else {
      PutBack(mine, span);
    }
  }
  op.DropNotes(place);  // emptying-6
  return result;
}

void Allocator::FinishTaking(std::uint32_t thief, std::uint64_t span) {
  if (span >= region_.span_count()) {
    return;  // A damaged note.
  }
  SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
  const std::uint64_t claimed = Pack(word);
  Shared8* const states = StatesOf(span);
  if (word.kind != SpanKind::kSmall || word.lane != thief || word.number != thief + 1U ||
      word.size_class >= classes_.count() || states == nullptr) {
    return;
  }
  const std::uint32_t blocks = classes_.at(word.size_class).block_count;
  for (std::uint32_t i = 0; i < blocks; ++i) {  // emptying-4
    BlockState seen = states[i].load(std::memory_order_acquire);
    while (seen == kEvacuated || IsRetired(seen)) {
      const BlockState now = RetiredAt(EpochNow());
      if (seen == now || states[i].compare_exchange(seen, now, std::memory_order_seq_cst)) {
        break;
      }
    }
  }
  word.number = 0;
  region_.span_word(span).CompareAndSet(claimed, Pack(word), std::memory_order_seq_cst);
}

void Allocator::PutBack(std::uint32_t thief, std::uint64_t span) {
  if (span >= region_.span_count()) {
    return;  // A damaged note.
  }
  SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
  const std::uint64_t claimed = Pack(word);
  Shared8* const states = StatesOf(span);
  if (word.kind != SpanKind::kSmall || word.lane == thief || word.number != thief + 1U ||
      word.size_class >= classes_.count() || states == nullptr) {
    return;
  }
  const std::uint32_t blocks = classes_.at(word.size_class).block_count;
  for (std::uint32_t i = 0; i < blocks; ++i) {  // emptying-5
    states[i].CompareAndSet(kEvacuated, kFree, std::memory_order_seq_cst);
  }
  word.number = 0;
  region_.span_word(span).CompareAndSet(claimed, Pack(word), std::memory_order_seq_cst);
}

bool Allocator::EmptyOthers() {
  bool any = false;
  const std::uint64_t count = region_.span_count();
  for (std::uint64_t seen = 0; seen < count; seen += kSpansAtOnce) {
    absl::StatusOr<process::Lane*> lane = session_.ThisLane();
    if (!lane.ok()) {
      return any;
    }
    Operation op(**lane, process::OpKind::kAllocate, 0);  // A new one, so that the epoch can move.
    if (!op.entered()) {
      return any;
    }
    if (seen == 0) {
      any |= SpansOf(op.lane()).ReleaseAllEmpty();
    }
    any |= TakeFromOthers(op, Wanted{}, kSpansAtOnce) != TakeOver::kNothing;
  }
  return any;
}

}  // namespace commy::alloc
