#include "engine/room.h"

#include <algorithm>
#include <string>

#include "absl/time/time.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/lifecycle.h"
#include "engine/maintenance.h"

namespace commy::engine {
namespace {

// Another thread may have taken the room that was found. Work that makes room is worth more tries.
constexpr int kAttempts = 2;
constexpr int kMakesRoomAttempts = 8;
static_assert(kAttempts < kMakesRoomAttempts);
// The number of times that kMore does not count as an attempt.
constexpr int kMoreRoomMax = 20;
// The part of an operation's time that the expiry sweep may take.
constexpr std::int64_t kExpiryForRoomNs = 50'000'000;

// How often an allocation for this purpose is tried again.
int RoomAttempts(alloc::Purpose purpose) {
  return purpose == alloc::Purpose::kOrdinary ? kAttempts : kMakesRoomAttempts;
}

}  // namespace

base::Result WithRoom(const Engine& engine, alloc::Purpose purpose,
                      absl::FunctionRef<base::Result()> attempt) {
  base::Result result = attempt();
  int more = 0;
  for (int again = 0; result.is(base::Outcome::kFull) && again < RoomAttempts(purpose);) {
    const absl::StatusOr<process::Lane*> lane = engine.session.ThisLane();
    if (!lane.ok()) {
      break;
    }
    const Room room = FindRoom(engine, **lane, more);
    if (room == Room::kNone) {
      break;
    }
    const bool counts = room != Room::kMore || more == kMoreRoomMax;
    more += counts ? 0 : 1;
    again += counts ? 1 : 0;
    result = attempt();
  }
  return result.is(base::Outcome::kFull) ? WhyFull(engine, result.status(), purpose) : result;
}

Room FindRoom(const Engine& engine, const process::Lane& lane, int more_before) {
  COMMY_DCHECK(more_before >= 0 && more_before <= kMoreRoomMax);
  if (lane.active()) {
    return Room::kNone;  // Inside a callback: its record is pinned.
  }
  const process::Session::Call call(
      engine.session);  // There is no operation that Close() waits for.
  if (!call.status().ok()) {
    return Room::kNone;
  }
  (void)engine.session.RecoverDead();
  (void)RemoveDropped(engine, engine.session.platform().MonotonicNs() + Maintenance::kBudgetNs);
  const bool more = engine.maintenance.expiry().Run(
      {.budget_ns = kExpiryForRoomNs << std::min(more_before, 3), .wait = true});
  engine.maintenance.MaintainNamespaces(engine.session.platform().MonotonicNs() +
                                        Maintenance::kBudgetNs);
  // Deleted blocks come free, then the spans that are empty by that, and then these. If a thread is
  // off its processor for so long that the epoch stands still, the next attempt may find it moved.
  (void)engine.session.MoveEpochs();
  if (engine.allocator.EmptyOthers()) {
    (void)engine.session.MoveEpochs();
  }
  return more ? Room::kMore : Room::kSome;
}

absl::Status WhyFull(const Engine& engine, const absl::Status& full, alloc::Purpose purpose) {
  COMMY_DCHECK(absl::IsResourceExhausted(full));
  const process::Session::Call call(engine.session);
  if (!call.status().ok()) {
    return full;
  }
  const std::vector<versions::SnapshotInfo> held = versions::ListSnapshots(engine.region);
  const auto oldest = std::min_element(held.begin(), held.end(), [](const auto& a, const auto& b) {
    return a.store_ns < b.store_ns;
  });
  if (oldest == held.end()) {
    return full;
  }
  std::string holder = "a process";
  for (const process::ParticipantInfo& each : engine.session.Participants()) {
    if (each.owner == oldest->owner) {
      holder = absl::StrCat("process ", each.pid, " (", each.name, ")");
    }
  }
  const absl::Duration age = absl::Nanoseconds(
      std::max<std::int64_t>(0, engine.session.clock().NowNs() - oldest->store_ns));
  return base::ResourceExhausted(
      full.message(), "; versions that a snapshot sees are kept, and ", holder,
      " has held one for ", absl::FormatDuration(absl::Trunc(age, absl::Milliseconds(1))),
      purpose == alloc::Purpose::kOrdinary
          ? "; release it (`commy ps` shows all), or drop a namespace"
          : "; release it (`commy ps` shows all), or drop or clear the namespace, which works "
            "all the same");
}

}  // namespace commy::engine
