// Waiting until a change of a namespace, or the death of a process, lets something succeed.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/namespace.h"

namespace commy::coordination {

// Calls `attempt` at once, then after each change of the namespace, and at least once a second,
// since the death of a holder changes nothing. Returns true as soon as `attempt` does; false: it
// did not within `timeout`. A timeout that is zero or negative means one attempt; it may be
// infinite. The last attempt is made after the timeout. Errors of `attempt` and of
// Namespace::WaitForChange() end the wait. Holds nothing while it sleeps.
absl::StatusOr<bool> WaitUntil(const Namespace& ns, absl::Duration timeout,
                               absl::FunctionRef<absl::StatusOr<bool>()> attempt);

// The clock of waits.
std::int64_t MonotonicNs(const Namespace& ns);

// When a wait ends that begins now, by a clock that shows `now_ns`; INT64_MAX: never.
std::int64_t DeadlineOf(std::int64_t now_ns, absl::Duration timeout);

}  // namespace commy::coordination
