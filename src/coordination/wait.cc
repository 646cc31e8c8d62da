#include "coordination/wait.h"

#include <algorithm>
#include <cstdint>

#include "api/handle_access.h"
#include "base/status.h"

namespace commy::coordination {
namespace {

// So that the death of a holder is noticed.
constexpr std::int64_t kSliceNs = 1'000'000'000;

}  // namespace

std::int64_t MonotonicNs(const Namespace& ns) {
  return api::HandleAccess::StateOf(ns)->engine().session.platform().MonotonicNs();
}

std::int64_t DeadlineOf(std::int64_t now_ns, absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) {
    return now_ns;
  }
  // It saturates.
  const std::int64_t timeout_ns = absl::ToInt64Nanoseconds(timeout);
  std::int64_t deadline_ns = 0;
  return __builtin_add_overflow(now_ns, timeout_ns, &deadline_ns) ? INT64_MAX : deadline_ns;
}

absl::StatusOr<bool> WaitUntil(const Namespace& ns, absl::Duration timeout,
                               absl::FunctionRef<absl::StatusOr<bool>()> attempt) {
  const std::int64_t deadline_ns = DeadlineOf(MonotonicNs(ns), timeout);
  while (true) {
    const std::int64_t left_ns = deadline_ns - MonotonicNs(ns);
    COMMY_ASSIGN_OR_RETURN(const ChangeToken seen, ns.Changes());
    COMMY_ASSIGN_OR_RETURN(const bool done, attempt());
    if (done || left_ns <= 0) {
      return done;
    }
    const absl::StatusOr<ChangeToken> changed =
        ns.WaitForChange(seen, absl::Nanoseconds(std::min(left_ns, kSliceNs)));
    if (!changed.ok() && !absl::IsDeadlineExceeded(changed.status())) {
      return changed.status();
    }
  }
}

}  // namespace commy::coordination
