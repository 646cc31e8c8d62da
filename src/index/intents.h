// Transactions, as who meets one of their records has to deal with them.
//
// An intent is a record whose `commit` refers to a transaction block. It is published like any other, by
// the CAS of its key's slot word, and until it is final it is the newest version of its key: nobody puts
// a version on top of it. The block's status says what all of the transaction's intents are:
//
//   active      its intents are being installed    -> committing, by the owner, when all are
//                                                  -> aborted, by the owner or by whom one is in the way
//   committing  all are installed                  -> t, or (serializable) prepared(t), by anybody:
//                                                     t = ++clock after `committing` was seen
//   prepared(t) being validated as of t            -> t, by the owner alone
//                                                  -> aborted, by the owner or by whom it is in the way
//   t, aborted  final
//
// The CAS to t publishes everything at once.
//
// READER   at S: t counts if it is not above S. Committing: gives it a time, and looks again. Active, or
//          prepared(t) with t above S: the version below, since its time will be above S. Prepared(t)
//          with t not above S: waits for a moment, then aborts it.
// WRITER   active, prepared: waits for a moment, then aborts it. Final t: puts its own version on top.
//          Aborted: takes the intent away, by CAS of the slot word to the version below (or to dead, if
//          there is none); so a slot word may go back to what it was.
// STAMP    whoever sees a final status may put it into the intent's `commit`. Who puts a version on top
//          has to, first.
// OWNER    lists every record before he installs the first one, and walks the list when the status is
//          final: stamps each, prunes below it, or takes it away if it was aborted. Only then, and only
//          he, or who recovers him when he is dead, retires the block: a stopped owner may still install
//          an intent of a transaction that was aborted meanwhile, which he finds on his walk.
// CLEAR    freezes the slots first, so no intent comes any more, then makes every head final: what is
//          active is aborted. So a transaction is before the clear or takes part in nothing of it.
// DEATH    an active or prepared one is aborted, a committing one gets a time, and the recoverer walks.
// WHY      docs/decisions/0009-transactions.md
// TESTED   tests/model/transaction_*, tests/store/transaction_*, tests/store/isolation_test.cc,
//          tests/crash/
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/transaction_layout.h"
#include "platform/platform.h"
#include "region/region.h"

namespace commy::index {

// As of when something is read.
struct AsOf {
  std::uint64_t time = kCommitTimeMax;  // Commits up to this one count.
  std::int64_t store_ns = 0;            // What has expired by then is not there; 0: by now.
  // Of who validates: his own intents, which do not count. A foreign one that is being validated as of
  // the time or before is a conflict for him.
  std::uint64_t own_intent = kUndecided;

  [[nodiscard]] bool is_now() const { return time == kCommitTimeMax; }
};

// How long a writer waits for a transaction that is in his way before he aborts it.
inline constexpr std::int64_t kPutPatienceNs = 1'000'000;
inline constexpr std::int64_t kTransactionPatienceNs = 5'000'000;

// What has become of transactions.
class Intents {
 public:
  Intents(region::Region& region, platform::Platform& platform)
      : region_(region), platform_(platform) {}

  // The block that an intent, or a note, refers to. DataLoss: there is none.
  [[nodiscard]] absl::StatusOr<TransactionHead*> HeadAt(std::uint64_t offset) const;

  // For a reader: the commit time of an intent, or kCommitAborted if it does not count for him. Stamps
  // it if it is final. Cancelled: a conflict, for who validates.
  absl::StatusOr<std::uint64_t> Read(Shared64& commit, const AsOf& as_of) const;
  // For a writer: makes the intent final, if need be by aborting its transaction after `patience_ns`,
  // and stamps it. Returns its commit time or kCommitAborted.
  absl::StatusOr<std::uint64_t> Decide(Shared64& commit, std::int64_t patience_ns) const;
  // For who only looks: what a commit word says, or the status of the transaction that it refers to.
  [[nodiscard]] absl::StatusOr<std::uint64_t> StatusOf(const Shared64& commit) const;

  // Gives a committing transaction its time; whatever it says, it is committing no more afterwards.
  void GiveTime(TransactionHead& head) const;
  // Waits while the status says `seen`, at most so long.
  void Wait(const Shared64& status, std::uint64_t seen, std::int64_t patience_ns) const;

  // Calls `use` for each entry of a transaction's list, in order. DataLoss: it leads nowhere.
  absl::Status ForEachEntry(std::uint64_t head_offset,
                            absl::FunctionRef<absl::Status(const TransactionEntry&)> use) const;
  // Calls `use` with the offset of each block of the list but the transaction block itself.
  absl::Status ForEachPage(std::uint64_t head_offset,
                           absl::FunctionRef<void(std::uint64_t)> use) const;
  // Brings the totals of a committed transaction into the counters, unless that was done.
  void ApplyTotals(std::uint64_t head_offset) const;

 private:
  absl::StatusOr<TransactionPage*> PageAt(std::uint64_t offset) const;
  // Every page of a list, the first one included. DataLoss: it leads nowhere, or in a circle.
  absl::Status WalkPages(
      std::uint64_t head_offset,
      absl::FunctionRef<absl::Status(std::uint64_t offset, const TransactionPage&)> use) const;

  region::Region& region_;
  platform::Platform& platform_;
};

}  // namespace commy::index
