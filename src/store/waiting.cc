// Waiting for changes: the steps C1 to C3 of index/changes.h.
#include <algorithm>
#include <optional>
#include <string>

#include "base/status.h"
#include "commy/namespace.h"
#include "store/handles.h"
#include "store/write_set.h"

namespace commy {
namespace {

using index::Anchor;
using process::Lane;

// So that a waiter whose writer died at the wrong moment, or whose store was closed, notices.
constexpr std::int64_t kWaitMaxNs = 1'000'000'000;

// The time at which a wait ends, by the clock that is given.
std::int64_t DeadlineNs(std::int64_t now_ns, absl::Duration timeout) {
  std::int64_t deadline_ns = 0;
  return timeout == absl::InfiniteDuration() ||
                 __builtin_add_overflow(now_ns, absl::ToInt64Nanoseconds(timeout), &deadline_ns)
             ? INT64_MAX
             : deadline_ns;
}

absl::StatusOr<std::uint64_t> Generation(const store::NamespaceState& ns) {
  std::uint64_t generation = 0;
  COMMY_RETURN_IF_ERROR(ns.store->Read(ns.key, [&](Lane&, const Anchor& anchor) -> absl::Status {
    generation = index::AwaitedGeneration(*anchor.object);
    return ns.store->IndexFor(ns.order).RootOffset(anchor).status();  // Aborted: being dropped.
  }));
  return generation;
}

// C3. What is at the place may be another block by now, if the namespace was dropped: then it is
// looked at for nothing.
absl::Status WaitWhile(const store::NamespaceState& ns, std::uint64_t generation,
                       std::int64_t wait_ns) {
  process::Session& session = ns.store->session();
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  const auto* const object = ns.store->region().At<index::NamespaceObject>(ns.key.object);
  if (object != nullptr) {
    session.platform().FutexWait(index::FutexOf(*object), index::FutexValue(generation),
                                 std::min(wait_ns, kWaitMaxNs));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChangeToken> Namespace::Changes() const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t generation, Generation(*state_));
  return ChangeToken(generation);
}

absl::StatusOr<ChangeToken> Namespace::WaitForChange(ChangeToken seen,
                                                     absl::Duration timeout) const {
  platform::Platform& platform = state_->store->session().platform();
  const std::int64_t deadline_ns = DeadlineNs(platform.MonotonicNs(), timeout);
  while (true) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t generation, Generation(*state_));
    if (generation != seen.generation_) {
      return ChangeToken(generation);
    }
    const std::int64_t left_ns = deadline_ns - platform.MonotonicNs();
    if (left_ns <= 0) {
      return absl::DeadlineExceededError("nothing has changed in the namespace in this time");
    }
    COMMY_RETURN_IF_ERROR(WaitWhile(*state_, generation, left_ns));
  }
}

absl::StatusOr<std::string> Namespace::GetOrWait(std::string_view key,
                                                 absl::Duration timeout) const {
  COMMY_RETURN_IF_ERROR(store::CheckKey(key));
  platform::Platform& platform = state_->store->session().platform();
  const std::int64_t deadline_ns = DeadlineNs(platform.MonotonicNs(), timeout);
  while (true) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t generation, Generation(*state_));
    absl::StatusOr<std::string> value = Get(key);
    if (value.ok() || !absl::IsNotFound(value.status())) {
      return value;
    }
    // Which of the two is not there, the key or the namespace, the next look at that one tells.
    const std::int64_t left_ns = deadline_ns - platform.MonotonicNs();
    if (left_ns <= 0) {
      COMMY_RETURN_IF_ERROR(Generation(*state_).status());
      return absl::DeadlineExceededError("the key did not come in this time");
    }
    COMMY_RETURN_IF_ERROR(WaitWhile(*state_, generation, left_ns));
  }
}

}  // namespace commy
