// One process of the stress job.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "commy/commy.h"
#include "stress_log.h"

namespace commy::stress {

inline constexpr std::string_view kNamespace = "stress/keys";
inline constexpr std::string_view kCounterKey = "counter";

std::string OwnKey(std::size_t slot, std::size_t number);

// Works until the log's stop flag is set. Wrong values are counted in the log; the error is the
// reason for an early end.
absl::Status RunWorker(const std::string& path, StressLog& log, std::size_t slot,
                       std::uint64_t incarnation);

// Reads an own key and compares it with the log. DataLoss: its state is impossible.
absl::Status CheckOwnKey(const Namespace& ns, const StressLog& log, std::size_t slot,
                         std::size_t number);

// Verifies a value of a shared key. DataLoss: no process wrote it there.
absl::Status CheckSharedValue(std::string_view key, std::string_view value, const StressLog& log);

}  // namespace commy::stress
