// The reclamation epoch as a session moves it: the steps V1 to V4 of docs/concurrency.md.
#include <thread>

#include "process/owner.h"
#include "process/session.h"

namespace commy::process {
namespace {

using region::LaneLayout;

// Retired now, its tag at most one behind; spans need one more (Allocator::ReclaimSpan).
constexpr std::uint64_t kEpochsToReuse = 4;
constexpr std::int64_t kMoveEpochsNs = 50'000'000;

}  // namespace

bool Session::TryAdvanceEpoch(int* blocker) {
  if (blocker != nullptr) {
    *blocker = -1;
  }
  if (!can_advance_.load(std::memory_order_acquire)) {
    return false;
  }
  region::Shared64& epoch_word = region_->header().epoch;
  const std::uint64_t epoch = epoch_word.load(std::memory_order_seq_cst);
  // After this, a pin taken by a plain store before it is visible here, and one taken after it
  // reads an epoch of at least `epoch` and links no older than this moment.
  if (!platform_.GlobalBarrier().ok()) {
    return false;
  }
  // lanes_ready() each time: a view's pin may go into a lane that has come into being since, and its
  // thread's own pin may have been seen gone.
  for (std::uint32_t i = 0; i < region_->lanes_ready(); ++i) {
    const LaneLayout& lane = region_->lane(i);
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
  NoteEpochMoved();
  return true;
}

// For people only: whoever dies before this leaves the time of an earlier move.
void Session::NoteEpochMoved() {
  region::Shared64& moved = region_->header().epoch_moved_ns;
  const auto now = static_cast<std::uint64_t>(clock_.NowNs());
  std::uint64_t seen = moved.load(std::memory_order_relaxed);
  while (seen < now && !moved.compare_exchange(seen, now, std::memory_order_relaxed)) {
  }
}

bool Session::PushEpoch() {
  int blocker = -1;
  if (TryAdvanceEpoch(&blocker)) {
    return true;
  }
  if (blocker < 0) {
    return false;
  }
  const std::uint64_t owner =
      region_->lane(static_cast<std::uint32_t>(blocker)).owner.load(std::memory_order_acquire);
  if (owner == 0 || OwnerSlot(owner) == region_->slot_index() ||
      OwnerSlot(owner) >= region_->geometry().participant_count) {
    return false;
  }
  return RecoverIfDead(OwnerSlot(owner)).ok() && TryAdvanceEpoch();
}

bool Session::MoveEpochs() {
  const Call call(*this);
  if (!call.status().ok() || !can_advance_.load(std::memory_order_acquire)) {
    return false;
  }
  const region::Shared64& epoch = region_->header().epoch;
  const std::uint64_t goal = epoch.load(std::memory_order_acquire) + kEpochsToReuse;
  const std::int64_t deadline_ns = platform_.MonotonicNs() + kMoveEpochsNs;
  while (epoch.load(std::memory_order_acquire) < goal) {
    if (!PushEpoch()) {
      if (platform_.MonotonicNs() > deadline_ns) {
        return false;
      }
      std::this_thread::yield();  // Bounded: a stopped one is not waited for.
    }
  }
  return true;
}

}  // namespace commy::process
