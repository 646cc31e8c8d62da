// One attached participant: its slot, its heartbeat, its lanes, and its part in finding and
// recovering the dead.
//
// LIVENESS  A participant is live while its heartbeat moves, as seen on the watcher's own clock;
//           stalled when it has been silent for stale_after and its slot's lock byte is held; dead
//           when the byte is free. Only the kernel's word counts for taking anything over.
// RECOVERY  Who gets the byte of a dead participant's slot recovers it, lane by lane, under a pin
//           of his own (for each lane, in this order):
//             R1  finish what the lane posted or began       (steps of the upper floors)
//             R2  retire every noted block that nothing reachable names, settle the counter
//             R3  clear the notes   R4  clear the pins   R5  free the lane
//           then releases its snapshots, and last frees the slot. Until R4 the dead lane's pin keeps every block that it noted
//           from being reused, which makes a late retire impossible. Every step may be repeated:
//           a recoverer that dies is followed by another, who finds the byte free again.
// WHO       Whoever opens the store, heartbeat threads, and who is held up (no memory, no lane).
//           Nobody waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "platform/background_work.h"
#include "process/lane.h"
#include "process/participants.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

struct SessionOptions {
  std::string process_name;  // Empty: the platform's.
  bool read_only = false;
  bool background = true;  // Run the heartbeat thread. Off only in tests, which call Beat().
};

// Of which owners something is asked.
using OwnerPredicate = absl::FunctionRef<bool(std::uint64_t owner)>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  // What an upper floor adds to recovery and to the heartbeat.
  struct Hooks {
    // R1 and R2 for one dead lane, in the order in which they are added.
    std::vector<std::function<absl::Status(Operation& own, region::LaneLayout& dead)>> recover_lane;
    // Gives back what owners hold in tables of the file that an upper floor keeps: those of a dead
    // participant, or this session's own when it ends. May be called again for the same ones.
    std::vector<std::function<void(OwnerPredicate owners)>> release_held_by;
    // For a participant that is not dead, and has been silent for operation_timeout; called each heartbeat.
    std::function<void(std::uint32_t slot)> stalled;
    // What each heartbeat does, also in a store that this session has not changed.
    std::vector<std::function<void()>> each_beat;
    // What cannot wait for the next heartbeat; called after Nudge(), and each heartbeat.
    std::vector<std::function<void()>> urgent;
    // Small pieces of background work; called each heartbeat, must return soon. True: there is more.
    std::vector<std::function<bool()>> background;
    // What is more; called until nothing is left, also between two heartbeats, with rests that are as
    // long as the work.
    std::vector<std::function<bool()>> go_on;
  };

  Session(std::unique_ptr<region::Region> region, SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Recovers the slot that this participant was given, and every other dead one, announces it, and
  // starts the heartbeat. Called once, when the upper floors have set their hooks. An error means
  // that a dead participant's leftovers could not be settled (DataLoss: damaged).
  absl::Status Start(Hooks hooks);

  // Ends the participant: waits for operations of other threads of this process that are under
  // way, gives back lanes and slot, unmaps. Later operations find usable() false.
  // FailedPrecondition if views are still held; nothing has changed then.
  absl::Status Close();

  // The same without a way back: what an owner calls before he goes, views or not. Idempotent.
  void End();

  [[nodiscard]] region::Region& region() const { return *region_; }
  [[nodiscard]] platform::Platform& platform() const { return platform_; }
  [[nodiscard]] const StoreClock& clock() const { return clock_; }
  [[nodiscard]] StoreClock& clock() { return clock_; }
  [[nodiscard]] bool read_only() const { return options_.read_only; }

  // Open, and in the process that opened it.
  [[nodiscard]] bool usable() const {
    return !closed_.load(std::memory_order_seq_cst) && SameProcess();
  }
  [[nodiscard]] bool SameProcess() const;
  // OK, or FailedPrecondition that says why not.
  [[nodiscard]] absl::Status CheckUsable() const;

  // Marks a call that uses the mapping without being in a lane; Close waits for it. For slow calls:
  // two atomic operations.
  class Call {
   public:
    explicit Call(Session& session);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // OK, or FailedPrecondition: then the mapping must not be touched.
    [[nodiscard]] absl::Status status() const { return session_.CheckUsable(); }

   private:
    Session& session_;
  };

  // The calling thread's lane; taken on first use, given back when the thread ends.
  // ResourceExhausted: all are taken, or the disk is full.
  // A few lanes are only for recovery.
  enum class LaneUse : std::uint8_t { kOrdinary, kRecovery };
  absl::StatusOr<Lane*> ThisLane(LaneUse use = LaneUse::kOrdinary);

  // A pin for a view, with the epoch of the lane's own, in the lane or in one that is claimed for
  // it. Requires: `lane` is the caller's, and pinned. ResourceExhausted: all lanes are taken.
  struct ViewPin {
    Lane* owner = nullptr;  // The lane of the thread that took it.
    Lane* lane = nullptr;   // Where the pin is.
    int pin = -1;
  };
  absl::StatusOr<ViewPin> TakeViewPin(Lane& lane);
  // Any thread.
  void ReleaseView(const ViewPin& view);

  // Pins by a plain store, with the fence on the advancer's side.
  [[nodiscard]] bool pins_by_store() const {
    return pins_by_store_.load(std::memory_order_relaxed);
  }

  // Moves the reclamation epoch one on if every pin is in the present one. False: it did not move;
  // `blocker`, if given, is the lane that holds it back (or -1).
  bool TryAdvanceEpoch(int* blocker = nullptr);
  // The same, but a blocker that turns out to be dead is recovered and it is tried again.
  bool PushEpoch();

  // For who found the store full: tries, for some milliseconds, to move the epoch so far that
  // everything that is retired now can be used again, so that a participant that was merely put
  // off its processor inside an operation does not make an allocation fail. True: it did.
  // Requires: the calling thread is in no operation.
  bool MoveEpochs();

  // Writes the store to disk so that it survives a reboot if nothing is written afterwards: the
  // steps sync-1 to sync-5 of region/clean_word.h. OK also if others kept writing. Unavailable: somebody
  // has been inside an operation for stale_after.
  absl::Status Sync();

  // Recovers every dead participant. Returns the first error, after trying all.
  absl::Status RecoverDead();

  // What the heartbeat thread does each interval.
  // True: go_on has more to do.
  bool Beat();
  // Makes the heartbeat thread do what is urgent soon. Any thread, also in an operation.
  void Nudge();
  // Whether the session ends and waits for the heartbeat thread: then its work shall stop.
  [[nodiscard]] bool ending() const { return ending_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::vector<ParticipantInfo> Participants() const {
    return ListParticipants(*region_, clock_);
  }

  // {generation:48, slot + 1:16}
  [[nodiscard]] std::uint64_t owner_word() const { return owner_word_; }

  // Called when a thread that used this session ends.
  void ReturnLane(Lane* lane);

 private:
  struct Observation {
    std::uint64_t generation = 0;
    std::uint64_t heartbeat = 0;
    std::int64_t seen_ns = 0;
  };

  // A lane of at least `first`.
  absl::StatusOr<Lane*> ClaimLane(std::uint32_t first, LaneUse use);
  Lane* TryClaimLane(std::uint32_t first, std::uint32_t end);
  absl::StatusOr<ViewPin> FindViewPin(Lane& lane);
  // Requires: its thread has ended, and no view of it is left.
  void GiveBackWithViewLanes(Lane* lane);
  void GiveLaneBack(Lane* lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lanes_mutex_);
  void ChooseBarrier();
  void Announce();
  void AnnounceFlags();
  absl::Status RecoverSlot(std::uint32_t slot);
  absl::Status RecoverLane(std::uint32_t index);
  // Frees a dead lane that was in no operation, or only recovered others; needs no lane for it, so
  // that recovery cannot starve for one.
  static bool FreeIfIdle(region::LaneLayout& dead);
  absl::Status RecoverIfDead(std::uint32_t slot);
  void ReleaseHeldBy(OwnerPredicate owners);
  void LookAround();
  absl::Status StartHeartbeat();
  void NoteEpochMoved();
  void HeartbeatLoop(platform::BackgroundWork beginning);
  void DoUrgent();
  bool GoOn();
  // Until the next beat. `more`: the beat left something to do.
  void Rest(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point began,
            bool more);
  void StopHeartbeat();
  bool HasViews();
  absl::Status WaitForOperations();
  absl::Status WaitForOperation(std::uint32_t lane_index, std::int64_t deadline_ns);
  [[nodiscard]] absl::Status Busy(std::uint32_t slot) const;
  void WaitForCalls();
  void GiveEverythingBack();

  std::unique_ptr<region::Region> region_;
  platform::Platform& platform_;
  const SessionOptions options_;
  StoreClock clock_;
  Hooks hooks_;
  const std::uint64_t id_;  // Never used twice in this process.
  const std::uint64_t fork_generation_;
  std::uint64_t owner_word_ = 0;
  std::atomic<bool> closed_{false};
  std::atomic<bool> ending_{false};
  std::atomic<std::uint32_t> calls_{0};
  std::atomic<bool> pins_by_store_{false};
  std::atomic<bool> can_advance_{false};

  std::mutex lanes_mutex_;
  std::vector<std::unique_ptr<Lane>> lanes_ ABSL_GUARDED_BY(lanes_mutex_);

  std::mutex recover_mutex_;  // One recovery at a time in this process; never waited for.

  std::mutex watch_mutex_;
  std::vector<Observation> observations_ ABSL_GUARDED_BY(watch_mutex_);
  std::int64_t last_look_ns_ ABSL_GUARDED_BY(watch_mutex_) = 0;

  struct Heartbeat {
    std::mutex mutex;
    std::condition_variable wake;
    bool stop ABSL_GUARDED_BY(mutex) = false;
    bool nudged ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;
  };
  // Destroyed by hand, and not in a forked child: there is no thread there, for whose end the condition
  // variable's destructor would wait.
  union {
    Heartbeat heartbeat_;
  };
};

}  // namespace commy::process
