// The versions of a key: a chain of records, the newest first, by their `prev` words.
//
// UNLINK   Takes o below n out of a chain, wherever in it that is, by any number of processes at
//          once. The roots of a namespace form such a chain as well:
//            unlink-1  note o
//            unlink-2  set the frozen bit in o.prev: nothing below o can be unlinked from it any
//                      more
//            unlink-3  CAS n.prev o -> o.prev without the bit; the process that succeeds retires o
//          If n.prev is frozen, n itself is being taken out, and the CAS fails. A frozen record is
//          needed by no reader, and stays frozen. Without the frozen bit two pruners of neighbours
//          would bring a record that was dropped back into the chain.
// NEEDED   A snapshot needs the newest version that is not newer than itself: see snapshots.h.
// DEATH    at any step: o is in a note, and the next pruner or sweeper goes on.
// TESTED   tests/model/version_model_test.cc, tests/versions/chain_test.cc, tests/crash/
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "alloc/allocator.h"
#include "base/result.h"
#include "versions/as_of.h"
#include "versions/intents.h"
#include "versions/record.h"
#include "versions/snapshots.h"

namespace commy::versions {

// Chains of versions or of roots that are longer are damage.
inline constexpr int kChainLimit = 1'000'000;

// A superseded version: a newer one of its key has taken its place, or a clear has.
struct Superseded {
  std::uint64_t from = 0;   // Commit time.
  std::uint64_t until = 0;  // Commit time of its successor.
  std::uint64_t block_bytes = 0;
};

// What is left of the versions below a record.
enum class Leftover : std::uint8_t {
  kNothing,  // Or versions that others are working on.
  kWaits,    // Something that a snapshot needs.
  kDirty,    // Something to look at again.
};

// Whether the operation's lane has noted the block. For assertions of O1.
[[nodiscard]] bool IsNoted(const process::Operation& op, std::uint64_t offset_bytes);

// What a `prev` word names, frozen or not; 0: nothing.
inline std::uint64_t PrevOffset(const Shared64& prev) {
  return prev.load(std::memory_order_acquire) & ~kPrevFrozen;
}

class Chains {
 public:
  Chains(process::Session& session, alloc::Allocator& allocator, const Intents& intents)
      : region_(session.region()),
        clock_(session.clock()),
        allocator_(allocator),
        intents_(intents) {}

  // From a key's newest record to the version that counted then; not valid() if the key was absent.
  // kConflict: see Intents::Read. (An intent's commit is above every time.)
  base::Result ToVersionAsOf(const AsOf& as_of, RecordView* view) const {
    if (view->record->commit.load(std::memory_order_relaxed) > as_of.time) [[unlikely]] {
      return ToOlderVersion(as_of, view);
    }
    return base::Outcome::kDone;
  }

  // Whether it is a version that counts: not a tombstone, and not expired.
  [[nodiscard]] bool IsLive(const RecordView& view, const AsOf& as_of = AsOf()) const {
    if (!view.valid() || view.tombstone()) {
      return false;
    }
    const std::int64_t expiry_ns = view.expiry_ns();
    return expiry_ns == 0 || expiry_ns > (as_of.store_ns != 0 ? as_of.store_ns : clock_.NowNs());
  }

  // Whether `wanted` is the record at `newest`, or one below it.
  [[nodiscard]] bool Contains(std::uint64_t newest, std::uint64_t wanted) const;
  // Calls `use` for each superseded record in the chain at `newest`. `until` is the time at which a
  // clear superseded the newest; 0: the newest is the key's present version.
  absl::Status ForEachSuperseded(std::uint64_t newest, std::uint64_t until,
                                 absl::FunctionRef<void(const Superseded&)> use) const;

  // Drops the versions below `head` that no snapshot needs; the note at `place` is for that.
  // `whole`: also the versions below a needed one. Those were looked at when it was put there, and
  // are looked at again when a snapshot ends.
  Leftover Prune(process::Operation& op, std::uint32_t place, SnapshotTimes& times, Record& head,
                 bool whole) const;
  // Drops everything below a record of a structure that no reader needs. False: another process is
  // taking the record itself out.
  bool PruneAll(process::Operation& op, std::uint32_t place, Record& head) const;

  // unlink-2 and unlink-3, for `old`, a block of any kind that `newer` names and that is noted.
  // False: another process was faster.
  bool Unlink(process::Operation& op, Shared64& newer, std::uint64_t old, Shared64& old_prev) const;

 private:
  base::Result ToOlderVersion(const AsOf& as_of, RecordView* view) const;

  region::Region& region_;
  const process::StoreClock& clock_;
  alloc::Allocator& allocator_;
  const Intents& intents_;
};

}  // namespace commy::versions
