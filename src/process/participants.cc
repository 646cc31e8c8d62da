#include "process/participants.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "process/lanes.h"
#include "process/owner.h"

namespace commy::process {
namespace {

using region::LaneLayout;
using region::ParticipantEntry;

// After a power cut the file may know a lane or a snapshot of an attach that the entry itself does
// not know, since each page goes to disk by itself. Its generation is not given out again either.
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

// Adds what the participant's lanes tell: their number, their operations, their oldest pin.
void AddLanes(const region::Region& region, ParticipantInfo& info) {
  for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
    const LaneLayout& lane = region.lane(i);
    if (lane.owner.load(std::memory_order_acquire) != info.owner) {
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
}

}  // namespace

void ForEachOwner(const region::Region& region, absl::FunctionRef<void(std::uint64_t owner)> use) {
  const auto use_word = [&](const region::Shared64& word) {
    const std::uint64_t owner = word.load(std::memory_order_acquire);
    if (owner != 0) {
      use(owner);
    }
  };
  for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
    use_word(region.lane(i).owner);
  }
  const std::uint64_t ready =
      std::min<std::uint64_t>(region.header().snapshots_ready.load(std::memory_order_seq_cst),
                              region.geometry().snapshot_count);  // The file is not trusted.
  for (std::uint32_t i = 0; i < ready; ++i) {
    use_word(region.snapshot(i).owner);
  }
}

std::vector<ParticipantInfo> ListParticipants(const region::Region& region,
                                              const StoreClock& clock) {
  std::vector<ParticipantInfo> all;
  const auto stale_after = static_cast<std::int64_t>(region.geometry().stale_after_ns);
  const region::RegionHeader& header = region.header();
  // In this order, a move in between makes the pins look younger than they are, never older.
  const std::uint64_t epoch = header.epoch.load(std::memory_order_acquire);
  const auto moved_ns =
      static_cast<std::int64_t>(header.epoch_moved_ns.load(std::memory_order_acquire));
  for (std::uint32_t slot = 0; slot < region.geometry().participant_count; ++slot) {
    const ParticipantEntry& words = region.participant(slot);
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
    const absl::StatusOr<bool> locked = region.IsSlotLocked(slot);
    if ((state & 0xffU) == kGone || (locked.ok() && !*locked)) {
      info.liveness = Liveness::kDead;
    } else if (region.platform().WallNs() - info.heartbeat_wall_ns > stale_after) {
      info.liveness = Liveness::kStalled;
    } else {
      info.liveness = Liveness::kLive;
    }
    info.owner = PackOwner(slot, state >> 8U);
    AddLanes(region, info);
    // The epoch last moved while this pin was already there.
    if (info.oldest_pin_epoch != 0 && info.oldest_pin_epoch < epoch) {
      info.pinned_for_ns = std::max<std::int64_t>(0, clock.NowNs() - moved_ns);
    }
    all.push_back(std::move(info));
  }
  return all;
}

// --- This process's own ----------------------------------------------------------------------

Participant::Participant(region::Region& region, std::string name, bool read_only)
    : region_(region),
      name_(name.empty() ? region.platform().process_name() : std::move(name)),
      read_only_(read_only) {}

void Participant::Attach(bool pins_by_store) {
  COMMY_DCHECK(owner_word_ == 0);
  ParticipantEntry& words = region_.participant(slot());
  const std::uint64_t generation = NextGeneration(region_, slot());
  owner_word_ = PackOwner(slot(), generation);
  COMMY_DCHECK(OwnerSlot(owner_word_) == slot());
  Announce(pins_by_store);
  words.state.store((generation << 8U) | kAttached, std::memory_order_release);
}

void Participant::Announce(bool pins_by_store) {
  ParticipantEntry& words = region_.participant(slot());
  std::string name = name_;
  name.resize(sizeof(words.name) - 1);
  name.push_back('\0');
  for (std::size_t i = 0; i < std::size(words.name); ++i) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, name.data() + i * 8, 8);
    words.name[i].store(piece, std::memory_order_relaxed);
  }
  const auto now = static_cast<std::uint64_t>(region_.platform().WallNs());
  words.pid.store(region_.platform().process_id(), std::memory_order_relaxed);
  words.start_wall_ns.store(now, std::memory_order_relaxed);
  words.heartbeat_wall_ns.store(now, std::memory_order_relaxed);
  AnnounceFlags(pins_by_store);
}

void Participant::AnnounceFlags(bool pins_by_store) {
  const std::uint64_t read_only = read_only_ ? region::kParticipantReadOnly : 0;
  const std::uint64_t exchanges = pins_by_store ? 0 : region::kParticipantExchanges;
  region_.participant(slot()).flags.store(read_only | exchanges, std::memory_order_relaxed);
}

void Participant::Beat() {
  ParticipantEntry& words = region_.participant(slot());
  COMMY_DCHECK(PackOwner(slot(), words.state.load(std::memory_order_relaxed) >> 8U) ==
               owner_word_);  // L1
  words.heartbeat.store(words.heartbeat.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  words.heartbeat_wall_ns.store(static_cast<std::uint64_t>(region_.platform().WallNs()),
                                std::memory_order_relaxed);
}

void Participant::Detach() {
  ParticipantEntry& words = region_.participant(slot());
  const std::uint64_t state = words.state.load(std::memory_order_acquire);
  if (PackOwner(slot(), state >> 8U) == owner_word_) {
    words.state.store(state & ~std::uint64_t{0xff}, std::memory_order_release);
  }
}

}  // namespace commy::process
