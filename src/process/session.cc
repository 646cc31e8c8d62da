// A session from Start() to Close(). The rest: session_lanes.cc, session_epoch.cc, session_recovery.cc,
// session_heartbeat.cc, sync.cc, participants.cc.
#include "process/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "platform/fork.h"
#include "process/owner.h"
#include "process/thread_lanes.h"

namespace commy::process {
namespace {

using region::LaneLayout;
using region::ParticipantSlot;

constexpr std::uint64_t kAttached = 1;

// After a power cut the file may know a lane or a snapshot of an attach that the slot itself does not
// know, since each page goes to disk by itself: that one's generation is not given out again either.
std::uint64_t NextGeneration(const region::Region& region, std::uint32_t slot) {
  std::uint64_t last = region.participant(slot).state.load(std::memory_order_acquire) >> 8U;
  const auto count_in = [&](std::uint64_t owner) {
    if (owner != 0 && OwnerSlot(owner) == slot) {
      last = std::max(last, OwnerGeneration(owner));
    }
  };
  ForEachOwner(region, count_in);
  return last + 1;
}

std::uint64_t NextSessionId() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Session::Session(std::unique_ptr<region::Region> region, SessionOptions options)
    : region_(std::move(region)),
      platform_(region_->platform()),
      options_(std::move(options)),
      clock_(*region_, platform_, options_.read_only),
      id_(NextSessionId()),
      fork_generation_(platform::ForkGeneration()),
      observations_(region_->geometry().participant_count),
      heartbeat_() {
  if (platform_.single_threaded() || !options_.background) {
    ChooseBarrier();  // Otherwise the heartbeat thread does it: it takes tens of milliseconds.
  }
}

Session::~Session() {
  End();
  if (SameProcess()) {
    heartbeat_.~Heartbeat();
  }
}

void Session::End() {
  if (!SameProcess()) {
    // A forked child: there is no thread to join and no mapping to give back.
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
  const std::uint64_t generation = NextGeneration(*region_, slot);
  owner_word_ = PackOwner(slot, generation);
  // The slot's byte is ours, so whoever had the slot before is gone. What he left is settled under
  // a lane of our own, whose owner word differs by its generation.
  Announce();
  words.state.store((generation << 8U) | kAttached, std::memory_order_release);
  COMMY_RETURN_IF_ERROR(RecoverSlot(slot));
  COMMY_RETURN_IF_ERROR(RecoverDead());
  return options_.background ? StartHeartbeat() : absl::OkStatus();
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
  ReleaseHeldBy([this](std::uint64_t owner) { return owner == owner_word_; });
  ParticipantSlot& slot = region_->participant(region_->slot_index());
  const std::uint64_t state = slot.state.load(std::memory_order_acquire);
  if (PackOwner(region_->slot_index(), state >> 8U) == owner_word_) {
    slot.state.store(state & ~std::uint64_t{0xff}, std::memory_order_release);
  }
  region_->Detach();
}

}  // namespace commy::process
