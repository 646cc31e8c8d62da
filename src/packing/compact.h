// Compaction: a dense copy of a store that no process uses, which takes its place.
//
// WORDS    header: replaced, replaced_by (region/replaced.h)
// STEPS    compact-1  open the store alone: hold its attach byte exclusively, until the end;
//                     recover the dead. If it is in use, say by which processes, and end
//          compact-2  make a file without a name in its directory, with its mode and owner; copy
//                     the store into it, and sync it
//          compact-3  replace-2: the old file says that it is being replaced
//          compact-4  replace-3: give the new file a hidden name, rename that over the old one's;
//                     sync the directory. From the rename on an opener of the path gets the new
//                     file, and need not wait: no process holds its attach byte
//          compact-5  replace-4: the old file says that it was replaced
//          compact-6  give up the attach byte of the old file, whose last descriptor closes: it is
//                     gone
//          With a destination the new file is linked there after compact-2, and that is all.
// DEATH    compact-1 and compact-2: the old file is as it was, and the new one, which has no name,
//          is gone. compact-3: the next opener takes the mark back. In compact-4, before the
//          rename: as after compact-3; and a file .commy-<random> may be left, which no program
//          reads. From the rename on: the new file, whole.
// POWER    The new file is synced before the rename. So after a power cut the name leads to the old
//          file, with or without the mark, or to the new one. The old one cannot say that it was
//          replaced, unless the rename is on disk.
// ERRORS   Up to the rename the mark is taken back, and nothing is left of the copy.
// NOT      a store file with several names (hard links): the others would go on naming the old one.
// TESTED   tests/packing/compact_test.cc, tests/multiprocess/packing_process_test.cc
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "packing/backup.h"
#include "packing/copy.h"
#include "platform/platform.h"

namespace commy::packing {

struct CompactOptions {
  CopyOptions copy;
  std::string destination;  // Empty: the place of the store itself.
};

// Errors as of CopyStore(), and of opening a store. FailedPrecondition: the store is in use, or the
// file has several names. AlreadyExists: there is a file at the destination.
absl::StatusOr<PackReport> Compact(platform::Platform& platform, const std::string& path,
                                   const CompactOptions& options);

}  // namespace commy::packing
