// Edges: the words of an index that name blocks.
//
// One walk goes over all of them, Shape::ForEachEdge, from the root down: the block that a word
// names is visited after the word. `commy check` walks so to learn which blocks can be reached; a
// shrinker that moves blocks has the word to change.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"

#include "base/shared_atomic.h"
#include "index/root_layout.h"
#include "process/notes.h"

namespace commy::index {

// A word, and the block that it was seen to name.
struct Edge {
  region::BlockKind kind = region::BlockKind::kNone;
  base::Shared64* word = nullptr;
  std::uint64_t offset = 0;
};

// What a walk does with each edge, and with each fault that it finds.
struct EdgeWalk {
  // The root is that of a namespace that is not being dropped, so nothing may be missing.
  bool whole = false;
  // Returns whether to go on below it: the block was met for the first time.
  absl::FunctionRef<bool(const Edge&)> use;
  absl::FunctionRef<void(const std::string& fault)> fault;
  Counts* counts;  // Of a whole root: its keys and their units are added.
};

}  // namespace commy::index
