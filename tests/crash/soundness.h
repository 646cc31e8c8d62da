// Whether a store is sound while some participants are stopped or dead, and after their recovery.
#pragma once

#include <string>

#include "crash/actor.h"

namespace commy::test {

// Each returns the first fault, or "". `alone`: no participant is stopped, and the dead are
// recovered; so no block is in flight, and no lane is owned by a dead participant.
std::string CheckSound(Actor& actor, bool alone);
// A lane has an owner until nothing of it is left, also while its recoverer is stopped or dead: the
// next owner may come at once.
std::string CheckLanes(Actor& actor, bool alone);

}  // namespace commy::test
