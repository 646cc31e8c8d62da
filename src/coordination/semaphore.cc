// Semaphore: steps of semaphore_state.h on the record under the empty key.
//
// ACQUIRE   Take a place at the end of the queue, and give out what is free: it may be ours at
//           once. Else wait until our name is among the holds: whichever call frees permits puts it
//           there. Too few free: drop what is gone first.
// GIVE UP   At the deadline leave the queue, unless permits came meanwhile: then take them.
#include "commy/semaphore.h"

#include "base/status.h"
#include "coordination/only_record.h"
#include "coordination/record.h"
#include "coordination/semaphore_state.h"
#include "coordination/wait.h"

namespace commy {
namespace {

using coordination::SemaphoreFromBytes;
using coordination::SemaphoreState;
using internal::HolderId;

constexpr std::string_view kLacks = "number of permits";

absl::Status DropGone(const Namespace& ns, SemaphoreState& state) {
  return state.DropGone([&](const HolderId& id) { return coordination::IsGone(ns, id); });
}

// Does one step. `step` may fail: then nothing has changed.
absl::Status Step(const Namespace& ns, absl::FunctionRef<absl::Status(SemaphoreState&)> step) {
  return coordination::UpdateRecord(
      ns, "", [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        if (!present.has_value()) {
          return coordination::NoRecord(ns.path(), Semaphore::kDescriptor, kLacks);
        }
        COMMY_ASSIGN_OR_RETURN(SemaphoreState state, SemaphoreFromBytes(ns.path(), *present));
        COMMY_RETURN_IF_ERROR(step(state));
        std::string bytes = coordination::ToBytes(state);
        return bytes == *present ? Change::Keep() : coordination::PutRecord(std::move(bytes));
      });
}

absl::Status CheckPermits(std::string_view path, std::uint64_t permits) {
  return permits >= 1 && permits <= Semaphore::kPermitsMax
             ? absl::OkStatus()
             : base::InvalidArgument("semaphore \"", base::ToAbsl(path), "\": ", permits,
                                     " permits are out of their range, 1 to ",
                                     Semaphore::kPermitsMax);
}

// A call that waits is woken by each change, but asks the system about the holders only this often.
constexpr std::int64_t kLookForGoneNs = 100'000'000;

// One Acquire().
class Request {
 public:
  Request(const Namespace& ns, const HolderId& id, std::uint64_t count)
      : ns_(ns), share_{.id = id, .count = count} {}

  // Returns whether the permits are held. If not, `enqueue` says whether to wait for them from now
  // on; without it nothing has changed.
  absl::StatusOr<bool> Try(bool enqueue) {
    bool held = false;
    const std::int64_t now_ns = coordination::MonotonicNs(ns_);
    const bool look = now_ns >= next_look_ns_;
    if (look) {
      next_look_ns_ = now_ns + kLookForGoneNs;
    }
    COMMY_RETURN_IF_ERROR(Step(ns_, [&](SemaphoreState& state) -> absl::Status {
      held = state.Holds(share_.id);
      if (held) {
        return absl::OkStatus();
      }
      COMMY_RETURN_IF_ERROR(CheckCount(state.permits));
      const SemaphoreState before = state;
      if (!state.Waits(share_.id)) {
        state.waiters.push_back(share_);
      }
      state.Grant();
      if (!state.Holds(share_.id) && look) {
        COMMY_RETURN_IF_ERROR(DropGone(ns_, state));
        state.Grant();
      }
      held = state.Holds(share_.id);
      held_ = state.Held();
      permits_ = state.permits;
      waiters_ = state.waiters.size();
      if (!held && !enqueue) {
        state = before;
      }
      return absl::OkStatus();
    }));
    return held;
  }

  // Gives up. Returns true if the permits came meanwhile and `keep` is set; then they are held.
  absl::StatusOr<bool> GiveUp(bool keep) {
    bool held = false;
    const absl::Status left = Step(ns_, [&](SemaphoreState& state) {
      held = keep && state.Holds(share_.id);
      if (!held && state.Remove(share_.id)) {
        state.Grant();
      }
      return absl::OkStatus();
    });
    if (absl::IsResourceExhausted(left)) {
      coordination::Abandon(share_.id);
    }
    COMMY_RETURN_IF_ERROR(left);
    return held;
  }

  [[nodiscard]] absl::Status TooLate() const {
    return absl::DeadlineExceededError(absl::StrCat(
        "semaphore \"", ns_.path(), "\": ", held_, " of ", permits_, " permits are held, and ",
        waiters_, waiters_ == 1 ? " call waits" : " calls wait", ", this one for ", share_.count));
  }

 private:
  [[nodiscard]] absl::Status CheckCount(std::uint64_t permits) const {
    return share_.count >= 1 && share_.count <= permits
               ? absl::OkStatus()
               : base::InvalidArgument("semaphore \"", ns_.path(), "\": ", share_.count,
                                       " cannot be acquired of ", permits, " permits");
  }

  const Namespace& ns_;
  const coordination::Share share_;
  std::int64_t next_look_ns_ = INT64_MIN;
  // As the last try found them.
  std::uint64_t held_ = 0;
  std::uint64_t permits_ = 0;
  std::size_t waiters_ = 0;
};

}  // namespace

// --- Permits -------------------------------------------------------------------------------------

Permits::Permits(Namespace ns, HolderId id, std::uint64_t count)
    : ns_(std::move(ns)), id_(id), count_(count) {}

Permits::Permits(Permits&& other) noexcept
    : ns_(std::exchange(other.ns_, std::nullopt)), id_(other.id_), count_(other.count_) {}

Permits& Permits::operator=(Permits&& other) noexcept {
  if (this != &other) {
    End();
    ns_ = std::exchange(other.ns_, std::nullopt);
    id_ = other.id_;
    count_ = other.count_;
  }
  return *this;
}

Permits::~Permits() {
  End();
}

void Permits::End() {
  if (ns_.has_value() && absl::IsResourceExhausted(Release())) {
    coordination::Abandon(id_);
  }
}

absl::Status Permits::Release() {
  if (!ns_.has_value()) {
    return base::FailedPrecondition("the permits were released, or moved from, before");
  }
  absl::Status released = Step(*ns_, [this](SemaphoreState& state) {
    if (!state.Remove(id_)) {
      return base::FailedPrecondition("semaphore \"", ns_->path(), "\": these permits are not ",
                                      "held any more");
    }
    state.Grant();
    return absl::OkStatus();
  });
  if (!absl::IsResourceExhausted(released)) {
    ns_.reset();
  }
  return released;
}

// --- Semaphore -----------------------------------------------------------------------------------

absl::StatusOr<Semaphore> Semaphore::Open(const Store& store, std::string_view path,
                                          std::uint64_t permits, const SharedOptions& options) {
  COMMY_RETURN_IF_ERROR(CheckPermits(path, permits));
  const auto agrees = [path, permits](std::string_view bytes) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const SemaphoreState state, SemaphoreFromBytes(path, bytes));
    return state.permits == permits
               ? absl::OkStatus()
               : base::InvalidArgument("semaphore \"", base::ToAbsl(path), "\" has ", state.permits,
                                       " permits, not ", permits);
  };
  COMMY_ASSIGN_OR_RETURN(Namespace ns, coordination::OpenOnlyRecord(
                                           store,
                                           {.path = path,
                                            .kind = kDescriptor,
                                            .lacks = kLacks,
                                            .initial = coordination::ToBytes({.permits = permits})},
                                           options, agrees));
  return Semaphore(std::move(ns));
}

absl::StatusOr<Semaphore> Semaphore::Open(const Store& store, std::string_view path,
                                          const SharedOptions& options) {
  const auto agrees = [path](std::string_view bytes) {
    return SemaphoreFromBytes(path, bytes).status();
  };
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns,
      coordination::OpenOnlyRecord(
          store, {.path = path, .kind = kDescriptor, .lacks = kLacks, .initial = std::nullopt},
          options, agrees));
  return Semaphore(std::move(ns));
}

absl::StatusOr<Permits> Semaphore::Acquire(std::uint64_t n, absl::Duration timeout) const {
  COMMY_ASSIGN_OR_RETURN(const HolderId id, coordination::NewHolder(ns_));
  Request request(ns_, id, n);
  if (timeout <= absl::ZeroDuration()) {
    COMMY_ASSIGN_OR_RETURN(const bool held, request.Try(/*enqueue=*/false));
    return held ? absl::StatusOr<Permits>(Permits(ns_, id, n)) : request.TooLate();
  }
  const absl::StatusOr<bool> held =
      coordination::WaitUntil(ns_, timeout, [&request] { return request.Try(/*enqueue=*/true); });
  if (held.ok() && *held) {
    return Permits(ns_, id, n);
  }
  const absl::StatusOr<bool> came = request.GiveUp(/*keep=*/held.ok());
  COMMY_RETURN_IF_ERROR(held.status());
  COMMY_RETURN_IF_ERROR(came.status());
  return *came ? absl::StatusOr<Permits>(Permits(ns_, id, n)) : request.TooLate();
}

absl::StatusOr<std::optional<Permits>> Semaphore::TryAcquire(std::uint64_t n) const {
  COMMY_ASSIGN_OR_RETURN(const HolderId id, coordination::NewHolder(ns_));
  COMMY_ASSIGN_OR_RETURN(const bool held, Request(ns_, id, n).Try(/*enqueue=*/false));
  std::optional<Permits> permits;
  if (held) {
    permits = Permits(ns_, id, n);
  }
  return permits;
}

absl::StatusOr<std::uint64_t> Semaphore::Available() const {
  const absl::StatusOr<std::string> bytes = ns_.Get("");
  if (absl::IsNotFound(bytes.status())) {
    return coordination::NoRecord(path(), kDescriptor, kLacks);
  }
  COMMY_RETURN_IF_ERROR(bytes.status());
  COMMY_ASSIGN_OR_RETURN(SemaphoreState state, SemaphoreFromBytes(path(), *bytes));
  COMMY_RETURN_IF_ERROR(DropGone(ns_, state));
  state.Grant();
  return state.Free();
}

absl::Status Semaphore::SetPermits(std::uint64_t permits) const {
  COMMY_RETURN_IF_ERROR(CheckPermits(path(), permits));
  return Step(ns_, [&](SemaphoreState& state) -> absl::Status {
    state.permits = permits;
    COMMY_RETURN_IF_ERROR(DropGone(ns_, state));
    state.Grant();
    return absl::OkStatus();
  });
}

}  // namespace commy
