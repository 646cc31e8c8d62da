// The sweep: removes old versions and tombstones that were left behind, found by their sweep marks.
//
// WORDS     mark, of a segment or leaf; marks, of the root: 0, kSweepNeeded, kSweepRunning,
//           kSweepAfterSnapshot (root_layout.h)
// STEPS     sweep-1  a process that leaves something behind marks its segment or leaf, then the
//                    root
//           sweep-2  a sweeper takes the root's marks to kSweepRunning, and then each mark that it
//                    finds
//           sweep-3  it prunes every slot there, and removes tombstones with nothing below
//           sweep-4  CAS each mark, and last the root's, kSweepRunning -> 0
//           A new mark that comes meanwhile stays, and a sweeper's death loses none.
// WAITING   A version that only a snapshot keeps is marked kSweepAfterSnapshot, and is swept when
//           one has ended.
// DEATH     of a sweeper: its recoverer marks the root again, since a second sweeper may have been
//           done with it while the dead one was at work; and announces the end of a snapshot, since
//           the dead one may have left a version as waiting without the look whether it still had
//           to.
// TESTED    tests/model/snapshot_model_test.cc, tests/model/version_model_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

#include "base/result.h"
#include "namespaces/core.h"
#include "namespaces/roots.h"
#include "versions/snapshots.h"

namespace commy::namespaces {

class Sweeper {
 public:
  Sweeper(Core& core, const Roots& roots) : core_(core), roots_(roots) {}

  // Prunes versions and removes tombstones in marked segments and leaves; `waiting`: also those
  // that were left for a snapshot, since one has ended. Cheap if nothing is marked. `*done`: false
  // if the (monotonic) deadline passed first.
  base::Result Sweep(process::Operation& op, const NamespaceRef& ns, bool waiting,
                     std::int64_t deadline_ns, bool* done) const;
  // sweep-1, for the slots among which the key is.
  base::Result Mark(const NamespaceRef& ns, std::string_view key,
                    std::uint64_t mark = index::kSweepNeeded) const;
  // Marks a leftover. `ended`: snapshots_ended before anything was left.
  base::Result MarkLeft(const NamespaceRef& ns, std::string_view key, versions::Leftover left,
                        std::uint64_t ended) const;
  // Recovery of a sweeper: the slots that it was working on are swept again.
  base::Result Resume(const NamespaceRef& ns) const;

  // Takes an aborted intent out of its slot, which has the word `word`, and retires it; the note at
  // `place` is for it. False: the slot has another word now.
  bool UnlinkAborted(process::Operation& op, base::Shared64& slot, std::uint64_t word,
                     std::uint32_t place, const versions::RecordView& intent) const;

  // Calls `use` for each superseded record that is kept in the namespace. Cost: a load for each
  // segment or leaf, and the records found.
  base::Result ForEachSuperseded(const NamespaceRef& ns,
                                 absl::FunctionRef<void(const versions::Superseded&)> use) const;

 private:
  // `closed`: a key of a slot that was closed, if any was.
  base::Result SweepSlots(process::Operation& op, const NamespaceRef& ns,
                          const index::SlotArray& slots, versions::SnapshotTimes& times,
                          std::optional<std::string>* closed) const;
  versions::Leftover SweepSlot(process::Operation& op, base::Shared64& slot, std::uint64_t word,
                               std::uint32_t place, versions::SnapshotTimes& times,
                               std::optional<std::string>* closed) const;
  versions::Leftover SweepIntent(process::Operation& op, base::Shared64& slot, std::uint64_t word,
                                 std::uint32_t place, const versions::RecordView& intent,
                                 std::optional<std::string>* closed) const;

  Core& core_;
  const Roots& roots_;
};

}  // namespace commy::namespaces
