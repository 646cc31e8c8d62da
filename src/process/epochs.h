// The reclamation epoch, as a session moves it, and the barrier that this needs.
//
// The steps, and why they are right: "Pins and epochs" in docs/concurrency.md.
#pragma once

#include <atomic>

#include "process/open_state.h"
#include "process/participants.h"
#include "process/recovery.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

// Any thread.
class Epochs {
 public:
  Epochs(region::Region& region, const StoreClock& clock, OpenState& open, Participant& participant,
         Recovery& recovery);
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Pins by a plain store, with the fence on the advancer's side.
  [[nodiscard]] bool pins_by_store() const {
    return pins_by_store_.load(std::memory_order_relaxed);
  }
  // Whether this process can issue the barrier that an advance needs.
  [[nodiscard]] bool can_advance() const { return can_advance_.load(std::memory_order_acquire); }

  // Registers this process for the barrier. Takes tens of milliseconds once there are threads. If
  // the kernel refuses, pins stay exchanges, and this process leaves the epoch to others.
  void ChooseBarrier();
  // The same if it is not registered yet, and announces the outcome.
  void EnsureBarrier();

  // Moves the epoch one on if every pin is in the present one. False: it did not move; `blocker`,
  // if given, is the lane that holds it back (or -1).
  bool TryAdvance(int* blocker = nullptr);
  // The same, but recovers a dead blocker and tries again.
  bool Push();
  // For a caller that found the store full: tries, for some milliseconds, to move the epoch until
  // everything that is retired now can be used again. So an allocation does not fail because a
  // participant was put off its processor inside an operation. True: it did.
  // Requires: the calling thread is in no operation.
  bool Move();

 private:
  void RecordMoveTime();

  region::Region& region_;
  platform::Platform& platform_;
  const StoreClock& clock_;
  OpenState& open_;
  Participant& participant_;
  Recovery& recovery_;
  std::atomic<bool> pins_by_store_{false};
  std::atomic<bool> can_advance_{false};
};

}  // namespace commy::process
