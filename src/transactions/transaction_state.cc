#include "transactions/transaction_state.h"

#include <algorithm>
#include <limits>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/random/random.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "transactions/commit.h"
#include "versions/commit_clock.h"

namespace commy::transactions {
namespace {

constexpr std::int64_t kBackoffFirstNs = 10'000;
constexpr std::int64_t kBackoffMaxNs = 20'000'000;
constexpr int kBackoffDoublings = 12;

absl::Status Overdue() {
  return absl::DeadlineExceededError("the transaction timed out; nothing was changed");
}

}  // namespace

absl::StatusOr<std::int64_t> DeadlineOf(const engine::Engine& engine, absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) {
    return base::InvalidArgument("the transaction's timeout is ", absl::FormatDuration(timeout),
                                 "; it must be positive");
  }
  const auto whole = static_cast<std::int64_t>(engine.region.geometry().operation_timeout_ns);
  const std::int64_t timeout_ns =
      timeout == absl::InfiniteDuration() ? whole : absl::ToInt64Nanoseconds(timeout);
  const std::int64_t now = engine.session.platform().MonotonicNs();
  return timeout_ns > std::numeric_limits<std::int64_t>::max() - now
             ? std::numeric_limits<std::int64_t>::max()
             : now + timeout_ns;
}

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

// --- Batches -----------------------------------------------------------------------------------

absl::Status Write(const engine::Engine& engine, std::unique_ptr<BatchState> batch) {
  if (batch == nullptr) {
    return base::FailedPrecondition("the batch was written or moved from");
  }
  COMMY_RETURN_IF_ERROR(batch->status());
  for (const auto& [id, writes] : batch->writes().all()) {
    COMMY_RETURN_IF_ERROR(engine::CheckOwn(engine, *writes.ns));
  }
  std::uint64_t age = 0;
  {
    const process::Session::Call call(engine.session);  // The header is there until Close() is.
    COMMY_RETURN_IF_ERROR(call.status());
    age = versions::CommitTimeNow(engine.region);
  }
  if (batch->writes().size() == 0) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline, DeadlineOf(engine, absl::InfiniteDuration()));
  const auto validate = [](std::uint64_t, std::uint64_t) { return base::Result(); };
  const auto nothing = [] {};
  CommitTerms terms{versions::kSnapshotIsolation,
                    versions::kCommitTimeMax,
                    deadline,
                    nothing,
                    validate,
                    nothing,
                    age};
  platform::Platform& platform = engine.session.platform();
  for (int attempt = 0;; ++attempt) {
    terms.attempt = static_cast<std::uint32_t>(attempt);
    Commit commit(engine, batch->writes(), terms);
    absl::Status status = commit.Run().status();
    if (!absl::IsAborted(status)) {
      return status;
    }
    if (platform.MonotonicNs() >= deadline) {
      return Overdue();
    }
    if (commit.ahead().has_value()) {
      WaitFor(engine, *commit.ahead(), deadline);
    } else {
      BackOff(platform, attempt, deadline);
    }
  }
}

// --- Transactions ------------------------------------------------------------------------------

TransactionState::TransactionState(std::shared_ptr<engine::OpenStore> store,
                                   std::uint64_t isolation, std::int64_t deadline_ns,
                                   const versions::HeldSnapshot& held, std::uint64_t age,
                                   std::uint32_t attempt)
    : store_(std::move(store)),
      engine_(store_->engine()),
      isolation_(isolation),
      deadline_ns_(deadline_ns),
      held_(held),
      as_of_{held.time, held.store_ns},
      age_(age),
      attempt_(attempt),
      over_(std::make_shared<bool>(false)),
      validates_(isolation == versions::kSerializable) {
  COMMY_DCHECK(isolation == versions::kSnapshotIsolation || isolation == versions::kSerializable);
}

absl::Status TransactionState::Check() {
  if (*over_) {
    return base::FailedPrecondition(
        "the transaction is over: it was committed, rolled back or "
        "timed out");
  }
  COMMY_RETURN_IF_ERROR(engine_.session.CheckUsable());
  if (engine_.session.platform().MonotonicNs() >= deadline_ns_) {
    End();
    outcome_ = Overdue();
    return outcome_;
  }
  return absl::OkStatus();
}

absl::Status TransactionState::Check(const engine::NamespaceState& ns, std::string_view key) {
  COMMY_RETURN_IF_ERROR(Check());
  COMMY_RETURN_IF_ERROR(engine::CheckOwn(engine_, ns));
  return CheckKey(key);
}

absl::Status TransactionState::CheckWrite(const engine::NamespaceState& ns, std::string_view key) {
  COMMY_RETURN_IF_ERROR(Check(ns, key));
  return engine_.session.read_only()
             ? base::FailedPrecondition(engine_.path, ": the store was opened read-only")
             : absl::OkStatus();
}

void TransactionState::End() {
  *over_ = true;
  if (held_.has_value()) {
    versions::ReleaseSnapshot(engine_.session, *held_);
    held_.reset();
  }
}

absl::StatusOr<std::optional<TransactionState::Value>> TransactionState::Read(
    const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key) {
  COMMY_RETURN_IF_ERROR(Check(*ns, key));
  if (const PendingWrite* const own = writes_.Find(*ns, key); own != nullptr) {
    return own->tombstone ? std::optional<Value>()
                          : std::optional<Value>({std::string(own->bytes()), own->expiry_ns});
  }
  if (isolation_ == versions::kSerializable) {
    reads_.AddKey(ns, key);
  }
  engine::Access at(engine_, ns->key);
  COMMY_RETURN_IF_ERROR(at.status());
  COMMY_DCHECK(held_.has_value());  // What it reads is kept.
  versions::RecordView found;
  const base::Result result = engine_.map.Find(at.ns(), key, as_of_, &found);
  if (result.done()) {
    return Value{std::string(found.value), found.expiry_ns()};
  }
  if (!result.is(base::Outcome::kAbsent)) {
    return at.Finish(result);
  }
  return std::nullopt;
}

absl::StatusOr<bool> TransactionState::ReadWith(
    const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key,
    absl::FunctionRef<void(std::string_view)> use, bool unchanging) {
  COMMY_RETURN_IF_ERROR(Check(*ns, key));
  if (const PendingWrite* const own = writes_.Find(*ns, key); own != nullptr) {
    if (!own->tombstone) {
      use(own->bytes());
    }
    return !own->tombstone;
  }
  if (isolation_ == versions::kSerializable && !unchanging) {
    reads_.AddKey(ns, key);
  }
  engine::Access at(engine_, ns->key);
  COMMY_RETURN_IF_ERROR(at.status());
  versions::RecordView found;
  const base::Result result = engine_.map.Find(at.ns(), key, as_of_, &found);
  if (result.done()) {
    use(found.value);
    return true;
  }
  if (!result.is(base::Outcome::kAbsent)) {
    return at.Finish(result);
  }
  return false;
}

absl::StatusOr<ScanWithin> TransactionState::BeginScan(
    const std::shared_ptr<const engine::NamespaceState>& ns) {
  COMMY_RETURN_IF_ERROR(Check(*ns, std::string_view()));
  ScanWithin within{as_of_, writes_.Of(*ns), over_, nullptr};
  if (isolation_ == versions::kSerializable) {
    within.range = reads_.AddRange(ns);
  }
  return within;
}

absl::Status TransactionState::Commit() {
  COMMY_RETURN_IF_ERROR(Check());
  if (writes_.size() == 0) {
    End();  // It has seen one moment, and is as if it ran then.
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(process::Lane * lane, engine_.session.ThisLane());
  const auto validate = [this, lane](std::uint64_t time, std::uint64_t own) {
    return reads_.SameAsOf(engine_, as_of_, time, own,
                           [lane] { versions::StepAhead(lane->words().progress); });
  };
  const auto keep_since = [this] {
    if (validates_) {
      COMMY_DCHECK(held_.has_value() && held_->time == as_of_.time);
      versions::KeepSince(engine_.region, *held_);
    }
  };
  const auto committed = [this] { End(); };
  const CommitTerms terms{validates_ ? versions::kSerializable : isolation_,
                          as_of_.time,
                          deadline_ns_,
                          keep_since,
                          validate,
                          committed,
                          age_,
                          attempt_};
  transactions::Commit commit(engine_, writes_, terms);
  absl::StatusOr<std::uint64_t> time = commit.Run();
  End();
  if (absl::IsAborted(time.status()) && commit.ahead().has_value()) {
    WaitFor(engine_, *commit.ahead(), deadline_ns_);  // So that another attempt is of some use.
  }
  outcome_ = time.status();
  if (time.ok()) {
    commit_time_ = *time;
    for (const std::function<void()>& then : on_commit_) {
      then();
    }
  }
  return outcome_;
}

}  // namespace commy::transactions
