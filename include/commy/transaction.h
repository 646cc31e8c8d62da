// Many keys at once: transactions and batches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/namespace.h"
#include "commy/options.h"

namespace commy {

namespace transactions {
class BatchState;
class TransactionState;
}  // namespace transactions

enum class Isolation : std::uint8_t {
  // Reads see the store as it was when the transaction began. Commit fails if a key that it wrote was
  // written by somebody else since (one that was absent, and was put and removed again, was not). Two
  // transactions that each read what the other one writes may both commit (write skew).
  kSnapshot = 1,
  // As if all serializable transactions ran one after the other: commit also fails if anything that it
  // read, keys that were absent and ranges that were scanned included, is no longer so.
  kSerializable = 2,
};

struct TransactOptions {
  Isolation isolation = Isolation::kSnapshot;
  // From the beginning to the end of Commit(), and of all attempts together in Transact(). More than
  // 0; not given: the store's operation_timeout.
  absl::Duration timeout = absl::InfiniteDuration();
};

// Reads and writes of many keys, in any namespaces of one store, that happen at one moment or not at all.
//
// Reads see the store as it was at Begin(), and the transaction's own writes. Writes are kept in the
// process until Commit() and seen by nobody else before. Mostly used through Store::Transact(), which
// tries again after a conflict:
//
//   absl::Status done = store->Transact([&](commy::Transaction& txn) -> absl::Status {
//     absl::StatusOr<std::string> a = txn.Get(*accounts, "a");
//     if (!a.ok()) {
//       return a.status();
//     }
//     return txn.Put(*audit, "seen", *a);
//   });
//
// Nobody waits for a transaction whose process was killed or stopped, nor for more than a few
// milliseconds for a slow one: a put, or another transaction, that needs one of its keys aborts it;
// so does a read of a key that a serializable one writes, if it takes more than a millisecond to look
// whether all that it read is still so. So small puts, or reads, can keep a very large transaction from
// ever committing; let such a one write keys that others leave alone meanwhile.
//
// Move-only, and for one thread at a time. While it lives it holds a snapshot (see Snapshot for what that
// costs) and keeps the store open. Destroying one that was not committed changes nothing. Up to some
// millions of keys; what is written is held in memory until Commit().
//
// Errors of any method: those of Namespace, and FailedPrecondition: it was committed, rolled back or
// moved from; InvalidArgument: the namespace is of another store, or of another Open() of this one;
// DeadlineExceeded: the timeout is over, and the transaction with it.
class COMMY_EXPORT Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // A copy of the value. NotFound: no such key.
  absl::StatusOr<std::string> Get(const Namespace& ns, std::string_view key);
  absl::StatusOr<bool> Contains(const Namespace& ns, std::string_view key);
  // See Namespace::Scan; the transaction's own writes, as they are when Scan() is called, are in it.
  // `options.snapshot` must be null. It must not outlive the transaction.
  ScanRange Scan(const Namespace& ns, ScanOptions options = ScanOptions());

  absl::Status Put(const Namespace& ns, std::string_view key, std::string_view value,
                   PutOptions options = PutOptions());
  // Returns whether it was there.
  absl::StatusOr<bool> Delete(const Namespace& ns, std::string_view key);
  // See Namespace::Add.
  absl::StatusOr<std::int64_t> Add(const Namespace& ns, std::string_view key, std::int64_t delta);

  // Publishes all writes at one moment. Afterwards the transaction is over, whatever the answer.
  // Aborted: a conflict; nothing was changed, begin again. DeadlineExceeded, ResourceExhausted,
  // NotFound (a namespace was dropped): nothing was changed.
  // Cost: per key about that of two puts.
  absl::Status Commit();
  // Ends it; nothing was changed.
  void Rollback();

  // The time at which it was committed, as Snapshot::commit_time(); 0: it was not, or wrote nothing.
  [[nodiscard]] std::uint64_t commit_time() const;

 private:
  friend class Store;
  explicit Transaction(std::unique_ptr<transactions::TransactionState> state);

  std::unique_ptr<transactions::TransactionState> state_;
};

// Writes that happen at one moment. Of several to one key the last one counts. It reads nothing, so it
// cannot conflict: Store::Write() goes on until it is done.
//
//   commy::WriteBatch batch;
//   batch.Put(*ns, "a", "1");
//   batch.Delete(*other, "b");
//   absl::Status done = store->Write(std::move(batch));
//
// Move-only, for one thread at a time, good for one Write(). Keeps the store open.
class COMMY_EXPORT WriteBatch {
 public:
  WriteBatch();
  WriteBatch(WriteBatch&& other) noexcept;
  WriteBatch& operator=(WriteBatch&& other) noexcept;
  WriteBatch(const WriteBatch&) = delete;
  WriteBatch& operator=(const WriteBatch&) = delete;
  ~WriteBatch();

  // Copies key and value. What is wrong with them is said by Write().
  void Put(const Namespace& ns, std::string_view key, std::string_view value,
           PutOptions options = PutOptions());
  void Delete(const Namespace& ns, std::string_view key);

  // Keys that it changes.
  [[nodiscard]] std::uint64_t size() const;

 private:
  friend class Namespace;
  friend class Store;

  std::unique_ptr<transactions::BatchState> state_;
};

}  // namespace commy
