#include "engine/holders.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "versions/snapshots.h"

namespace commy::engine {
namespace {

constexpr std::int64_t kLongNs = 100'000'000;  // Below it a pin is an ordinary one.

}  // namespace

std::vector<std::string> Holders(const Engine& engine, OwnPins own) {
  std::vector<std::string> holders;
  const std::vector<versions::SnapshotInfo> held = versions::ListSnapshots(engine.region);
  for (const process::ParticipantInfo& each : engine.session.Participants()) {
    const std::string name = absl::StrCat("process ", each.pid, " (", each.name, ")");
    const bool counts = own == OwnPins::kCount || each.owner != engine.session.owner_word();
    if (each.pinned_for_ns > kLongNs && counts) {
      holders.push_back(
          absl::StrCat(name, " has been in a read or an operation for ",
                       absl::FormatDuration(absl::Trunc(absl::Nanoseconds(each.pinned_for_ns),
                                                        absl::Milliseconds(1)))));
    }
    const auto count = std::count_if(held.begin(), held.end(),
                                     [&](const auto& one) { return one.owner == each.owner; });
    if (count != 0) {
      holders.push_back(
          absl::StrCat(name, " holds ", count, count == 1 ? " snapshot" : " snapshots"));
    }
  }
  return holders;
}

}  // namespace commy::engine
