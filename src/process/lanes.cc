#include "process/lanes.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/status.h"
#include "process/op_word.h"
#include "process/session.h"
#include "process/thread_lanes.h"

namespace commy::process {
namespace {

using region::LaneLayout;

constexpr std::uint32_t kLaneStep = 16;
constexpr std::uint32_t kViewPinMask = (1U << region::kPinsPerLane) - 2U;  // Not the thread's own.

std::uint64_t NextSessionId() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

// --- One lane --------------------------------------------------------------------------------

Lane::Lane(Session& session, std::uint32_t index, region::LaneLayout& words)
    : session_(session),
      index_(index),
      words_(words),
      operations_(words.operations.load(std::memory_order_relaxed)),
      next_seq_(UnpackOp(words.op.load(std::memory_order_relaxed)).seq) {}

int Lane::TakeViewPin(const Lane& pinned) {
  COMMY_DCHECK(pinned.index_ <= index_);
  COMMY_DCHECK(pinned.active());  // E1: the own pin holds the epoch for the view's.
  std::uint32_t used = view_pins_.load(std::memory_order_relaxed);
  while (true) {
    const std::uint32_t free = ~used & kViewPinMask;
    if (free == 0) {
      return -1;
    }
    const int pin = std::countr_zero(free);
    if (view_pins_.compare_exchange_weak(used, used | (1U << static_cast<unsigned>(pin)),
                                         std::memory_order_acq_rel)) {
      // The thread's own pin holds the epoch meanwhile, so no fence is needed: it is taken down
      // later in program order, and an advancer reads the own pin first.
      words_.pins[pin].store(pinned.words_.pins[0].load(std::memory_order_relaxed),
                             std::memory_order_release);
      return pin;
    }
  }
}

void Lane::ReleaseViewPin(int pin) {
  COMMY_DCHECK(pin > 0 && pin < static_cast<int>(region::kPinsPerLane));
  COMMY_DCHECK((view_pins_.load(std::memory_order_relaxed) >> static_cast<unsigned>(pin) & 1U) !=
               0);
  words_.pins[pin].store(0, std::memory_order_release);
  view_pins_.fetch_and(~(1U << static_cast<unsigned>(pin)), std::memory_order_acq_rel);
}

// --- Claim -----------------------------------------------------------------------------------

Lanes::Lanes(Session& session, region::Region& region, OpenState& open,
             const Participant& participant)
    : session_(session),
      region_(region),
      open_(open),
      participant_(participant),
      session_id_(NextSessionId()) {}

absl::StatusOr<Lane*> Lanes::OfThisThread(LaneUse use) {
  if (Lane* lane = ThreadLanes::Find(session_id_); lane != nullptr) [[likely]] {
    return lane;
  }
  const OpenState::Call call(open_);
  COMMY_RETURN_IF_ERROR(call.status());
  COMMY_ASSIGN_OR_RETURN(Lane * lane, ClaimLane(0, use));
  ThreadLanes::Add(session_id_, session_.weak_from_this(), lane);
  return lane;
}

Lane* Lanes::TryClaimLane(std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t i = first; i < end; ++i) {
    LaneLayout& words = region_.lane(i);
    if (words.owner.load(std::memory_order_relaxed) == 0 &&
        words.owner.CompareAndSet(0, participant_.owner_word(), std::memory_order_seq_cst)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      COMMY_DCHECK(std::none_of(lanes_.begin(), lanes_.end(),  // N1: one `Lane` per lane.
                                [i](const auto& each) { return each->index() == i; }));
      lanes_.push_back(std::make_unique<Lane>(session_, i, words));
      return lanes_.back().get();
    }
  }
  return nullptr;
}

absl::StatusOr<Lane*> Lanes::ClaimLane(std::uint32_t first, LaneUse use) {
  COMMY_DCHECK(participant_.owner_word() != 0);  // L3
  const std::uint32_t all = region_.geometry().lane_count;
  const std::uint32_t limit = use == LaneUse::kRecovery ? all : region_.geometry().thread_count;
  bool asked = use == LaneUse::kRecovery;
  while (true) {
    const std::uint32_t ready = region_.lanes_ready();
    if (Lane* lane = TryClaimLane(first, std::min(ready, limit)); lane != nullptr) {
      return lane;
    }
    if (ready < limit) {
      COMMY_RETURN_IF_ERROR(region_.EnsureDirty());
      COMMY_RETURN_IF_ERROR(region_.GrowLanes(std::min(ready + kLaneStep, limit)));
    } else if (!asked) {
      asked = true;
      (void)session_.RecoverDead();  // Some may be held by the dead.
    } else {
      return base::ResourceExhausted(region_.path(), ": all ", limit,
                                     " lanes are taken; a lane goes back when its thread ends; or ",
                                     "create the store with more threads: Options::threads, commy ",
                                     "init --threads");
    }
  }
}

// --- Views -----------------------------------------------------------------------------------

absl::StatusOr<ViewPin> Lanes::TakeViewPin(Lane& lane) {
  lane.CountView();
  absl::StatusOr<ViewPin> taken = FindViewPin(lane);
  if (!taken.ok()) {
    (void)lane.DropView();  // The lane's thread is the caller, so it has not ended.
  }
  return taken;
}

absl::StatusOr<ViewPin> Lanes::FindViewPin(Lane& lane) {
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
    const std::lock_guard<std::mutex> lock(mutex_);
    lane.view_lanes().push_back(further);
  }
  const int pin = further->TakeViewPin(lane);
  COMMY_DCHECK(pin >= 0);  // A lane that was just claimed has no views.
  return ViewPin{&lane, further, pin};
}

void Lanes::ReleaseView(const ViewPin& view) {
  if (!open_.SameProcess()) {
    return;
  }
  view.lane->ReleaseViewPin(view.pin);
  if (view.owner->DropView()) {
    GiveBackWithViewLanes(view.owner);
  }
}

// --- Loans -----------------------------------------------------------------------------------

absl::StatusOr<Lane*> Lanes::ClaimLoanLane() {
  const OpenState::Call call(open_);
  COMMY_RETURN_IF_ERROR(call.status());
  COMMY_ASSIGN_OR_RETURN(Lane * lane, ClaimLane(0, LaneUse::kOrdinary));
  lane->CountView();
  return lane;
}

void Lanes::ReturnLoanLane(Lane* lane) {
  if (!open_.SameProcess()) {
    return;
  }
  (void)lane->DropView();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!open_.closed()) {
    GiveLaneBack(lane);
  }
}

// --- Back ------------------------------------------------------------------------------------

void Lanes::ReturnLane(Lane* lane) {
  if (!open_.SameProcess()) {
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // With views left, the last one's release gives the lane back.
    if (!Holds(lane) || !lane->Orphan()) {
      return;
    }
  }
  GiveBackWithViewLanes(lane);
}

void Lanes::GiveBackWithViewLanes(Lane* lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!Holds(lane) || open_.closed()) {
    return;
  }
  const std::vector<Lane*> further = lane->view_lanes();
  GiveLaneBack(lane);
  for (Lane* const each : further) {
    GiveLaneBack(each);
  }
}

void Lanes::GiveLaneBack(Lane* lane) {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [lane](const auto& held) { return held.get() == lane; });
  if (found == lanes_.end()) {
    return;
  }
  LaneLayout& words = lane->words();
  COMMY_DCHECK(lane->IsIdle());                                                            // N2
  COMMY_DCHECK(words.owner.load(std::memory_order_relaxed) == participant_.owner_word());  // N1
  lanes_.erase(found);  // The upper floors' state goes first: the next owner may come at once.
  words.owner.CompareAndSet(participant_.owner_word(), 0, std::memory_order_seq_cst);
}

bool Lanes::Holds(const Lane* lane) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [lane](const auto& each) { return each.get() == lane; });
}

// --- Close -----------------------------------------------------------------------------------

bool Lanes::IsThisThreadActive() const {
  const Lane* const mine = ThreadLanes::Find(session_id_);
  return mine != nullptr && mine->active();
}

bool Lanes::IsAnyActive() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->active(); });
}

bool Lanes::HasViews() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->has_views(); });
}

void Lanes::GiveAllBack() {
  COMMY_DCHECK(open_.closed());
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& lane : lanes_) {
    LaneLayout& words = lane->words();
    for (region::Shared64& pin : words.pins) {
      pin.store(0, std::memory_order_release);
    }
    lane->extension().reset();
    words.owner.CompareAndSet(participant_.owner_word(), 0, std::memory_order_seq_cst);
  }
}

}  // namespace commy::process
