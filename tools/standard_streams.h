// Standard input, output and error, if the parent has closed them.
#pragma once

namespace commy::tools {

// Occupies each of the descriptors 0, 1 and 2 that is closed, so that no other file gets its
// number. Each is opened in the wrong direction: a read from such an input, or a write to such an
// output, stays an error. Must be called first.
void FillStandardStreams();

}  // namespace commy::tools
