// The parts of a hash index besides those that every index has. See hash_shape.h for their use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/slots.h"

namespace commy::index {

//   0x00   8  depth         the directory has 2^depth entries, by the top bits of the hash
//   0x08   8  bucket_count  of each of its segments: at most the store's
//   0x40      entries       offsets of segments; an entry never goes back to 0
struct Directory {
  std::uint64_t depth;
  std::uint64_t bucket_count;
  std::uint8_t reserved_0[0x30];
};
static_assert(sizeof(Directory) == 0x40);

//   0x00   8  depth         how many top bits of the hash all its keys share
//   0x08   8  prefix        these bits, at the top
//   0x10   8  bucket_count  as in the directory
//   0x18   8  mark          0, or there are versions or tombstones to sweep: see kSweepNeeded
//   0x20   8  due           when something in it expires: see kDueClaim
//   0x40      buckets of 16 slots
struct Segment {
  std::uint64_t depth;
  std::uint64_t prefix;
  std::uint64_t bucket_count;
  Shared64 mark;
  Shared64 due;
  std::uint8_t reserved_0[0x18];
};
static_assert(sizeof(Segment) == 0x40);

inline constexpr std::uint64_t kSlotsPerBucket = 16;
inline constexpr std::uint64_t kBucketBytes = kSlotsPerBucket * sizeof(Shared64);
static_assert(kBucketBytes % 64 == 0);  // On cache lines of its own.

enum class ReshapeKind : std::uint64_t {
  kSplit = 1,
  kRebuild = 2,
  kDouble = 3,
  kMerge = 4,
  kMoveDirectory = 5,
};

// A reshape that was posted in a root's `pending_reshape`. Immutable.
//
//   0x00   8  kind
//   0x08   8  old        the segment, or directory, that is replaced; of a merge the lower one
//   0x10   8  target_0   its replacement; zeroed when it was posted
//   0x18   8  target_1   second half of a split; of a merge what replaces `old` alone, if a bucket
//                        of target_0 would be too small
//   0x20   8  old_1      of a merge the upper segment
//   0x28   8  target_2   of a merge what replaces old_1 alone, likewise
//   0x30   8  depth      of a merge: of both old ones
//   0x38   8  prefix     of a merge: of the lower one
struct ReshapeDescriptor {
  std::uint64_t kind;
  std::uint64_t old;
  std::uint64_t target_0;
  std::uint64_t target_1;
  std::uint64_t old_1;
  std::uint64_t target_2;
  std::uint64_t depth;
  std::uint64_t prefix;
};
static_assert(sizeof(ReshapeDescriptor) == 0x40);

inline constexpr std::uint64_t kDepthMax = kHashPrefixBits - 1;

// Which half of a split of a segment of `depth` a slot goes to.
constexpr std::uint64_t SplitSide(std::uint64_t word, std::uint64_t depth) {
  COMMY_DCHECK(depth <= kDepthMax);
  return (word >> (36U + kHashPrefixBits - 1U - depth)) & 1U;
}

constexpr std::uint64_t DirectoryIndex(std::uint64_t hash, std::uint64_t depth) {
  return depth == 0 ? 0 : hash >> (64U - depth);
}
constexpr std::uint64_t BucketIndex(std::uint64_t hash, std::uint64_t bucket_count) {
  return ((hash & 0xffffffffU) * bucket_count) >> 32U;
}
constexpr std::uint64_t SegmentBytes(std::uint64_t bucket_count) {
  return sizeof(Segment) + bucket_count * kBucketBytes;
}
constexpr std::uint64_t DirectoryBytes(std::uint64_t depth) {
  return sizeof(Directory) + (std::uint64_t{8} << depth);
}

}  // namespace commy::index
