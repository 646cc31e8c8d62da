// Lanes of a session: claimed by threads and views, and given back.
#include <algorithm>
#include <memory>

#include "base/status.h"
#include "process/session.h"
#include "process/thread_lanes.h"

namespace commy::process {
namespace {

using region::LaneLayout;

constexpr std::uint32_t kLaneStep = 16;

}  // namespace

absl::StatusOr<Lane*> Session::ThisLane(LaneUse use) {
  if (Lane* lane = ThreadLanes::Find(id_); lane != nullptr) [[likely]] {
    return lane;
  }
  const Call call(*this);
  COMMY_RETURN_IF_ERROR(call.status());
  COMMY_ASSIGN_OR_RETURN(Lane * lane, ClaimLane(0, use));
  ThreadLanes::Add(id_, weak_from_this(), lane);
  return lane;
}

Lane* Session::TryClaimLane(std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t i = first; i < end; ++i) {
    LaneLayout& words = region_->lane(i);
    if (words.owner.load(std::memory_order_relaxed) == 0 &&
        words.owner.CompareAndSet(0, owner_word_, std::memory_order_seq_cst)) {
      const std::lock_guard<std::mutex> lock(lanes_mutex_);
      lanes_.push_back(std::make_unique<Lane>(*this, i, words));
      return lanes_.back().get();
    }
  }
  return nullptr;
}

absl::StatusOr<Lane*> Session::ClaimLane(std::uint32_t first, LaneUse use) {
  const std::uint32_t all = region_->geometry().lane_count;
  const std::uint32_t limit = use == LaneUse::kRecovery ? all : region_->geometry().thread_count;
  bool asked = use == LaneUse::kRecovery;
  while (true) {
    const std::uint32_t ready = region_->lanes_ready();
    if (Lane* lane = TryClaimLane(first, std::min(ready, limit)); lane != nullptr) {
      return lane;
    }
    if (ready < limit) {
      COMMY_RETURN_IF_ERROR(region_->EnsureDirty());
      COMMY_RETURN_IF_ERROR(region_->GrowLanes(std::min(ready + kLaneStep, limit)));
    } else if (!asked) {
      asked = true;
      (void)RecoverDead();  // Some may be held by the dead.
    } else {
      return base::ResourceExhausted(region_->path(), ": all ", limit,
                                     " lanes are taken; a lane goes back when its thread ends; or ",
                                     "create the store with more threads: Options::threads, commy ",
                                     "init --threads");
    }
  }
}

absl::StatusOr<Session::ViewPin> Session::TakeViewPin(Lane& lane) {
  lane.CountView();
  absl::StatusOr<ViewPin> taken = FindViewPin(lane);
  if (!taken.ok()) {
    (void)lane.DropView();  // Its thread is here, and has not ended.
  }
  return taken;
}

absl::StatusOr<Session::ViewPin> Session::FindViewPin(Lane& lane) {
  if (const int pin = lane.TakeViewPin(lane); pin >= 0) {
    return ViewPin{&lane, &lane, pin};
  }
  for (Lane* const further : lane.view_lanes()) {
    if (const int pin = further->TakeViewPin(lane); pin >= 0) {
      return ViewPin{&lane, further, pin};
    }
  }
  COMMY_ASSIGN_OR_RETURN(Lane * further, ClaimLane(lane.index() + 1, LaneUse::kOrdinary));
  {
    const std::lock_guard<std::mutex> lock(lanes_mutex_);
    lane.view_lanes().push_back(further);
  }
  return ViewPin{&lane, further, further->TakeViewPin(lane)};
}

void Session::ReleaseView(const ViewPin& view) {
  if (!SameProcess()) {
    return;
  }
  view.lane->ReleaseViewPin(view.pin);
  if (view.owner->DropView()) {
    GiveBackWithViewLanes(view.owner);
  }
}

void Session::ReturnLane(Lane* lane) {
  if (!SameProcess()) {
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(lanes_mutex_);
    const bool held = std::any_of(lanes_.begin(), lanes_.end(),
                                  [lane](const auto& each) { return each.get() == lane; });
    // With views left, the last one's release gives the lane back.
    if (!held || !lane->Orphan()) {
      return;
    }
  }
  GiveBackWithViewLanes(lane);
}

void Session::GiveBackWithViewLanes(Lane* lane) {
  const std::lock_guard<std::mutex> lock(lanes_mutex_);
  const bool held = std::any_of(lanes_.begin(), lanes_.end(),
                                [lane](const auto& each) { return each.get() == lane; });
  if (!held || closed_.load(std::memory_order_acquire)) {
    return;
  }
  const std::vector<Lane*> further = lane->view_lanes();
  GiveLaneBack(lane);
  for (Lane* const each : further) {
    GiveLaneBack(each);
  }
}

void Session::GiveLaneBack(Lane* lane) {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [lane](const auto& held) { return held.get() == lane; });
  if (found == lanes_.end()) {
    return;
  }
  LaneLayout& words = lane->words();
  lanes_.erase(found);  // The upper floors' share goes first: the next owner may come at once.
  words.owner.CompareAndSet(owner_word_, 0, std::memory_order_seq_cst);
}

}  // namespace commy::process
