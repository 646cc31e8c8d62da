// The sweep: old versions and tombstones that were left behind, and the marks that tell of them.
#include <optional>
#include <vector>

#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::NoteKind;
using process::Operation;

constexpr int kMarkAttempts = 4;

}  // namespace

void Index::SetMark(Shared64& word, std::uint64_t mark) {
  if (mark != kWaiting) {
    word.store(kMarked, std::memory_order_seq_cst);
    return;
  }
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while ((seen == 0 || seen == kSweeping) &&
         !word.compare_exchange(seen, mark, std::memory_order_seq_cst)) {
  }
}

absl::Status Index::Mark(const Anchor& anchor, std::string_view key, std::uint64_t mark) {
  const std::uint64_t hash = Hash(key);
  for (int attempt = 0; attempt < kMarkAttempts; ++attempt) {
    std::uint64_t root_offset = 0;
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
    COMMY_ASSIGN_OR_RETURN(const SlotArray at, SlotsOf(*root, key, hash));
    if (at.offset == 0) {
      continue;
    }
    SetMark(*at.mark, mark);
    SetMark(root->marks, mark);
    // A change that is under way may have copied the mark before it was set; but it froze first.
    if (!SlotIsFrozen(at.words[0].load(std::memory_order_seq_cst))) {
      return absl::OkStatus();
    }
    Position frozen;
    frozen.root = root;
    frozen.root_offset = root_offset;
    COMMY_RETURN_IF_ERROR(HelpFrozen(anchor, frozen));
  }
  return absl::OkStatus();
}

absl::Status Index::MarkForSweep([[maybe_unused]] Operation& op, const Anchor& anchor,
                                 std::string_view key) {
  return Mark(anchor, key, kMarked);
}

absl::Status Index::MarkLeft(const Anchor& anchor, std::string_view key, Left left,
                             std::uint64_t ended) {
  if (left == Left::kDirty) {
    return Mark(anchor, key, kMarked);
  }
  COMMY_RETURN_IF_ERROR(Mark(anchor, key, kWaiting));
  // What it waits for may have ended before the mark could be seen.
  return region_.header().snapshots_ended.load(std::memory_order_seq_cst) == ended
             ? absl::OkStatus()
             : Mark(anchor, key, kMarked);
}

absl::Status Index::ResumeSweep(const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  SetMark(root->marks, kMarked);
  // The mark that says "waiting" may be older than what it was to wait for.
  versions::AnnounceSnapshotsEnded(region_);
  return absl::OkStatus();
}

Index::Left Index::SweepSlot(Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                             versions::SnapshotTimes& times, std::optional<std::string>* died) {
  const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
  if (!view.valid()) {
    return Left::kNothing;
  }
  versions::SettleWord(region_, view.record->commit);
  if (SlotIsFrozen(word)) {
    return Left::kDirty;
  }
  if (view.record->commit.load(std::memory_order_acquire) > versions::kCommitTimeMax) [[unlikely]] {
    return SweepIntent(op, slot, word, place, view, died);
  }
  const Left left = Prune(op, place, times, *view.record, true);
  if (left != Left::kNothing || !view.tombstone() ||
      view.record->prev.load(std::memory_order_acquire) != 0) {
    return left;
  }
  op.SetNote(place, BlockNote(NoteKind::kRecord, view.offset));
  if (!slot.CompareAndSet(word, kSlotDead, std::memory_order_seq_cst)) {
    return Left::kDirty;
  }
  allocator_.Retire(op, view.offset);
  died->emplace(view.key);
  return Left::kNothing;
}

Index::Left Index::SweepIntent(Operation& op, Shared64& slot, std::uint64_t word,
                               std::uint32_t place, const versions::RecordView& intent,
                               std::optional<std::string>* died) {
  const absl::StatusOr<std::uint64_t> status = intents_.StatusOf(intent.record->commit);
  if (!status.ok()) {
    return Left::kNothing;  // Damaged; for `check` to report.
  }
  if ((*status & versions::kStatusOpen) != 0) {
    return Left::kDirty;  // Its owner, or who recovers him, looks after it.
  }
  if (!intents_.Decide(intent.record->commit).ok() || *status != versions::kCommitAborted) {
    return Left::kDirty;
  }
  const std::string key(intent.key);
  if (UnlinkAborted(op, slot, word, place, intent) &&
      intent.record->prev.load(std::memory_order_acquire) == 0) {
    died->emplace(key);
    return Left::kNothing;
  }
  return Left::kDirty;
}

absl::Status Index::SweepSlots(Operation& op, const Anchor& anchor, const SlotArray& slots,
                               versions::SnapshotTimes& times, std::optional<std::string>* died) {
  const std::uint32_t place = op.AddNote(0);
  const std::uint64_t ended =
      region_.header().snapshots_ended.load(std::memory_order_seq_cst);  // Before all judgement.
  std::string key;
  Left worst = Left::kNothing;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    Shared64& slot = slots.words[i];
    const std::uint64_t word = slot.load(std::memory_order_acquire);
    if (SlotIsEmpty(word) || SlotIsDead(word)) {
      continue;
    }
    const Left left = SweepSlot(op, slot, word, place, times, died);
    if (left > worst) {
      worst = left;
      key.assign(versions::ViewRecord(region_, SlotOffset(word)).key);
    }
  }
  op.DropNotes(place);
  // The new mark, if any, is on top of the one that is being worked on.
  return worst == Left::kNothing ? absl::OkStatus() : MarkLeft(anchor, key, worst, ended);
}

absl::StatusOr<bool> Index::Sweep(Operation& op, const Anchor& anchor, bool waiting,
                                  std::int64_t deadline_ns) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  const auto wanted = [waiting](const Shared64& mark) {
    const std::uint64_t seen = mark.load(std::memory_order_acquire);
    return seen != 0 && (waiting || seen != kWaiting);
  };
  if (!wanted(root->marks)) {
    return true;
  }
  // Marks go to "being swept" while they are worked on and from there to 0 when that is done, so
  // that a sweeper's death does not lose them, and a new mark that comes meanwhile stays.
  root->marks.store(kSweeping, std::memory_order_seq_cst);
  std::vector<std::string> died;
  versions::SnapshotTimes times(region_);
  bool passed_by = false;
  bool late = false;
  COMMY_RETURN_IF_ERROR(ForEachSlots(*root, [&](const SlotArray& slots) -> absl::Status {
    if (late || !wanted(*slots.mark)) {
      passed_by = passed_by || slots.mark->load(std::memory_order_acquire) != 0;
      return absl::OkStatus();
    }
    slots.mark->store(kSweeping, std::memory_order_seq_cst);
    std::optional<std::string> key;
    COMMY_RETURN_IF_ERROR(SweepSlots(op, anchor, slots, times, &key));
    slots.mark->CompareAndSet(kSweeping, 0, std::memory_order_seq_cst);
    if (key.has_value()) {
      died.push_back(*std::move(key));
    }
    late = IsTimeUp(deadline_ns);
    return absl::OkStatus();
  }));
  if (late) {
    SetMark(root->marks, kMarked);  // For whoever goes on.
  } else {
    root->marks.CompareAndSet(kSweeping, passed_by ? kWaiting : 0, std::memory_order_seq_cst);
  }
  for (const std::string& key : died) {
    AfterDeath(op, anchor, key);
  }
  return !late;
}

absl::Status Index::ForEachOld(const Anchor& anchor,
                               absl::FunctionRef<void(const OldVersion&)> use) const {
  std::uint64_t offset = 0;
  COMMY_RETURN_IF_ERROR(CurrentRoot(anchor, &offset).status());
  std::uint64_t until = 0;
  return ForEachRoot(anchor, [&](std::uint64_t, IndexRoot& root) -> absl::StatusOr<bool> {
    COMMY_RETURN_IF_ERROR(ForEachSlots(root, [&](const SlotArray& slots) {
      // What is not marked has nothing old.
      return until == 0 && slots.mark->load(std::memory_order_acquire) == 0
                 ? absl::OkStatus()
                 : ForEachOldIn(slots, until, use);
    }));
    until = root.commit.load(std::memory_order_acquire);
    return until != versions::kUndecided;
  });
}

absl::Status Index::ForEachOldIn(const SlotArray& slots, std::uint64_t until,
                                 absl::FunctionRef<void(const OldVersion&)> use) const {
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word) || SlotIsDead(word)) {
      continue;
    }
    std::uint64_t next = SlotOffset(word);
    std::uint64_t newer = until;
    for (int step = 0; step < kChainLimit && next != 0; ++step) {
      const auto* const record = region_.At<versions::Record>(next);
      if (record == nullptr) {
        return Damaged("a record", next);
      }
      const std::uint64_t commit = record->commit.load(std::memory_order_acquire);
      const bool counts =
          commit <= versions::kCommitTimeMax;  // Or it is an intent: not old yet, or never new.
      if (newer != 0 && counts) {
        use({commit, newer, allocator_.BlockBytes(next)});
      }
      newer = counts ? commit : newer;
      next = record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
    }
  }
  return absl::OkStatus();
}

}  // namespace commy::index
