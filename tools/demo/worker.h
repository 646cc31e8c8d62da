// One process of the demo, which works in its role until Counters::stop is set.
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

// An error that ended it early. Wrong values only count in its counters.
absl::Status RunWorker(const WorkerArguments& arguments);

}  // namespace commy::tools::demo
