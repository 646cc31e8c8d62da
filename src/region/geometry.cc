#include "region/geometry.h"

#include <algorithm>
#include <bit>

#include "absl/time/time.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/status.h"
#include "platform/platform.h"

namespace commy::region {
namespace {

using base::AlignUp;
using platform::kLargePageBytes;

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint32_t kSlotLimit = 65534;  // Owners are kept in 16 bits, plus one.
constexpr std::uint32_t kSnapshotLimit = 1U << 20U;
// Kept for recovery, which could otherwise find every lane held by the dead (at most an eighth).
constexpr std::uint32_t kRecoveryLanes = 8;

constexpr std::uint32_t ThreadsOf(std::uint32_t lanes) {
  return lanes - std::min(lanes / 8, kRecoveryLanes);
}
// The most lanes of which `threads` are for threads.
constexpr std::uint32_t LanesFor(std::uint32_t threads) {
  return threads + std::min(threads / 7, kRecoveryLanes);
}
static_assert(ThreadsOf(LanesFor(4)) == 4 && ThreadsOf(LanesFor(55)) == 55);
static_assert(ThreadsOf(LanesFor(56)) == 56 && LanesFor(ThreadsOf(kSlotLimit)) == kSlotLimit);

struct Places {
  std::uint64_t participants;
  std::uint64_t lanes;
  std::uint64_t snapshots;
  std::uint64_t span_words;
  std::uint64_t data;
};

// Where the parts of the file lie. All inputs are within their ranges, so nothing overflows.
Places Place(const RegionHeader& header) {
  COMMY_DCHECK(base::IsPowerOfTwo(header.span_bytes));
  Places at{};
  at.participants = kKeyWaitWordsOffset + kKeyWaitWordCount * sizeof(Shared32);
  at.lanes =
      AlignUp(at.participants + std::uint64_t{header.participant_count} * sizeof(ParticipantEntry),
              kPageBytes);
  at.snapshots =
      AlignUp(at.lanes + std::uint64_t{header.lane_count} * sizeof(LaneLayout), kPageBytes);
  at.span_words = AlignUp(
      at.snapshots + std::uint64_t{header.snapshot_count} * sizeof(SnapshotEntry), kPageBytes);
  const std::uint64_t span_words = header.max_size_bytes / header.span_bytes;
  // Growth by whole large pages, from such a place on, lets all of the data lie in large pages.
  const std::uint64_t alignment =
      header.chunk_bytes % kLargePageBytes == 0 ? kLargePageBytes : header.span_bytes;
  at.data = AlignUp(at.span_words + span_words * sizeof(Shared64), alignment);
  COMMY_DCHECK(at.participants < at.lanes && at.lanes < at.snapshots);
  COMMY_DCHECK(at.snapshots < at.span_words && at.span_words <= at.data);
  COMMY_DCHECK(base::IsAligned(at.data, header.span_bytes));
  return at;
}

absl::Status CheckRange(const char* name, std::uint64_t value, std::uint64_t low,
                        std::uint64_t high) {
  if (value < low || value > high) {
    return base::InvalidArgument(name, " is ", value, "; it must be from ", low, " to ", high);
  }
  return absl::OkStatus();
}

absl::Status CheckTime(const char* name, std::uint64_t value_ns) {
  constexpr absl::Duration kLow = absl::Milliseconds(1);
  constexpr absl::Duration kHigh = absl::Hours(24);
  const absl::Duration value = absl::Nanoseconds(value_ns);
  if (value < kLow || value > kHigh) {
    return base::InvalidArgument(name, " is ", absl::FormatDuration(value), "; it must be from ",
                                 absl::FormatDuration(kLow), " to ", absl::FormatDuration(kHigh));
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const RegionHeader& header) {
  if (header.max_size_bytes > kMaxSizeLimitBytes) {
    return base::InvalidArgument("max_size is ", header.max_size_bytes,
                                 " bytes; it must be at most ", kMaxSizeLimitBytes);
  }
  COMMY_RETURN_IF_ERROR(CheckRange("span_bytes", header.span_bytes, kSpanBytesMin, kSpanBytesMax));
  if (!base::IsPowerOfTwo(header.span_bytes)) {
    return base::InvalidArgument("span_bytes is ", header.span_bytes, "; it must be a power of 2");
  }
  COMMY_RETURN_IF_ERROR(
      CheckRange("chunk_bytes", header.chunk_bytes, header.span_bytes, std::uint64_t{1} << 30U));
  if (header.chunk_bytes % header.span_bytes != 0) {
    return base::InvalidArgument("chunk_bytes is ", header.chunk_bytes,
                                 "; it must be a multiple of span_bytes, ", header.span_bytes);
  }
  if (header.max_size_bytes / header.span_bytes > kSpanCountLimit) {
    return base::InvalidArgument("max_size is ", header.max_size_bytes, "; with spans of ",
                                 header.span_bytes, " bytes it can be at most ",
                                 kSpanCountLimit * header.span_bytes);
  }
  COMMY_RETURN_IF_ERROR(CheckRange("participant_count", header.participant_count, 1, kSlotLimit));
  COMMY_RETURN_IF_ERROR(CheckRange("lane_count", header.lane_count, 4, kSlotLimit));
  COMMY_RETURN_IF_ERROR(CheckRange("snapshot_count", header.snapshot_count, 1, kSnapshotLimit));
  return CheckRange("segment_buckets", header.segment_buckets, 1, 255);
}

// By the names that they have in Options, before they are cut to the width of the header's fields.
absl::Status CheckCounts(const CreateOptions& options) {
  COMMY_RETURN_IF_ERROR(CheckRange("participants", options.participant_count, 1, kSlotLimit));
  COMMY_RETURN_IF_ERROR(CheckRange("threads", options.thread_count, 4, ThreadsOf(kSlotLimit)));
  return CheckRange("snapshots", options.snapshot_count, 1, kSnapshotLimit);
}

absl::Status CheckTimes(const RegionHeader& header) {
  COMMY_RETURN_IF_ERROR(CheckTime("stale_after", header.stale_after_ns));
  COMMY_RETURN_IF_ERROR(CheckTime("operation_timeout", header.operation_timeout_ns));
  return CheckTime("heartbeat_interval", header.heartbeat_interval_ns);
}

std::uint64_t ConstantChecksum(const RegionHeader& header) {
  return base::Checksum(&header, kConstantHeaderBytes);
}

}  // namespace

absl::Status MakeHeader(const CreateOptions& options, RegionHeader& header) {
  header.magic = kMagic;
  header.format_version = kFormatVersion;
  header.header_bytes = kHeaderBytes;
  header.max_size_bytes = options.max_size_bytes;
  header.chunk_bytes = options.chunk_bytes;
  header.span_bytes = options.span_bytes;
  COMMY_RETURN_IF_ERROR(CheckCounts(options));
  header.participant_count = static_cast<std::uint32_t>(options.participant_count);
  header.lane_count = LanesFor(static_cast<std::uint32_t>(options.thread_count));
  header.snapshot_count = static_cast<std::uint32_t>(options.snapshot_count);
  header.segment_buckets = options.segment_buckets;
  header.stale_after_ns = options.stale_after_ns;
  header.operation_timeout_ns = options.operation_timeout_ns;
  header.heartbeat_interval_ns = options.heartbeat_interval_ns;
  COMMY_RETURN_IF_ERROR(CheckSizes(header));
  COMMY_RETURN_IF_ERROR(CheckTimes(header));
  const Places at = Place(header);
  if (at.data + 2 * header.chunk_bytes > header.max_size_bytes) {
    return base::InvalidArgument(
        "a max_size of ", header.max_size_bytes, " bytes is too small: with ",
        header.participant_count, " participants, ", ThreadsOf(header.lane_count), " threads and ",
        header.snapshot_count, " snapshots it must be at least ", at.data + 2 * header.chunk_bytes);
  }
  header.participants_offset = at.participants;
  header.lanes_offset = at.lanes;
  header.snapshots_offset = at.snapshots;
  header.span_words_offset = at.span_words;
  header.data_offset = at.data;
  header.checksum = ConstantChecksum(header);
  COMMY_DCHECK_EXPENSIVE(ReadConstantHeader(header).ok());
  return absl::OkStatus();
}

absl::StatusOr<Geometry> ReadConstantHeader(const RegionHeader& header) {
  if (header.magic != kMagic) {
    return base::InvalidArgument("not a Commy store: it starts with ", base::Hex(header.magic),
                                 ", expected ", base::Hex(kMagic));
  }
  if (header.format_version != kFormatVersion) {
    return base::FailedPrecondition("format version ", header.format_version,
                                    "; this library knows version ", kFormatVersion);
  }
  if (header.checksum != ConstantChecksum(header)) {
    return base::DataLoss("the header is damaged: its checksum is ",
                          base::Hex(ConstantChecksum(header)), ", it says ",
                          base::Hex(header.checksum), "; `commy recover` saves what verifies");
  }
  COMMY_RETURN_IF_ERROR(CheckSizes(header));
  COMMY_RETURN_IF_ERROR(CheckTimes(header));
  const Places at = Place(header);
  if (header.participants_offset != at.participants || header.lanes_offset != at.lanes ||
      header.snapshots_offset != at.snapshots || header.span_words_offset != at.span_words ||
      header.data_offset != at.data || header.header_bytes != kHeaderBytes) {
    return base::DataLoss("the header contradicts itself: the places that it gives are not those ",
                          "that its sizes give");
  }
  Geometry geometry;
  geometry.max_size_bytes = header.max_size_bytes;
  geometry.chunk_bytes = header.chunk_bytes;
  geometry.span_bytes = header.span_bytes;
  geometry.span_shift = static_cast<std::uint32_t>(std::countr_zero(header.span_bytes));
  geometry.participants_offset = at.participants;
  geometry.participant_count = header.participant_count;
  geometry.lanes_offset = at.lanes;
  geometry.lane_count = header.lane_count;
  geometry.thread_count = ThreadsOf(header.lane_count);
  geometry.snapshots_offset = at.snapshots;
  geometry.snapshot_count = header.snapshot_count;
  geometry.span_words_offset = at.span_words;
  geometry.span_count_max = (header.max_size_bytes - at.data) / header.span_bytes;
  geometry.data_offset = at.data;
  geometry.segment_buckets = header.segment_buckets;
  geometry.hash_seed = header.hash_seed;
  geometry.stale_after_ns = header.stale_after_ns;
  geometry.operation_timeout_ns = header.operation_timeout_ns;
  geometry.heartbeat_interval_ns = header.heartbeat_interval_ns;
  return geometry;
}

absl::StatusOr<Geometry> ReadHeader(const RegionHeader& header, std::uint64_t file_bytes) {
  COMMY_ASSIGN_OR_RETURN(const Geometry geometry, ReadConstantHeader(header));
  const std::uint64_t size_bytes = header.size_bytes.load(std::memory_order_relaxed);
  if (size_bytes < geometry.data_offset || size_bytes > geometry.max_size_bytes ||
      size_bytes > file_bytes || (size_bytes - geometry.data_offset) % geometry.span_bytes != 0) {
    return base::DataLoss("the file is cut short or damaged: it has ", file_bytes,
                          " bytes, its header says ", size_bytes,
                          "; `commy recover` saves what verifies");
  }
  return geometry;
}

}  // namespace commy::region
