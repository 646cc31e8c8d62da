// The state byte that every small block has in its span's header, and the reclamation tags.
//
//   0        not a block       1  free      2  used      3  evacuated: the span is being emptied
//   4..129   retired at epoch; the tag is epoch mod 126
//
//   free    -> used      CAS, only by the lane that owns the span. It has looked that it does under
//                        the same pin, and has noted the block before.
//   used    -> retired   CAS, by any thread that was pinned before the block was unlinked; a thread
//                        that finds it retired already is done
//   retired -> used      CAS, likewise, when the epoch (read under that pin) is two ahead
//   retired -> free      CAS, by any pinned thread, under the same condition: see leaving.cc
//   free, retired -> evacuated -> free, retired   CAS, by the lane that has claimed the span: see
//                        other_lanes.cc
//
// The pin of the reclaiming thread keeps the epoch from moving more than one while it compares, so
// that a tag cannot come round unseen. An age of 125 is a tag one ahead of the reader's epoch.
#pragma once

#include <cstdint>

namespace commy::alloc {

using BlockState = std::uint8_t;

inline constexpr BlockState kNotABlock = 0;
inline constexpr BlockState kFree = 1;
inline constexpr BlockState kUsed = 2;
inline constexpr BlockState kEvacuated = 3;
// Eight states at once, which are loaded as one word.
inline constexpr std::uint64_t kAllUsed = 0x0202020202020202;
inline constexpr BlockState kRetiredFirst = 4;
inline constexpr std::uint64_t kTagCount = 126;
inline constexpr BlockState kRetiredLast = kRetiredFirst + kTagCount - 1;

constexpr std::uint8_t EpochTag(std::uint64_t epoch) {
  return static_cast<std::uint8_t>(epoch % kTagCount);
}
// Whether something retired under `tag` may be reused at `epoch`.
constexpr bool IsOldEnough(std::uint8_t tag, std::uint64_t epoch) {
  const std::uint64_t age = (epoch % kTagCount + kTagCount - tag) % kTagCount;
  return age >= 2 && age <= kTagCount - 2;
}
// For a span or a run. Its tag is read before the CAS that gives it up, so it may be one behind:
// one epoch more than for a block.
constexpr bool IsSpanOldEnough(std::uint8_t tag, std::uint64_t epoch) {
  return IsOldEnough(tag, epoch) && IsOldEnough(tag, epoch - 1);
}
constexpr BlockState RetiredAt(std::uint64_t epoch) {
  return static_cast<BlockState>(kRetiredFirst + EpochTag(epoch));
}
constexpr bool IsRetired(BlockState state) {
  return state >= kRetiredFirst && state <= kRetiredLast;
}
constexpr bool IsReusable(BlockState state, std::uint64_t epoch) {
  return state == kFree ||
         (IsRetired(state) && IsOldEnough(static_cast<std::uint8_t>(state - kRetiredFirst), epoch));
}

static_assert(kRetiredLast == 129);
// Two epochs behind, at least; a tag that is one ahead, of a newer epoch, is no old one.
static_assert(!IsOldEnough(EpochTag(200), 200) && !IsOldEnough(EpochTag(200), 201));
static_assert(IsOldEnough(EpochTag(200), 202) && IsOldEnough(EpochTag(200), 200 + kTagCount - 2));
static_assert(!IsOldEnough(EpochTag(200), 199));

}  // namespace commy::alloc
