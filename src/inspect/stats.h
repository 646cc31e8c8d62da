// A store's statistics, memory and participants.
//
// This floor looks at an open store and changes no key of it: statistics, `commy check`, `commy
// layout`, and the uses of snapshots. Check() first recovers the dead, unless the store is open
// read-only. It may touch engine/ and what is below. Begin reading here; the walk over the whole
// file is in check.cc.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/info.h"
#include "engine/open_store.h"

namespace commy::inspect {

absl::StatusOr<StoreStats> Stats(const engine::OpenStore& store);
// Where the bytes of the file are, without `held_by`. Requires: the calling thread is pinned.
absl::StatusOr<SpaceUse> UseOfSpace(const engine::Engine& engine);
absl::StatusOr<MemoryInfo> Memory(const engine::Engine& engine);
absl::StatusOr<std::vector<ParticipantInfo>> Participants(const engine::Engine& engine);
// Without a free snapshot entry or lane: nothing about snapshots, and no bytes.
absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(platform::Platform& platform,
                                                            const std::string& path);

}  // namespace commy::inspect
