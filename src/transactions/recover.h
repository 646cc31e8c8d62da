// Recovery of transactions whose owners are dead, and decision of those whose owners are stalled:
// see versions/intents.h, DEATH and STALLED.
#pragma once

#include "engine/open_store.h"

namespace commy::transactions {

// This floor's hooks in an open store.
engine::UpperHooks Hooks();

}  // namespace commy::transactions
