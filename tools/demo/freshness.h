// Whether a value is recent enough.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

#include "demo/counters.h"
#include "demo/stamped_value.h"

namespace commy::tools::demo {

// Checks the round in a value of key number `index`. It must not be older than the round
// acknowledged `before` the read, nor newer than the one being written `after` it. DataLoss: an
// acknowledged write was lost, or the value was never written.
absl::Status CheckFresh(std::string_view key, Stamp stamp, std::size_t index, WriterProgress before,
                        WriterProgress after);

}  // namespace commy::tools::demo
