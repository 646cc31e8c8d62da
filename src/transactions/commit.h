// Publishing a set of writes at one moment: the owner's side of versions/intents.h.
//
// This floor is transactions: what one has read and will write, in its process's memory, the
// commit, and the recovery of those whose owner is dead or stalled. It may touch engine/ and what
// is below, and its part of recovery is Hooks() of recover.h, which api/open.cc hands in. Begin
// reading in versions/intents.h, then here; then in write_set.h, read_set.h and
// transaction_state.h.
//
// STEPS  commit-1  build: a transaction block, noted; each record, with a reference to the block,
//                  entered in the block's list. Then the list's sum, for `commy recover`
//        commit-2  for each record, by namespace id and key: make the head final, a conflict if it
//                  is newer than S; CAS slot: head -> intent. Write down the counter cells before
//                  and after. If it grows namespaces with a quota: is there room?
//        commit-3  (serializable) what was replaced since the snapshot is kept from here; CAS
//                  status active -> committing
//        commit-4  t = ++clock; CAS committing -> t, or -> prepared(t), validate as of t, CAS -> t.
//                  All of it is visible from here
//        commit-5  (from whatever was reached) bring the counts of keys and bytes in; release the
//                  snapshot; stamp each record, and prune below it, or, if aborted, CAS slot:
//                  intent -> what is below, and retire it; the sum to 0; retire the list; the note
//                  becomes kRaw; retire the block
// DEATH  in commit-1, commit-2: aborted, and what is listed is taken away. In commit-3, commit-4:
//        any process that comes by gives a committing one its time; a prepared one is aborted. In
//        commit-5: the recoverer goes on, by the list, and counts once.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "transactions/write_set.h"
#include "versions/intents.h"

namespace commy::transactions {

struct CommitTerms {
  std::uint64_t isolation = versions::kSnapshotIsolation;
  std::uint64_t snapshot_time = versions::kCommitTimeMax;  // Newer versions are a conflict.
  std::int64_t deadline_ns = std::numeric_limits<std::int64_t>::max();  // Monotonic.
  // Called before the time is drawn as of which `validate` may be called.
  absl::FunctionRef<void()> keep_since;
  // kDone: everything that was read is the same as of then; kConflict: it is not. Called under the
  // operation's pin, and takes no operation of its own.
  absl::FunctionRef<base::Result(std::uint64_t time, std::uint64_t own_intent)> validate;
  // Called when it is committed, so that its own snapshot does not keep the versions that it has
  // replaced. If it is not, another attempt may follow, which needs the snapshot.
  absl::FunctionRef<void()> committed;
  // Of two transactions that need the same keys, the one with the lower age goes first: the commit
  // clock when it was begun. The age stays for all attempts, which are counted.
  std::uint64_t age = versions::kCommitTimeMax;
  std::uint32_t attempt = 0;
};

class Commit {
 public:
  // Requires: `writes` is not empty, and of this store.
  Commit(const engine::Engine& engine, const WriteSet& writes, const CommitTerms& terms);

  // The commit time. Aborted: a conflict. DeadlineExceeded; ResourceExhausted;
  // FailedPrecondition: a namespace was dropped, or the store closed. Then nothing was changed.
  absl::StatusOr<std::uint64_t> Run();
  // After Aborted: the older transaction for which it gave up, if that is why.
  [[nodiscard]] const std::optional<versions::Ahead>& ahead() const { return ahead_; }

 private:
  // Why a commit met a conflict, for people.
  enum class Conflict : std::uint8_t { kInTheWay, kKeyWritten, kReadChanged };

  base::Result Attempt(process::Lane& lane, std::uint64_t* time);
  absl::Status Build(process::Operation& op);
  absl::Status BuildHead(process::Operation& op);
  absl::Status AddPage(process::Operation& op);
  absl::Status AddRecord(process::Operation& op, const NamespaceWrites& writes,
                         std::string_view key, const transactions::PendingWrite& write);
  base::Result InstallAll(process::Operation& op);
  base::Result InstallIn(process::Operation& op, const NamespaceWrites& writes);
  // commit-3 and commit-4.
  base::Result Publish();
  base::Result Met(Conflict conflict);
  void Finish(process::Operation& op);
  void FinishIn(process::Operation& op, const NamespaceWrites& writes, std::size_t first);
  [[nodiscard]] absl::Status CheckDeadline() const;

  const engine::Engine& engine_;
  region::Region& region_;
  const versions::Intents& intents_;
  const WriteSet& writes_;
  const CommitTerms& terms_;
  const alloc::Purpose purpose_;

  std::uint64_t head_offset_ = 0;
  versions::TransactionHead* head_ = nullptr;
  versions::TransactionPage* page_ = nullptr;
  versions::ListSum list_sum_{0, 0};
  std::vector<std::uint64_t> records_;               // Offsets, in the order of the writes.
  std::size_t installed_ = 0;                        // Of them.
  std::vector<namespaces::Growth> growths_;          // Of namespaces with a quota.
  const engine::NamespaceState* dropped_ = nullptr;  // After kDropped: the one dropped.
  Conflict conflict_ = Conflict::kInTheWay;
  std::optional<versions::Ahead> ahead_;
};

// Waits for an older transaction until it is decided or stands still, not past the deadline.
// Requires: the calling thread is in no operation.
void WaitFor(const engine::Engine& engine, const versions::Ahead& ahead, std::int64_t deadline_ns);

}  // namespace commy::transactions
