// Deques of elements of the program's own types, found by name and shared between processes: double
// ended, and queues between producers and consumers.
//
//   absl::StatusOr<commy::SharedDeque<Job>> jobs =
//       store->OpenShared<commy::SharedDeque<Job>>("work/jobs", {.capacity = 1000});
//   absl::Status done = jobs->PushBack(job, absl::Seconds(1));     // Waits for room.
//   absl::StatusOr<Job> next = jobs->PopFront(absl::Seconds(10));  // Waits for an element.
//
// A consumer that must not lose an element takes it by a lease. If its process dies before it
// acknowledges, or it gives up, the element is the first of the deque again:
//
//   absl::StatusOr<commy::Leased<Job>> job = jobs->LeaseFront(absl::InfiniteDuration());
//   Do(job->value());
//   absl::Status done = job->Acknowledge();
//
// ELEMENTS  any type with a commy::Codec.
// MOMENTS   Each call that changes the deque does it at one moment, for all threads and processes.
//           A read of one element, a slice, a walk and a range each see one moment.
// WAITING   A thread that waits sleeps; each element that comes wakes one waiter, and each place
//           that is freed. Waiters come in the order in which they went to sleep, but a caller that
//           finds an element takes it, whether others wait or not. A waiter whose element was taken
//           by a consumer that died or was stopped at that moment notices within a second.
// LEASES    A leased element is in no other hands, and not in the deque. It comes back, before the
//           elements behind it, when its consumer calls Return(), or destroys the lease; or when
//           the consumer's process closes the store or dies, which others notice when they look
//           for an element, within a second or so. A stopped process keeps what it has leased. An
//           element can be delivered again although its consumer had done its work, if it dies
//           before Acknowledge(): to do both at one moment, acknowledge in the transaction that
//           writes the result. One that was leased QueueLimits::max_deliveries times goes to the
//           dead letters when it is the first and a consumer asks for a lease.
// DEATH     A process that is killed in the middle of a call has made its change or not.
// ERRORS    as of Namespace, and
//             NotFound            a pop or lease, without a timeout, of an empty deque
//             ResourceExhausted   a push, without a timeout, into a full deque; or a full store
//             DeadlineExceeded    the timeout is over, and it was empty or full all the time; or
//                                 others changed it all the time, for the store's operation_timeout
//             FailedPrecondition  an Acknowledge() or Return() of a lease that is not held any more
//             OutOfRange          an index is past the end
//             DataLoss            an element in the file is not of the type, or the deque is
//                                 damaged
//           After an error nothing has changed; but an element that is not of the type is gone
//           after the pop that says so. LeaseFront() returns it.
// COST      A push or pop writes the deque's root, of at most a few KiB, and 48 bytes and the
//           element (one of more than 512 bytes aside) for each that is leased or was returned; so
//           keep those to some hundreds. Every 1 KiB or so of elements a leaf goes to the file or
//           comes from it. The space that it takes follows its elements.
//
// docs/containers.md has all calls with their cost and their names in the standard library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "commy/internal/queue.h"
#include "commy/internal/vec_calls.h"

namespace commy {

// An element that this process holds. Move-only; destroying it returns the element. Any thread may
// use it, one at a time. Keeps the store open.
template <typename T>
class Leased {
 public:
  Leased(internal::Queue queue, internal::Queue::Ticket ticket, T value)
      : held_(std::make_unique<Held>(std::move(queue), ticket, std::move(value))) {}
  Leased(Leased&& other) noexcept = default;
  Leased& operator=(Leased&& other) noexcept {
    if (this != &other) {
      LetGo();
      held_ = std::move(other.held_);
    }
    return *this;
  }
  Leased(const Leased&) = delete;
  Leased& operator=(const Leased&) = delete;
  ~Leased() { LetGo(); }

  // Not of one that was moved from.
  [[nodiscard]] const T& value() const& { return held_->value; }
  // How often the element was leased, with this time; 1: for the first time.
  [[nodiscard]] std::uint32_t deliveries() const { return held_->ticket.deliveries; }

  // The number of the lease: a later one of the deque has a higher one. Where the work reaches
  // another system, it tells there whether an element's former consumer comes late.
  [[nodiscard]] std::uint64_t number() const { return held_->ticket.number; }

  // The element is done with, and goes. FailedPrecondition: the lease is over. After another error
  // it is held still.
  absl::Status Acknowledge() {
    return End([this] { return held_->queue.Acknowledge(held_->ticket.number); });
  }
  // The same, when the transaction commits; then what else it writes has the same moment. If the
  // lease is returned before, the transaction does not commit.
  //
  //   absl::Status done = store->Transact([&](commy::Transaction& txn) -> absl::Status {
  //     absl::Status put = results->In(txn).Put(job->value().id, result);
  //     return put.ok() ? job->AcknowledgeIn(txn) : put;
  //   });
  absl::Status AcknowledgeIn(Transaction& transaction) {
    return IsHeld() ? held_->queue.In(transaction).Acknowledge(held_->ticket.number) : Over();
  }
  // The element goes back to the front.
  absl::Status Return() {
    return End([this] { return held_->queue.Return(held_->ticket.number); });
  }

 private:
  struct Held {
    Held(internal::Queue from, internal::Queue::Ticket number, T element)
        : queue(std::move(from)), ticket(number), value(std::move(element)) {}
    internal::Queue queue;
    internal::Queue::Ticket ticket;
    T value;
    bool over = false;
  };

  static absl::Status Over() {
    return absl::FailedPreconditionError("the lease was acknowledged, returned or moved from");
  }
  [[nodiscard]] bool IsHeld() const { return held_ != nullptr && !held_->over; }
  template <typename How>
  absl::Status End(How&& how) {
    if (!IsHeld()) {
      return Over();
    }
    absl::Status status = how();
    held_->over = status.ok() || absl::IsFailedPrecondition(status);
    return status;
  }
  void LetGo() {
    if (IsHeld()) {
      // One that was acknowledged in a transaction is not held any more.
      held_->queue.Return(held_->ticket.number).IgnoreError();
    }
    held_.reset();
  }

  std::unique_ptr<Held> held_;
};

namespace internal {

// Returns a lease, unless it was released.
class LeaseGuard {
 public:
  LeaseGuard(const Queue& queue, std::uint64_t number) : queue_(queue), number_(number) {}
  LeaseGuard(const LeaseGuard&) = delete;
  LeaseGuard& operator=(const LeaseGuard&) = delete;
  ~LeaseGuard() {
    if (held_) {
      queue_.Return(number_).IgnoreError();
    }
  }
  void Release() { held_ = false; }

 private:
  const Queue& queue_;
  const std::uint64_t number_;
  bool held_ = true;
};

// The calls of a deque that change it, and never wait.
template <typename T>
class DequeChanges : public VecReads<T, Sequence> {
 public:
  // The first and the last element. OutOfRange: there is none.
  absl::StatusOr<T> Front() const { return this->First(); }
  absl::StatusOr<T> Back() const { return this->Last(); }

  absl::Status PushBack(const T& value) const { return Push(true, value, absl::ZeroDuration()); }
  absl::Status PushFront(const T& value) const { return Push(false, value, absl::ZeroDuration()); }
  // Adds all of them behind the last element, or none. ResourceExhausted: there is no room for all
  // now. InvalidArgument: nor would there ever be, since they are more than the capacity.
  template <ElementsOf<T> Values>
  absl::Status Append(Values&& values) const {
    return AppendAll(EncodedRun<T>({}, std::forward<Values>(values)), absl::ZeroDuration());
  }
  absl::Status Append(std::initializer_list<T> values) const {
    return AppendAll(EncodedRun<T>({}, values), absl::ZeroDuration());
  }
  // Takes the first or the last element, and returns it.
  absl::StatusOr<T> PopFront() const { return Pop(false, absl::ZeroDuration()); }
  absl::StatusOr<T> PopBack() const { return Pop(true, absl::ZeroDuration()); }
  // Takes up to `most` elements from the front, at least one, at one moment.
  absl::StatusOr<std::vector<T>> PopFrontMany(std::uint64_t most) const {
    return PopMany(most, absl::ZeroDuration());
  }
  // Removes all elements. Those that are leased stay so.
  absl::Status Clear() const { return queue_.Clear(); }

  // The elements from `from` on, at most `count`, as they are when begin() is called, for a
  // range-based for loop. An error ends the range early, so check its status() afterwards. Holds a
  // snapshot until it is at its end or destroyed; in a transaction the deque must not be changed
  // until then.
  ElementRange<T> Range(std::uint64_t from = 0, std::uint64_t count = UINT64_MAX) const {
    return ElementRange<T>(this->source_, of_now_, from, count);
  }

 protected:
  explicit DequeChanges(Queue queue, bool of_now)
      : VecReads<T, Sequence>(queue.sequence()), queue_(std::move(queue)), of_now_(of_now) {}

  absl::Status AppendAll(const EncodedRun<T>& run, absl::Duration timeout) const {
    return run.status().ok() ? queue_.Push(true, run.run(), timeout) : run.status();
  }
  absl::Status Push(bool back, const T& value, absl::Duration timeout) const {
    const EncodedRun<T> run(value);
    return run.status().ok() ? queue_.Push(back, run.run(), timeout) : run.status();
  }
  absl::StatusOr<T> Pop(bool back, absl::Duration timeout) const {
    absl::StatusOr<T> value = absl::UnknownError("");
    absl::Status status = queue_.Pop(
        back, 1, timeout, [&value](std::string_view bytes) { value = DecodeElement<T>(bytes); });
    return status.ok() ? std::move(value) : absl::StatusOr<T>(std::move(status));
  }
  absl::StatusOr<std::vector<T>> PopMany(std::uint64_t most, absl::Duration timeout) const {
    std::vector<T> values;
    absl::Status decoded;
    absl::Status status = queue_.Pop(false, most, timeout, [&](std::string_view bytes) {
      absl::StatusOr<T> value = DecodeElement<T>(bytes);
      if (value.ok()) {
        values.push_back(*std::move(value));
      } else {
        decoded = value.status();
      }
    });
    status.Update(decoded);
    return status.ok() ? absl::StatusOr<std::vector<T>>(std::move(values))
                       : absl::StatusOr<std::vector<T>>(std::move(status));
  }

  Queue queue_;
  bool of_now_;
};

}  // namespace internal

// A deque as a snapshot sees it: see SharedDeque::At(). The snapshot must outlive it.
template <typename T>
class SnapshotDeque : public internal::VecReads<T, internal::Sequence> {
  using Base = internal::VecReads<T, internal::Sequence>;

 public:
  explicit SnapshotDeque(internal::Sequence at) : Base(std::move(at)) {}
  absl::StatusOr<T> Front() const { return this->First(); }
  absl::StatusOr<T> Back() const { return this->Last(); }
  internal::ElementRange<T> Range(std::uint64_t from = 0, std::uint64_t count = UINT64_MAX) const {
    return internal::ElementRange<T>(this->source_, false, from, count);
  }
};

// A deque inside a transaction: see SharedDeque::In(). Reads see the transaction's own changes. All
// takes effect when the transaction commits, which fails if the deque was changed by others since
// the transaction began. No call waits. The transaction must outlive it.
template <typename T>
class TransactionDeque : public internal::DequeChanges<T> {
 public:
  explicit TransactionDeque(internal::Queue queue)
      : internal::DequeChanges<T>(std::move(queue), false) {}
};

// Cheap to copy; every method is safe from any thread; keeps the store open. A timeout may be
// infinite; if it is zero or negative, the call does not wait.
template <typename T>
class SharedDeque : public internal::DequeChanges<T> {
  using Base = internal::DequeChanges<T>;

 public:
  // What the store says of its type: "deque<f64>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kDequeOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls. InvalidArgument: a default_ttl (elements have none), a capacity
  // of 0, max_deliveries without dead_letters, or dead letters that cannot be opened.
  static absl::StatusOr<SharedDeque> Open(const Store& store, std::string_view path,
                                          const SharedOptions& options) {
    absl::StatusOr<internal::Queue> opened =
        internal::Queue::Open(store, path, kDescriptor, options);
    return opened.ok() ? absl::StatusOr<SharedDeque>(SharedDeque(*std::move(opened)))
                       : opened.status();
  }

  using Base::At;
  // The deque as a snapshot sees it, for reads.
  [[nodiscard]] SnapshotDeque<T> At(const Snapshot& snapshot) const {
    return SnapshotDeque<T>(this->source_.At(snapshot));
  }
  // The deque inside a transaction, for reads and changes.
  [[nodiscard]] TransactionDeque<T> In(Transaction& transaction) const {
    return TransactionDeque<T>(this->queue_.In(transaction));
  }

  using Base::Append;
  using Base::PopBack;
  using Base::PopFront;
  using Base::PopFrontMany;
  using Base::PushBack;
  using Base::PushFront;
  // The same, and wait until there is room, or an element.
  absl::Status PushBack(const T& value, absl::Duration timeout) const {
    return this->Push(true, value, timeout);
  }
  absl::Status PushFront(const T& value, absl::Duration timeout) const {
    return this->Push(false, value, timeout);
  }
  // One that waits for room for many may be passed by others that need less.
  template <internal::ElementsOf<T> Values>
  absl::Status Append(Values&& values, absl::Duration timeout) const {
    return this->AppendAll(internal::EncodedRun<T>({}, std::forward<Values>(values)), timeout);
  }
  absl::StatusOr<T> PopFront(absl::Duration timeout) const { return this->Pop(false, timeout); }
  absl::StatusOr<T> PopBack(absl::Duration timeout) const { return this->Pop(true, timeout); }
  absl::StatusOr<std::vector<T>> PopFrontMany(std::uint64_t most, absl::Duration timeout) const {
    return this->PopMany(most, timeout);
  }

  // Takes the first element for a while; see LEASES. An element that cannot be decoded (DataLoss)
  // is returned at once.
  absl::StatusOr<Leased<T>> LeaseFront(absl::Duration timeout = absl::ZeroDuration()) const {
    std::string bytes;
    const absl::StatusOr<internal::Queue::Ticket> ticket =
        this->queue_.Lease(timeout, [&bytes](std::string_view element) { bytes.assign(element); });
    if (!ticket.ok()) {
      return ticket.status();
    }
    internal::LeaseGuard guard(this->queue_, ticket->number);  // Also if the codec throws.
    absl::StatusOr<T> value = internal::DecodeElement<T>(bytes);
    if (!value.ok()) {
      return value.status();
    }
    absl::StatusOr<Leased<T>> leased(absl::in_place, this->queue_, *ticket, *std::move(value));
    guard.Release();
    return leased;
  }

  // Sets all limits, for all processes; to change one, begin with Info()->limits. More room wakes
  // those that wait for it.
  absl::Status SetLimits(const QueueLimits& limits) const { return this->queue_.SetLimits(limits); }
  // The limits, the number of elements, and the leases. Cost: a system call for each lease.
  [[nodiscard]] absl::StatusOr<QueueInfo> Info() const { return this->queue_.Info(); }

  // The namespace that holds the deque.
  [[nodiscard]] const Namespace& ns() const { return this->source_.ns(); }

 private:
  explicit SharedDeque(internal::Queue queue) : Base(std::move(queue), true) {}
};

}  // namespace commy
