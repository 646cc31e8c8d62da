#include "sequences/handover.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"
#include "namespaces/queue_words.h"

namespace commy::sequences {
namespace {

// So that a waiter notices a writer or another waiter that died at the wrong moment, an element
// whose consumer is gone, and the end of the store.
constexpr std::int64_t kLookAgainNs = 1'000'000'000;

std::int64_t DeadlineNs(std::int64_t now_ns, absl::Duration timeout) {
  std::int64_t deadline_ns = 0;
  return timeout == absl::InfiniteDuration() ||
                 __builtin_add_overflow(now_ns, absl::ToInt64Nanoseconds(timeout), &deadline_ns)
             ? INT64_MAX
             : deadline_ns;
}

// Calls `use` with the word, as long as the namespace is there.
absl::Status WithWord(const engine::NamespaceState& ns, HandoverWord word,
                      absl::FunctionRef<void(base::Shared64&)> use) {
  const engine::Access at(ns.engine(), ns.key);
  COMMY_RETURN_IF_ERROR(at.status());
  use(at.ns().object->*word);
  return absl::OkStatus();
}

enum class Slept : std::uint8_t { kTold, kNotTold };

// hand-3. The memory may be another block now, if the namespace was dropped: then the look is in
// vain.
absl::StatusOr<Slept> SleepWhile(const engine::NamespaceState& ns, HandoverWord word,
                                 std::uint32_t generation, std::int64_t wait_ns) {
  process::Session& session = ns.engine().session;
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  auto* const object = ns.engine().region.At<namespaces::NamespaceObject>(ns.key.object);
  if (object == nullptr) {
    return Slept::kTold;
  }
  const std::uint32_t* const futex = namespaces::HandoverFutex(object->*word);
  const bool woken =
      session.platform().FutexWait(futex, generation, std::min(wait_ns, kLookAgainNs));
  const auto now = static_cast<std::uint32_t>((object->*word).load(std::memory_order_acquire));
  return woken || now != generation ? Slept::kTold : Slept::kNotTold;
}

}  // namespace

void TellWaiters(const engine::NamespaceState& ns, HandoverWord word, std::uint64_t count) {
  // A namespace that was dropped has no waiters that could be told.
  (void)WithWord(ns, word, [&](base::Shared64& waited_for) {
    namespaces::HandOver(ns.engine().session.platform(), waited_for, count);
  });
}

absl::StatusOr<bool> WaitUntil(const engine::NamespaceState& ns, HandoverWord word,
                               absl::Duration timeout,
                               absl::FunctionRef<absl::StatusOr<bool>()> look) {
  COMMY_ASSIGN_OR_RETURN(const bool at_once, look());
  if (at_once || timeout <= absl::ZeroDuration()) {
    return at_once;
  }
  platform::Platform& platform = ns.engine().session.platform();
  const std::int64_t deadline_ns = DeadlineNs(platform.MonotonicNs(), timeout);
  bool armed = false;
  std::uint32_t generation = 0;
  while (true) {
    if (!armed) {
      COMMY_RETURN_IF_ERROR(WithWord(ns, word, [&generation](base::Shared64& waited_for) {
        generation = namespaces::ArmHandover(waited_for);  // hand-1
      }));
    }
    absl::StatusOr<bool> there = look();  // hand-2
    const std::int64_t left_ns = deadline_ns - platform.MonotonicNs();
    if (!there.ok() || *there || left_ns <= 0) {
      (void)WithWord(ns, word, [generation](base::Shared64& waited_for) {
        namespaces::LeaveHandover(waited_for, generation);
      });
      return there;
    }
    COMMY_ASSIGN_OR_RETURN(const Slept slept, SleepWhile(ns, word, generation, left_ns));
    armed = slept == Slept::kNotTold;
    if (!armed) {
      // Most often it is there: then there is no need to count itself anew, and to leave.
      COMMY_ASSIGN_OR_RETURN(const bool told_of, look());
      if (told_of) {
        return true;
      }
    }
  }
}

}  // namespace commy::sequences
