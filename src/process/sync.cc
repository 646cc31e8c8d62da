#include "process/sync.h"

#include <thread>

#include "absl/time/time.h"

#include "base/status.h"
#include "process/op_word.h"
#include "process/owner.h"
#include "region/clean_word.h"

namespace commy::process {
namespace {

constexpr int kAttempts = 5;
constexpr std::int64_t kLookAgainNs = 1'000'000;

bool IsAtWork(std::uint64_t op_word) {
  return UnpackOp(op_word).kind != OpKind::kNone;
}

absl::Status Busy(const region::Region& region, std::uint32_t slot) {
  const std::uint64_t pid = slot < region.geometry().participant_count
                                ? region.participant(slot).pid.load(std::memory_order_relaxed)
                                : 0;
  return base::Unavailable(
      region.path(), ": written to disk, but not marked clean: process ", pid,
      " has been inside an operation for ",
      absl::FormatDuration(absl::Nanoseconds(region.geometry().stale_after_ns)),
      "; continue or end it (`commy ps` shows it), then sync again");
}

absl::Status WaitForOperation(region::Region& region, Recovery& recovery, std::uint32_t lane_index,
                              std::int64_t deadline_ns) {
  const region::LaneLayout& lane = region.lane(lane_index);
  if (!IsAtWork(lane.op.load(std::memory_order_seq_cst))) {
    return absl::OkStatus();
  }
  const std::uint64_t owner = lane.owner.load(std::memory_order_acquire);
  if (owner == 0) {
    return absl::OkStatus();  // No owner: the operation of its op word is over.
  }
  const std::uint64_t operations = lane.operations.load(std::memory_order_acquire);
  const auto over = [&] {
    return !IsAtWork(lane.op.load(std::memory_order_seq_cst)) ||
           lane.operations.load(std::memory_order_acquire) != operations ||
           lane.owner.load(std::memory_order_acquire) != owner;
  };
  const std::uint32_t slot = OwnerSlot(owner);
  const bool other = slot != region.slot_index() && slot < region.geometry().participant_count;
  // A dead process's operation is over once it is recovered. Its death shows when the kernel has
  // freed its lock, which may be some time after the kill: hence the repeated question.
  std::int64_t next_look_ns = region.platform().MonotonicNs();
  while (!over()) {
    const std::int64_t now_ns = region.platform().MonotonicNs();
    const bool late = now_ns > deadline_ns;
    if (other && (late || now_ns >= next_look_ns)) {
      COMMY_RETURN_IF_ERROR(recovery.RecoverIfDead(slot));
      next_look_ns = now_ns + kLookAgainNs;
    }
    if (late) {
      return over() ? absl::OkStatus() : Busy(region, slot);
    }
    std::this_thread::yield();
  }
  return absl::OkStatus();
}

absl::Status WaitForOperations(region::Region& region, Recovery& recovery) {
  COMMY_RETURN_IF_ERROR(region.platform().GlobalBarrier());
  const std::int64_t deadline_ns =
      region.platform().MonotonicNs() + static_cast<std::int64_t>(region.geometry().stale_after_ns);
  // Operations that begin from now on see the arming bit, in whatever lane they are.
  const std::uint32_t ready = region.lanes_ready();
  for (std::uint32_t i = 0; i < ready; ++i) {
    COMMY_RETURN_IF_ERROR(WaitForOperation(region, recovery, i, deadline_ns));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SyncStore(region::Region& region, Epochs& epochs, Recovery& recovery) {
  epochs.EnsureBarrier();  // The heartbeat thread may not have done it yet.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    COMMY_RETURN_IF_ERROR(region.Sync());  // sync-1
    if (!epochs.can_advance()) {
      return base::Unavailable(region.path(),
                               ": written to disk, but this process cannot issue the memory ",
                               "barrier (membarrier) that marks it clean while it is in use; ",
                               "close the store to have it marked");
    }
    const std::uint64_t armed = region::ArmClean(region.header());  // sync-2
    if (armed == 0) {
      return region.SyncHeader();  // Clean already; the page may still be on its way.
    }
    COMMY_RETURN_IF_ERROR(WaitForOperations(region, recovery));  // sync-3
    COMMY_RETURN_IF_ERROR(region.Sync());                        // sync-4
    if (region::CompleteClean(region.header(), armed)) {         // sync-5
      return region.SyncHeader();
    }
  }
  return absl::OkStatus();  // Others write all the time: no state can be promised.
}

}  // namespace commy::process
