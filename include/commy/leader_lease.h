// One leader among processes: a lease that lasts until its holder ends or lets go.
//
//   absl::StatusOr<commy::LeaderLease> lease =
//       store->OpenShared<commy::LeaderLease>("jobs/leader");
//   absl::StatusOr<commy::LeaderLease::Held> held = lease->Acquire(absl::InfiniteDuration());
//   Lead(held->fencing());
//   absl::Status done = held->LetGo();  // Or let ~Held do it.
//
// The lease does not expire with time: it is held until its process dies, closes the store, or lets
// go. So a leader that is merely slow keeps it, and so does one that is stopped (SIGSTOP): it is
// not dead, and goes on as the leader when it is continued.
//
// FENCING NUMBERS go up with every acquisition, from 1 on, and none is used twice for the lease. A
// leader passes its number on with its writes; what takes them refuses a number below the highest
// that it has seen. Then a leader that was superseded, and does not know, can do no harm. Dropping
// or clearing the namespace begins again at 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/holder_id.h"
#include "commy/shared_options.h"
#include "commy/store.h"

namespace commy {

// Cheap to copy; every method is safe from any thread; keeps the store open.
//
// EXCLUSION Two holders exclude each other, also in one process and by one handle.
// ORDER     Of several that wait, any one may be next.
// DEATH     What a dead process held is taken by the next that tries; one that waits already
//           notices within a second.
// ERRORS    as of Namespace, and DataLoss: a program wrote other bytes there.
class COMMY_EXPORT LeaderLease {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "leader";

  // The lease, held. Move-only. All methods may be called from any thread, but LetGo(), moves and
  // the destructor from one at a time. Keeps the store open.
  class COMMY_EXPORT Held {
   public:
    Held(Held&& other) noexcept;
    Held& operator=(Held&& other) noexcept;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    // Lets go. If the store has no room for that, the lease is free for this process at once, and
    // for others when this one has tried to acquire it again, or has ended. Does nothing in a child
    // after fork().
    ~Held();

    // The number of this acquisition; 0: it was moved from.
    [[nodiscard]] std::uint64_t fencing() const { return fencing_; }
    // Lets go, so that another one can acquire it. FailedPrecondition: it is not held any more, or
    // the store was closed. ResourceExhausted: no room in the store; it is still held, and the call
    // may be made again. Cost: a put.
    absl::Status LetGo();
    // Returns whether it is held still. False: after LetGo(), or if the record was cleared.
    // FailedPrecondition: the store was closed, so it is not. The answer may be old when it is
    // read: pass on the fencing number where that matters. Cost: a read.
    [[nodiscard]] absl::StatusOr<bool> StillHeld() const;

   private:
    friend class LeaderLease;
    Held(Namespace ns, internal::HolderId id, std::uint64_t fencing);
    void End();

    std::optional<Namespace> ns_;  // None: moved from, or let go.
    internal::HolderId id_;
    std::uint64_t fencing_ = 0;
  };

  // The process that holds the lease, for people.
  struct HolderInfo {
    std::string process_name;  // Options::process_name; at most 63 bytes.
    std::uint64_t pid = 0;     // As the process itself sees it.
    std::uint64_t fencing = 0;
    absl::Time acquired;  // By the wall clock then.
  };

  // What Store::OpenShared() calls.
  static absl::StatusOr<LeaderLease> Open(const Store& store, std::string_view path,
                                          const SharedOptions& options);

  // Acquires the lease, and waits for it up to `timeout`: zero or negative, then it tries once;
  // infinite, then for as long as it takes. The thread sleeps meanwhile. DeadlineExceeded: the text
  // says which process holds it. Cost: a read and a put if it is free, and some system calls if it
  // is another process's; a waiter looks again at each change of the lease, and each second.
  absl::StatusOr<Held> Acquire(absl::Duration timeout) const;
  // Acquires the lease if it is free, or its holder is gone. nullopt: it is held. Cost: as
  // Acquire().
  absl::StatusOr<std::optional<Held>> TryAcquire() const;
  // Returns the process that holds the lease. nullopt: none does, or it is gone. Cost: a read.
  [[nodiscard]] absl::StatusOr<std::optional<HolderInfo>> Holder() const;

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the lease; its record is under the empty key.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit LeaderLease(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
