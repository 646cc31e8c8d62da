// The words by which a segment, a leaf and a root say that there is something to sweep, or that
// something in them expires. A reshape passes them on from what it replaces.
//
// WHY   Whoever sets a mark sets it in the segment or leaf and then in the root; a sweeper reads the root
//       first. A reshape that is under way may have copied the mark before it was set; but it froze the
//       slots before that, so who set the mark looks for a frozen slot, helps, and sets it again.
#pragma once

#include <cstdint>

#include "index/root_layout.h"

namespace commy::index {

// Marks for the sweep, or passes a mark on. One that says more stays; one that is being worked on
// gives way, so that the new one outlasts that.
void SetMark(Shared64& word, std::uint64_t mark);

// Makes a due word say `due` or earlier.
void LowerDue(Shared64& word, std::uint64_t due);
// The same for what another one says.
void PassDueOn(const Shared64& from, Shared64& to);
// Takes a due word for a sweep. False: it is not due, or others are sweeping there.
bool ClaimDue(Shared64& word, std::int64_t now_ns, std::uint64_t claim);

}  // namespace commy::index
