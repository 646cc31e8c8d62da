// Waiting for an element of a queue, or for room in it: the steps hand-1 to hand-6 of
// namespaces/queue_words.h, for a namespace.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "engine/namespace_state.h"
#include "namespaces/object_layout.h"

namespace commy::sequences {

// Which word of the namespace's object.
using HandoverWord = base::Shared64 namespaces::NamespaceObject::*;
inline constexpr HandoverWord kForElement = &namespaces::NamespaceObject::element_word;
inline constexpr HandoverWord kForRoom = &namespaces::NamespaceObject::room_word;

// Tells up to `count` waiters: hand-5 and hand-6, after what they wait for was published.
void TellWaiters(const engine::NamespaceState& ns, HandoverWord word, std::uint64_t count);

// Calls `look` until it returns true or an error, or the time is over (false). Sleeps meanwhile. A
// timeout that is not positive: one look.
absl::StatusOr<bool> WaitUntil(const engine::NamespaceState& ns, HandoverWord word,
                               absl::Duration timeout,
                               absl::FunctionRef<absl::StatusOr<bool>()> look);

}  // namespace commy::sequences
