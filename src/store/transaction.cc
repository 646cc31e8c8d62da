// Transactions and batches: the public classes.
#include "commy/transaction.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/random/random.h"

#include "base/status.h"
#include "commy/store.h"
#include "store/commit.h"
#include "store/handles.h"
#include "store/transaction_reads.h"
#include "store/write_set.h"

namespace commy {
namespace store {
namespace {

constexpr std::int64_t kBackoffFirstNs = 10'000;
constexpr std::int64_t kBackoffMaxNs = 20'000'000;
constexpr int kBackoffDoublings = 12;

absl::Status Overdue() {
  return absl::DeadlineExceededError(
      "the transaction's time is over, and the transaction with it; nothing was changed");
}

// Sleeps for a random time, longer from attempt to attempt, and not past the deadline.
void BackOff(platform::Platform& platform, int attempt, std::int64_t deadline_ns) {
  static thread_local absl::InsecureBitGen random;
  static_assert(
      std::is_trivially_destructible_v<absl::InsecureBitGen>);  // The thread may be ending.
  const std::int64_t most =
      std::min(kBackoffFirstNs << std::min(attempt, kBackoffDoublings), kBackoffMaxNs);
  const std::int64_t left = deadline_ns - platform.MonotonicNs();
  const std::int64_t sleep_ns =
      std::min(absl::Uniform<std::int64_t>(random, 0, most), std::max<std::int64_t>(left, 0));
  std::this_thread::sleep_for(std::chrono::nanoseconds(sleep_ns));
}

absl::StatusOr<std::int64_t> DeadlineOf(StoreImpl& store, absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) {
    return base::InvalidArgument("the transaction's timeout is ", absl::FormatDuration(timeout),
                                 "; it must be longer than nothing");
  }
  const auto whole = static_cast<std::int64_t>(store.region().geometry().operation_timeout_ns);
  const std::int64_t timeout_ns =
      timeout == absl::InfiniteDuration() ? whole : absl::ToInt64Nanoseconds(timeout);
  const std::int64_t now = store.session().platform().MonotonicNs();
  return timeout_ns > std::numeric_limits<std::int64_t>::max() - now
             ? std::numeric_limits<std::int64_t>::max()
             : now + timeout_ns;
}

std::uint64_t IsolationWord(Isolation isolation) {
  return isolation == Isolation::kSerializable ? index::kSerializable : index::kSnapshotIsolation;
}

}  // namespace

// --- Batches -----------------------------------------------------------------------------------

class BatchState {
 public:
  WriteSet& writes() { return writes_; }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  void Update(const absl::Status& status) { status_.Update(status); }

 private:
  WriteSet writes_;
  absl::Status status_;  // The first thing that was wrong with a key.
};

absl::Status StoreImpl::Write(std::unique_ptr<BatchState> batch) {
  if (batch == nullptr) {
    return base::FailedPrecondition("the batch was written or moved from");
  }
  COMMY_RETURN_IF_ERROR(batch->status());
  for (const auto& [id, writes] : batch->writes().all()) {
    COMMY_RETURN_IF_ERROR(CheckOwn(*writes.ns));
  }
  COMMY_RETURN_IF_ERROR(session_->CheckUsable());
  if (batch->writes().size() == 0) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline, DeadlineOf(*this, absl::InfiniteDuration()));
  const auto validate = [](std::uint64_t, std::uint64_t) -> absl::StatusOr<bool> { return true; };
  const auto nothing = [] {};
  CommitTerms terms{index::kSnapshotIsolation,
                    index::kCommitTimeMax,
                    deadline,
                    nothing,
                    validate,
                    nothing,
                    region().header().commit_clock.load(std::memory_order_acquire)};
  for (int attempt = 0;; ++attempt) {
    terms.attempt = static_cast<std::uint32_t>(attempt);
    Commit commit(*this, batch->writes(), terms);
    absl::Status status = commit.Run().status();
    if (!absl::IsAborted(status)) {
      return status;
    }
    if (session_->platform().MonotonicNs() >= deadline) {
      return Overdue();
    }
    if (commit.ahead().has_value()) {
      WaitFor(*this, *commit.ahead(), deadline);
    } else {
      BackOff(session_->platform(), attempt, deadline);
    }
  }
}

absl::Status StoreImpl::CheckOwn(const NamespaceState& ns) const {
  return ns.store.get() == this
             ? absl::OkStatus()
             : base::InvalidArgument(path_, ": the namespace ", ns.path, " is of another store, ",
                                     ns.store->path(), ", or of another Open() of this one");
}

// --- Transactions ------------------------------------------------------------------------------

class TransactionState {
 public:
  TransactionState(std::shared_ptr<StoreImpl> store, Isolation isolation, std::int64_t deadline_ns,
                   const process::HeldSnapshot& held, std::uint64_t age, std::uint32_t attempt)
      : store_(std::move(store)),
        isolation_(isolation),
        deadline_ns_(deadline_ns),
        held_(held),
        as_of_{held.time, held.store_ns},
        age_(age),
        attempt_(attempt),
        over_(std::make_shared<bool>(false)) {}
  TransactionState(const TransactionState&) = delete;
  TransactionState& operator=(const TransactionState&) = delete;
  ~TransactionState() { End(); }

  absl::Status Check() {
    if (*over_) {
      return base::FailedPrecondition(
          "the transaction is over: it was committed, rolled back or "
          "out of time");
    }
    COMMY_RETURN_IF_ERROR(store_->session().CheckUsable());
    if (store_->session().platform().MonotonicNs() >= deadline_ns_) {
      End();
      outcome_ = Overdue();
      return outcome_;
    }
    return absl::OkStatus();
  }
  absl::Status Check(const NamespaceState& ns, std::string_view key) {
    COMMY_RETURN_IF_ERROR(Check());
    COMMY_RETURN_IF_ERROR(store_->CheckOwn(ns));
    return CheckKey(key);
  }
  absl::Status CheckWrite(const NamespaceState& ns, std::string_view key) {
    COMMY_RETURN_IF_ERROR(Check(ns, key));
    return store_->session().read_only()
               ? base::FailedPrecondition(store_->path(), ": the store was opened read-only")
               : absl::OkStatus();
  }
  void End() {
    *over_ = true;
    if (held_.has_value()) {
      store_->ReleaseSnapshot(*held_);
      held_.reset();
    }
  }

  // The value and when it expires (0: never); nullopt: the key is not there.
  struct Value {
    std::string value;
    std::int64_t expiry_ns = 0;
  };
  absl::StatusOr<std::optional<Value>> Read(const std::shared_ptr<const NamespaceState>& ns,
                                            std::string_view key) {
    COMMY_RETURN_IF_ERROR(Check(*ns, key));
    if (const PendingWrite* const own = writes_.Find(*ns, key); own != nullptr) {
      return own->tombstone ? std::optional<Value>()
                            : std::optional<Value>({own->value, own->expiry_ns});
    }
    if (isolation_ == Isolation::kSerializable) {
      reads_.AddKey(ns, key);
    }
    std::optional<Value> value;
    COMMY_RETURN_IF_ERROR(
        store_->Read(ns->key, [&](process::Lane&, const index::Anchor& anchor) -> absl::Status {
          index::RecordView found;
          COMMY_RETURN_IF_ERROR(ns->order == Order::kHash
                                    ? store_->hash_index().Find(anchor, key, as_of_, &found)
                                    : store_->ordered_index().Find(anchor, key, as_of_, &found));
          if (found.valid()) {
            value = Value{std::string(found.value), found.record->expiry_ns};
          }
          return absl::OkStatus();
        }));
    return value;
  }

  std::unique_ptr<ScanState> Scan(const std::shared_ptr<const NamespaceState>& ns,
                                  ScanOptions options) {
    absl::Status status = Check(*ns, std::string_view());
    if (status.ok() && options.snapshot != nullptr) {
      status = base::InvalidArgument("a scan of a transaction has the transaction's snapshot");
    }
    ScanWithin within{as_of_, writes_.Of(*ns), over_, nullptr};
    if (isolation_ == Isolation::kSerializable && status.ok()) {
      within.range = reads_.AddRange(ns);
    }
    auto scan = std::make_unique<ScanState>(ns, std::move(options), within);
    scan->Fail(status);
    return scan;
  }

  absl::Status Commit() {
    COMMY_RETURN_IF_ERROR(Check());
    if (writes_.size() == 0) {
      End();  // It has seen one moment, and is as if it were there.
      return absl::OkStatus();
    }
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, store_->session().ThisLane());
    const auto validate = [this, lane](std::uint64_t time, std::uint64_t own) {
      return reads_.SameAsOf(*store_, as_of_, time, own,
                             [lane] { index::StepAhead(lane->words().progress); });
    };
    const auto keep_since = [this] {
      if (isolation_ == Isolation::kSerializable) {
        store_->session().KeepSince(*held_);
      }
    };
    const auto committed = [this] { End(); };
    const CommitTerms terms{IsolationWord(isolation_),
                            as_of_.time,
                            deadline_ns_,
                            keep_since,
                            validate,
                            committed,
                            age_,
                            attempt_};
    store::Commit commit(*store_, writes_, terms);
    absl::StatusOr<std::uint64_t> time = commit.Run();
    End();
    if (absl::IsAborted(time.status()) && commit.ahead().has_value()) {
      WaitFor(*store_, *commit.ahead(), deadline_ns_);  // So that another attempt is of some use.
    }
    if (time.ok()) {
      commit_time_ = *time;
    }
    outcome_ = time.status();
    return outcome_;
  }

  WriteSet& writes() { return writes_; }
  [[nodiscard]] std::uint64_t commit_time() const { return commit_time_; }
  [[nodiscard]] bool over() const { return *over_; }
  // Once it is over: OK, if it was committed or rolled back; else why it could not be committed.
  [[nodiscard]] const absl::Status& outcome() const { return outcome_; }

 private:
  std::shared_ptr<StoreImpl> store_;
  const Isolation isolation_;
  const std::int64_t deadline_ns_;
  std::optional<process::HeldSnapshot> held_;
  const index::AsOf as_of_;
  const std::uint64_t age_;
  const std::uint32_t attempt_;
  const std::shared_ptr<bool> over_;
  WriteSet writes_;
  ReadSet reads_;
  std::uint64_t commit_time_ = 0;
  absl::Status outcome_;
};

}  // namespace store

namespace {

absl::Status MovedFrom() {
  return base::FailedPrecondition("the transaction was moved from");
}
absl::Status NoSuchKey() {
  return absl::NotFoundError("no such key");
}

}  // namespace

Transaction::Transaction(std::unique_ptr<store::TransactionState> state)
    : state_(std::move(state)) {}
Transaction::Transaction(Transaction&& other) noexcept = default;
Transaction& Transaction::operator=(Transaction&& other) noexcept = default;
Transaction::~Transaction() = default;

absl::StatusOr<std::string> Transaction::Get(const Namespace& ns, std::string_view key) {
  if (state_ == nullptr) {
    return MovedFrom();
  }
  COMMY_ASSIGN_OR_RETURN(auto found, state_->Read(ns.state_, key));
  if (!found.has_value()) {
    return NoSuchKey();
  }
  return std::move(found->value);
}

absl::StatusOr<bool> Transaction::Contains(const Namespace& ns, std::string_view key) {
  if (state_ == nullptr) {
    return MovedFrom();
  }
  COMMY_ASSIGN_OR_RETURN(const auto found, state_->Read(ns.state_, key));
  return found.has_value();
}

ScanRange Transaction::Scan(const Namespace& ns, ScanOptions options) {
  if (state_ == nullptr) {
    auto scan = std::make_unique<store::ScanState>(ns.state_, std::move(options));
    scan->Fail(MovedFrom());
    return ScanRange(std::move(scan));
  }
  return ScanRange(state_->Scan(ns.state_, std::move(options)));
}

absl::Status Transaction::Put(const Namespace& ns, std::string_view key, std::string_view value,
                              PutOptions options) {
  if (state_ == nullptr) {
    return MovedFrom();
  }
  COMMY_RETURN_IF_ERROR(state_->CheckWrite(*ns.state_, key));
  return state_->writes().Put(ns.state_, key, value, options);
}

absl::StatusOr<bool> Transaction::Delete(const Namespace& ns, std::string_view key) {
  if (state_ == nullptr) {
    return MovedFrom();
  }
  COMMY_RETURN_IF_ERROR(state_->CheckWrite(*ns.state_, key));
  COMMY_ASSIGN_OR_RETURN(const auto found, state_->Read(ns.state_, key));
  COMMY_RETURN_IF_ERROR(state_->writes().Delete(ns.state_, key));
  return found.has_value();
}

absl::StatusOr<std::int64_t> Transaction::Add(const Namespace& ns, std::string_view key,
                                              std::int64_t delta) {
  if (state_ == nullptr) {
    return MovedFrom();
  }
  COMMY_RETURN_IF_ERROR(state_->CheckWrite(*ns.state_, key));
  COMMY_ASSIGN_OR_RETURN(const auto found, state_->Read(ns.state_, key));
  std::int64_t sum = 0;
  if (found.has_value()) {
    const std::string& text = found->value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sum);
    if (error != std::errc() || end != text.data() + text.size()) {
      return base::InvalidArgument("the value is not a decimal integer of 64 bits");
    }
  }
  const std::int64_t before = sum;
  if (__builtin_add_overflow(before, delta, &sum)) {
    return base::OutOfRange(before, " and ", delta, " do not add up within 64 bits");
  }
  COMMY_RETURN_IF_ERROR(
      state_->writes().PutUntil(ns.state_, key, std::to_string(sum),
                                found.has_value() ? found->expiry_ns : index::kExpiryByDefault));
  return sum;
}

absl::Status Transaction::Commit() {
  return state_ == nullptr ? MovedFrom() : state_->Commit();
}
void Transaction::Rollback() {
  if (state_ != nullptr) {
    state_->End();
  }
}
std::uint64_t Transaction::commit_time() const {
  return state_ == nullptr ? 0 : state_->commit_time();
}

absl::StatusOr<Transaction> Store::Begin(TransactOptions options) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline, store::DeadlineOf(*impl_, options.timeout));
  COMMY_ASSIGN_OR_RETURN(const process::HeldSnapshot held, impl_->TakeSnapshot());
  return Transaction(std::make_unique<store::TransactionState>(impl_, options.isolation, deadline,
                                                               held, held.time, 0));
}

absl::Status Store::Transact(absl::FunctionRef<absl::Status(Transaction&)> body,
                             TransactOptions options) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline, store::DeadlineOf(*impl_, options.timeout));
  platform::Platform& platform = impl_->session().platform();
  std::uint64_t age = 0;
  for (int attempt = 0;; ++attempt) {
    const std::int64_t left_ns = deadline - platform.MonotonicNs();
    if (left_ns <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("the transaction met a conflict ", attempt,
                       " times, and its time is over; nothing was changed"));
    }
    COMMY_ASSIGN_OR_RETURN(const process::HeldSnapshot held, impl_->TakeSnapshot());
    age = attempt == 0 ? held.time : age;
    Transaction txn(std::make_unique<store::TransactionState>(
        impl_, options.isolation, deadline, held, age, static_cast<std::uint32_t>(attempt)));
    absl::Status status = body(txn);
    if (status.ok()) {
      // The body may have ended it, or not have looked at what a call of it said.
      status = txn.state_ != nullptr && txn.state_->over() ? txn.state_->outcome() : txn.Commit();
    }
    txn.Rollback();
    if (!absl::IsAborted(status)) {
      return status;
    }
    store::BackOff(platform, attempt, deadline);
  }
}

// --- Batches -----------------------------------------------------------------------------------

WriteBatch::WriteBatch() : state_(std::make_unique<store::BatchState>()) {}
WriteBatch::WriteBatch(WriteBatch&& other) noexcept = default;
WriteBatch& WriteBatch::operator=(WriteBatch&& other) noexcept = default;
WriteBatch::~WriteBatch() = default;

void WriteBatch::Put(const Namespace& ns, std::string_view key, std::string_view value,
                     PutOptions options) {
  if (state_ != nullptr) {
    state_->Update(state_->writes().Put(ns.state_, key, value, options));
  }
}
void WriteBatch::Delete(const Namespace& ns, std::string_view key) {
  if (state_ != nullptr) {
    state_->Update(state_->writes().Delete(ns.state_, key));
  }
}
std::uint64_t WriteBatch::size() const {
  return state_ == nullptr ? 0 : state_->writes().size();
}

absl::Status Store::Write(WriteBatch batch) const {
  return impl_->Write(std::move(batch.state_));
}

absl::Status Namespace::Write(WriteBatch batch) const {
  return state_->store->Write(std::move(batch.state_));
}

}  // namespace commy
