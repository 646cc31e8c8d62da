#include "process/holders.h"

#include "process/owner.h"

namespace commy::process {

bool IsGone(const region::Region& region, std::uint64_t owner, std::uint64_t own) {
  if (owner == own) {
    return false;
  }
  const std::uint32_t slot = OwnerSlot(owner);
  if ((owner & 0xffffU) == 0 || slot >= region.geometry().participant_count) {
    return true;
  }
  const region::Shared64& state = region.participant(slot).state;
  const std::uint64_t attached = (OwnerGeneration(owner) << 8U) | kAttached;
  if (state.load(std::memory_order_acquire) != attached) {
    return true;
  }
  const absl::StatusOr<bool> locked = region.IsSlotLocked(slot);
  // Looked at again: it may have detached, and another one may hold the lock now.
  return (locked.ok() && !*locked) || state.load(std::memory_order_acquire) != attached;
}

}  // namespace commy::process
