// Noticing fork().
//
// A child that did not exec shares nothing of a store: the mapping is not inherited and the
// descriptors are closed. A handle remembers the generation of the process that made it; in the
// child the generation differs.
#pragma once

#include <cstdint>

namespace commy::platform {

// Starts at 1 and goes up by one in each forked child. One relaxed load.
std::uint64_t ForkGeneration();

}  // namespace commy::platform
