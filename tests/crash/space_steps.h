// Steps of the kill and stop harness that give space back. A model sees nothing of them.
#pragma once

#include "crash/steps.h"

namespace commy::test {

// Store::ShrinkToUsage().
Step Shrink();
// Store::Backup(), to a file beside the store. An older one there is removed before.
Step Backup();
// Whether there is no backup, or a whole one.
Step LookAtBackup();
// commy::Compact(), in place, of a store that no participant has open.
Step CompactFile();
// One round of it, from inside: leaves the sparse spans, moves what lies in them, frees them, takes
// back those that did not become empty, and punches most of what is free. It moves the epoch on as
// far as it goes, and waits for no other participant. `runs`: it also moves every large block.
Step Compact(bool runs = false);

// Parts of that.
Step LeaveSpans();  // Every span of small blocks.
Step FreeSpans();   // Those that were left: given up, or taken back.
Step PunchSpans();  // All that are free.

}  // namespace commy::test
