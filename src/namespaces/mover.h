// Moving what a namespace is made of to other blocks, while others read and write it.
//
// STEPS     move-1  the mover meets a slot whose record shall move. It is left alone unless it is
//                   the key's newest version, has its time, is no tombstone, and has nothing below
//                   it (it is pruned first; what a snapshot needs stays)
//           move-2  a copy is made: noted, allocated, the bytes, and the time; `prev` is 0
//           move-3  note the record; CAS the slot word: record -> copy. Lost: the copy is retired
//           move-4  retire the record; drop the notes
//           Arrays of slots and the nodes above them are moved by reshapes (index/shape.h).
// WHY       A record with a time changes no more but for its `prev`, and a `prev` of 0 stays 0. So
//           the copy is the same version, whenever it was made, and one that is published late is
//           as good as the record. A reader that found the record reads on under its pin. A
//           writer that found it fails in its CAS, as after any write, and finds the copy. An
//           intent that has the record below it is the newest version itself; while it is there
//           the slot has another word and move-3 fails, and when it was aborted and is gone the
//           record is in its place again, unchanged.
//           Versions are compared by their times, not by their places: transactions/read_set.cc;
//           RemoveTombstone() in writer.cc, whose tombstone may have been moved: then it marks the
//           key. Likewise a recoverer, for a record with a time that cannot be reached any more.
//           Tombstones are not moved: their writer, or the sweep, takes them away.
// DEATH     before move-3: the copy is in a note, and not reachable. After it: the record is.
// MODEL     tests/model/move_model_test.cc. Its weakened forms fail: a copy with the record's prev;
//           moving an undecided record, or an intent; a new time; retiring before move-3; no note;
//           a moved tombstone, or a moved record of a dead writer, that is not marked.
// TESTED    tests/engine/shrink_test.cc, tests/crash/
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

#include "base/result.h"
#include "index/scan_cursor.h"
#include "namespaces/core.h"
#include "namespaces/roots.h"
#include "versions/snapshots.h"

namespace commy::namespaces {

// What became of the blocks that were to be moved.
struct MoveTally {
  std::uint64_t blocks = 0;  // That were moved,
  std::uint64_t bytes = 0;   // and their sizes.
  // Records that stay: an older version of theirs is kept for a snapshot; a transaction or a delete
  // is at them; their bytes do not agree with their checksum.
  std::uint64_t kept_by_snapshots = 0;
  std::uint64_t busy = 0;
  std::uint64_t damaged = 0;
  bool no_room = false;  // There was none to move more to.
};

class Mover {
 public:
  Mover(Core& core, const Roots& roots) : core_(core), roots_(roots) {}

  // Moves the blocks of the namespace's present root for which `moves` is true, array by array from
  // `place` on, until the (monotonic) deadline or `bytes_limit` is reached, at least an array.
  // `*done`: to the end. Requires: `op` is an operation of its own, short enough for the epoch.
  base::Result Move(process::Operation& op, const NamespaceRef& ns,
                    absl::FunctionRef<bool(std::uint64_t)> moves, std::int64_t deadline_ns,
                    std::uint64_t bytes_limit, index::SlotPlace* place, MoveTally* tally,
                    bool* done) const;

 private:
  base::Result MoveSlots(process::Operation& op, const NamespaceRef& ns,
                         const index::SlotArray& slots,
                         absl::FunctionRef<bool(std::uint64_t)> moves,
                         versions::SnapshotTimes& times, MoveTally* tally) const;
  // move-1 to move-4. Its notes are at `place` and behind that.
  base::Result MoveRecord(process::Operation& op, const NamespaceRef& ns, base::Shared64& slot,
                          std::uint64_t word, std::uint32_t place, versions::SnapshotTimes& times,
                          MoveTally* tally) const;
  // The copy's offset; 0: there is no room.
  absl::StatusOr<std::uint64_t> Copy(process::Operation& op, const NamespaceRef& ns,
                                     const versions::RecordView& record, MoveTally* tally) const;

  Core& core_;
  const Roots& roots_;
};

}  // namespace commy::namespaces
