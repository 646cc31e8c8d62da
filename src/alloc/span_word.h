// The word that says what a span is.
//
//   {kind:4, class or tag:8, lane:16, 0:12, count or head:24}
//
//   kFree                      no lane's; the word is 0
//   kClaimed   lane            private to a lane that sets it up
//   kSmall     class, lane     blocks of one size class, allocated by one lane; the count is the
//                              lane that empties it, plus one, or 0
//   kSpanRetired  tag          was kSmall; free three epochs after `tag`, which was read before the
//                              CAS that set it
//   kRunHead   lane, count     first span of a large block
//   kRunBody   lane, head      a further span of the run that starts at span `head`, or any span
//                              of a run that is being claimed or given back
//   kRunRetired  tag, count    first span of a retired large block; likewise three epochs
//   kLeaving   class, lane, tag   was kSmall: no block of it is handed out any more; see leaving.cc
//   kHole                      its disk blocks were given back; see holes.cc
//   kHoleChanging   lane       a lane gives them back, or reserves them again
//   kSetAside                  free, for blocks that stay where they are; see set_aside.cc
//
// WRITTEN  Every change is one CAS. A dead lane's kSmall spans stay spans of that lane.
//   kFree -> kClaimed -> kSmall          by the lane; a dead lane's kClaimed goes back to kFree
//   kSmall -> kSmall (another lane)      by the holder of both lanes; the other has no operation
//   kSmall -> kSpanRetired -> kFree      by the lane when every block is free; then by any lane
//   kSmall, claimed by another lane, which empties it: see other_lanes.cc
//   kSmall -> kLeaving -> kSpanRetired, or kSmall of any lane: see leaving.cc
//   kFree -> kHoleChanging -> kHole -> kHoleChanging -> kFree: see holes.cc
//   kFree -> kSetAside -> kClaimed -> kSmall, or kSetAside -> kFree, by any lane: see set_aside.cc
//   runs, claim (run-1, run-2): the bodies ascending, kFree -> kRunBody; the head last,
//         kFree -> kRunHead
//         retire (run-4): kRunHead -> kRunRetired
//         give back (run-5 to run-7): the head first, kRunRetired -> kRunBody; the bodies -> kFree;
//         the head last
//
// A run of the spans i to i + n - 1:
//
//   run-0  pinned: all n words are seen free, the head's first; note {claim, i, n}
//   run-1  i + 1 ...: kFree -> kRunBody(lane, i), ascending; a lost CAS here or in run-2 rolls back
//   run-2  i: kFree -> kRunHead(lane, n), which commits
//   run-3  the claim's note becomes the block's, by one store
//   run-4  retire: kRunHead -> kRunRetired(tag, n)
//   run-5  give back: note {free, i, n}; i: kRunRetired -> kRunBody(me, i), by a CAS from exactly
//          the word whose tag was judged: another run may have come and been retired since
//   run-6  i + 1 ...: kRunBody(any, i) -> kFree
//   run-7  i: kRunBody(me, i) -> kFree
//
// WHY      The head is the last to be claimed and the first to be freed, so all bodies stand behind
//          each head or retired word. run-0 looks at the head under the claimer's pin: otherwise a
//          claimer could take bodies of a run whose giving back a dead process began, and that
//          one's recoverer would take them away again. At no moment does a run that may be
//          published have the claim's note alone (run-3).
// DEATH    run-1: recovery sets the bodies of (lane, i) free; but not if word i is kRunHead(lane,
//          n) or kRunRetired(n), since the run may have been published, replaced and retired since.
//          run-2, run-3: it retires a run that nothing names. run-5 to run-7: it goes on.
// TESTED   tests/model/run_model_test.cc, whose weakened forms (head first, no note, no look at the
//          head, a recovery that forgets kRunRetired) fail; tests/crash/
#pragma once

#include <cstdint>

#include "base/check.h"
#include "region/layout.h"

namespace commy::alloc {

enum class SpanKind : std::uint8_t {
  kFree = 0,
  kClaimed = 1,
  kSmall = 2,
  kSpanRetired = 3,
  kRunHead = 4,
  kRunBody = 5,
  kRunRetired = 6,
  kLeaving = 7,
  kHole = 8,
  kHoleChanging = 9,
  kSetAside = 10,
};

struct SpanWord {
  SpanKind kind = SpanKind::kFree;
  std::uint8_t size_class = 0;  // Or the tag of a retired one.
  std::uint16_t lane = 0;
  // Spans of a run, or the run's first span; of a small span, the lane that empties it, plus one;
  // of one that is leaving, the epoch's tag.
  std::uint32_t number = 0;
};

constexpr std::uint64_t Pack(const SpanWord& word) {
  COMMY_DCHECK(word.number < region::kSpanCountLimit);
  return (static_cast<std::uint64_t>(word.kind) << 60U) | (std::uint64_t{word.size_class} << 52U) |
         (std::uint64_t{word.lane} << 36U) | (word.number & 0xffffffU);
}

constexpr SpanWord Unpack(std::uint64_t word) {
  return SpanWord{static_cast<SpanKind>(word >> 60U), static_cast<std::uint8_t>(word >> 52U),
                  static_cast<std::uint16_t>(word >> 36U),
                  static_cast<std::uint32_t>(word & 0xffffffU)};
}

// The word of a span that a lane sets up.
constexpr std::uint64_t ClaimedBy(std::uint32_t lane) {
  COMMY_DCHECK(lane <= UINT16_MAX);
  return Pack({SpanKind::kClaimed, 0, static_cast<std::uint16_t>(lane), 0});
}

inline constexpr std::uint64_t kHoleWord = Pack({SpanKind::kHole, 0, 0, 0});
inline constexpr std::uint64_t kSetAsideWord = Pack({SpanKind::kSetAside, 0, 0, 0});

static_assert(region::IsHoleWord(kHoleWord) &&
              region::IsHoleWord(Pack({SpanKind::kHoleChanging, 0, 0, 0})) &&
              !region::IsHoleWord(Pack({SpanKind::kLeaving, 0, 0, 0})) &&
              !region::IsHoleWord(kSetAsideWord) && region::IsUnusedWord(kSetAsideWord) &&
              region::IsUnusedWord(kHoleWord) &&
              !region::IsUnusedWord(Pack({SpanKind::kLeaving, 0, 0, 0})));

// Whether it has a header, states and blocks of one size class.
constexpr bool HasBlocks(const SpanWord& word) {
  return word.kind == SpanKind::kSmall || word.kind == SpanKind::kLeaving;
}

}  // namespace commy::alloc
