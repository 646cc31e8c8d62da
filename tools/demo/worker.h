// One process of the demo, in its role, until Counters::stop is set.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

#include "demo/dataset.h"

namespace commy::tools::demo {

inline constexpr std::string_view kCounterNamespace = "demo/counters";
inline constexpr std::string_view kCounterKey = "adds";

struct WorkerArguments {
  std::string store;
  int counters_fd = -1;
  std::size_t part = 0;  // Index into kParts.
  DatasetFiles files;
};

// Errors that end it early, besides what it counts as wrong in its counters.
absl::Status RunWorker(const WorkerArguments& arguments);

}  // namespace commy::tools::demo
