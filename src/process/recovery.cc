#include "process/recovery.h"

#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "process/owner.h"

namespace commy::process {
namespace {

using region::LaneLayout;
using region::ParticipantEntry;

}  // namespace

Recovery::Recovery(region::Region& region, const Participant& participant, Lanes& lanes,
                   const Hooks& hooks)
    : region_(region), participant_(participant), lanes_(lanes), hooks_(hooks) {}

absl::Status Recovery::RecoverDead() {
  // Attached entries, and entries that own a lane or a snapshot: after a power cut the file may
  // have one without the other.
  std::vector<bool> suspects(region_.geometry().participant_count);
  for (std::uint32_t slot = 0; slot < suspects.size(); ++slot) {
    suspects[slot] = (region_.participant(slot).state.load(std::memory_order_acquire) & 0xffU) != 0;
  }
  ForEachOwner(region_, [&](std::uint64_t owner) {
    if (OwnerSlot(owner) < suspects.size()) {
      suspects[OwnerSlot(owner)] = true;
    }
  });
  absl::Status first;
  for (std::uint32_t slot = 0; slot < suspects.size(); ++slot) {
    if (suspects[slot] && slot != region_.slot_index()) {
      first.Update(RecoverIfDead(slot));
    }
  }
  return first;
}

absl::Status Recovery::RecoverIfDead(std::uint32_t slot) {
  COMMY_DCHECK(slot < region_.geometry().participant_count);
  COMMY_DCHECK(slot != participant_.slot());  // L2: this process is not dead.
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    return absl::OkStatus();  // Another thread of this process recovers.
  }
  COMMY_ASSIGN_OR_RETURN(const platform::Descriptor held, region_.LockSlot(slot));
  if (!held.valid()) {
    return absl::OkStatus();  // Alive, stopped, or being recovered.
  }
  ParticipantEntry& words = region_.participant(slot);
  std::uint64_t state = words.state.load(std::memory_order_acquire);
  if ((state & 0xffU) == kAttached) {
    // From here on nothing waits for the dead one, even if this process is stopped below.
    const std::uint64_t gone = (state & ~std::uint64_t{0xff}) | kGone;
    words.state.CompareAndSet(state, gone, std::memory_order_acq_rel);
    state = gone;
  }
  COMMY_RETURN_IF_ERROR(RecoverSlot(slot));
  words.state.CompareAndSet(state, state & ~std::uint64_t{0xff}, std::memory_order_acq_rel);
  return absl::OkStatus();
}

absl::Status Recovery::RecoverSlot(std::uint32_t slot) {
  absl::Status first;
  const std::uint64_t own = participant_.owner_word();
  const std::uint32_t ready = region_.lanes_ready();
  for (std::uint32_t i = 0; i < ready; ++i) {
    const std::uint64_t owner = region_.lane(i).owner.load(std::memory_order_acquire);
    if (owner != 0 && OwnerSlot(owner) == slot && owner != own) {
      first.Update(RecoverLane(i));
    }
  }
  ReleaseHeldBy(
      [own, slot](std::uint64_t owner) { return OwnerSlot(owner) == slot && owner != own; });
  return first;
}

void Recovery::ReleaseOwn() {
  const std::uint64_t own = participant_.owner_word();
  ReleaseHeldBy([own](std::uint64_t owner) { return owner == own; });
}

void Recovery::ReleaseHeldBy(OwnerPredicate owners) {
  for (const auto& release : hooks_.release_held_by) {
    release(owners);
  }
}

bool Recovery::FreeIfIdle(LaneLayout& dead) {
  const OpWord op = UnpackOp(dead.op.load(std::memory_order_acquire));
  if (op.kind != OpKind::kNone && op.kind != OpKind::kRecover) {
    return false;
  }
  for (const region::Shared64& note : dead.notes) {
    if (note.load(std::memory_order_acquire) != 0) {
      return false;
    }
  }
  const std::uint64_t owner = dead.owner.load(std::memory_order_acquire);
  // A killed recoverer's op word still says that it recovers; an idle lane's must not.
  dead.op.store(PackOp({false, 0, OpKind::kNone, op.seq}), std::memory_order_release);
  dead.op_object.store(0, std::memory_order_release);
  for (region::Shared64& pin : dead.pins) {
    pin.store(0, std::memory_order_release);
  }
  dead.owner.CompareAndSet(owner, 0, std::memory_order_acq_rel);
  return true;
}

absl::Status Recovery::RecoverLane(std::uint32_t index) {
  COMMY_RETURN_IF_ERROR(region_.EnsureDirty());
  LaneLayout& dead = region_.lane(index);
  if (FreeIfIdle(dead)) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(Lane * mine, lanes_.OfThisThread(LaneUse::kRecovery));
  const std::uint64_t owner = dead.owner.load(std::memory_order_acquire);
  COMMY_DCHECK(owner != 0 && owner != participant_.owner_word());  // L3
  Operation own(*mine, OpKind::kRecover, 0);
  if (!own.entered()) {
    return own.status();
  }
  [[maybe_unused]] const std::uint32_t notes_before = own.notes_used();
  [[maybe_unused]] const std::uint64_t pin = dead.pins[0].load(std::memory_order_relaxed);
  for (const auto& step : hooks_.recover_lane) {
    COMMY_RETURN_IF_ERROR(step(own, dead));  // recover-1, recover-2
  }
  COMMY_DCHECK(own.notes_used() == notes_before);                     // The steps need none.
  COMMY_DCHECK(dead.owner.load(std::memory_order_relaxed) == owner);  // N1
  COMMY_DCHECK(dead.pins[0].load(std::memory_order_relaxed) == pin);  // N1, up to recover-4
  // Disarmed first: the next recoverer must not take another note for the armed one.
  const OpWord op = UnpackOp(dead.op.load(std::memory_order_relaxed));
  dead.op.store(PackOp({false, 0, op.kind, op.seq}), std::memory_order_seq_cst);
  for (region::Shared64& note : dead.notes) {  // recover-3
    note.store(0, std::memory_order_release);
  }
  dead.op.store(PackOp({false, 0, OpKind::kNone, op.seq}), std::memory_order_release);
  dead.op_object.store(0, std::memory_order_release);
  for (region::Shared64& pin : dead.pins) {  // recover-4
    pin.store(0, std::memory_order_release);
  }
  dead.owner.CompareAndSet(owner, 0, std::memory_order_acq_rel);  // recover-5
  return absl::OkStatus();
}

}  // namespace commy::process
