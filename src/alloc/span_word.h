// The word that says what a span is.
//
//   {kind:4, class or tag:8, lane:16, 0:12, count or head:24}
//
//   kFree                      nobody's; the word is 0
//   kClaimed   lane            private to a lane that sets it up
//   kSmall     class, lane     blocks of one size class, allocated by one lane; the count is the
//                              lane that empties it, plus one, or 0
//   kSpanRetired  tag          was kSmall; free three epochs after `tag`, which was read before the
//                              CAS that set it
//   kRunHead   lane, count     first span of a large block
//   kRunBody   lane, head      a further span of the run that starts at span `head`, or any span
//                              of a run that is being claimed or given back
//   kRunRetired  tag, count    first span of a retired large block
//
// WRITTEN  Every change is one CAS.
//   kFree -> kClaimed -> kSmall          by the lane; a dead lane's kClaimed goes back to kFree
//   kSmall -> kSmall (another lane)      by the holder of both lanes; the other has no operation
//   kSmall -> kSpanRetired -> kFree      by the lane when every block is free; then by anyone
//   kSmall, claimed by another lane, which empties it: see other_lanes.cc
//   runs, claim (run-1, run-2): the bodies ascending, kFree -> kRunBody; the head last,
//         kFree -> kRunHead
//         retire (run-4): kRunHead -> kRunRetired
//         give back (run-5 to run-7): the head first, kRunRetired -> kRunBody; the bodies -> kFree;
//         the head last
// The steps run-0 to run-7 and their argument stand in docs/concurrency.md.
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
};

struct SpanWord {
  SpanKind kind = SpanKind::kFree;
  std::uint8_t size_class = 0;  // Or the tag of a retired one.
  std::uint16_t lane = 0;
  // Spans of a run, or the run's first span; of a small span, the lane that empties it, plus one.
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

}  // namespace commy::alloc
