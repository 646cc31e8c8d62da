// Noticing fork().
//
// A child that did not exec shares nothing of a store: the mapping is not inherited and the
// descriptors are closed. A handle remembers the generation of the process that made it; in the
// child the generation differs.
#pragma once

#include <atomic>
#include <cstdint>

namespace commy::platform {

// Written by the fork handler of a child alone.
extern std::atomic<std::uint64_t> fork_generation;

// Starts at 1 and goes up by one in each forked child. One relaxed load.
inline std::uint64_t ForkGeneration() {
  return fork_generation.load(std::memory_order_relaxed);
}

}  // namespace commy::platform
