// A full store: looking for room, and the error that says why there is none.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "base/result.h"
#include "engine/engine.h"

namespace commy::engine {

enum class Room : std::uint8_t {
  kNone,  // It cannot look: the thread is inside a callback, or the store is closed.
  kSome,
  kMore,  // And the next call will make some more, of expired keys.
};

// For an operation that found no room, when it is over: whether to try it again. The store may be
// full only of blocks that were retired a moment ago, of spans that are empty now, of expired keys,
// or of blocks that a killed participant holds. Recovers the dead, reclaims, sweeps, and moves the
// epoch. `more_before`: how often it has said kMore to this operation; then it takes longer.
Room FindRoom(const Engine& engine, const process::Lane& lane, int more_before = 0);

// Runs `attempt`, and again after FindRoom as long as it finds the store full: once, or more often
// if the attempt makes room itself. Requires: the thread is in no operation.
base::Result WithRoom(const Engine& engine, alloc::Purpose purpose,
                      absl::FunctionRef<base::Result()> attempt);

// The status that the store is full, and whose snapshots keep deleted versions.
[[nodiscard]] absl::Status WhyFull(const Engine& engine, const absl::Status& full,
                                   alloc::Purpose purpose);

}  // namespace commy::engine
