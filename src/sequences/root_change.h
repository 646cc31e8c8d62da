// Changes that need the root alone: decided on the present root in place, and made by one write.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "engine/namespace_state.h"
#include "sequences/root.h"

namespace commy::sequences {

// What a change makes of a root.
struct RootChange {
  bool changes = false;  // Else the root stays as it is.
  RunPieces front;
  RunPieces back;
};

// Decides a change; runs again if another thread or process was faster. It may change what `root`
// says of the queue. Must not use the store.
using DecideRoot = absl::FunctionRef<RootChange(RootView& root)>;

// Calls `decide` with the present root (an empty one, if there is none), and writes what it says.
// `frees`: it may have the last space of a full store, since it takes elements away.
// DataLoss: the root is damaged.
absl::Status ChangeRoot(const engine::NamespaceState& ns, bool frees, DecideRoot decide);

// The id of the first node of a new sequence: above those of any sequence that the namespace had
// before it was cleared.
std::uint64_t FreshNode(const engine::NamespaceState& ns);

}  // namespace commy::sequences
