// Steps of participants that the public API has no name for: attaching, the epoch, growth, blocks
// and spans, the sweep, recovery. A model sees nothing of them.
#pragma once

#include "crash/steps.h"

namespace commy::test {

Step Attach();
Step Detach();

// The work of a heartbeat: an epoch forward, and one round of the background.
Step Beat();
Step PushEpochs();
Step RecoverDead();
// Marks the segment or leaf of "k" in "a", and has the background sweep it.
Step MarkAll();

Step GrowFile();
// As the heartbeat does it: grows the file until it ends with more free spans than before.
Step GrowAhead();
Step GrowLanes();

Step RawBlocks();
// Large blocks come and go until the first ones are given back by a search that has been round.
Step RunsBack();
// Takes from the spans of a living thread: the empty ones, and free blocks of the others.
Step TakeFromTheLiving();
Step EmptyOthers();

}  // namespace commy::test
