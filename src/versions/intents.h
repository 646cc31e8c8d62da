// Transactions: what a reader or writer does when it meets a record of an unfinished one.
//
// An intent is a record whose `commit` refers to a transaction block. It is published like any
// other, by the CAS of its key's slot word. Until it is final it is the newest version of its key,
// and no process puts a version on top of it. The block's status says what all of the transaction's
// intents are:
//
//   active      its intents are being installed    -> committing, by the owner, when all are
//                                                  -> aborted, by the owner or by a process that an
//                                                     intent blocks
//   committing  all are installed                  -> t, or (serializable) prepared(t), by any
//                                                  process:
//                                                     t = ++clock after `committing` was seen
//   prepared(t) being validated as of t            -> t, by the owner alone
//                                                  -> aborted, by the owner or by a process that it
//                                                     blocks
//   t, aborted  final
//
// The CAS to t publishes everything at once.
//
// READER   at S: t counts if it is not above S. Committing: gives it a time, and looks again.
//          Active, or prepared(t) with t above S: the version below, since its time will be above
//          S. Prepared(t) with t not above S: waits for a moment, then aborts it.
// WRITER   active, prepared: waits, then aborts it; how long, see ORDER. Final t: puts its own
//          version on top. Aborted: takes the intent away, by CAS of the slot word to the version
//          below (or to closed, if there is none); so a slot word may go back to an earlier value.
// STAMP    Any process that sees a final status may put it into the intent's `commit`. A process
//          that puts a version on top has to do so first.
// OWNER    lists every record before it installs the first one, and walks the list when the status
//          is final: stamps each, prunes below it, or takes it away if it was aborted. Only after
//          that is the block retired, and only by the owner or, if the owner is dead, by the
//          recovering process. A stopped owner may still install an intent of a transaction that
//          was aborted meanwhile; the owner finds it on its walk.
// CLEAR    marks the old root first: an owner that installs after that helps, and installs in the
//          new root. A transaction that had begun before is in the note of its lane with a complete
//          list, or has no intent yet and will see the mark. For the owner completes its list, then
//          fences, then looks for the root; the clearing process marks, then looks at the list. It
//          aborts each active transaction that writes in the namespace, and gives each committing
//          one its time, which is below the clear's. (A prepared one has a time.) So a transaction
//          is before the clear or takes part in nothing of it.
// ORDER    Two transactions that need the same keys must not abort each other in turn. So the older
//          one goes first; a transaction keeps its age through all attempts. The owner counts its
//          steps in its lane's `progress`; while it waits, each look at what it waits for is a step
//          as well.
//            older        the younger waits as long as the older one's progress moves. It waits in
//                         its operation for a while, since the part that it has built is still good
//                         then. After that it gives up the attempt, and waits without a pin. A
//                         transaction with a snapshot gives up early: once the older one commits,
//                         it has a conflict. None gives up before it has seen the older one move;
//                         else it would never learn that the older one stands still.
//            younger      the older one waits for kTransactionPatienceNs, and aborts it. With a
//                         snapshot it would have a conflict if the younger one committed; so after
//                         kPatientAttempts it aborts it at once.
//            no progress  for kStalledNs: its owner is stopped or dead, and it is aborted whatever
//                         its age.
//          Ages are ordered, so there is no circle of waiting ones, and the oldest that moves waits
//          for no transaction. A put, which has no age, waits for kPutPatienceNs, twice as long for
//          each former attempt, and no longer than that without progress: so a large transaction
//          comes through at last, and a stopped one costs a put a millisecond.
// AHEAD    A transaction that waits without a pin must not look at the block, which may be given
//          back at any time. It remembers the owner's lane, which stays where it is, and the count
//          of `operations` there. It read the count between two looks at the status that both found
//          it open: so the owner was in that operation. It waits until the lane says another count,
//          or in `progress` that the transaction is decided.
// DEATH    an active or prepared one is aborted, a committing one gets a time, and the recovering
//          process walks its list.
// STALLED  If a participant has been silent for operation_timeout, a heartbeat decides the
//          transaction that it was publishing in the same way. The owner resumes when it wakes, and
//          finds it aborted. The heartbeat gets to the block by the note in the owner's lane, and
//          the owner may be giving it back.
//            fill      the note is kRaw until the block's words are written, and then kTransaction
//            give back the note becomes kRaw, by exchange, before Retire reads the epoch; recovery
//                      of a dead owner does the same with the dead lane's note
//            look      pin, then read the note. If it says kTransaction, then the block was
//                      retired, if at all, after the pin was there: its epoch of retirement is not
//                      below the pin's, and it is not used again before the unpin.
// WHY      docs/decisions/0009-transactions.md
// TESTED   tests/model/transaction_* (ORDER: transaction_order_model_test.cc), tests/transactions/,
//          tests/transactions/isolation_test.cc, tests/crash/
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/result.h"
#include "platform/platform.h"
#include "region/region.h"
#include "versions/as_of.h"
#include "versions/transaction_layout.h"

namespace commy::versions {

// How long a put, or a reader, waits for a transaction that is in its way before it aborts it, for
// the first attempt; and the number of attempts after which that time grows no more.
inline constexpr std::int64_t kPutPatienceNs = 1'000'000;
inline constexpr std::uint32_t kPutPatienceDoublings = 8;
// How long a transaction waits for a younger one, and for any whose progress does not move.
inline constexpr std::int64_t kTransactionPatienceNs = 5'000'000;
inline constexpr std::int64_t kStalledNs = 20'000'000;
// A transaction with a snapshot, which a commit of the younger one would abort, waits no more after
// this many attempts.
inline constexpr std::uint32_t kPatientAttempts = 16;
// How long a batch waits for an older transaction in its operation, whose pin holds back memory.
inline constexpr std::int64_t kHoldNs = 100'000'000;

// In a lane's `progress`: the transaction's status is final, or that is up to others.
inline constexpr std::uint64_t kProgressDecided = std::uint64_t{1} << 63U;

inline void StepAhead(Shared64& progress) {
  progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// A transaction that installs, and that others may block.
struct Installing {
  const TransactionHead* head = nullptr;
  Shared64* progress = nullptr;                  // Of its lane.
  std::uint64_t snapshot_time = kCommitTimeMax;  // A newer version of a key is a conflict.
  std::int64_t deadline_ns = 0;                  // Monotonic.
};

// The older transaction that a younger one waits for, as it can be known without a pin.
struct Ahead {
  std::uint32_t lane = 0;
  std::uint64_t operations = 0;
};

// Whether the progress of a lane moves, as far as this watcher has seen.
class Watch {
 public:
  Watch(const Shared64& progress, std::int64_t now_ns)
      : progress_(progress), seen_(progress.load(std::memory_order_relaxed)), moved_ns_(now_ns) {}

  // For how long it has not moved.
  std::int64_t StillFor(std::int64_t now_ns) {
    const std::uint64_t now = progress_.load(std::memory_order_relaxed);
    if (now != seen_) {
      seen_ = now;
      moved_ns_ = now_ns;
    }
    return now_ns - moved_ns_;
  }

 private:
  const Shared64& progress_;
  std::uint64_t seen_;
  std::int64_t moved_ns_;
};

// Finds out, and if need be decides, the outcome of transactions.
class Intents {
 public:
  Intents(region::Region& region, platform::Platform& platform)
      : region_(region), platform_(platform) {}

  // The block that an intent, or a note, refers to. DataLoss: there is none.
  [[nodiscard]] absl::StatusOr<TransactionHead*> HeadAt(std::uint64_t offset) const;

  // For a reader: the commit time of an intent, or kCommitAborted if it does not count for the
  // reader. Stamps it if it is final. kConflict: for a transaction that is validated.
  base::Result Read(Shared64& commit, const AsOf& as_of, std::uint64_t* time) const;
  // Makes the intent final, if need be by aborting its transaction, and stamps it. Returns its
  // commit time or kCommitAborted.
  absl::StatusOr<std::uint64_t> Resolve(Shared64& commit) const;
  // The same for a put, which waits before it aborts a transaction.
  absl::StatusOr<std::uint64_t> ResolveForPut(Shared64& commit) const;
  // The same for a transaction. kUndecided: the caller is to look at its own status and deadline,
  // and else to give up its attempt and to wait for `ahead`.
  absl::StatusOr<std::uint64_t> ResolveFor(const Installing& own, Shared64& commit,
                                           Ahead* ahead) const;
  // Makes a transaction whose owner is dead or stalled final at once. Returns the final status.
  std::uint64_t ResolveNow(TransactionHead& head) const;
  // clear-2 of namespaces/roots.h: what every lane has noted that is active and writes in the
  // namespace whose object that is, is aborted; what is committing gets its time. Requires: pinned.
  void ResolveWriters(std::uint64_t object_offset) const;
  // For a process that only looks: what a commit word says, or the status of the transaction that
  // it refers to.
  [[nodiscard]] absl::StatusOr<std::uint64_t> StatusOf(const Shared64& commit) const;

  // Gives a committing transaction its time. Whatever the status is afterwards, it is not
  // committing.
  void GiveTime(TransactionHead& head) const;

  // Calls `use` for each entry of a transaction's list, in order. DataLoss: it leads nowhere.
  absl::Status ForEachEntry(std::uint64_t head_offset,
                            absl::FunctionRef<absl::Status(const TransactionEntry&)> use) const;
  // Calls `use` with the offset of each block of the list but the transaction block itself.
  absl::Status ForEachPage(std::uint64_t head_offset,
                           absl::FunctionRef<void(std::uint64_t)> use) const;
  // Brings the totals of a committed transaction into the counters, unless that was done.
  void ApplyTotals(std::uint64_t head_offset) const;

 private:
  // Whether its list is complete and names the namespace.
  static bool WritesIn(const TransactionHead& head, std::uint64_t object_offset);
  // What a process that has waited is to do.
  enum class Stand : std::uint8_t { kAbort, kLookAgain, kYield };
  using Waiter = absl::FunctionRef<Stand(const TransactionHead& head, std::uint64_t status)>;

  absl::StatusOr<std::uint64_t> ResolveAfter(Shared64& commit, Waiter wait) const;
  [[nodiscard]] Stand WaitAsPut(const TransactionHead& head, std::uint64_t seen) const;
  Stand WaitAs(const Installing& own, const TransactionHead& head, std::uint64_t seen,
               Ahead* ahead) const;
  // Of the owner's lane; null: the file names none.
  [[nodiscard]] const region::LaneLayout* LaneOf(const TransactionHead& head) const;
  absl::StatusOr<TransactionPage*> PageAt(std::uint64_t offset) const;
  // Every page of a list, the first one included. DataLoss: it leads nowhere, or in a circle.
  absl::Status WalkPages(
      std::uint64_t head_offset,
      absl::FunctionRef<absl::Status(std::uint64_t offset, const TransactionPage&)> use) const;

  region::Region& region_;
  platform::Platform& platform_;
};

}  // namespace commy::versions
