// What a store tells about itself: statistics, memory, participants.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/info.h"
#include "engine/open_store.h"

namespace commy::inspect {

absl::StatusOr<StoreStats> Stats(const engine::OpenStore& store);
absl::StatusOr<MemoryInfo> Memory(const engine::Engine& engine);
absl::StatusOr<std::vector<ParticipantInfo>> Participants(const engine::Engine& engine);
// Without a slot or a lane: nothing about snapshots, and no bytes.
absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(platform::Platform& platform,
                                                            const std::string& path);

}  // namespace commy::inspect
