#include "versions/chain.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::versions {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

bool IsNoted(const Operation& op, std::uint64_t offset_bytes) {
  for (std::uint32_t place = 0; place < op.notes_used(); ++place) {
    const process::Note note =
        process::ReadNote(op.lane().words().notes[place].load(std::memory_order_relaxed));
    if (note.offset_bytes == offset_bytes) {
      return true;
    }
  }
  return false;
}

base::Result Chains::ToOlderVersion(const AsOf& as_of, RecordView* view) const {
  const RecordView newest = *view;
  std::uint64_t commit = 0;
  COMMY_TRY(intents_.Read(newest.record->commit, as_of, &commit));
  if (commit <= as_of.time) {
    return base::Outcome::kDone;
  }
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t offset = PrevOffset(view->record->prev);
    if (offset == 0) {
      *view = RecordView();
      return base::Outcome::kDone;
    }
    *view = ViewRecord(region_, offset);
    if (!view->valid() || view->key != newest.key) [[unlikely]] {
      return Damaged(region_, "a record", offset);
    }
    if (view->record->commit.load(std::memory_order_acquire) <= as_of.time) {
      return base::Outcome::kDone;
    }
  }
  return Damaged(region_, "a record", newest.offset);
}

bool Chains::Contains(std::uint64_t newest, std::uint64_t wanted) const {
  std::uint64_t next = newest;
  for (int step = 0; step < kChainLimit && next != 0; ++step) {
    if (next == wanted) {
      return true;
    }
    const auto* const record = region_.At<Record>(next);
    next = record == nullptr ? 0 : PrevOffset(record->prev);
  }
  return false;
}

absl::Status Chains::ForEachSuperseded(std::uint64_t newest, std::uint64_t until,
                                       absl::FunctionRef<void(const Superseded&)> use) const {
  std::uint64_t next = newest;
  std::uint64_t newer = until;
  for (int step = 0; step < kChainLimit && next != 0; ++step) {
    const auto* const record = region_.At<Record>(next);
    if (record == nullptr) {
      return Damaged(region_, "a record", next);
    }
    const std::uint64_t commit = record->commit.load(std::memory_order_acquire);
    // Else it is an intent: not superseded yet, or never a version.
    const bool counts = commit <= kCommitTimeMax;
    if (newer != 0 && counts) {
      use({commit, newer, allocator_.BlockBytes(next)});
    }
    newer = counts ? commit : newer;
    next = PrevOffset(record->prev);
  }
  return absl::OkStatus();
}

bool Chains::Unlink(Operation& op, Shared64& newer, std::uint64_t old, Shared64& old_prev) const {
  // unlink-2.
  COMMY_DCHECK(IsNoted(op, old));  // O1, unlink-1
  const std::uint64_t below = old_prev.fetch_or(kPrevFrozen, std::memory_order_seq_cst);
  if (!newer.CompareAndSet(old, below & ~kPrevFrozen, std::memory_order_seq_cst)) {  // unlink-3
    return false;
  }
  // A frozen word never thaws: a process that prunes below `old` from now on fails at its own CAS.
  COMMY_DCHECK((old_prev.load(std::memory_order_relaxed) & kPrevFrozen) != 0);
  allocator_.Retire(op, old);
  return true;
}

Leftover Chains::Prune(Operation& op, std::uint32_t place, SnapshotTimes& times, Record& head,
                       bool whole) const {
  // Pruning below a record that has no time yet would judge by a time that may still change.
  COMMY_DCHECK(IsCommitTime(head.commit.load(std::memory_order_relaxed)));
  Record* newer = &head;
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t prev = newer->prev.load(std::memory_order_acquire);
    if (prev == 0) {
      return newer == &head ? Leftover::kNothing : Leftover::kWaits;
    }
    if ((prev & kPrevFrozen) != 0) {
      // It is being taken out itself, by a process that goes on below it; but that one may have
      // looked at the snapshots before us.
      return newer == &head ? Leftover::kNothing : Leftover::kDirty;
    }
    auto* const old = region_.At<Record>(prev);
    if (old == nullptr) {
      return Leftover::kNothing;  // Damaged; for `check` to report.
    }
    if (times.Needs(old->commit.load(std::memory_order_acquire),
                    newer->commit.load(std::memory_order_acquire))) [[unlikely]] {
      if (!whole) {
        return Leftover::kWaits;
      }
      newer = old;
      continue;
    }
    op.SetNote(place, BlockNote(BlockKind::kRecord, prev));  // unlink-1
    (void)Unlink(op, newer->prev, prev, old->prev);
  }
  return Leftover::kDirty;
}

bool Chains::PruneAll(Operation& op, std::uint32_t place, Record& head) const {
  while (true) {
    const std::uint64_t prev = PrevOffset(head.prev);
    auto* const old = prev == 0 ? nullptr : region_.At<Record>(prev);
    if (old == nullptr) {
      return true;
    }
    op.SetNote(place, BlockNote(BlockKind::kRecord, prev));
    if (!Unlink(op, head.prev, prev, old->prev) &&
        (head.prev.load(std::memory_order_acquire) & kPrevFrozen) != 0) {
      return false;
    }
  }
}

}  // namespace commy::versions
