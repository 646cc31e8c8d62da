#include "process/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "platform/fork.h"
#include "process/owner.h"
#include "process/thread_lanes.h"

namespace commy::process {
namespace {

using region::LaneLayout;
using region::ParticipantSlot;

constexpr std::uint32_t kLaneStep = 16;
// Kept for recovery, which could otherwise find every lane held by the dead (at most an eighth).
constexpr std::uint32_t kRecoveryLanes = 8;
constexpr std::uint64_t kAttached = 1;
// Retired now, its tag at most one behind; spans need one more (Allocator::ReclaimSpan).
constexpr std::uint64_t kEpochsToReuse = 4;
constexpr std::int64_t kMoveEpochsNs = 50'000'000;

std::uint64_t NextSessionId() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Session::Session(std::unique_ptr<region::Region> region, SessionOptions options)
    : region_(std::move(region)),
      platform_(region_->platform()),
      options_(std::move(options)),
      id_(NextSessionId()),
      fork_generation_(platform::ForkGeneration()),
      observations_(region_->geometry().participant_count) {
  if (platform_.single_threaded() || !options_.background) {
    ChooseBarrier();  // Otherwise the heartbeat thread does it: it takes tens of milliseconds.
  }
}

Session::~Session() {
  End();
}

void Session::End() {
  if (!SameProcess()) {
    // A forked child: there is no thread to join and no mapping to give back.
    if (heartbeat_thread_.joinable()) {
      heartbeat_thread_.detach();
    }
    region_->AbandonAfterFork();
    return;
  }
  if (!closed_.exchange(true, std::memory_order_seq_cst)) {
    StopHeartbeat();
    GiveEverythingBack();
  }
}

bool Session::SameProcess() const {
  return fork_generation_ == platform::ForkGeneration();
}

absl::Status Session::CheckUsable() const {
  if (!SameProcess()) {
    return base::FailedPrecondition(
        "this handle was opened before fork(); a child process must open the store itself");
  }
  if (closed_.load(std::memory_order_acquire)) {
    return base::FailedPrecondition("the store was closed; open it again");
  }
  return absl::OkStatus();
}

void Session::ChooseBarrier() {
  if (!platform_.RegisterBarrier().ok()) {
    return;  // Pins stay exchanges, and this process leaves moving the epoch to others.
  }
  can_advance_.store(true, std::memory_order_release);
#if !defined(COMMY_UNDER_TSAN)  // It cannot see what a membarrier orders.
  pins_by_store_.store(true, std::memory_order_release);
#endif
}

absl::Status Session::Start(Hooks hooks) {
  hooks_ = std::move(hooks);
  const std::uint32_t slot = region_->slot_index();
  ParticipantSlot& words = region_->participant(slot);
  const std::uint64_t generation = (words.state.load(std::memory_order_acquire) >> 8U) + 1;
  owner_word_ = PackOwner(slot, generation);
  // The slot's byte is ours, so whoever had the slot before is gone. What he left is settled under
  // a lane of our own, whose owner word differs by its generation.
  Announce();
  words.state.store((generation << 8U) | kAttached, std::memory_order_release);
  COMMY_RETURN_IF_ERROR(RecoverSlot(slot));
  COMMY_RETURN_IF_ERROR(RecoverDead());
  if (options_.background) {
    heartbeat_thread_ = std::thread([this] { HeartbeatLoop(); });
  }
  return absl::OkStatus();
}

void Session::Announce() {
  ParticipantSlot& words = region_->participant(region_->slot_index());
  std::string name =
      options_.process_name.empty() ? platform_.process_name() : options_.process_name;
  name.resize(sizeof(words.name) - 1);
  name.push_back('\0');
  for (std::size_t i = 0; i < std::size(words.name); ++i) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, name.data() + i * 8, 8);
    words.name[i].store(piece, std::memory_order_relaxed);
  }
  const auto now = static_cast<std::uint64_t>(platform_.WallNs());
  words.pid.store(platform_.process_id(), std::memory_order_relaxed);
  words.start_wall_ns.store(now, std::memory_order_relaxed);
  words.heartbeat_wall_ns.store(now, std::memory_order_relaxed);
  AnnounceFlags();
}

void Session::AnnounceFlags() {
  const std::uint64_t read_only = options_.read_only ? region::kParticipantReadOnly : 0;
  const std::uint64_t exchanges = pins_by_store() ? 0 : region::kParticipantExchanges;
  region_->participant(region_->slot_index())
      .flags.store(read_only | exchanges, std::memory_order_relaxed);
}

// --- Lanes -----------------------------------------------------------------------------------

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
  const std::uint32_t limit =
      use == LaneUse::kRecovery ? all : all - std::min(all / 8, kRecoveryLanes);
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
                                     " lanes are taken; a lane goes back when its thread ends");
    }
  }
}

absl::StatusOr<Session::ViewPin> Session::TakeViewPin(Lane& lane) {
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
  if (view.owner->orphaned()) {
    ReturnLane(view.owner);
  }
}

void Session::ReturnLane(Lane* lane) {
  if (!SameProcess()) {
    return;
  }
  const std::lock_guard<std::mutex> lock(lanes_mutex_);
  const bool held = std::any_of(lanes_.begin(), lanes_.end(),
                                [lane](const auto& each) { return each.get() == lane; });
  if (!held || closed_.load(std::memory_order_acquire)) {
    return;
  }
  // With views left, the last one's release gives the lane back.
  lane->Orphan();
  if (lane->has_views()) {
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

// --- Epochs ----------------------------------------------------------------------------------

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
  return epoch_word.CompareAndSet(epoch, epoch + 1, std::memory_order_seq_cst);
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

// --- Recovery --------------------------------------------------------------------------------

absl::Status Session::RecoverDead() {
  // Attached slots, and slots that own a lane: after a power cut the file may have one without the
  // other.
  std::vector<bool> suspects(region_->geometry().participant_count);
  for (std::uint32_t slot = 0; slot < suspects.size(); ++slot) {
    suspects[slot] =
        (region_->participant(slot).state.load(std::memory_order_acquire) & 0xffU) != 0;
  }
  for (std::uint32_t i = 0; i < region_->lanes_ready(); ++i) {
    const std::uint64_t owner = region_->lane(i).owner.load(std::memory_order_acquire);
    if (owner != 0 && OwnerSlot(owner) < suspects.size()) {
      suspects[OwnerSlot(owner)] = true;
    }
  }
  absl::Status first;
  for (std::uint32_t slot = 0; slot < suspects.size(); ++slot) {
    if (suspects[slot] && slot != region_->slot_index()) {
      first.Update(RecoverIfDead(slot));
    }
  }
  return first;
}

absl::Status Session::RecoverIfDead(std::uint32_t slot) {
  const std::unique_lock<std::mutex> lock(recover_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    return absl::OkStatus();  // Another thread of ours is at it.
  }
  COMMY_ASSIGN_OR_RETURN(const platform::Descriptor held, region_->LockSlot(slot));
  if (!held.valid()) {
    return absl::OkStatus();  // Alive, stopped, or being recovered.
  }
  ParticipantSlot& words = region_->participant(slot);
  const std::uint64_t state = words.state.load(std::memory_order_acquire);
  COMMY_RETURN_IF_ERROR(RecoverSlot(slot));
  words.state.CompareAndSet(state, state & ~std::uint64_t{0xff}, std::memory_order_acq_rel);
  return absl::OkStatus();
}

absl::Status Session::RecoverSlot(std::uint32_t slot) {
  absl::Status first;
  const std::uint32_t ready = region_->lanes_ready();
  for (std::uint32_t i = 0; i < ready; ++i) {
    const std::uint64_t owner = region_->lane(i).owner.load(std::memory_order_acquire);
    if (owner != 0 && OwnerSlot(owner) == slot && owner != owner_word_) {
      first.Update(RecoverLane(i));
    }
  }
  return first;
}

bool Session::FreeIfIdle(LaneLayout& dead) {
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
  for (region::Shared64& pin : dead.pins) {
    pin.store(0, std::memory_order_release);
  }
  dead.owner.CompareAndSet(owner, 0, std::memory_order_acq_rel);
  return true;
}

absl::Status Session::RecoverLane(std::uint32_t index) {
  COMMY_RETURN_IF_ERROR(region_->EnsureDirty());
  LaneLayout& dead = region_->lane(index);
  if (FreeIfIdle(dead)) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(Lane * mine, ThisLane(LaneUse::kRecovery));
  const std::uint64_t owner = dead.owner.load(std::memory_order_acquire);
  Operation own(*mine, OpKind::kRecover, 0);
  if (!own.entered()) {
    return own.status();
  }
  for (const auto& step : hooks_.recover_lane) {
    COMMY_RETURN_IF_ERROR(step(own, dead));  // R1, R2
  }
  // Disarmed first: the next recoverer must not take another note for the one that was armed.
  const OpWord op = UnpackOp(dead.op.load(std::memory_order_relaxed));
  dead.op.store(PackOp({false, 0, op.kind, op.seq}), std::memory_order_seq_cst);
  for (region::Shared64& note : dead.notes) {  // R3
    note.store(0, std::memory_order_release);
  }
  dead.op.store(PackOp({false, 0, OpKind::kNone, op.seq}), std::memory_order_release);
  dead.op_object.store(0, std::memory_order_release);
  for (region::Shared64& pin : dead.pins) {  // R4
    pin.store(0, std::memory_order_release);
  }
  dead.owner.CompareAndSet(owner, 0, std::memory_order_acq_rel);  // R5
  return absl::OkStatus();
}

// --- Heartbeat -------------------------------------------------------------------------------

void Session::Beat() {
  ParticipantSlot& words = region_->participant(region_->slot_index());
  words.heartbeat.store(words.heartbeat.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  words.heartbeat_wall_ns.store(static_cast<std::uint64_t>(platform_.WallNs()),
                                std::memory_order_relaxed);
  LookAround();
  // A session that has changed nothing leaves the store as clean as it is, and a store that was
  // synced stays so until somebody writes.
  if (region_->made_dirty()) {
    (void)PushEpoch();
    for (const auto& work : hooks_.background) {
      work();
    }
  }
}

void Session::LookAround() {
  std::vector<std::uint32_t> silent;
  {
    const std::lock_guard<std::mutex> lock(watch_mutex_);
    const std::int64_t now = platform_.MonotonicNs();
    const auto stale_after = static_cast<std::int64_t>(region_->geometry().stale_after_ns);
    const bool was_asleep = last_look_ns_ != 0 && now - last_look_ns_ > stale_after;
    last_look_ns_ = now;
    for (std::uint32_t slot = 0; slot < observations_.size(); ++slot) {
      const ParticipantSlot& words = region_->participant(slot);
      const std::uint64_t state = words.state.load(std::memory_order_acquire);
      if (slot == region_->slot_index() || (state & 0xffU) == 0) {
        continue;
      }
      Observation& seen = observations_[slot];
      const std::uint64_t beat = words.heartbeat.load(std::memory_order_acquire);
      if (was_asleep || seen.generation != state || seen.heartbeat != beat) {
        seen = {state, beat, now};  // Who slept himself looks again before he judges.
      } else {
        silent.push_back(slot);
      }
    }
  }
  if (options_.read_only) {
    return;
  }
  for (const std::uint32_t slot : silent) {
    (void)RecoverIfDead(slot);  // Asks the kernel; silence alone is only a reason to ask.
  }
}

void Session::Nudge() {
  {
    const std::lock_guard<std::mutex> lock(heartbeat_mutex_);
    nudged_ = true;
  }
  heartbeat_wake_.notify_one();
}

void Session::HeartbeatLoop() {
  if (!can_advance_.load(std::memory_order_acquire)) {
    ChooseBarrier();
    AnnounceFlags();
  }
  const auto interval = std::chrono::nanoseconds(region_->geometry().heartbeat_interval_ns);
  std::unique_lock<std::mutex> lock(heartbeat_mutex_);
  while (!stop_) {
    lock.unlock();
    Beat();
    lock.lock();
    heartbeat_wake_.wait_for(lock, interval,
                             [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stop_ || nudged_; });
    nudged_ = false;
  }
}

void Session::StopHeartbeat() {
  {
    const std::lock_guard<std::mutex> lock(heartbeat_mutex_);
    stop_ = true;
  }
  heartbeat_wake_.notify_one();
  if (heartbeat_thread_.joinable()) {
    heartbeat_thread_.join();
  }
}

// --- End -------------------------------------------------------------------------------------

absl::Status Session::Close() {
  COMMY_RETURN_IF_ERROR(CheckUsable());
  if (const Lane* mine = ThreadLanes::Find(id_); mine != nullptr && mine->active()) {
    return base::FailedPrecondition("Close() was called from inside a read's callback");
  }
  if (HasViews()) {
    return base::FailedPrecondition("views are still held; release them before closing");
  }
  if (closed_.exchange(true, std::memory_order_seq_cst)) {
    return CheckUsable();
  }
  WaitForCalls();
  // A view that was being taken when this began is held by now.
  if (HasViews()) {
    closed_.store(false, std::memory_order_seq_cst);
    return base::FailedPrecondition("views are still held; release them before closing");
  }
  StopHeartbeat();
  GiveEverythingBack();
  return absl::OkStatus();
}

bool Session::HasViews() {
  const std::lock_guard<std::mutex> lock(lanes_mutex_);
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->has_views(); });
}

void Session::WaitForCalls() {
  if (pins_by_store()) {
    (void)platform_.GlobalBarrier();  // Who was entering sees closed_, or is seen active here.
  }
  // Threads of this very process, about to leave. Not under the mutex: one may want a lane.
  const auto busy = [this] {
    const std::lock_guard<std::mutex> lock(lanes_mutex_);
    return calls_.load(std::memory_order_seq_cst) != 0 ||
           std::any_of(lanes_.begin(), lanes_.end(),
                       [](const auto& lane) { return lane->active(); });
  };
  while (busy()) {
    std::this_thread::yield();
  }
}

Session::Call::Call(Session& session) : session_(session) {
  session_.calls_.fetch_add(1, std::memory_order_seq_cst);
}
Session::Call::~Call() {
  session_.calls_.fetch_sub(1, std::memory_order_seq_cst);
}

void Session::GiveEverythingBack() {
  const std::lock_guard<std::mutex> lock(lanes_mutex_);
  for (const auto& lane : lanes_) {
    LaneLayout& words = lane->words();
    for (region::Shared64& pin : words.pins) {
      pin.store(0, std::memory_order_release);
    }
    // The lane itself stays: its thread still knows it, and hears from it that the store is closed.
    lane->extension().reset();
    words.owner.CompareAndSet(owner_word_, 0, std::memory_order_seq_cst);
  }
  ParticipantSlot& slot = region_->participant(region_->slot_index());
  const std::uint64_t state = slot.state.load(std::memory_order_acquire);
  if (PackOwner(region_->slot_index(), state >> 8U) == owner_word_) {
    slot.state.store(state & ~std::uint64_t{0xff}, std::memory_order_release);
  }
  region_->Detach();
}

std::vector<ParticipantInfo> Session::Participants() {
  std::vector<ParticipantInfo> all;
  const auto stale_after = static_cast<std::int64_t>(region_->geometry().stale_after_ns);
  for (std::uint32_t slot = 0; slot < region_->geometry().participant_count; ++slot) {
    const ParticipantSlot& words = region_->participant(slot);
    const std::uint64_t state = words.state.load(std::memory_order_acquire);
    if ((state & 0xffU) == 0) {
      continue;
    }
    ParticipantInfo info;
    info.slot = slot;
    info.pid = words.pid.load(std::memory_order_relaxed);
    std::array<char, sizeof(words.name)> name{};
    for (std::size_t i = 0; i < std::size(words.name); ++i) {
      const std::uint64_t piece = words.name[i].load(std::memory_order_relaxed);
      std::memcpy(name.data() + i * 8, &piece, 8);
    }
    info.name.assign(name.data(), strnlen(name.data(), name.size()));
    info.start_wall_ns =
        static_cast<std::int64_t>(words.start_wall_ns.load(std::memory_order_relaxed));
    info.heartbeat_wall_ns =
        static_cast<std::int64_t>(words.heartbeat_wall_ns.load(std::memory_order_relaxed));
    info.read_only =
        (words.flags.load(std::memory_order_relaxed) & region::kParticipantReadOnly) != 0;
    const absl::StatusOr<bool> locked = region_->IsSlotLocked(slot);
    if (locked.ok() && !*locked) {
      info.liveness = Liveness::kDead;
    } else if (platform_.WallNs() - info.heartbeat_wall_ns > stale_after) {
      info.liveness = Liveness::kStalled;
    } else {
      info.liveness = Liveness::kLive;
    }
    const std::uint64_t owner = PackOwner(slot, state >> 8U);
    for (std::uint32_t i = 0; i < region_->lanes_ready(); ++i) {
      const LaneLayout& lane = region_->lane(i);
      if (lane.owner.load(std::memory_order_acquire) != owner) {
        continue;
      }
      ++info.lanes;
      info.operations += lane.operations.load(std::memory_order_relaxed);
      for (const region::Shared64& word : lane.pins) {
        const std::uint64_t pin = word.load(std::memory_order_relaxed);
        if (pin != 0 && (info.oldest_pin_epoch == 0 || PinEpoch(pin) < info.oldest_pin_epoch)) {
          info.oldest_pin_epoch = PinEpoch(pin);
          info.doing = UnpackOp(lane.op.load(std::memory_order_relaxed)).kind;
        }
      }
    }
    all.push_back(std::move(info));
  }
  return all;
}

}  // namespace commy::process
