// The pace of a copy: its progress for the caller, and its limit of bytes a second.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "packing/copy.h"
#include "platform/platform.h"
#include "region/region.h"

namespace commy::packing {

class Pace {
 public:
  // `total`: the keys that there are, about.
  Pace(platform::Platform& platform, std::uint64_t bytes_per_second, const Progress& progress,
       std::uint64_t total)
      : platform_(platform),
        bytes_per_second_(bytes_per_second),
        progress_(progress),
        total_(total),
        begun_ns_(platform.MonotonicNs()) {}

  // `keys` were copied so far, and `bytes` since the last call. Waits where the limit wants it, and
  // writes what was copied to disk, so that it does not go there all at once. Cancelled.
  absl::Status Step(region::Region& target, std::uint64_t keys, std::uint64_t bytes);
  // All were copied.
  absl::Status Finish(std::uint64_t keys);

 private:
  absl::Status Tell(std::uint64_t keys, std::uint64_t total);

  platform::Platform& platform_;
  const std::uint64_t bytes_per_second_;
  const Progress& progress_;
  const std::uint64_t total_;
  const std::int64_t begun_ns_;
  std::int64_t told_ns_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t unsynced_bytes_ = 0;
};

}  // namespace commy::packing
