// The public Transaction and WriteBatch.
#include "commy/transaction.h"

#include <charconv>
#include <utility>

#include "api/scan_state.h"
#include "base/status.h"
#include "commy/store.h"
#include "transactions/transaction_state.h"

namespace commy {
namespace {

std::uint64_t IsolationWord(Isolation isolation) {
  return isolation == Isolation::kSerializable ? versions::kSerializable
                                               : versions::kSnapshotIsolation;
}

absl::Status MovedFrom() {
  return base::FailedPrecondition("the transaction was moved from");
}
absl::Status NoSuchKey() {
  return absl::NotFoundError("no such key");
}

}  // namespace

Transaction::Transaction(std::unique_ptr<transactions::TransactionState> state)
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
  absl::StatusOr<transactions::ScanWithin> within =
      state_ == nullptr ? MovedFrom() : state_->BeginScan(ns.state_);
  absl::Status status = within.status();
  if (status.ok() && options.snapshot != nullptr) {
    status = base::InvalidArgument("a scan of a transaction has the transaction's snapshot");
  }
  auto scan = within.ok() ? std::make_unique<api::ScanState>(ns.state_, std::move(options), *within)
                          : std::make_unique<api::ScanState>(ns.state_, std::move(options));
  scan->Fail(status);
  return ScanRange(std::move(scan));
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
                                found.has_value() ? found->expiry_ns : versions::kExpiryByDefault));
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
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline,
                         transactions::DeadlineOf(state_->engine(), options.timeout));
  COMMY_ASSIGN_OR_RETURN(const versions::HeldSnapshot held,
                         versions::TakeSnapshot(state_->engine().session));
  return Transaction(std::make_unique<transactions::TransactionState>(
      state_, IsolationWord(options.isolation), deadline, held, held.time, 0));
}

absl::Status Store::Transact(absl::FunctionRef<absl::Status(Transaction&)> body,
                             TransactOptions options) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t deadline,
                         transactions::DeadlineOf(state_->engine(), options.timeout));
  platform::Platform& platform = state_->engine().session.platform();
  std::uint64_t age = 0;
  for (int attempt = 0;; ++attempt) {
    const std::int64_t left_ns = deadline - platform.MonotonicNs();
    if (left_ns <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("the transaction met a conflict ", attempt,
                       " times until it timed out; nothing was changed"));
    }
    COMMY_ASSIGN_OR_RETURN(const versions::HeldSnapshot held,
                           versions::TakeSnapshot(state_->engine().session));
    age = attempt == 0 ? held.time : age;
    Transaction txn(std::make_unique<transactions::TransactionState>(
        state_, IsolationWord(options.isolation), deadline, held, age,
        static_cast<std::uint32_t>(attempt)));
    absl::Status status = body(txn);
    if (status.ok()) {
      // The body may have ended it, or not have looked at what a call of it said.
      status = txn.state_ != nullptr && txn.state_->over() ? txn.state_->outcome() : txn.Commit();
    }
    txn.Rollback();
    if (!absl::IsAborted(status)) {
      return status;
    }
    transactions::BackOff(platform, attempt, deadline);
  }
}

// --- Batches -----------------------------------------------------------------------------------

WriteBatch::WriteBatch() : state_(std::make_unique<transactions::BatchState>()) {}
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
  return transactions::Write(state_->engine(), std::move(batch.state_));
}

absl::Status Namespace::Write(WriteBatch batch) const {
  return transactions::Write(state_->engine(), std::move(batch.state_));
}

}  // namespace commy
