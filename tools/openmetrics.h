// The output of `commy stat --format openmetrics`: the text format of OpenMetrics 1.0, which
// Prometheus collects (from a file, by its node exporter, or from a script).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/info.h"

namespace commy::tools {

// Gauges of the store, its participants (labels slot, pid, name, state), its namespaces (label
// namespace) and its quotas of paths (label path). Counters of commits and of the operations that
// each participant began. A participant entry may get another owner: its counter then restarts with
// that owner's pid.
//
// In the value of a label (a path, a name) a byte that is not UTF-8 is \xHH and a backslash is \\.
// The format's own escapes come after that. Different namespaces therefore have different labels,
// from which the names can be restored.
std::string ToOpenMetrics(const StoreStats& stats, const absl::StatusOr<MemoryInfo>& memory,
                          const std::vector<ParticipantInfo>& participants,
                          const std::vector<NamespaceInfo>& namespaces);

}  // namespace commy::tools
