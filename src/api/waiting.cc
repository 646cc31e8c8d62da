// Waiting for changes and for keys: the steps wait-1 to key-4 of namespaces/notify.h.
#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "absl/functional/function_ref.h"

#include "base/status.h"
#include "commy/namespace.h"
#include "engine/access.h"
#include "engine/namespace_state.h"
#include "namespaces/notify.h"
#include "transactions/write_set.h"

namespace commy {
namespace {

// So that a waiter whose writer died at the wrong moment, or whose store was closed, notices.
constexpr std::int64_t kWaitMaxNs = 1'000'000'000;

// The time at which a wait ends, by the given clock.
std::int64_t DeadlineNs(std::int64_t now_ns, absl::Duration timeout) {
  std::int64_t deadline_ns = 0;
  return timeout == absl::InfiniteDuration() ||
                 __builtin_add_overflow(now_ns, absl::ToInt64Nanoseconds(timeout), &deadline_ns)
             ? INT64_MAX
             : deadline_ns;
}

void Pause(std::int64_t pause_ns) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(pause_ns));
}

// Does wait-1 or key-1 with the namespace's object. The status says if it is being dropped.
absl::Status WithObject(const engine::NamespaceState& ns,
                        absl::FunctionRef<void(namespaces::NamespaceObject&)> use) {
  engine::Access at(ns.engine(), ns.key);
  COMMY_RETURN_IF_ERROR(at.status());
  use(*at.ns().object);
  std::uint64_t offset = 0;
  index::IndexRoot* root = nullptr;
  return at.Finish(ns.engine().map.roots().Current(at.ns(), &offset, &root));
}

// wait-4 and key-4.
void Sleep(platform::Platform& platform, const std::uint32_t* word, std::uint32_t value,
           std::int64_t wait_ns) {
  (void)platform.FutexWait(word, value, std::min(wait_ns, kWaitMaxNs));
}

// wait-4. The memory may be another block now, if the namespace was dropped: then the look is in
// vain.
absl::Status SleepWhile(const engine::NamespaceState& ns, std::uint64_t generation,
                        std::int64_t wait_ns) {
  process::Session& session = ns.engine().session;
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  const auto* const object = ns.engine().region.At<namespaces::NamespaceObject>(ns.key.object);
  if (object != nullptr) {
    Sleep(session.platform(), namespaces::FutexOf(*object), namespaces::FutexValue(generation),
          wait_ns);
  }
  return absl::OkStatus();
}

// key-1 to key-4 with one key.
class KeyWaiter {
 public:
  KeyWaiter(const engine::NamespaceState& ns, std::string_view key)
      : ns_(ns), hash_(ns.engine().map.Hash(key)) {}

  // key-1, key-2.
  absl::Status Arm() {
    return WithObject(ns_, [this](namespaces::NamespaceObject& object) {
      armed_ = namespaces::AwaitKey(object, Word());
    });
  }
  // key-4. Returns whether a writer has notified.
  absl::StatusOr<bool> Sleep(std::int64_t wait_ns) {
    process::Session& session = ns_.engine().session;
    const process::Session::Call call(session);
    COMMY_RETURN_IF_ERROR(call.status());
    commy::Sleep(session.platform(), &Word().raw, armed_, wait_ns);
    return Word().load(std::memory_order_acquire) != armed_;
  }
  // For a waiter that was woken in vain.
  void PauseFor(std::int64_t left_ns) {
    pause_ns_ = std::clamp(2 * pause_ns_, namespaces::kPauseMinNs, namespaces::kPauseMaxNs);
    Pause(std::min(pause_ns_, left_ns));
  }

 private:
  [[nodiscard]] region::Shared32& Word() const {
    return namespaces::KeyWord(ns_.engine().region, ns_.key.id, hash_);
  }

  const engine::NamespaceState& ns_;
  const std::uint64_t hash_;
  std::uint32_t armed_ = 0;
  std::int64_t pause_ns_ = 0;
};

}  // namespace

absl::StatusOr<ChangeToken> Namespace::Changes() const {
  std::uint64_t generation = 0;
  COMMY_RETURN_IF_ERROR(WithObject(*state_, [&](namespaces::NamespaceObject& object) {
    generation = namespaces::AwaitedGeneration(object);
  }));
  return ChangeToken(generation);
}

absl::StatusOr<ChangeToken> Namespace::WaitForChange(ChangeToken seen,
                                                     absl::Duration timeout) const {
  platform::Platform& platform = state_->engine().session.platform();
  const std::int64_t deadline_ns = DeadlineNs(platform.MonotonicNs(), timeout);
  for (bool napped = false; true;) {
    const std::int64_t left_ns = deadline_ns - platform.MonotonicNs();
    std::uint64_t generation = 0;
    auto sleep = namespaces::Sleep::kMoved;
    COMMY_RETURN_IF_ERROR(WithObject(*state_, [&](namespaces::NamespaceObject& object) {
      generation = namespaces::AwaitedGeneration(object);
      if (generation == seen.generation_ && left_ns > 0) {
        sleep = namespaces::ArmSleep(object, generation, napped);
      }
    }));
    if (generation != seen.generation_) {
      return ChangeToken(generation);
    }
    if (left_ns <= 0) {
      return absl::DeadlineExceededError("nothing changed in the namespace before the timeout");
    }
    if (sleep == namespaces::Sleep::kNapFirst) {
      Pause(std::min(left_ns, namespaces::kNapNs));
      napped = true;
    } else if (sleep == namespaces::Sleep::kSleep) {
      COMMY_RETURN_IF_ERROR(SleepWhile(*state_, generation, left_ns));
    }
  }
}

absl::StatusOr<std::string> Namespace::GetOrWait(std::string_view key,
                                                 absl::Duration timeout) const {
  COMMY_RETURN_IF_ERROR(transactions::CheckKey(key));
  platform::Platform& platform = state_->engine().session.platform();
  const std::int64_t deadline_ns = DeadlineNs(platform.MonotonicNs(), timeout);
  KeyWaiter waiter(*state_, key);
  while (true) {
    COMMY_RETURN_IF_ERROR(waiter.Arm());
    absl::StatusOr<std::string> value = Get(key);
    if (value.ok() || !absl::IsNotFound(value.status())) {
      return value;
    }
    const std::int64_t left_ns = deadline_ns - platform.MonotonicNs();
    if (left_ns <= 0) {
      return absl::DeadlineExceededError("the key did not appear before the timeout");
    }
    COMMY_ASSIGN_OR_RETURN(const bool told, waiter.Sleep(left_ns));
    if (told) {
      // Before the pause, which is for waiters that were notified of another key.
      value = Get(key);
      if (value.ok() || !absl::IsNotFound(value.status())) {
        return value;
      }
      waiter.PauseFor(deadline_ns - platform.MonotonicNs());
    }
  }
}

}  // namespace commy
