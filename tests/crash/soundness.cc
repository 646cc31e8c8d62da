#include "crash/soundness.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "inspect/check.h"
#include "process/owner.h"
#include "support/lane_state.h"

namespace commy::test {

std::string CheckSound(Actor& actor, bool alone) {
  const absl::StatusOr<CheckReport> report = inspect::Check(actor.inside());
  if (!report.ok()) {
    return "check: " + report.status().ToString();
  }
  if (!report->sound()) {
    return absl::StrCat("check: ", report->faults.empty() ? "?" : report->faults.front(), " (",
                        report->fault_count, " faults, ", report->blocks_leaked, " leaked)");
  }
  if (alone && report->blocks_in_flight != 0) {
    return absl::StrCat("check: ", report->blocks_in_flight, " blocks in flight");
  }
  return CheckLanes(actor, alone);
}

std::string CheckLanes(Actor& actor, bool alone) {
  region::Region& region = actor.inside().region;
  for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
    const std::uint64_t owner = region.lane(i).owner.load(std::memory_order_acquire);
    if (owner == 0) {
      if (const testing::AssertionResult idle = IsIdle(region.lane(i)); !idle) {
        return absl::StrCat("lane ", i, " has no owner: ", idle.message());
      }
      continue;
    }
    const std::uint32_t slot = process::OwnerSlot(owner);
    const std::uint64_t state = region.participant(slot).state.load(std::memory_order_acquire);
    if (alone && ((state & 0xffU) == 0 || process::PackOwner(slot, state >> 8U) != owner)) {
      return absl::StrCat("lane ", i, " is still owned by a dead participant");
    }
  }
  return "";
}

}  // namespace commy::test
