// Room in the file: reserving it, making it larger, and in which pages it lies.
#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"
#include "region/about.h"
#include "region/region.h"

namespace commy::region {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

// The piece that is published at once. It is small, so that no thread waits long for it where each
// page is small or where the machine must first find memory for it.
std::uint64_t PieceBytes(const Geometry& geometry) {
  const std::uint64_t piece = std::max(geometry.span_bytes, std::uint64_t{256} << 10);
  return geometry.chunk_bytes % piece == 0 ? piece : geometry.chunk_bytes;
}

}  // namespace

std::vector<Region::Range> Region::RangesInUse(const Geometry& geometry, const RegionHeader& header,
                                               std::uint64_t length_bytes) {
  const std::uint64_t lanes = std::min<std::uint64_t>(
      header.lanes_ready.load(std::memory_order_relaxed), geometry.lane_count);
  const std::uint64_t data_end =
      std::clamp(header.size_bytes.load(std::memory_order_relaxed), geometry.data_offset,
                 std::max(length_bytes, geometry.data_offset));
  COMMY_DCHECK(data_end >= geometry.data_offset);
  const std::uint64_t spans = (data_end - geometry.data_offset) >> geometry.span_shift;
  return {{0, base::AlignUp(geometry.lanes_offset + lanes * sizeof(LaneLayout), kPageBytes)},
          {geometry.snapshots_offset, geometry.span_words_offset},
          {geometry.span_words_offset & ~(kPageBytes - 1),
           base::AlignUp(geometry.span_words_offset + spans * sizeof(Shared64), kPageBytes)},
          {geometry.data_offset, data_end}};
}

absl::Status Region::ReserveAgain(const RegionHeader& header) {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd_.fd()));
  const std::vector<Range> ranges = RangesInUse(geometry_, header, facts.size_bytes);
  // Any part of the file behind the data in use may have blocks, or none; so all of it is expected.
  std::uint64_t expected_bytes = std::max(facts.size_bytes, ranges.back().end) - ranges.back().end;
  for (const Range& range : ranges) {
    COMMY_DCHECK(range.begin <= range.end);
    expected_bytes += range.end - range.begin;
  }
  if (facts.disk_bytes >= expected_bytes) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<Range> spans, SpansWithBlocks(ranges.back()));
  for (const Range& range : spans) {
    expected_bytes += range.end - range.begin;
  }
  expected_bytes -= ranges.back().end - ranges.back().begin;
  if (facts.disk_bytes >= expected_bytes) {
    return absl::OkStatus();
  }
  for (std::size_t i = 0; i + 1 < ranges.size(); ++i) {
    COMMY_RETURN_IF_ERROR(platform_.Allocate(
        fd_.fd(), ranges[i].begin, std::min(ranges[i].end, facts.size_bytes) - ranges[i].begin));
  }
  for (const Range& range : spans) {
    COMMY_RETURN_IF_ERROR(platform_.Allocate(fd_.fd(), range.begin,
                                             std::min(range.end, facts.size_bytes) - range.begin));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Region::Range>> Region::SpansWithBlocks(const Range& data) const {
  constexpr std::uint64_t kWordsAtOnce = 8192;
  std::vector<Range> ranges;
  std::vector<std::uint64_t> words;
  const std::uint64_t count = (data.end - data.begin) >> geometry_.span_shift;
  for (std::uint64_t first = 0; first < count; first += kWordsAtOnce) {
    words.assign(std::min(kWordsAtOnce, count - first), 0);
    COMMY_RETURN_IF_ERROR(platform_
                              .ReadAt(fd_.fd(), words.data(), words.size() * sizeof(words[0]),
                                      geometry_.span_words_offset + first * sizeof(words[0]))
                              .status());
    for (std::uint64_t i = 0; i < words.size(); ++i) {
      const std::uint64_t begin = SpanOffset(first + i);
      if (IsHoleWord(words[i])) {
        continue;
      }
      if (!ranges.empty() && ranges.back().end == begin) {
        ranges.back().end += geometry_.span_bytes;
      } else {
        ranges.push_back({begin, begin + geometry_.span_bytes});
      }
    }
  }
  return ranges;
}

absl::Status Region::GiveBack(std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  if (alone_.valid()) {
    return base::FailedPrecondition(path_, ": this participant works on a copy in memory");
  }
  COMMY_DCHECK(offset_bytes >= geometry_.data_offset);
  COMMY_DCHECK(offset_bytes + size_bytes <= SpanOffset(geometry_.span_count_max));
  return About(path_, platform_.Punch(fd_.fd(), offset_bytes, size_bytes));
}

absl::Status Region::ReserveInside(std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  if (alone_.valid()) {
    return base::ResourceExhausted(path_, ": the disk is full");
  }
  COMMY_DCHECK(offset_bytes >= geometry_.data_offset);
  COMMY_RETURN_IF_ERROR(About(path_, platform_.Allocate(fd_.fd(), offset_bytes, size_bytes)));
  return About(path_, platform_.Populate(base_ + offset_bytes, size_bytes));
}

std::uint64_t Region::ReserveBytes() const {
  return reserves_memory_ ? PieceBytes(geometry_) : geometry_.chunk_bytes;
}

absl::Status Region::Grow(std::uint64_t seen_span_count, std::uint64_t span_count) {
  if (alone_.valid()) {
    return base::ResourceExhausted(path_, ": the disk is full");
  }
  COMMY_DCHECK(seen_span_count <= geometry_.span_count_max);
  COMMY_DCHECK(span_count != 0);
  const std::uint64_t seen_bytes = SpanOffset(seen_span_count);
  const std::uint64_t max_bytes = SpanOffset(geometry_.span_count_max);
  const std::uint64_t wanted = (seen_span_count + span_count) << geometry_.span_shift;
  const std::uint64_t end_bytes =
      std::min(geometry_.data_offset + base::RoundUp(wanted, PieceBytes(geometry_)), max_bytes);
  const std::uint64_t reserve_end_bytes =
      std::min(geometry_.data_offset + base::RoundUp(wanted, ReserveBytes()), max_bytes);
  if (end_bytes < geometry_.data_offset + wanted) {
    return base::ResourceExhausted(path_, ": the store has reached its max_size of ",
                                   geometry_.max_size_bytes, " bytes");
  }
  // What is published at the end has its disk blocks, and so does its word.
  COMMY_DCHECK(reserve_end_bytes >= end_bytes && end_bytes > seen_bytes);
  COMMY_DCHECK(base::IsAligned(end_bytes - geometry_.data_offset, geometry_.span_bytes));
  const std::uint64_t first_word = geometry_.span_words_offset + seen_span_count * sizeof(Shared64);
  const std::uint64_t words_begin = first_word & ~(kPageBytes - 1);
  const std::uint64_t words_end = base::AlignUp(
      first_word + ((reserve_end_bytes - seen_bytes) >> geometry_.span_shift) * sizeof(Shared64),
      kPageBytes);
  COMMY_DCHECK(words_begin >= geometry_.snapshots_offset && words_end > first_word);
  COMMY_RETURN_IF_ERROR(
      About(path_, platform_.Allocate(fd_.fd(), words_begin, words_end - words_begin)));
  COMMY_RETURN_IF_ERROR(
      About(path_, platform_.Allocate(fd_.fd(), seen_bytes, reserve_end_bytes - seen_bytes)));
  COMMY_RETURN_IF_ERROR(
      About(path_, platform_.Populate(base_ + words_begin, words_end - words_begin)));
  COMMY_RETURN_IF_ERROR(
      About(path_, platform_.Populate(base_ + seen_bytes, end_bytes - seen_bytes)));
  // growth-3. Its acquire is the load in span_count().
  std::uint64_t now = header().size_bytes.load(std::memory_order_acquire);
  while (now < end_bytes &&
         !header().size_bytes.compare_exchange(now, end_bytes, std::memory_order_acq_rel)) {
  }
  return absl::OkStatus();
}

void Region::PrepareToGrow(std::uint64_t seen_span_count) {
  const std::uint64_t begin =
      geometry_.data_offset +
      base::RoundUp((seen_span_count + 1) << geometry_.span_shift, ReserveBytes());
  if (alone_.valid() || begin + ReserveBytes() > SpanOffset(geometry_.span_count_max)) {
    return;
  }
  // Not before what comes first is reserved: it may be the last room on the disk.
  const absl::StatusOr<platform::FileFacts> facts = platform_.Describe(fd_.fd());
  if (facts.ok() && facts->size_bytes >= begin &&
      platform_.Allocate(fd_.fd(), begin, ReserveBytes()).ok()) {
    (void)platform_.Populate(base_ + begin, PieceBytes(geometry_));
  }
}

absl::Status Region::GrowLanes(std::uint32_t count) {
  COMMY_CHECK(count <= geometry_.lane_count);
  const std::uint64_t bytes = std::uint64_t{count} * sizeof(LaneLayout);
  if (!alone_.valid()) {
    COMMY_RETURN_IF_ERROR(
        About(path_, platform_.Allocate(fd_.fd(), geometry_.lanes_offset, bytes)));
  }
  COMMY_DCHECK(geometry_.lanes_offset + bytes <= geometry_.snapshots_offset);
  const std::uint64_t begin = geometry_.lanes_offset & ~(kPageBytes - 1);
  COMMY_RETURN_IF_ERROR(
      About(path_, platform_.Populate(base_ + begin, geometry_.lanes_offset + bytes - begin)));
  // Its acquire is the load in lanes_ready().
  std::uint64_t ready = header().lanes_ready.load(std::memory_order_acquire);
  while (ready < count &&
         !header().lanes_ready.compare_exchange(ready, count, std::memory_order_acq_rel)) {
  }
  return absl::OkStatus();
}

void Region::WishForLargePages() {
  // In a store that does not fit into memory, reading a key would read two megabytes, and displace
  // others for them. So at most a range of half the memory lies in large pages.
  const std::uint64_t end = std::min(geometry_.max_size_bytes, platform_.memory_bytes() / 2);
  // Not the front: large pages would fill the holes that it has on disk.
  if (end > geometry_.data_offset) {
    platform_.AdviseLargePages(base_ + geometry_.data_offset, end - geometry_.data_offset);
  }
}

}  // namespace commy::region
