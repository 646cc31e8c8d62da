#include "process/epochs.h"

#include <thread>

#include "process/lanes.h"
#include "process/owner.h"

namespace commy::process {
namespace {

using region::LaneLayout;

// A block that is retired now has a tag at most one behind; spans need one epoch more
// (Allocator::ReclaimSpan).
constexpr std::uint64_t kEpochsToReuse = 4;
constexpr std::int64_t kMoveEpochsNs = 50'000'000;

}  // namespace

Epochs::Epochs(region::Region& region, const StoreClock& clock, OpenState& open,
               Participant& participant, Recovery& recovery)
    : region_(region),
      platform_(region.platform()),
      clock_(clock),
      open_(open),
      participant_(participant),
      recovery_(recovery) {}

void Epochs::ChooseBarrier() {
  if (!platform_.RegisterBarrier().ok()) {
    return;
  }
  can_advance_.store(true, std::memory_order_release);
#if !defined(COMMY_UNDER_TSAN)  // It cannot see what a membarrier orders.
  pins_by_store_.store(true, std::memory_order_release);
#endif
}

void Epochs::EnsureBarrier() {
  if (!can_advance()) {
    ChooseBarrier();
    participant_.AnnounceFlags(pins_by_store());
  }
}

bool Epochs::TryAdvance(int* blocker) {
  if (blocker != nullptr) {
    *blocker = -1;
  }
  if (!can_advance()) {
    return false;
  }
  region::Shared64& epoch_word = region_.header().epoch;
  const std::uint64_t epoch = epoch_word.load(std::memory_order_seq_cst);
  // A pin that a plain store took before this barrier is visible here. A reader that pins after it
  // reads an epoch of at least `epoch`, and links no older than this moment.
  if (!platform_.GlobalBarrier().ok()) {
    return false;
  }
  // lanes_ready() each time: a view's pin may go into a lane that was added since, after its
  // thread's own pin was seen gone.
  for (std::uint32_t i = 0; i < region_.lanes_ready(); ++i) {
    const LaneLayout& lane = region_.lane(i);
    if (lane.owner.load(std::memory_order_seq_cst) == 0) {
      continue;
    }
    // In order: a view's pin is set before the own one is taken down.
    for (const region::Shared64& word : lane.pins) {
      const std::uint64_t pin = word.load(std::memory_order_seq_cst);
      if (pin != 0 && PinEpoch(pin) != epoch) {
        if (blocker != nullptr) {
          *blocker = static_cast<int>(i);
        }
        return false;
      }
    }
  }
  if (!epoch_word.CompareAndSet(epoch, epoch + 1, std::memory_order_seq_cst)) {
    return false;
  }
  RecordMoveTime();
  return true;
}

// For people only: a process that dies before this leaves the time of an earlier move.
void Epochs::RecordMoveTime() {
  region::Shared64& moved = region_.header().epoch_moved_ns;
  const auto now = static_cast<std::uint64_t>(clock_.NowNs());
  std::uint64_t seen = moved.load(std::memory_order_relaxed);
  while (seen < now && !moved.compare_exchange(seen, now, std::memory_order_relaxed)) {
  }
}

bool Epochs::Push() {
  int blocker = -1;
  if (TryAdvance(&blocker)) {
    return true;
  }
  if (blocker < 0) {
    return false;
  }
  const std::uint64_t owner =
      region_.lane(static_cast<std::uint32_t>(blocker)).owner.load(std::memory_order_acquire);
  if (owner == 0 || OwnerSlot(owner) == region_.slot_index() ||
      OwnerSlot(owner) >= region_.geometry().participant_count) {
    return false;
  }
  return recovery_.RecoverIfDead(OwnerSlot(owner)).ok() && TryAdvance();
}

bool Epochs::Move() {
  const OpenState::Call call(open_);
  if (!call.status().ok()) {
    return false;
  }
  EnsureBarrier();  // The heartbeat thread of a new participant may not have done it yet.
  if (!can_advance()) {
    return false;
  }
  const region::Shared64& epoch = region_.header().epoch;
  const std::uint64_t goal = epoch.load(std::memory_order_acquire) + kEpochsToReuse;
  const std::int64_t deadline_ns = platform_.MonotonicNs() + kMoveEpochsNs;
  while (epoch.load(std::memory_order_acquire) < goal) {
    if (!Push()) {
      if (platform_.MonotonicNs() > deadline_ns) {
        return false;
      }
      std::this_thread::yield();  // Bounded: a stopped participant does not hold this up.
    }
  }
  return true;
}

}  // namespace commy::process
