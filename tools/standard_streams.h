// Standard input, output and error that whoever started the program has closed.
#pragma once

namespace commy::tools {

// Takes each of the descriptors 0, 1 and 2 that is closed, so that no file of ours gets its number.
// What is taken is opened the wrong way round: to read from such an input, or to write to such an
// output, is the error that it was while it was closed. Called first of all.
void FillStandardStreams();

}  // namespace commy::tools
