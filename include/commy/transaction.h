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
namespace api {
struct HandleAccess;
}

enum class Isolation : std::uint8_t {
  // Reads see the store as it was when the transaction began. Commit fails if another writer has
  // written a key that it wrote since then. (A key that was absent, and was put and removed again,
  // does not count.) Two transactions that each read what the other one writes may both commit
  // (write skew).
  kSnapshot = 1,
  // As if all serializable transactions ran one after the other. Commit also fails if anything that
  // the transaction read has changed, including absent keys and scanned ranges.
  kSerializable = 2,
};

struct TransactOptions {
  Isolation isolation = Isolation::kSnapshot;
  // Time limit from the beginning to the end of Commit(), and of all attempts together in
  // Transact(). Must be positive. Infinite, the default, means the store's operation_timeout.
  absl::Duration timeout = absl::InfiniteDuration();
};

// Reads and writes of many keys, in any namespaces of one store, that take effect at one moment or
// not at all.
//
// Reads see the store as it was at Begin(), and the transaction's own writes. Writes are kept in
// the process until Commit(); nothing else sees them before. Most programs use Store::Transact(),
// which tries again after a conflict:
//
//   absl::Status done = store->Transact([&](commy::Transaction& txn) -> absl::Status {
//     absl::StatusOr<std::string> a = txn.Get(*accounts, "a");
//     if (!a.ok()) {
//       return a.status();
//     }
//     return txn.Put(*audit, "seen", *a);
//   });
//
// Conflicts. No operation waits for a transaction whose process was killed or stopped, nor for more
// than a few milliseconds for a slow one. A put that needs a key of a commit in flight waits for a
// millisecond and then aborts that commit. Of two transactions the younger waits for the older, as
// long as that makes progress; one without progress is aborted after 20 ms. A read of a key that a
// serializable transaction writes aborts it too, if its validation takes more than a millisecond.
// Each failed attempt lengthens these waits of puts, up to a quarter of a second. So small puts or
// reads can still keep a very large transaction from ever committing: let it write keys that others
// leave alone meanwhile.
//
// Death. If the process dies before Commit() has its effect, nothing was changed. The same holds
// for a process that is stopped within Commit() for the store's operation_timeout, unless all that
// was missing was the commit time; see Options.
//
// Move-only, and for one thread at a time. While it lives it holds a snapshot (see Snapshot for the
// cost) and keeps the store open. Destroying one that was not committed changes nothing. Up to some
// millions of keys; what is written is held in memory until Commit().
//
// Errors of any method:
//   those of Namespace
//   FailedPrecondition  it was committed, rolled back or moved from
//   InvalidArgument     the namespace is of another store, or of another Open() of this one
//   DeadlineExceeded    the timeout is over; this ends the transaction
class COMMY_EXPORT Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // Returns a copy of the value. NotFound: no such key.
  absl::StatusOr<std::string> Get(const Namespace& ns, std::string_view key);
  // Returns whether the key is there.
  absl::StatusOr<bool> Contains(const Namespace& ns, std::string_view key);
  // Scans keys; see Namespace::Scan. The scan includes the transaction's own writes as they are
  // when Scan() is called. It must not outlive the transaction. `options.snapshot` must be null.
  ScanRange Scan(const Namespace& ns, ScanOptions options = ScanOptions());

  // Sets a key. Copies key and value.
  absl::Status Put(const Namespace& ns, std::string_view key, std::string_view value,
                   PutOptions options = PutOptions());
  // Removes a key. Returns whether it was there. Also a delete of an absent key is a write of that
  // key, and can conflict.
  absl::StatusOr<bool> Delete(const Namespace& ns, std::string_view key);
  // Adds to a value that is decimal text; see Namespace::Add.
  absl::StatusOr<std::int64_t> Add(const Namespace& ns, std::string_view key, std::int64_t delta);

  // Publishes all writes at one moment. Afterwards the transaction is over, whatever the result.
  // After an error nothing was changed:
  //   Aborted            a conflict; begin again
  //   DeadlineExceeded   the timeout is over
  //   ResourceExhausted  no room
  //   FailedPrecondition  a namespace was dropped (IsNamespaceDropped), or the store was closed
  // Cost: per key about that of two puts.
  absl::Status Commit();
  // Ends the transaction and drops its writes.
  void Rollback();

  // The commit time, comparable with Snapshot::commit_time(). 0: it was not committed, or wrote
  // nothing.
  [[nodiscard]] std::uint64_t commit_time() const;

 private:
  friend struct api::HandleAccess;
  friend class Store;
  explicit Transaction(std::unique_ptr<transactions::TransactionState> state);

  std::unique_ptr<transactions::TransactionState> state_;
};

// Writes that take effect at one moment, in any namespaces of one store. Of several writes to one
// key the last one counts. A batch reads nothing, so it cannot conflict: Store::Write() tries again
// until it is done.
//
//   commy::WriteBatch batch;
//   batch.Put(*ns, "a", "1");
//   batch.Delete(*other, "b");
//   absl::Status done = store->Write(std::move(batch));
//
// Move-only, for one thread at a time, good for one Write(). Keeps the store open. What is written
// is held in memory until then.
class COMMY_EXPORT WriteBatch {
 public:
  WriteBatch();
  WriteBatch(WriteBatch&& other) noexcept;
  WriteBatch& operator=(WriteBatch&& other) noexcept;
  WriteBatch(const WriteBatch&) = delete;
  WriteBatch& operator=(const WriteBatch&) = delete;
  ~WriteBatch();

  // Sets a key. Copies key and value. Store::Write() returns the error if one of them is out of
  // range.
  void Put(const Namespace& ns, std::string_view key, std::string_view value,
           PutOptions options = PutOptions());
  // Removes a key.
  void Delete(const Namespace& ns, std::string_view key);

  // The number of keys that the batch changes.
  [[nodiscard]] std::uint64_t size() const;

 private:
  friend class Namespace;
  friend class Store;

  std::unique_ptr<transactions::BatchState> state_;
};

}  // namespace commy
