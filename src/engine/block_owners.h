// The one table of the kinds of blocks that a store consists of: which structure owns a block,
// whether it can be reached, and any other step that is needed before it is retired. Recovery runs
// over it; so does `commy check`.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "process/notes.h"

namespace commy::engine {

struct BlockOwner {
  region::BlockKind kind;
  std::string_view name;   // For people.
  std::string_view names;  // The blocks that its own words refer to.
  // Whether a word of the file leads to the block. `ns` is the published namespace that the
  // operation worked in; null: none. DataLoss.
  absl::StatusOr<bool> (*is_reachable)(const Engine& engine, const NamespaceRef* ns,
                                       const process::Note& note);
  // A further step before an unreachable block of the dead is retired; null: none.
  void (*before_reclaim)(const Engine& engine, std::uint64_t offset);
};

// Null: a block that the allocator or the transactions look after themselves, or none.
const BlockOwner* OwnerOf(region::BlockKind kind);

}  // namespace commy::engine
