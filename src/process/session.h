// One attached participant from Start() to Close().
//
// This floor is the processes and threads that use a store: participants, lanes with their pins and
// notes, epochs, recovery of the dead, the heartbeat, store time and sync. It may touch region/ and
// what is below; it does not know what a block holds, nor the allocator: the upper floors take
// part in recovery and in the heartbeat by Hooks (recovery.h). Begin reading in notes.h and
// operation.h, then in epochs.h and recovery.h, then here.
//
// A Session holds together: its entry and the list of participants (participants.h), lanes and view
// pins (lanes.h), the epoch (epochs.h), recovery of the dead (recovery.h), the heartbeat
// (heartbeat.h), store time (store_clock.h), sync (sync.h).
//
// CLOSE     releases the session's snapshots; a handle to one that goes later touches nothing. It
//           sets a process-local flag, issues a barrier, and waits for calls of other threads of
//           this process that are inside: a call marks its lane active before it looks at the flag,
//           and the barrier is the other half of that. It waits for no other process. From inside a
//           callback it is refused.
// FORK      The child has no mapping and no descriptor of the store, and its handles say
//           FailedPrecondition: they compare a generation that the fork handler raises. A child
//           that was forked inside a callback may return from it: what was pinned is not touched. A
//           fork() waits until no heartbeat is in a beat (platform/background_work.h).
// CALLBACK  A user's callback runs without notes and armed words: that of ReadWith under a pin,
//           that of Update with nothing held.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "process/epochs.h"
#include "process/heartbeat.h"
#include "process/lanes.h"
#include "process/open_state.h"
#include "process/operation.h"
#include "process/participants.h"
#include "process/recovery.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

struct SessionOptions {
  std::string process_name;  // Empty: the platform's.
  bool read_only = false;
  bool background = true;  // Run the heartbeat thread. Off only in tests, which call Beat().
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Hooks = process::Hooks;
  using LaneUse = process::LaneUse;
  using ViewPin = process::ViewPin;

  Session(std::unique_ptr<region::Region> region, SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Recovers the entry that this participant was given, and every other dead one, announces it, and
  // starts the heartbeat. Called once, when the upper floors have set their hooks. An error means
  // that a dead participant's leftovers could not be reclaimed (DataLoss: damaged).
  absl::Status Start(Hooks hooks);

  // Ends the participant: waits for operations of other threads of this process that are in
  // flight, gives back lanes and entry, unmaps. Later operations find usable() false.
  // FailedPrecondition if views or loans are still held; nothing has changed then.
  absl::Status Close();

  // The same without a way back: an owner calls it before its own end, with or without views.
  // Idempotent.
  void End();

  [[nodiscard]] region::Region& region() const { return *region_; }
  [[nodiscard]] platform::Platform& platform() const { return platform_; }
  [[nodiscard]] const StoreClock& clock() const { return clock_; }
  [[nodiscard]] StoreClock& clock() { return clock_; }
  [[nodiscard]] bool read_only() const { return participant_.read_only(); }
  [[nodiscard]] std::uint64_t owner_word() const { return participant_.owner_word(); }

  // See OpenState.
  [[nodiscard]] bool usable() const { return open_.usable(); }
  [[nodiscard]] bool SameProcess() const { return open_.SameProcess(); }
  [[nodiscard]] absl::Status CheckUsable() const { return open_.CheckUsable(); }
  class Call : public OpenState::Call {
   public:
    explicit Call(Session& session) : OpenState::Call(session.open_) {}
  };

  // See Lanes.
  absl::StatusOr<Lane*> ThisLane(LaneUse use = LaneUse::kOrdinary) {
    return lanes_.OfThisThread(use);
  }
  [[nodiscard]] std::uint64_t id() const { return lanes_.session_id(); }
  [[nodiscard]] Lane* FindThisLane() const { return lanes_.FindOfThisThread(); }
  void ReturnLane(Lane* lane) { lanes_.ReturnLane(lane); }
  absl::StatusOr<ViewPin> TakeViewPin(Lane& lane) { return lanes_.TakeViewPin(lane); }
  void ReleaseView(const ViewPin& view) { lanes_.ReleaseView(view); }
  absl::StatusOr<Lane*> ClaimLoanLane() { return lanes_.ClaimLoanLane(); }
  void ReturnLoanLane(Lane* lane) { lanes_.ReturnLoanLane(lane); }

  // See Epochs.
  [[nodiscard]] bool pins_by_store() const { return epochs_.pins_by_store(); }
  bool TryAdvanceEpoch(int* blocker = nullptr) { return epochs_.TryAdvance(blocker); }
  bool PushEpoch() { return epochs_.Push(); }
  bool MoveEpochs();

  // See SyncStore.
  absl::Status Sync();

  // See Recovery.
  absl::Status RecoverDead() { return recovery_.RecoverDead(); }

  // See Heartbeat.
  bool Beat() { return heartbeat_.Beat(); }
  void Nudge() { heartbeat_.Nudge(); }
  [[nodiscard]] bool ending() const { return heartbeat_.ending(); }

  [[nodiscard]] std::vector<ParticipantInfo> Participants() const {
    return ListParticipants(*region_, clock_);
  }

 private:
  void WaitForCalls();
  void GiveEverythingBack();

  std::unique_ptr<region::Region> region_;
  platform::Platform& platform_;
  const bool background_;
  Hooks hooks_;
  OpenState open_;
  Participant participant_;
  StoreClock clock_;
  Lanes lanes_;
  Recovery recovery_;
  Epochs epochs_;
  Heartbeat heartbeat_;
};

}  // namespace commy::process
