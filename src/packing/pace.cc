#include "packing/pace.h"

#include <algorithm>

#include "base/status.h"

namespace commy::packing {
namespace {

constexpr std::int64_t kTellEveryNs = 20'000'000;
constexpr std::int64_t kWaitAtMostNs = 100'000'000;
constexpr std::uint64_t kSyncEveryBytes = std::uint64_t{16} << 20;

}  // namespace

absl::Status Pace::Tell(std::uint64_t keys, std::uint64_t total) {
  told_ns_ = platform_.MonotonicNs();
  return progress_ == nullptr || progress_(keys, total)
             ? absl::OkStatus()
             : absl::CancelledError("the copy was interrupted; nothing was kept");
}

absl::Status Pace::Step(region::Region& target, std::uint64_t keys, std::uint64_t bytes) {
  if (platform_.MonotonicNs() - told_ns_ >= kTellEveryNs) {
    COMMY_RETURN_IF_ERROR(Tell(std::min(keys, total_), total_));
  }
  if (bytes_per_second_ == 0) {
    return absl::OkStatus();
  }
  bytes_ += bytes;
  unsynced_bytes_ += bytes;
  if (unsynced_bytes_ >= kSyncEveryBytes) {
    unsynced_bytes_ = 0;
    COMMY_RETURN_IF_ERROR(target.Sync());
  }
  constexpr double kSecondNs = 1e9;
  const auto due_ns =
      begun_ns_ + static_cast<std::int64_t>(static_cast<double>(bytes_) /
                                            static_cast<double>(bytes_per_second_) * kSecondNs);
  for (std::int64_t now = platform_.MonotonicNs(); now < due_ns; now = platform_.MonotonicNs()) {
    const std::uint32_t word = 0;  // Nobody wakes it.
    platform_.FutexWait(&word, 0, std::min(due_ns - now, kWaitAtMostNs));
    COMMY_RETURN_IF_ERROR(Tell(std::min(keys, total_), total_));
  }
  return absl::OkStatus();
}

absl::Status Pace::Finish(std::uint64_t keys) {
  return Tell(keys, keys);
}

}  // namespace commy::packing
