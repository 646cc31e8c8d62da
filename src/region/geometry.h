// The sizes and places that a store has from its creation, as plain numbers.
//
// A participant copies them out of the header once, checks them, and uses the copy from then on,
// so that a later write into the header cannot lead it astray.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "region/layout.h"

namespace commy::region {

inline constexpr std::uint64_t kSpanBytesMin = 4096;
inline constexpr std::uint64_t kSpanBytesMax = std::uint64_t{1} << 20;

// The choices at creation. Small chunks, spans and segments are for tests, where rare paths (full
// spans, splits, growth) should happen often.
struct CreateOptions {
  std::uint64_t max_size_bytes = std::uint64_t{64} << 30;
  std::uint64_t chunk_bytes = std::uint64_t{2} << 20;
  std::uint64_t span_bytes = std::uint64_t{64} << 10;
  std::uint64_t participant_count = 256;
  std::uint64_t thread_count = 4096;
  std::uint64_t snapshot_count = 1024;
  std::uint32_t segment_buckets = 31;
  std::uint64_t stale_after_ns = 5'000'000'000;
  std::uint64_t operation_timeout_ns = 60'000'000'000;
  std::uint64_t heartbeat_interval_ns = 1'000'000'000;
  std::optional<std::uint64_t> hash_seed = std::nullopt;  // Random, if none is given.
};

struct Geometry {
  std::uint64_t max_size_bytes = 0;
  std::uint64_t chunk_bytes = 0;
  std::uint64_t span_bytes = 0;
  std::uint32_t span_shift = 0;
  std::uint64_t participants_offset = 0;
  std::uint32_t participant_count = 0;
  std::uint64_t lanes_offset = 0;
  std::uint32_t lane_count = 0;
  std::uint32_t thread_count = 0;  // The lanes but those that only recovery may take.
  std::uint64_t snapshots_offset = 0;
  std::uint32_t snapshot_count = 0;
  std::uint64_t span_words_offset = 0;
  std::uint64_t span_count_max = 0;
  std::uint64_t data_offset = 0;
  std::uint32_t segment_buckets = 0;
  std::uint64_t hash_seed = 0;
  std::uint64_t stale_after_ns = 0;
  std::uint64_t operation_timeout_ns = 0;
  std::uint64_t heartbeat_interval_ns = 0;
};

// Fills in the constant part of a header for a new store. InvalidArgument names the option that
// is out of its range.
absl::Status MakeHeader(const CreateOptions& options, RegionHeader& header);

// Checks the constant part of `header` (a private copy).
// InvalidArgument: not a store. FailedPrecondition: a version that this code does not know.
// DataLoss: damaged or cut short. Each message says what was expected and found.
absl::StatusOr<Geometry> ReadConstantHeader(const RegionHeader& header);
// And whether a file of `file_bytes` bytes holds the spans that the header counts.
absl::StatusOr<Geometry> ReadHeader(const RegionHeader& header, std::uint64_t file_bytes);

}  // namespace commy::region
