// Session::Sync: the steps sync-1 to sync-5 of region/clean_word.h.
#include <thread>

#include "absl/time/time.h"

#include "base/status.h"
#include "process/owner.h"
#include "process/session.h"
#include "region/clean_word.h"

namespace commy::process {
namespace {

constexpr int kAttempts = 5;
constexpr std::int64_t kLookAgainNs = 1'000'000;

bool IsAtWork(std::uint64_t op_word) {
  return UnpackOp(op_word).kind != OpKind::kNone;
}

}  // namespace

absl::Status Session::Sync() {
  if (!can_advance_.load(std::memory_order_acquire)) {
    ChooseBarrier();  // The heartbeat thread may not have come to it.
    AnnounceFlags();
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    COMMY_RETURN_IF_ERROR(region_->Sync());  // sync-1
    if (!can_advance_.load(std::memory_order_acquire)) {
      return base::Unavailable(region_->path(),
                               ": written to disk, but this process cannot issue the memory ",
                               "barrier (membarrier) that marks it clean while it is in use; ",
                               "close the store to have it marked");
    }
    const std::uint64_t armed = region::ArmClean(region_->header());  // sync-2
    if (armed == 0) {
      return region_->SyncHeader();  // Clean already; the page may still be on its way.
    }
    COMMY_RETURN_IF_ERROR(WaitForOperations());             // sync-3
    COMMY_RETURN_IF_ERROR(region_->Sync());                 // sync-4
    if (region::CompleteClean(region_->header(), armed)) {  // sync-5
      return region_->SyncHeader();
    }
  }
  return absl::OkStatus();  // Others write all the time: there is nothing that could be promised.
}

absl::Status Session::WaitForOperations() {
  COMMY_RETURN_IF_ERROR(platform_.GlobalBarrier());
  const std::int64_t deadline_ns =
      platform_.MonotonicNs() + static_cast<std::int64_t>(region_->geometry().stale_after_ns);
  // Operations that begin from now on see the arming bit, in whatever lane they are.
  const std::uint32_t ready = region_->lanes_ready();
  for (std::uint32_t i = 0; i < ready; ++i) {
    COMMY_RETURN_IF_ERROR(WaitForOperation(i, deadline_ns));
  }
  return absl::OkStatus();
}

absl::Status Session::WaitForOperation(std::uint32_t lane_index, std::int64_t deadline_ns) {
  const region::LaneLayout& lane = region_->lane(lane_index);
  if (!IsAtWork(lane.op.load(std::memory_order_seq_cst))) {
    return absl::OkStatus();
  }
  const std::uint64_t owner = lane.owner.load(std::memory_order_acquire);
  if (owner == 0) {
    return absl::OkStatus();  // Nobody's: whatever its op word says is over.
  }
  const std::uint64_t operations = lane.operations.load(std::memory_order_acquire);
  const auto over = [&] {
    return !IsAtWork(lane.op.load(std::memory_order_seq_cst)) ||
           lane.operations.load(std::memory_order_acquire) != operations ||
           lane.owner.load(std::memory_order_acquire) != owner;
  };
  const std::uint32_t slot = OwnerSlot(owner);
  const bool other = slot != region_->slot_index() && slot < region_->geometry().participant_count;
  // Of a dead process the operation is over once it is recovered. Its death shows when the kernel has
  // freed its lock, which may be some time after the kill: that is asked again and again.
  std::int64_t next_look_ns = platform_.MonotonicNs();
  while (!over()) {
    const std::int64_t now_ns = platform_.MonotonicNs();
    const bool late = now_ns > deadline_ns;
    if (other && (late || now_ns >= next_look_ns)) {
      COMMY_RETURN_IF_ERROR(RecoverIfDead(slot));
      next_look_ns = now_ns + kLookAgainNs;
    }
    if (late) {
      return over() ? absl::OkStatus() : Busy(slot);
    }
    std::this_thread::yield();
  }
  return absl::OkStatus();
}

absl::Status Session::Busy(std::uint32_t slot) const {
  const std::uint64_t pid = slot < region_->geometry().participant_count
                                ? region_->participant(slot).pid.load(std::memory_order_relaxed)
                                : 0;
  return base::Unavailable(
      region_->path(), ": written to disk, but not marked clean: process ", pid,
      " has been inside an operation for ",
      absl::FormatDuration(absl::Nanoseconds(region_->geometry().stale_after_ns)),
      "; continue or end it (`commy ps` shows it), then sync again");
}

}  // namespace commy::process
