// What `commy stat --format openmetrics` prints: the text format of OpenMetrics 1.0, which
// Prometheus collects (from a file, by its node exporter, or from a script).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/info.h"

namespace commy::tools {

// Gauges of the store, its participants (labels slot, pid, name, state) and its namespaces (label
// namespace); counters of commits and of the operations that each participant began. Participants
// come and go with their slots: a counter of one starts anew with its next owner's pid.
//
// In the value of a label (a path, a name) a byte that is not UTF-8 is \xHH and a backslash is \\,
// and only then come the format's own escapes: different namespaces have different labels, which
// can be read back.
std::string ToOpenMetrics(const StoreStats& stats, const absl::StatusOr<MemoryInfo>& memory,
                          const std::vector<ParticipantInfo>& participants,
                          const std::vector<NamespaceInfo>& namespaces);

}  // namespace commy::tools
