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

// Adds a run at an end of the root, if it has room for it within `most_bytes`; else returns a
// change that changes nothing.
RootChange AddAt(RootView& root, bool back, const ElementRun& run, std::uint64_t most_bytes);
// Takes up to `most` elements from an end, at least one, as far as they are in the root, and calls
// `use` with each. False: none is, since the run there is empty and the tree is not; or fewer are
// than wanted, and the tree has more. Requires: the root has elements.
bool TakeAt(RootView& root, bool back, std::uint64_t most,
            absl::FunctionRef<void(std::string_view)> use);
// The change that writes what the root says now.
inline RootChange AsItIs(const RootView& root) {
  return {true, {root.front, {}}, {root.back, {}}};
}

// The id of the first node of a new sequence: above those of any sequence that the namespace had
// before it was cleared.
std::uint64_t FreshNode(const engine::NamespaceState& ns);

}  // namespace commy::sequences
