// Writing the store to disk so that it is marked clean while it is in use.
#pragma once

#include "absl/status/status.h"

#include "process/epochs.h"
#include "process/recovery.h"
#include "region/region.h"

namespace commy::process {

// Writes the store to disk so that it survives a reboot if nothing is written afterwards: the
// steps sync-1 to sync-5 of region/clean_word.h. OK also if others kept writing. Unavailable: a
// participant has been inside an operation for stale_after.
absl::Status SyncStore(region::Region& region, Epochs& epochs, Recovery& recovery);

}  // namespace commy::process
