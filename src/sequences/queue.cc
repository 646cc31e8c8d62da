#include "commy/internal/queue.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "api/handle_access.h"
#include "base/status.h"
#include "process/holders.h"
#include "process/owner.h"
#include "sequences/handover.h"
#include "sequences/queue_steps.h"
#include "sequences/sequence_state.h"

namespace commy::internal {
namespace {

using sequences::Got;
using sequences::QueueResult;
using sequences::QueueState;
using sequences::QueueStep;

// How often a busy consumer looks for leases whose holders are gone.
constexpr std::int64_t kLookForGoneNs = 100'000'000;

// Some bits of the store's id; not 0.
std::uint32_t StoreId(const region::Region& region) {
  std::uint32_t id = 0;
  std::memcpy(&id, region.header().uuid, sizeof(id));
  return id | 1U;
}

}  // namespace

struct Queue::Shared {
  std::atomic<std::int64_t> looked_ns{0};
};

// One call of a queue.
class Queue::Work {
 public:
  explicit Work(const Queue& queue)
      : queue_(queue), ns_(queue.sequence_.ns()), state_(*api::HandleAccess::StateOf(ns_)) {}

  // Makes a step, in the root alone if that is enough, and tells those that wait.
  absl::Status Make(const QueueStep& step, QueueResult* result);
  // The same; true: it was made. Returns leases whose holders are gone first, if there is nothing
  // else to take, and now and then.
  absl::StatusOr<bool> Take(const QueueStep& step, QueueResult* result);

  // The queue's part of the root. `use` must not keep it.
  absl::Status Read(absl::FunctionRef<void(const sequences::RootView&, const QueueState&)> use);
  // Of a lease that was taken in this store, or in one that it was recovered from.
  [[nodiscard]] bool IsGone(std::uint32_t store, std::uint64_t owner) const {
    const engine::Engine& engine = state_.engine();
    const process::Session::Call call(engine.session);  // A close waits, or has been.
    return call.status().ok() &&
           (store != StoreId(engine.region) ||
            process::IsGone(engine.region, owner, engine.session.owner_word()));
  }
  [[nodiscard]] sequences::Holder Consumer() const {
    process::Session& session = state_.engine().session;
    const process::Session::Call call(session);
    return call.status().ok() ? sequences::Holder{session.owner_word(), StoreId(session.region()),
                                                  session.platform().WallNs(), false}
                              : sequences::Holder();
  }
  [[nodiscard]] const engine::NamespaceState& state() const { return state_; }
  [[nodiscard]] absl::StatusOr<Sequence> DeadLetters(std::string_view path) const;

 private:
  absl::Status MakeInEdit(const QueueStep& step, int attempts, QueueResult* result);
  absl::StatusOr<bool> ReturnGone();
  absl::StatusOr<bool> MoveDead();
  void Tell(std::uint64_t come, std::uint64_t room) const;

  const Queue& queue_;
  const Namespace& ns_;
  const engine::NamespaceState& state_;
};

// --- Steps ---------------------------------------------------------------------------------------

void Queue::Work::Tell(std::uint64_t come, std::uint64_t room) const {
  if (come != 0) {
    sequences::TellWaiters(state_, sequences::kForElement, come);
  }
  if (room != 0) {
    sequences::TellWaiters(state_, sequences::kForRoom, room);
  }
}

absl::Status Queue::Work::MakeInEdit(const QueueStep& step, int attempts, QueueResult* result) {
  const absl::Status status = sequences::ChangeSequence(
      ns_, queue_.transaction_, attempts, [&](SequenceEdit::State& edit) -> absl::Status {
        COMMY_RETURN_IF_ERROR(sequences::StepInEdit(edit.edit, step, result));
        if (step.frees() && queue_.transaction_ == nullptr) {
          edit.transaction->writes().SetFrees();
        }
        return result->got == Got::kDone ? absl::OkStatus()
                                         : absl::CancelledError("there is nothing to do");
      });
  return absl::IsCancelled(status) && result->got != Got::kDone ? absl::OkStatus() : status;
}

absl::Status Queue::Work::Make(const QueueStep& step, QueueResult* result) {
  if (queue_.transaction_ != nullptr) {
    COMMY_RETURN_IF_ERROR(MakeInEdit(step, 0, result));
    if (result->got == Got::kDone && (result->come != 0 || result->room != 0)) {
      const auto tell = [queue = queue_, come = result->come, room = result->room] {
        Work(queue).Tell(come, room);
      };
      api::HandleAccess::StateOf(*queue_.transaction_)->OnCommit(tell);
    }
    return absl::OkStatus();
  }
  const SequenceSizes& sizes = SizesOfSequences();
  std::uint64_t most_bytes = sizes.run_bytes;
  const bool grows = step.kind == QueueStep::Kind::kPush && step.run.bytes.size() <= most_bytes;
  for (int attempts = 1;; attempts *= 2) {
    COMMY_RETURN_IF_ERROR(sequences::StepInRoot(state_, step, most_bytes, result));
    if (result->got != Got::kMore) {
      break;
    }
    const absl::Status status = MakeInEdit(step, grows && attempts <= 4 ? attempts : 0, result);
    if (!absl::IsAborted(status)) {
      COMMY_RETURN_IF_ERROR(status);
      break;
    }
    // Others are in the way: rather than lose to them again and again, the run grows.
    most_bytes = std::max(sizes.run_bytes, sizes.run_bytes_most);
  }
  if (result->got == Got::kDone) {
    Tell(result->come, result->room);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Queue::Work::Take(const QueueStep& step, QueueResult* result) {
  const bool front = !step.back && queue_.transaction_ == nullptr;
  if (front) {
    const std::int64_t now = state_.engine().session.platform().MonotonicNs();
    std::int64_t looked = queue_.shared_->looked_ns.load(std::memory_order_relaxed);
    if (now - looked >= kLookForGoneNs &&
        queue_.shared_->looked_ns.compare_exchange_strong(looked, now, std::memory_order_relaxed)) {
      COMMY_RETURN_IF_ERROR(ReturnGone().status());
    }
  }
  QueueStep now = step;
  if (step.kind == QueueStep::Kind::kLease) {
    now.holder = Consumer();
  }
  while (true) {
    COMMY_RETURN_IF_ERROR(Make(now, result));
    if (result->got == Got::kDone) {
      return true;
    }
    if (result->got == Got::kDead) {
      COMMY_ASSIGN_OR_RETURN(const bool moved, MoveDead());
      now.holder.even_dead = !moved;
      continue;
    }
    if (queue_.transaction_ != nullptr || !result->leased) {
      return false;
    }
    COMMY_ASSIGN_OR_RETURN(const bool returned, ReturnGone());
    if (!returned) {
      return false;
    }
  }
}

absl::Status Queue::Work::Read(
    absl::FunctionRef<void(const sequences::RootView&, const QueueState&)> use) {
  absl::Status parsed;
  const absl::Status read = ns_.ReadWith({}, [&](std::string_view bytes) {
    sequences::RootView root;
    QueueState queue;
    parsed = sequences::ParseRoot(bytes, &root);
    if (parsed.ok() && !sequences::ParseQueue(root.queue, &queue)) {
      parsed = base::DataLoss("the queue's part of the root is damaged");
    }
    if (parsed.ok()) {
      use(root, queue);
    }
  });
  return absl::IsNotFound(read) ? absl::OkStatus() : read.ok() ? parsed : read;
}

// --- Consumers that are gone, and dead letters ---------------------------------------------------

// Whether there were any.
absl::StatusOr<bool> Queue::Work::ReturnGone() {
  std::vector<std::uint64_t> owners;
  std::uint32_t store = 0;
  COMMY_RETURN_IF_ERROR(Read([&](const sequences::RootView&, const QueueState& queue) {
    store = queue.store;
    for (const sequences::Item& item : queue.leases) {
      owners.push_back(item.owner);
    }
  }));
  std::sort(owners.begin(), owners.end());
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
  std::erase_if(owners, [this, store](std::uint64_t owner) { return !IsGone(store, owner); });
  if (owners.empty()) {
    return false;
  }
  QueueResult result;
  COMMY_RETURN_IF_ERROR(
      Make({.kind = QueueStep::Kind::kReturnGone, .gone = owners, .gone_store = store}, &result));
  return result.got == Got::kDone;
}

absl::StatusOr<Sequence> Queue::Work::DeadLetters(std::string_view path) const {
  COMMY_ASSIGN_OR_RETURN(const std::string type, ns_.Type());
  COMMY_ASSIGN_OR_RETURN(Sequence letters,
                         Sequence::Open(api::HandleAccess::StoreOf(ns_), path, type, {}));
  if (api::HandleAccess::StateOf(letters.ns())->key.id == state_.key.id) {
    return base::InvalidArgument("the dead letters of \"", ns_.path(),
                                 "\" cannot go to itself; name another path");
  }
  return letters;
}

// False: they cannot be opened any more, or have no room in a full store.
absl::StatusOr<bool> Queue::Work::MoveDead() {
  std::string path;
  COMMY_RETURN_IF_ERROR(Read([&path](const sequences::RootView&, const QueueState& queue) {
    path = std::string(queue.dead_letters);
  }));
  const absl::StatusOr<Sequence> letters = DeadLetters(path);
  if (!letters.ok()) {
    return false;
  }
  bool moved = false;
  const auto move = [&](Transaction& txn) -> absl::Status {
    QueueResult result;
    const auto pop = [&](SequenceEdit::State& edit) {
      edit.transaction->writes().SetFrees();  // It takes as much as it gives.
      return sequences::StepInEdit(edit.edit, {.kind = QueueStep::Kind::kPopDead}, &result);
    };
    COMMY_RETURN_IF_ERROR(sequences::ChangeSequence(ns_, &txn, 0, pop));
    moved = result.got == Got::kDone;
    if (!moved) {
      return absl::CancelledError("another consumer was faster");
    }
    std::string room;
    const std::string& element = result.taken.elements[0];
    const ElementRun run = sequences::RunOf(element, &room);
    return letters->In(txn).Push(true, run);
  };
  const absl::Status status = api::HandleAccess::StoreOf(ns_).Transact(move);
  if (absl::IsResourceExhausted(status)) {
    return false;
  }
  if (!status.ok() && !absl::IsCancelled(status)) {
    return status;
  }
  if (moved) {
    sequences::TellWaiters(*api::HandleAccess::StateOf(letters->ns()), sequences::kForElement, 1);
    Tell(0, 1);
  }
  return true;
}

// --- The calls -----------------------------------------------------------------------------------

Queue::Queue(Sequence sequence)
    : sequence_(std::move(sequence)), shared_(std::make_shared<Shared>()) {}

namespace {

// InvalidArgument: no queue has such limits.
absl::Status CheckLimits(const QueueLimits& limits) {
  if (limits.capacity == 0) {
    return base::InvalidArgument("the capacity of a queue is at least 1");
  }
  return limits.max_deliveries != 0 && limits.dead_letters.empty()
             ? base::InvalidArgument(
                   "max_deliveries needs dead_letters: the path of the deque that gets the "
                   "elements")
             : absl::OkStatus();
}

bool Same(const QueueLimits& a, const QueueLimits& b) {
  return a.capacity == b.capacity && a.max_deliveries == b.max_deliveries &&
         a.dead_letters == b.dead_letters;
}

}  // namespace

absl::StatusOr<Queue> Queue::Open(const Store& store, std::string_view path, std::string_view type,
                                  const SharedOptions& options) {
  if (!options.capacity.has_value() && !options.max_deliveries.has_value() &&
      !options.dead_letters.has_value()) {
    COMMY_ASSIGN_OR_RETURN(Sequence sequence, Sequence::Open(store, path, type, options));
    return Queue(std::move(sequence));
  }
  const auto wanted = [&options](const QueueLimits& present) {
    return QueueLimits{options.capacity.value_or(present.capacity),
                       options.max_deliveries.value_or(present.max_deliveries),
                       options.dead_letters.value_or(present.dead_letters)};
  };
  // Before it makes one, it looks whether the limits can be had.
  SharedOptions there = options;
  there.create_if_missing = false;
  absl::StatusOr<Sequence> sequence = Sequence::Open(store, path, type, there);
  if (absl::IsNotFound(sequence.status()) && options.create_if_missing) {
    const QueueLimits limits = wanted({});
    COMMY_RETURN_IF_ERROR(CheckLimits(limits));
    if (limits.dead_letters == path) {
      return base::InvalidArgument("the dead letters of \"", base::ToAbsl(path),
                                   "\" cannot go to itself; name another path");
    }
    if (!limits.dead_letters.empty()) {
      COMMY_RETURN_IF_ERROR(Sequence::Open(store, limits.dead_letters, type, {}).status());
    }
    sequence = Sequence::Open(store, path, type, options);
  }
  COMMY_RETURN_IF_ERROR(sequence.status());
  Queue queue(*std::move(sequence));
  COMMY_ASSIGN_OR_RETURN(const QueueInfo info, queue.Info());
  if (const QueueLimits limits = wanted(info.limits); !Same(limits, info.limits)) {
    COMMY_RETURN_IF_ERROR(queue.SetLimits(limits));
  }
  return queue;
}

Queue Queue::In(Transaction& transaction) const {
  Queue in = *this;
  in.sequence_ = sequence_.In(transaction);
  in.transaction_ = &transaction;
  return in;
}

absl::Status Queue::Push(bool back, const ElementRun& run, absl::Duration timeout) const {
  if (run.count == 0) {
    return absl::OkStatus();
  }
  Work work(*this);
  const QueueStep step{.kind = QueueStep::Kind::kPush, .back = back, .run = run};
  COMMY_ASSIGN_OR_RETURN(
      const bool done,
      sequences::WaitUntil(
          work.state(), sequences::kForRoom,
          transaction_ == nullptr ? timeout : absl::ZeroDuration(), [&]() -> absl::StatusOr<bool> {
            QueueResult result;
            COMMY_RETURN_IF_ERROR(work.Make(step, &result));
            if (run.count > result.capacity) {
              return base::InvalidArgument(run.count,
                                           " elements at once do not fit the queue's capacity of ",
                                           result.capacity, "; push them in smaller groups");
            }
            return result.got == Got::kDone;
          }));
  if (done) {
    return absl::OkStatus();
  }
  return timeout > absl::ZeroDuration()
             ? absl::DeadlineExceededError("the queue was full all the time")
             : base::ResourceExhausted("the queue is full: it has no room for ", run.count,
                                       " more within its capacity");
}

absl::Status Queue::Pop(bool back, std::uint64_t most, absl::Duration timeout,
                        absl::FunctionRef<void(std::string_view)> use) const {
  if (most == 0) {
    return absl::OkStatus();
  }
  Work work(*this);
  QueueResult result;
  const QueueStep step{.kind = QueueStep::Kind::kPop, .back = back, .most = most};
  COMMY_RETURN_IF_ERROR(WaitForElement(work, step, timeout, &result));
  for (const std::string& element : result.taken.elements) {
    use(element);
  }
  return absl::OkStatus();
}

absl::StatusOr<Queue::Ticket> Queue::Lease(absl::Duration timeout,
                                           absl::FunctionRef<void(std::string_view)> use) const {
  if (transaction_ != nullptr) {
    return base::FailedPrecondition("a lease is taken outside of transactions");
  }
  Work work(*this);
  QueueResult result;
  const QueueStep step{.kind = QueueStep::Kind::kLease};
  COMMY_RETURN_IF_ERROR(WaitForElement(work, step, timeout, &result));
  use(result.taken.elements[0]);
  return Ticket{result.taken.ticket, result.taken.deliveries};
}

absl::Status Queue::WaitForElement(Work& work, const sequences::QueueStep& step,
                                   absl::Duration timeout, sequences::QueueResult* result) const {
  COMMY_ASSIGN_OR_RETURN(
      const bool done,
      sequences::WaitUntil(work.state(), sequences::kForElement,
                           transaction_ == nullptr ? timeout : absl::ZeroDuration(),
                           [&] { return work.Take(step, result); }));
  if (done) {
    return absl::OkStatus();
  }
  return timeout > absl::ZeroDuration() && transaction_ == nullptr
             ? absl::DeadlineExceededError("the queue was empty all the time")
             : base::NotFound("the queue is empty");
}

namespace {

absl::Status NotHeld() {
  return base::FailedPrecondition(
      "the lease is not held any more: it was acknowledged or returned before");
}

}  // namespace

absl::Status Queue::Acknowledge(std::uint64_t ticket) const {
  QueueResult result;
  COMMY_RETURN_IF_ERROR(
      Work(*this).Make({.kind = QueueStep::Kind::kAcknowledge, .ticket = ticket}, &result));
  if (result.got != Got::kDone && transaction_ != nullptr && ticket >= result.next_ticket) {
    return absl::AbortedError("the lease was taken since the transaction began; begin again");
  }
  return result.got == Got::kDone ? absl::OkStatus() : NotHeld();
}

absl::Status Queue::Return(std::uint64_t ticket) const {
  QueueResult result;
  COMMY_RETURN_IF_ERROR(
      Work(*this).Make({.kind = QueueStep::Kind::kReturn, .ticket = ticket}, &result));
  return result.got == Got::kDone ? absl::OkStatus() : NotHeld();
}

absl::Status Queue::PutReturned(const ElementRun& run, std::uint32_t deliveries) const {
  QueueResult result;
  return Work(*this).Make(
      {.kind = QueueStep::Kind::kPutReturned, .run = run, .deliveries = deliveries}, &result);
}

absl::Status Queue::Clear() const {
  QueueResult result;
  return Work(*this).Make({.kind = QueueStep::Kind::kClear}, &result);
}

absl::Status Queue::SetLimits(const QueueLimits& limits) const {
  COMMY_RETURN_IF_ERROR(CheckLimits(limits));
  Work work(*this);
  if (!limits.dead_letters.empty()) {
    COMMY_RETURN_IF_ERROR(work.DeadLetters(limits.dead_letters).status());
  }
  QueueResult result;
  return work.Make({.kind = QueueStep::Kind::kSetLimits,
                    .capacity = limits.capacity,
                    .max_deliveries = limits.max_deliveries,
                    .dead_letters = limits.dead_letters},
                   &result);
}

absl::StatusOr<QueueInfo> Queue::Info() const {
  Work work(*this);
  QueueInfo info;
  std::vector<std::uint64_t> owners;
  std::uint32_t store = 0;
  COMMY_RETURN_IF_ERROR(work.Read([&](const sequences::RootView& root, const QueueState& queue) {
    info.size = root.count() + queue.returned.size();
    info.returned = queue.returned.size();
    info.limits = {queue.capacity, queue.max_deliveries, std::string(queue.dead_letters)};
    for (const sequences::Item& item : queue.leases) {
      info.leases.push_back({process::OwnerSlot(item.owner), false, item.deliveries,
                             absl::FromUnixNanos(item.since_wall_ns)});
      owners.push_back(item.owner);
    }
    store = queue.store;
  }));
  for (std::size_t i = 0; i < owners.size(); ++i) {
    info.leases[i].gone = work.IsGone(store, owners[i]);
  }
  return info;
}

}  // namespace commy::internal
