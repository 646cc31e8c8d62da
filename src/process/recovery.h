// Finding dead participants and recovering the operations that they left unfinished.
//
// RECOVERY  The process that acquires the lock byte of a dead participant's entry recovers it, lane
//           by lane, under a pin of its own (for each lane, in this order):
//             recover-0  mark the store dirty (dirty-1). A lane whose op word is none, or a
//                        recovery's, and that has no note: only recover-4 and recover-5
//             recover-1  finish what the lane posted or began       (steps of the upper floors)
//             recover-2  retire every noted block that nothing reachable names, judged by its
//                        offset; replay the counter, runs, and claimed spans
//             recover-3  disarm the op word, clear the notes; op := none
//             recover-4  clear the pins
//             recover-5  free the lane
//           It then releases the participant's snapshots, and last frees the entry. Until
//           recover-4 the dead lane's pin keeps every block that it noted from reuse, which makes
//           a late retire impossible, and a comparison of offsets one of identity. recover-1 comes
//           before recover-2: a posted change names blocks that look unreachable. No step needs a
//           note of the recoverer's own lane. Every step may be repeated: if a recoverer dies,
//           another finds the byte free again.
// ACTORS    Processes that open the store, heartbeat threads, and callers that are held up (no
//           memory, no lane). No process waits for it: a byte that another recoverer holds is left
//           to that one.
// TESTED    tests/model/recovery_model_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "process/lanes.h"
#include "process/operation.h"
#include "process/participants.h"
#include "region/region.h"

namespace commy::process {

// Selects some owners.
using OwnerPredicate = absl::FunctionRef<bool(std::uint64_t owner)>;

// What an upper floor adds to recovery and to the heartbeat.
struct Hooks {
  // recover-1 and recover-2 for one dead lane, in the order in which they are added.
  std::vector<std::function<absl::Status(Operation& own, region::LaneLayout& dead)>> recover_lane;
  // Gives back what owners hold in tables of the file that an upper floor keeps: those of a dead
  // participant, or this session's own when it ends. May be called again for the same ones.
  std::vector<std::function<void(OwnerPredicate owners)>> release_held_by;
  // For a participant that is not dead, and has been silent for operation_timeout; called each
  // heartbeat.
  std::function<void(std::uint32_t slot)> stalled;
  // What each heartbeat does, also in a store that this session has not changed.
  std::vector<std::function<void()>> each_beat;
  // What cannot wait for the next heartbeat; called after Nudge(), and each heartbeat.
  std::vector<std::function<void()>> urgent;
  // Small pieces of background work; called each heartbeat, must return soon. True: more is left.
  std::vector<std::function<bool()>> background;
  // The rest of that work; called until nothing is left, also between two heartbeats, with rests
  // as long as the work.
  std::vector<std::function<bool()>> go_on;
};

// Any thread.
class Recovery {
 public:
  Recovery(region::Region& region, const Participant& participant, Lanes& lanes,
           const Hooks& hooks);
  Recovery(const Recovery&) = delete;
  Recovery& operator=(const Recovery&) = delete;

  // Recovers every dead participant. Returns the first error, after trying all.
  absl::Status RecoverDead();
  // Recovers the participant of entry `slot` if the kernel has freed its lock byte.
  absl::Status RecoverIfDead(std::uint32_t slot);
  // Recovers what earlier holders of entry `slot` left. Requires: the caller holds its lock byte.
  absl::Status RecoverSlot(std::uint32_t slot);
  // Gives back what this session holds in the tables of upper floors.
  void ReleaseOwn();

 private:
  absl::Status RecoverLane(std::uint32_t index);
  // Frees a dead lane that was in no operation, or only recovered others; needs no lane for it, so
  // that recovery cannot starve for one.
  static bool FreeIfIdle(region::LaneLayout& dead);
  void ReleaseHeldBy(OwnerPredicate owners);

  region::Region& region_;
  const Participant& participant_;
  Lanes& lanes_;
  const Hooks& hooks_;
  std::mutex mutex_;  // One recovery at a time in this process; never waited for.
};

}  // namespace commy::process
