#include "index/hash/builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

namespace commy::index {
namespace {

// The last hash of the segment of this depth that begins at `from`.
constexpr std::uint64_t LastOf(std::uint64_t from, std::uint64_t depth) {
  return depth == 0 ? UINT64_MAX : from + ((std::uint64_t{1} << (64U - depth)) - 1);
}

// Of fewer keys an index is small, whatever it is made of.
constexpr std::uint64_t kManyKeys = 2000;
// Smaller segments are filled more evenly, but an index of them is split more often when it grows.
constexpr std::uint64_t kBucketsPart = 3;

// The share of buckets that get more keys than they have slots, of this many keys on average, which
// are spread at random (a Poisson distribution).
double ShareOfOverfull(double keys) {
  double term = std::exp(-keys);
  double sum = term;
  for (std::uint64_t i = 1; i <= kSlotsPerBucket; ++i) {
    term *= keys / static_cast<double>(i);
    sum += term;
  }
  return std::max(0.0, 1 - sum);
}

}  // namespace

HashBuilder::HashBuilder(HashShape& shape, std::uint64_t keys)
    : shape_(shape), bucket_count_(BucketsFor(keys)) {}

double HashBuilder::BytesOfSegment(std::uint64_t buckets) const {
  const alloc::SizeClasses& classes = shape_.allocator_.classes();
  const std::uint64_t bytes = SegmentBytes(buckets);
  return static_cast<double>(
      bytes > classes.small_bytes_max() ? bytes : classes.at(classes.ClassFor(bytes)).block_bytes);
}

std::uint64_t HashBuilder::BucketsFor(std::uint64_t keys) const {
  const std::uint64_t most = shape_.bucket_count_;
  std::uint64_t best = most;
  double least = std::numeric_limits<double>::max();
  for (std::uint64_t depth = 1; keys >= kManyKeys && (keys >> depth) != 0; ++depth) {
    const auto segments = static_cast<double>(std::uint64_t{1} << depth);
    for (std::uint64_t buckets = base::RoundUp(most, kBucketsPart) / kBucketsPart; buckets <= most;
         ++buckets) {
      const double each = static_cast<double>(keys) / segments / static_cast<double>(buckets);
      // A segment with a bucket that is too full becomes two.
      const double fits = std::pow(1 - ShareOfOverfull(each), static_cast<double>(buckets));
      const double bytes = segments * (2 - fits) * BytesOfSegment(buckets);
      // (With more keys they would become four.)
      if (each < kSlotsPerBucket && bytes < least) {
        least = bytes;
        best = buckets;
      }
    }
  }
  return best;
}

absl::Status HashBuilder::PassTo(process::Operation& op, std::uint64_t hash) {
  if (hash == 0) {
    return Make(op, UINT64_MAX);
  }
  COMMY_DCHECK(hash >= passed_);
  passed_ = hash;
  return Make(op, hash - 1);
}

std::size_t HashBuilder::CountOf(std::uint64_t depth) const {
  const std::uint64_t last = LastOf(from_, depth);
  return static_cast<std::size_t>(
      std::partition_point(pending_.begin(), pending_.end(),
                           [&](const Pending& each) { return each.hash <= last; }) -
      pending_.begin());
}

bool HashBuilder::FitsASegment(std::size_t count) const {
  if (count > bucket_count_ * kSlotsPerBucket) {
    return false;
  }
  std::array<std::uint8_t, 256> used{};
  return std::all_of(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count),
                     [&](const Pending& each) {
                       const std::uint64_t bucket = BucketIndex(each.hash, bucket_count_);
                       return ++used.at(bucket) <= kSlotsPerBucket;
                     });
}

absl::Status HashBuilder::Make(process::Operation& op, std::uint64_t last) {
  std::sort(pending_.begin(), pending_.end(),
            [](const Pending& a, const Pending& b) { return a.hash < b.hash; });
  while (!complete_) {
    // Of the depths that a segment at this place can have, the least that its keys allow.
    std::uint64_t depth =
        from_ == 0 ? 0 : 64U - static_cast<std::uint64_t>(std::countr_zero(from_));
    std::size_t count = CountOf(depth);
    while (!FitsASegment(count)) {
      if (++depth > shape_.depth_max_) {
        return base::ResourceExhausted(shape_.region_.path(),
                                       ": too many keys of one namespace have the same hash; the ",
                                       "directory is at its depth bound, ", shape_.depth_max_);
      }
      count = CountOf(depth);
    }
    if (LastOf(from_, depth) > last) {
      return absl::OkStatus();  // More of its keys may come.
    }
    COMMY_RETURN_IF_ERROR(MakeSegment(op, depth, count));
  }
  COMMY_DCHECK(pending_.empty());
  return absl::OkStatus();
}

absl::Status HashBuilder::MakeSegment(process::Operation& op, std::uint64_t depth,
                                      std::size_t count) {
  const std::uint32_t notes = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         shape_.BuildSegment(op, bucket_count_, depth, from_));
  COMMY_ASSIGN_OR_RETURN(Segment * segment, shape_.SegmentAt(offset));
  op.DropNotes(notes);
  std::array<std::uint8_t, 256> used{};
  std::uint64_t due = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Pending& each = pending_[i];
    const std::uint64_t bucket = BucketIndex(each.hash, bucket_count_);
    COMMY_DCHECK(used.at(bucket) < kSlotsPerBucket);
    HashShape::Bucket(*segment, bucket)[used.at(bucket)++].store(
        PackSlot(each.hash, each.record_offset), std::memory_order_relaxed);
    if (each.due != 0 && (due == 0 || each.due < due)) {
      due = each.due;
    }
  }
  segment->due.store(due, std::memory_order_relaxed);
  if (due != 0 && (due_ == 0 || due < due_)) {
    due_ = due;
  }
  built_.push_back({offset, from_, depth});
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  from_ = LastOf(from_, depth) + 1;
  complete_ = from_ == 0;
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> HashBuilder::Finish(process::Operation& op) {
  COMMY_RETURN_IF_ERROR(Make(op, UINT64_MAX));
  std::uint64_t depth = 0;
  for (const Built& each : built_) {
    depth = std::max(depth, each.depth);
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         shape_.BuildDirectory(op, bucket_count_, depth));
  COMMY_ASSIGN_OR_RETURN(const HashShape::DirectoryRef directory, shape_.DirectoryAt(offset));
  for (const Built& each : built_) {
    const std::uint64_t first = DirectoryIndex(each.prefix, depth);
    const std::uint64_t count = std::uint64_t{1} << (depth - each.depth);
    for (std::uint64_t i = first; i < first + count; ++i) {
      directory.entries[i].store(each.offset, std::memory_order_relaxed);
    }
  }
  return offset;
}

}  // namespace commy::index
