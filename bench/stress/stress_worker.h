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

// Works until the log says stop. Wrong values are counted in the log; the error is what ended it
// early.
absl::Status RunWorker(const std::string& path, StressLog& log, std::size_t slot,
                       std::uint64_t incarnation);

// Reads an own key and compares it with the log. DataLoss: it is not as it may be.
absl::Status CheckOwnKey(const Namespace& ns, const StressLog& log, std::size_t slot,
                         std::size_t number);

// Verifies a value of a shared key. DataLoss: it is not what any process wrote there.
absl::Status CheckSharedValue(std::string_view key, std::string_view value, const StressLog& log);

}  // namespace commy::stress
