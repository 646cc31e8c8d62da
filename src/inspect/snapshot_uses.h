// Which participants hold snapshots, and what is kept for them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "engine/engine.h"

namespace commy::inspect {

// The snapshots that are held, and the versions that they keep.
struct SnapshotUse {
  std::uint64_t owner = 0;
  std::uint64_t count = 0;
  std::int64_t oldest_store_ns = 0;
  std::uint64_t kept_bytes = 0;  // Of superseded records that one of these sees.
};
struct SnapshotUses {
  std::vector<SnapshotUse> owners;
  SnapshotUse all;
};
absl::StatusOr<SnapshotUses> UsesOfSnapshots(const engine::Engine& engine);

}  // namespace commy::inspect
