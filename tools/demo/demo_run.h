// Runs the demo: starts its processes, kills one, stops one, and checks the result.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/info.h"
#include "demo/counters.h"
#include "demo/dataset.h"

namespace commy::tools::demo {

struct DemoOptions {
  std::string store;
  absl::Duration length = absl::Seconds(15);
  DatasetFiles files;
};

struct WorkerOutcome {
  std::uint64_t pid = 0;
  std::uint64_t operations = 0;
  std::uint64_t wrong = 0;
  std::string first_wrong;
  absl::Duration active;  // How long it was there to work.
  absl::Duration slowest;
  absl::Duration quantile_999;  // 99.9 % took less; an upper bound within a factor of 2.
};

// The work of the other processes after one was killed or stopped.
struct Survivors {
  absl::Duration watched;
  std::uint64_t operations = 0;
  std::uint64_t writes = 0;
  absl::Duration slowest;
};

struct DemoOutcome {
  std::size_t items = 0;
  std::array<std::size_t, kSourceCount> items_of{};
  std::uint64_t item_bytes = 0;  // Keys and values.
  absl::Duration elapsed;
  std::array<WorkerOutcome, kParts.size()> workers;

  absl::Duration killed_after;  // From the start.
  WriterProgress killed_at;
  absl::Duration takeover;  // From the kill to the next writer's first acknowledged put.
  Survivors after_kill;
  absl::Duration stopped_after;
  Survivors while_stopped;
  std::uint64_t file_bytes_before_stop = 0;
  std::uint64_t file_bytes_after_stop = 0;

  std::uint64_t rounds = 0;
  std::uint64_t values_read = 0;
  std::uint64_t wrong = 0;  // In all processes, and in the final check of every key.
  std::string first_wrong;
  std::int64_t counter = 0;
  std::uint64_t acknowledged_adds = 0;
  CheckReport check;
  StoreStats stats;

  [[nodiscard]] bool as_promised() const {
    return wrong == 0 && static_cast<std::uint64_t>(counter) == acknowledged_adds && check.sound();
  }
};

// Cancelled: Ctrl-C. Any other error: the demo could not be completed.
absl::StatusOr<DemoOutcome> RunDemo(const DemoOptions& options);

}  // namespace commy::tools::demo
