// Whether a value is as new as it must be.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

#include "demo/counters.h"
#include "demo/stamped_value.h"

namespace commy::tools::demo {

// Checks the round of the value that key number `index` had: not older than what had been
// acknowledged `before` it was read, not newer than what was being written `after`. DataLoss: an
// acknowledged write was lost, or a value came from nowhere.
absl::Status CheckFresh(std::string_view key, Stamp stamp, std::size_t index, WriterProgress before,
                        WriterProgress after);

}  // namespace commy::tools::demo
