#include "namespaces/sweeper.h"

#include <vector>

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using base::Shared64;
using index::IndexRoot;
using index::SlotArray;
using process::BlockNote;
using process::Operation;
using region::BlockKind;
using versions::Leftover;
using versions::RecordView;

constexpr int kMarkAttempts = 4;

}  // namespace

Result Sweeper::Mark(const NamespaceRef& ns, std::string_view key, std::uint64_t mark) const {
  COMMY_DCHECK(mark == index::kSweepNeeded || mark == index::kSweepAfterSnapshot);
  const std::uint64_t hash = core_.Hash(key);
  for (int attempt = 0; attempt < kMarkAttempts; ++attempt) {
    std::uint64_t root_offset = 0;
    IndexRoot* root = nullptr;
    COMMY_TRY(roots_.Current(ns, &root_offset, &root));
    COMMY_ASSIGN_OR_RETURN(const SlotArray at, core_.ShapeOf(ns).SlotsOf(*root, key, hash));
    if (at.offset == 0) {
      continue;
    }
    index::SetMark(*at.mark, mark);
    index::SetMark(root->marks, mark);
    // A reshape that is in flight may have copied the mark before it was set; but it froze first.
    if (!index::SlotIsFrozen(at.words[0].load(std::memory_order_seq_cst))) {
      return Outcome::kDone;
    }
    COMMY_TRY(roots_.HelpFrozen(ns, root_offset, *root));
  }
  return Outcome::kDone;
}

Result Sweeper::MarkLeft(const NamespaceRef& ns, std::string_view key, Leftover left,
                         std::uint64_t ended) const {
  COMMY_DCHECK(left != Leftover::kNothing);
  if (left == Leftover::kDirty) {
    return Mark(ns, key, index::kSweepNeeded);
  }
  COMMY_TRY(Mark(ns, key, index::kSweepAfterSnapshot));
  // The snapshot that it waits for may have ended before the mark could be seen.
  return core_.region.header().snapshots_ended.load(std::memory_order_seq_cst) == ended
             ? Result(Outcome::kDone)
             : Mark(ns, key, index::kSweepNeeded);
}

Result Sweeper::Resume(const NamespaceRef& ns) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &root_offset, &root));
  index::SetMark(root->marks, index::kSweepNeeded);
  // The "waiting" mark may be older than the snapshot that it was to wait for.
  versions::AnnounceSnapshotsEnded(core_.region);
  return Outcome::kDone;
}

bool Sweeper::UnlinkAborted(Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                            const RecordView& intent) const {
  COMMY_DCHECK(index::SlotOffset(word) == intent.offset);
  COMMY_DCHECK(!index::SlotIsFrozen(word) && !index::SlotIsClosed(word));
  COMMY_DCHECK(intent.record->commit.load(std::memory_order_relaxed) == versions::kCommitAborted);
  // As nothing is on top of it, no process has frozen its `prev`.
  const std::uint64_t below = versions::PrevOffset(intent.record->prev);
  const std::uint64_t offset_bits = index::SlotOffset(word) / region::kBlockAlignBytes;
  const std::uint64_t next =
      below == 0 ? index::kSlotClosed : (word - offset_bits) | (below / region::kBlockAlignBytes);
  op.SetNote(place, BlockNote(BlockKind::kRecord, intent.offset));
  if (!slot.CompareAndSet(word, next, std::memory_order_seq_cst)) {
    return false;
  }
  core_.allocator.Retire(op, intent.offset);
  return true;
}

Leftover Sweeper::SweepSlot(Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                            versions::SnapshotTimes& times,
                            std::optional<std::string>* closed) const {
  const RecordView view = versions::ViewRecord(core_.region, index::SlotOffset(word));
  if (!view.valid()) {
    return Leftover::kNothing;
  }
  versions::ResolveCommit(core_.region, view.record->commit);
  if (index::SlotIsFrozen(word)) {
    return Leftover::kDirty;
  }
  if (view.record->commit.load(std::memory_order_acquire) > versions::kCommitTimeMax) [[unlikely]] {
    return SweepIntent(op, slot, word, place, view, closed);
  }
  const Leftover left = core_.chains.Prune(op, place, times, *view.record, true);
  if (left != Leftover::kNothing || !view.tombstone() ||
      view.record->prev.load(std::memory_order_acquire) != 0) {
    return left;
  }
  op.SetNote(place, BlockNote(BlockKind::kRecord, view.offset));
  if (!slot.CompareAndSet(word, index::kSlotClosed, std::memory_order_seq_cst)) {  // sweep-3
    return Leftover::kDirty;
  }
  COMMY_DCHECK(index::SlotIsClosed(slot.load(std::memory_order_relaxed)));  // H2
  core_.allocator.Retire(op, view.offset);
  closed->emplace(view.key);
  return Leftover::kNothing;
}

Leftover Sweeper::SweepIntent(Operation& op, Shared64& slot, std::uint64_t word,
                              std::uint32_t place, const RecordView& intent,
                              std::optional<std::string>* closed) const {
  const absl::StatusOr<std::uint64_t> status = core_.intents.StatusOf(intent.record->commit);
  if (!status.ok()) {
    return Leftover::kNothing;  // Damaged; for `check` to report.
  }
  if ((*status & versions::kStatusOpen) != 0) {
    return Leftover::kDirty;  // Its owner, or its recoverer, looks after it.
  }
  if (!core_.intents.Resolve(intent.record->commit).ok() || *status != versions::kCommitAborted) {
    return Leftover::kDirty;
  }
  const std::string key(intent.key);
  if (UnlinkAborted(op, slot, word, place, intent) &&
      intent.record->prev.load(std::memory_order_acquire) == 0) {
    closed->emplace(key);
    return Leftover::kNothing;
  }
  return Leftover::kDirty;
}

Result Sweeper::SweepSlots(Operation& op, const NamespaceRef& ns, const SlotArray& slots,
                           versions::SnapshotTimes& times,
                           std::optional<std::string>* closed) const {
  const std::uint32_t place = op.AddNote(0);
  const std::uint64_t ended = core_.region.header().snapshots_ended.load(
      std::memory_order_seq_cst);  // Before all judgement.
  std::string key;
  Leftover worst = Leftover::kNothing;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    Shared64& slot = slots.words[i];
    const std::uint64_t word = slot.load(std::memory_order_acquire);
    if (index::SlotIsEmpty(word) || index::SlotIsClosed(word)) {
      continue;
    }
    const Leftover left = SweepSlot(op, slot, word, place, times, closed);
    if (left > worst) {
      worst = left;
      key.assign(versions::ViewRecord(core_.region, index::SlotOffset(word)).key);
    }
  }
  op.DropNotes(place);
  // The new mark, if any, is on top of the one that is being worked on.
  return worst == Leftover::kNothing ? Result(Outcome::kDone) : MarkLeft(ns, key, worst, ended);
}

Result Sweeper::Sweep(Operation& op, const NamespaceRef& ns, bool waiting, std::int64_t deadline_ns,
                      bool* done) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &root_offset, &root));
  const auto wanted = [waiting](const Shared64& mark) {
    const std::uint64_t seen = mark.load(std::memory_order_acquire);
    return seen != 0 && (waiting || seen != index::kSweepAfterSnapshot);
  };
  *done = true;
  if (!wanted(root->marks)) {
    return Outcome::kDone;
  }
  root->marks.store(index::kSweepRunning, std::memory_order_seq_cst);  // sweep-2
  index::Shape& shape = core_.ShapeOf(ns);
  std::vector<std::string> closed;
  versions::SnapshotTimes times(core_.region);
  bool passed_by = false;
  bool late = false;
  Result swept = Outcome::kDone;
  COMMY_TRY(shape.ForEachSlots(*root, [&](const SlotArray& slots) -> absl::Status {
    if (late || !swept.done() || !wanted(*slots.mark)) {
      passed_by = passed_by || slots.mark->load(std::memory_order_acquire) != 0;
      return absl::OkStatus();
    }
    slots.mark->store(index::kSweepRunning, std::memory_order_seq_cst);  // sweep-2
    std::optional<std::string> key;
    swept = SweepSlots(op, ns, slots, times, &key);  // sweep-3
    if (!swept.done()) {
      return swept.status();
    }
    slots.mark->CompareAndSet(index::kSweepRunning, 0, std::memory_order_seq_cst);  // sweep-4
    if (key.has_value()) {
      closed.push_back(*std::move(key));
    }
    late = core_.session.platform().MonotonicNs() >= deadline_ns;
    return absl::OkStatus();
  }));
  COMMY_TRY(swept);
  if (late) {
    index::SetMark(root->marks, index::kSweepNeeded);  // For the next piece.
  } else {
    root->marks.CompareAndSet(index::kSweepRunning, passed_by ? index::kSweepAfterSnapshot : 0,
                              std::memory_order_seq_cst);  // sweep-4
  }
  for (const std::string& key : closed) {
    shape.AfterClose(op, *root, key);
  }
  *done = !late;
  return Outcome::kDone;
}

Result Sweeper::ForEachSuperseded(const NamespaceRef& ns,
                                  absl::FunctionRef<void(const versions::Superseded&)> use) const {
  std::uint64_t offset = 0;
  IndexRoot* present = nullptr;
  COMMY_TRY(roots_.Current(ns, &offset, &present));
  std::uint64_t until = 0;
  return roots_.ForEach(ns, [&](std::uint64_t, IndexRoot& root) -> absl::StatusOr<bool> {
    COMMY_RETURN_IF_ERROR(
        core_.ShapeOf(ns).ForEachSlots(root, [&](const SlotArray& slots) -> absl::Status {
          if (until == 0 && slots.mark->load(std::memory_order_acquire) == 0) {
            return absl::OkStatus();  // Only marked segments have old versions.
          }
          for (std::uint64_t i = 0; i < slots.count; ++i) {
            const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
            if (!index::SlotIsEmpty(word) && !index::SlotIsClosed(word)) {
              COMMY_RETURN_IF_ERROR(
                  core_.chains.ForEachSuperseded(index::SlotOffset(word), until, use));
            }
          }
          return absl::OkStatus();
        }));
    until = root.commit.load(std::memory_order_acquire);
    return until != versions::kUndecided;
  });
}

}  // namespace commy::namespaces
