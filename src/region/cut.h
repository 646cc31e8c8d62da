// Cutting the end of the file off: the spans there that no process uses.
//
// STEPS     cut-1  detach-1 is done: take the attach byte alone; else leave. From here to cut-6 no
//                  other process has the file mapped, and none begins to
//           cut-2  only if the store is dirty, so that what is on disk may differ meanwhile (K1)
//           cut-3  from the end, pass by spans that are free or holes; the rest stays
//           cut-4  hole_spans = all of these; size_bytes = the new end
//           cut-5  the words of the spans behind it = 0
//           cut-6  truncate the file; hole_spans = the holes that are left; give the byte back
// DEATH     before cut-4 nothing has changed. After it the file is longer than it has to be,
//           which the next growth, or the next cut, finds. Words behind the end may say hole;
//           hole_spans says so, too, and a growth that comes to them has them filled.
// OPENERS   wait for the byte for 20 ms: a cut takes about a millisecond.
//           A process that is stopped between cut-1 and cut-6 keeps openers out until it goes on or
//           ends. The byte is taken only where there is something to cut.
// TESTED    tests/engine/shrink_test.cc
#pragma once

#include "platform/platform.h"
#include "region/geometry.h"

namespace commy::region {

void CutEndIfAlone(platform::Platform& platform, int fd, const Geometry& geometry);

}  // namespace commy::region
