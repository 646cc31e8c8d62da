// What a Transaction and a WriteBatch hold: their reads and writes, and how they end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "engine/namespace_state.h"
#include "transactions/read_set.h"
#include "transactions/write_set.h"

namespace commy::transactions {

// The latest time at which a transaction that begins now ends, by the monotonic clock; by default
// after the store's operation_timeout. InvalidArgument: the timeout is not positive.
absl::StatusOr<std::int64_t> DeadlineOf(const engine::Engine& engine, absl::Duration timeout);
// Sleeps for a random time, longer from attempt to attempt, and not past the deadline.
void BackOff(platform::Platform& platform, int attempt, std::int64_t deadline_ns);

class BatchState {
 public:
  WriteSet& writes() { return writes_; }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  void Update(const absl::Status& status) { status_.Update(status); }

 private:
  WriteSet writes_;
  absl::Status status_;  // The first error of a key.
};

// Publishes a batch, which it tries again as long as a transaction blocks it. Null: it was written
// or moved from.
absl::Status Write(const engine::Engine& engine, std::unique_ptr<BatchState> batch);

class TransactionState {
 public:
  // The value and when it expires (0: never).
  struct Value {
    std::string value;
    std::int64_t expiry_ns = 0;
  };

  TransactionState(std::shared_ptr<engine::OpenStore> store, std::uint64_t isolation,
                   std::int64_t deadline_ns, const versions::HeldSnapshot& held, std::uint64_t age,
                   std::uint32_t attempt);
  TransactionState(const TransactionState&) = delete;
  TransactionState& operator=(const TransactionState&) = delete;
  ~TransactionState() { End(); }

  // FailedPrecondition: it is over, or the store was closed. DeadlineExceeded.
  absl::Status Check();
  absl::Status Check(const engine::NamespaceState& ns, std::string_view key);
  absl::Status CheckWrite(const engine::NamespaceState& ns, std::string_view key);
  // Ends it without a commit. Idempotent.
  void End();

  // nullopt: the key is not there.
  absl::StatusOr<std::optional<Value>> Read(const std::shared_ptr<const engine::NamespaceState>& ns,
                                            std::string_view key);
  // The link from a scan of this namespace to the transaction.
  absl::StatusOr<ScanWithin> BeginScan(const std::shared_ptr<const engine::NamespaceState>& ns);
  absl::Status Commit();

  // Calls `use` with the value in place; under a pin, and with nothing of the store in use. Returns
  // whether the key is there.
  // `unchanging`: the key's value is never another one as long as what names the key is the same,
  // so that a serializable transaction need not look at it again.
  absl::StatusOr<bool> ReadWith(const std::shared_ptr<const engine::NamespaceState>& ns,
                                std::string_view key, absl::FunctionRef<void(std::string_view)> use,
                                bool unchanging = false);
  // The commit fails if the key is not as this transaction sees it, whatever its isolation.
  void MustStay(const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key) {
    reads_.AddKey(ns, key);
    validates_ = true;
  }
  // Called once the transaction is committed, in this order, on the thread that commits.
  void OnCommit(std::function<void()> then) { on_commit_.push_back(std::move(then)); }
  // Whether it came from this very Open().
  [[nodiscard]] const engine::OpenStore* store() const { return store_.get(); }

  WriteSet& writes() { return writes_; }
  [[nodiscard]] std::uint64_t commit_time() const { return commit_time_; }
  [[nodiscard]] bool over() const { return *over_; }
  // Once it is over: OK, if it was committed or rolled back; else why it could not be committed.
  [[nodiscard]] const absl::Status& outcome() const { return outcome_; }

 private:
  const std::shared_ptr<engine::OpenStore> store_;
  const engine::Engine& engine_;   // Of it.
  const std::uint64_t isolation_;  // versions::kSnapshotIsolation, kSerializable.
  const std::int64_t deadline_ns_;
  std::optional<versions::HeldSnapshot> held_;
  const versions::AsOf as_of_;
  const std::uint64_t age_;
  const std::uint32_t attempt_;
  const std::shared_ptr<bool> over_;
  WriteSet writes_;
  ReadSet reads_;
  bool validates_ = false;  // What it has read: it is serializable, or MustStay().
  std::vector<std::function<void()>> on_commit_;
  std::uint64_t commit_time_ = 0;
  absl::Status outcome_;
};

}  // namespace commy::transactions
