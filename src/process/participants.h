// Who is attached, for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

#include "process/lane.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

enum class Liveness { kFree, kLive, kStalled, kDead };

struct ParticipantInfo {
  std::uint32_t slot = 0;
  std::uint64_t pid = 0;
  std::string name;
  std::int64_t start_wall_ns = 0;
  std::int64_t heartbeat_wall_ns = 0;
  Liveness liveness = Liveness::kFree;
  bool read_only = false;
  std::uint32_t lanes = 0;
  std::uint64_t operations = 0;        // Of the lanes that it holds now.
  OpKind doing = OpKind::kNone;        // Of the lane with the oldest pin.
  std::uint64_t oldest_pin_epoch = 0;  // 0: nothing pinned.
  // For how long that pin has kept the epoch from moving, at least; 0: it does not.
  std::int64_t pinned_for_ns = 0;
  std::uint64_t owner = 0;  // What its lanes and snapshots name.
};

// Calls `use` for each owner that a lane or a snapshot entry names. After a power cut the file may
// know one of an attach that the participant's entry itself does not know.
void ForEachOwner(const region::Region& region, absl::FunctionRef<void(std::uint64_t owner)> use);

// Every participant. Needs no slot and no lane of its own.
std::vector<ParticipantInfo> ListParticipants(const region::Region& region,
                                              const StoreClock& clock);

}  // namespace commy::process
