// Whether the participant that an owner word names is there: for what is held as long as its
// holder lives, and lies where no recoverer looks.
#pragma once

#include <cstdint>

#include "region/region.h"

namespace commy::process {

// Whether the participant closed the store, or died: from then on for good. A participant that is
// stopped is not gone. An answer may come late: a dead one is found by the lock that it no longer
// holds, and one whose entry another process is about to take is gone once that has attached or
// recovered it. A word that can name no participant is gone. Cost: a load, and a system call if the
// participant is there and not this one (`own`).
bool IsGone(const region::Region& region, std::uint64_t owner, std::uint64_t own);

}  // namespace commy::process
