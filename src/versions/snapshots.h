// Snapshots: which commit times are held, and by which owners; and so which versions are still
// needed.
//
// WORDS     header: commit_clock; snapshots_held {seq:63, some:1}; snapshots_ended;
//           snapshots_ready
//           An entry: owner; word: 0, pending(seq), or {a commit time, since:1}
// TAKE      snapshot-0  ready: raise it above the entry
//           snapshot-1  CAS the entry's owner 0 -> one's own
//           snapshot-2  held := {a new seq, some}, by CAS until it is done
//           snapshot-3  word := pending(seq)
//           snapshot-4  s = clock
//           snapshot-5  CAS word pending(seq) -> s; what it then says is the snapshot's time S
// RELEASE   word := 0; if something was kept for it (keeps, which is taken back to 0): ended + 1;
//           owner := 0; then q = held; if no entry has an owner, CAS held q -> {the same seq, none}
// SINCE     A snapshot's owner says in its word that it will read as of a later time t as well,
//           which it draws from the clock after that. Until the release everything that was
//           replaced after S is needed: the version as of t may be older than the present one.
// LOOK      c = clock; then every entry below ready: a pending one is completed, by CAS to the
//           clock. A snapshot that the look did not see has a time that is not below c: it reads
//           the clock after that. So a look stays good for ever for versions that are not newer
//           than c.
// NEEDED    the version o, with n the next newer one, n committed: unless held, read after n was
//           stamped, says none; or n's commit is at most c, and the look found no S in [o.commit,
//           n.commit), and no S with `since` below n.commit. (One that says `since` after the look
//           has a t that is above c, and so sees n or a newer version.) A process that leaves o for
//           an S says so in the entry, and then looks whether the entry still has that S: so when S
//           goes, its release is announced (`ended`), and a sweep looks at o again.
// DEATH     snapshot-0: a longer look. From snapshot-1 on, and in a release: the recoverer of a
//           dead participant releases its entries, and announces an end that may have been
//           announced. snapshot-2: `some` may be said for too long; a heartbeat puts that right.
//           snapshot-3: any look may complete the word.
// WHY       docs/decisions/0008-snapshots.md
// TESTED    tests/model/snapshot_model_test.cc, tests/model/transaction_serializable_model_test.cc,
//           tests/process/, tests/api/, tests/crash/
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "process/session.h"
#include "region/region.h"

namespace commy::versions {

inline constexpr std::uint64_t kSnapshotPending = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kSnapshotSince = std::uint64_t{1} << 62U;  // In a word with a time.
inline constexpr std::uint64_t kSnapshotsSome = 1;

// The time that an entry's word has; 0: none, or not yet.
inline constexpr std::uint64_t SnapshotTime(std::uint64_t word) {
  return (word & kSnapshotPending) != 0 ? 0 : word & ~kSnapshotSince;
}

// A snapshot that is held, as its owner knows it.
struct HeldSnapshot {
  std::uint32_t slot = 0;
  std::uint64_t time = 0;     // Versions with a commit up to this one.
  std::int64_t store_ns = 0;  // Records that had expired at this time are absent.
};

// A snapshot that some owner holds.
struct SnapshotInfo {
  std::uint64_t owner = 0;
  std::uint64_t time = 0;  // 0: it is being taken.
  std::int64_t store_ns = 0;
};

// Whether any snapshot may be held: one load. Read it after the version that is to be dropped was
// replaced by a version with a commit time.
inline bool SnapshotsHeld(const region::Region& region) {
  return (region.header().snapshots_held.load(std::memory_order_seq_cst) & kSnapshotsSome) != 0;
}

// A snapshot of this moment. ResourceExhausted: all entries are taken, and by the living. Any
// thread.
absl::StatusOr<HeldSnapshot> TakeSnapshot(process::Session& session);
// Any thread. Does nothing if the session was closed since, which released the snapshot.
void ReleaseSnapshot(process::Session& session, const HeldSnapshot& held);
// What a session has to do for snapshots: release those of the dead and its own, and look at each
// beat whether any is held.
void AddSnapshotHooks(region::Region& region, process::Session::Hooks* hooks);

// snapshot-0 to snapshot-5. False: no slot is free.
bool TakeSnapshot(region::Region& region, std::uint64_t owner, std::int64_t store_ns,
                  HeldSnapshot* taken);
// Says `since`: until its release, the snapshot also holds all versions that were replaced after
// its time. Requires: the caller holds it.
void KeepSince(region::Region& region, const HeldSnapshot& held);
// Releases an entry, if it is `owner`'s.
void ReleaseSnapshot(region::Region& region, std::uint32_t slot, std::uint64_t owner);
// Releases all entries whose owner is one of these, which are dead or leaving.
void ReleaseSnapshots(region::Region& region, absl::FunctionRef<bool(std::uint64_t owner)> of);
// Says none if no snapshot is held.
void RefreshSnapshotsHeld(region::Region& region);

// Snapshots that are held now, the oldest first.
std::vector<SnapshotInfo> ListSnapshots(const region::Region& region);

// Says that a snapshot has ended: versions that wait for the end of one are to be looked at again.
void AnnounceSnapshotsEnded(region::Region& region);

// A look at the times that are held; taken anew when it is too old for the question.
class SnapshotTimes {
 public:
  explicit SnapshotTimes(region::Region& region) : region_(region) {}

  // Whether a snapshot may need the version with commit `from`, of which the next newer one has
  // the commit `until`. Requires: both are commit times that were read from their records.
  bool Needs(std::uint64_t from, std::uint64_t until) {
    return (until <= clock_ || SnapshotsHeld(region_)) && IsHeld(from, until);
  }

  // snapshots_ended before the look. A process that left something for a snapshot, and has marked
  // that, compares: if it has changed, a snapshot may have ended whose end will not be announced
  // again.
  [[nodiscard]] std::uint64_t ended() const { return ended_; }

 private:
  struct Held {
    std::uint64_t time;
    std::uint32_t slot;
  };
  using HeldList = absl::InlinedVector<Held, 16>;
  bool IsHeld(std::uint64_t from, std::uint64_t until);
  // Whether one of these in [from, until) is still held; released ones are taken out of the list.
  bool IsAnyHeld(HeldList& list, std::uint64_t from, std::uint64_t until);
  void Look();

  region::Region& region_;
  std::uint64_t clock_ = 0;
  std::uint64_t ended_ = 0;
  HeldList held_;   // Ascending, as is the next one.
  HeldList since_;  // Of them, those that hold all versions replaced since.
};

}  // namespace commy::versions
