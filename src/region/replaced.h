// A store file that another one takes the place of, as compaction does.
//
// The new file has the name from one moment on (a rename). A process that was about to open the old
// one at that moment must not use it: what it writes there would be lost.
//
// WORDS    replaced      0; kBeingReplaced; kWasReplaced
//          replaced_by   uuid of the new file
// STEPS    replace-1  hold the attach byte alone; no other process has the file open
//          replace-2  store replaced_by, then replaced := being replaced; sync that page
//          replace-3  rename the new file, which is synced, over the old one; sync the directory
//          replace-4  replaced := was replaced; sync that page
//          replace-5  give up the attach byte
// OPEN     An opener takes a share of the attach byte first. Then, if the path names another file
//          than the one that it has open, it begins again. Else, with
//            being replaced  the replacer has died before replace-3, since its attach byte is free:
//                            the word goes back to 0
//            was replaced    the path is another name of the old file: the open is refused
// WHY      replace-4 comes after the directory's sync: otherwise after a power cut the name could
//          still lead to the old file, which says that it is not to be used. The mark alone would
//          do for openers that come by the same path: they compare path and descriptor.
// DEATH    after replace-1: nothing has changed. replace-2: the next opener clears the mark.
//          replace-3: the name leads to the new file; the old one has no name.
// TESTED   tests/region/region_test.cc, tests/multiprocess/packing_process_test.cc
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "region/layout.h"

namespace commy::region {

inline constexpr std::uint64_t kBeingReplaced = 1;
inline constexpr std::uint64_t kWasReplaced = 2;

// OPEN. Requires: a share of the attach byte, or all of it; the path names this file.
// FailedPrecondition: it was replaced.
absl::Status CheckNotReplaced(RegionHeader& header);

// replace-2 and replace-4, but for the sync. Requires: replace-1.
void MarkBeingReplaced(RegionHeader& header, const std::uint64_t (&uuid)[2]);
void MarkWasReplaced(RegionHeader& header);
// Takes replace-2 back.
void ClearReplaced(RegionHeader& header);

}  // namespace commy::region
