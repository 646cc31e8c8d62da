// The elements of a deque, as bytes, and how threads and processes take them from each other. Not
// for users: see shared_deque.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/internal/sequence.h"

namespace commy {

namespace sequences {
struct QueueResult;
struct QueueStep;
}  // namespace sequences

// The limits of a deque. They lie in the file, and hold for all processes.
struct QueueLimits {
  // A push waits, or fails, while this many elements or more are in the deque. Leased ones do not
  // count; one that is returned has its place whatever the capacity. At least 1.
  std::uint64_t capacity = UINT64_MAX;
  // An element that was leased this often, and never acknowledged, is not leased again: it goes to
  // the dead letters. 0: any number. Needs `dead_letters`.
  std::uint32_t max_deliveries = 0;
  // The path of the deque, of the same type, that gets them. It is created if there is none.
  std::string dead_letters = std::string();
};

// An element that a consumer holds.
struct LeaseInfo {
  std::uint32_t slot = 0;        // Of the participant; see ParticipantInfo.
  bool gone = false;             // It has closed the store or died; the element returns.
  std::uint32_t deliveries = 0;  // With this one.
  absl::Time since = absl::InfinitePast();
};

// The state of a deque.
struct QueueInfo {
  std::uint64_t size = 0;      // Elements, leased ones aside.
  std::uint64_t returned = 0;  // Of them: were leased before, and returned.
  std::vector<LeaseInfo> leases;
  QueueLimits limits;
};

namespace internal {

class COMMY_EXPORT Queue {
 public:
  explicit Queue(Sequence sequence);
  static absl::StatusOr<Queue> Open(const Store& store, std::string_view path,
                                    std::string_view type, const SharedOptions& options);
  // The queue inside a transaction, where no call waits.
  [[nodiscard]] Queue In(Transaction& transaction) const;
  [[nodiscard]] const Sequence& sequence() const { return sequence_; }

  // Adds elements at one moment. ResourceExhausted (`timeout` zero or negative) or
  // DeadlineExceeded: there is no room for them.
  absl::Status Push(bool back, const ElementRun& run, absl::Duration timeout) const;
  // Adds one element as if a consumer had returned it, after it was leased that often: behind those
  // that were returned, before all others, and whatever the capacity. For copies of a queue.
  absl::Status PutReturned(const ElementRun& run, std::uint32_t deliveries) const;
  // Takes up to `most` elements, at least one, at one moment, and calls `use` with each. NotFound
  // (`timeout` zero or negative) or DeadlineExceeded: there is none.
  absl::Status Pop(bool back, std::uint64_t most, absl::Duration timeout,
                   absl::FunctionRef<void(std::string_view)> use) const;

  struct Ticket {
    std::uint64_t number = 0;
    std::uint32_t deliveries = 0;
  };
  // Takes the first element for a while, and calls `use` with it. Errors as of Pop().
  absl::StatusOr<Ticket> Lease(absl::Duration timeout,
                               absl::FunctionRef<void(std::string_view)> use) const;
  // FailedPrecondition: the lease is not held any more.
  absl::Status Acknowledge(std::uint64_t ticket) const;
  absl::Status Return(std::uint64_t ticket) const;

  // Removes all elements; leases stay.
  absl::Status Clear() const;
  absl::Status SetLimits(const QueueLimits& limits) const;
  [[nodiscard]] absl::StatusOr<QueueInfo> Info() const;

 private:
  struct Shared;
  class Work;
  absl::Status WaitForElement(Work& work, const sequences::QueueStep& step, absl::Duration timeout,
                              sequences::QueueResult* result) const;

  Sequence sequence_;
  std::shared_ptr<Shared> shared_;  // Of all copies of a handle.
  Transaction* transaction_ = nullptr;
};

}  // namespace internal
}  // namespace commy
