// The reclamation epoch, as a session moves it, and the barrier that this needs.
//
// When may a block that was unlinked be used again?
//
// WORDS     epoch, in the header; in each lane 16 pin words {epoch:62, mode:2}, 0: none
// READER    pin-1      e = epoch                                                acquire
//           pin-2      pin[0] = e                  plain store and compiler fence; or an exchange
//           pin-3      follow links, read blocks                                acquire
//           pin-4      pin[0] = 0                                               release
// REMOVER   retire-1   unlink by CAS                                            seq_cst
//           retire-2   t = epoch, read after retire-1; state used -> retired(t)  seq_cst
// ADVANCER  advance-1  e = epoch                                                seq_cst
//           advance-2  a barrier on every running thread of every registered process (membarrier)
//           advance-3  read owner and pins of every lane, ascending; any pin but e: stop  seq_cst
//           advance-4  CAS epoch e -> e + 1                                     seq_cst
// ALLOCATOR reuse-1    under its own pin: use what has a tag 2 to 124 behind epoch. Of a span or
//                      run the tag is read before the CAS that retires it, so it may be one behind:
//                      3 to 124
// WHY       A reader with pin e: either its pin-2 came before the barrier advance-2, and advance-3
//           sees it; or its pin-3 comes after, and it sees every unlinking from before advance-2.
//           So after pin-2 the epoch moves at most once, and what the reader can reach is retired
//           at the epoch of pin-2 or later: two moves are needed, and the second cannot happen.
//           pin-4 (release) and advance-3 put the reader's last loads before the reuse. (A pin may
//           be older than that: its owner may sleep between pin-1 and pin-2. Then it holds back
//           more, never less.) This uses that a store which one other processor has seen, all have
//           seen; see "Memory order" in docs/concurrency.md.
// EXCHANGE  A process that cannot register for the barrier, or has not yet, pins by an exchange, a
//           full fence. It never advances the epoch, since its barrier would not be one.
//           ThreadSanitizer does not know the barrier: its builds always exchange.
// VIEWS     A view has a pin word of its own, with the epoch of the thread's own pin, taken while
//           that is up, in the same lane or one with a higher number. advance-3 reads in ascending
//           order, so it sees the own pin or, if that is down already (release, acquire), the
//           view's; and it asks before each lane how many there are. Any thread may release a view
//           pin.
// DEATH     A dead lane's pins hold the epoch until recover-4. A caller that finds that the epoch
//           does not move asks the kernel about the lane's owner, and recovers it (Push). A
//           *stopped* process inside an operation holds the epoch as long as it is stopped: others
//           go on, but nothing that is retired from then on is reused.
// TESTED    tests/model/epoch_model_test.cc, tests/process/session_test.cc, tests/race/,
//           tests/crash/
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
  // participant was put off its processor inside an operation. True: it did. Registers for the
  // barrier first, if that was not done yet.
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
