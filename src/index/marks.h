// The words by which a segment, a leaf and a root say that there is something to sweep, or that
// something in them expires. A reshape passes them on from the array that it replaces.
//
// WHY   A process sets a mark in the segment or leaf and then in the root; a sweeper reads the root
//       first. A reshape that is in flight may have copied the mark before it was set. But it froze
//       the slots before that: so after setting a mark the process looks for a frozen slot, helps,
//       and sets it again.
#pragma once

#include <cstdint>

#include "index/root_layout.h"

namespace commy::index {

// Sets a sweep mark, or passes one on. A mark that says more stays; one that is being worked on
// gives way, so that the new one outlasts the work.
void SetMark(Shared64& word, std::uint64_t mark);

// Makes a due word say `due` or earlier.
void LowerDue(Shared64& word, std::uint64_t due);
// The same for the time in another due word.
void PassDueOn(const Shared64& from, Shared64& to);
// Claims a due word for a sweep. False: it is not due, or others are sweeping there.
bool ClaimDue(Shared64& word, std::int64_t now_ns, std::uint64_t claim);

}  // namespace commy::index
