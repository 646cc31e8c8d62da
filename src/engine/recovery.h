// Recovery of the work that a dead participant left in a lane.
#pragma once

#include "absl/status/status.h"

#include "engine/engine.h"

namespace commy::engine {

// recover-1: finishes what the lane had posted in its namespace, and wakes all that may wait for
// the change.
absl::Status FinishOperation(const Engine& engine, process::Operation& own,
                             region::LaneLayout& dead);
// recover-2: brings in the counter of the change that it published, and retires every noted block
// that cannot be reached.
absl::Status ReclaimNotes(const Engine& engine, process::Operation& own, region::LaneLayout& dead);

}  // namespace commy::engine
