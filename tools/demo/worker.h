// One process of the demo, in its role, until the director says stop.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

#include "demo/corpus.h"

namespace commy::tools::demo {

inline constexpr std::string_view kCounterNamespace = "demo/counters";
inline constexpr std::string_view kCounterKey = "adds";

struct WorkerArguments {
  std::string store;
  int panel_fd = -1;
  std::size_t part = 0;  // Index into kParts.
  CorpusFiles files;
};

// Errors that end it early, besides what it counts as wrong in its panel.
absl::Status RunWorker(const WorkerArguments& arguments);

}  // namespace commy::tools::demo
