// A session's begin and end. Its parts have files of their own, see session.h.
#include "process/session.h"

#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "process/sync.h"

namespace commy::process {

Session::Session(std::unique_ptr<region::Region> region, SessionOptions options)
    : region_(std::move(region)),
      platform_(region_->platform()),
      background_(options.background),
      participant_(*region_, std::move(options.process_name), options.read_only),
      clock_(*region_, platform_, options.read_only),
      lanes_(*this, *region_, open_, participant_),
      recovery_(*region_, participant_, lanes_, hooks_),
      epochs_(*region_, clock_, open_, participant_, recovery_),
      heartbeat_(*region_, open_, participant_, clock_, recovery_, epochs_, hooks_) {
  if (platform_.single_threaded() || !background_) {
    epochs_.ChooseBarrier();  // Otherwise the heartbeat thread does it, to save this caller's time.
  }
}

Session::~Session() {
  End();
}

absl::Status Session::Start(Hooks hooks) {
  hooks_ = std::move(hooks);
  // The entry's lock byte is ours, so its former holder is gone. What it left is reclaimed
  // under a lane of this session, whose owner word differs by its generation.
  participant_.Attach(pins_by_store());
  COMMY_RETURN_IF_ERROR(recovery_.RecoverSlot(participant_.slot()));
  COMMY_RETURN_IF_ERROR(RecoverDead());
  return background_ ? heartbeat_.Start() : absl::OkStatus();
}

bool Session::MoveEpochs() {
  return epochs_.Move();
}

absl::Status Session::Sync() {
  return SyncStore(*region_, epochs_, recovery_);
}

// --- End -------------------------------------------------------------------------------------

void Session::End() {
  if (!SameProcess()) {
    // A forked child: there is no thread to join and no mapping to give back.
    region_->AbandonAfterFork();
    return;
  }
  if (open_.Close()) {
    heartbeat_.Stop();
    GiveEverythingBack();
  }
}

absl::Status Session::Close() {
  COMMY_RETURN_IF_ERROR(CheckUsable());
  if (lanes_.IsThisThreadActive()) {
    return base::FailedPrecondition("Close() was called from inside a read's callback");
  }
  if (lanes_.HasViews()) {
    return base::FailedPrecondition("views or loans are still held; release them before closing");
  }
  if (!open_.Close()) {
    return CheckUsable();
  }
  WaitForCalls();
  // A view that was being taken when this began is held by now.
  if (lanes_.HasViews()) {
    open_.Reopen();
    return base::FailedPrecondition("views or loans are still held; release them before closing");
  }
  heartbeat_.Stop();
  GiveEverythingBack();
  return absl::OkStatus();
}

void Session::WaitForCalls() {
  if (pins_by_store()) {
    // A thread that was entering either finds the session closed, or is seen active below.
    (void)platform_.GlobalBarrier();
  }
  // Threads of this very process, about to leave. Not under the lanes' mutex: one may want a lane.
  while (open_.HasCalls() || lanes_.IsAnyActive()) {
    std::this_thread::yield();
  }
}

void Session::GiveEverythingBack() {
  COMMY_DCHECK(open_.closed());
  lanes_.GiveAllBack();
  recovery_.ReleaseOwn();
  participant_.Detach();
  region_->Detach();
}

}  // namespace commy::process
