// Installing the records of a transaction, and tidying up behind them. The rules are those of
// intents.h.
#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::NoteKind;
using process::Operation;

constexpr int kInstallLimit = 1'000'000;
constexpr int kTidyLimit = 1'000;

}  // namespace

bool Index::UnlinkAborted(Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                          const versions::RecordView& intent) {
  // As nothing is on top of it, nobody has frozen its `prev`.
  const std::uint64_t below =
      intent.record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
  const std::uint64_t offset_bits = SlotOffset(word) / region::kBlockAlignBytes;
  const std::uint64_t next =
      below == 0 ? kSlotDead : (word - offset_bits) | (below / region::kBlockAlignBytes);
  op.SetNote(place, BlockNote(NoteKind::kRecord, intent.offset));
  if (!slot.CompareAndSet(word, next, std::memory_order_seq_cst)) {
    return false;
  }
  allocator_.Retire(op, intent.offset);
  return true;
}

absl::Status Index::SettleHead(Operation& op, const Anchor& anchor, const Position& at,
                               std::uint64_t commit) {
  if (commit != versions::kCommitAborted) {
    return absl::OkStatus();
  }
  const std::uint32_t place = op.AddNote(0);
  const bool unlinked = UnlinkAborted(op, *at.slot, at.word, place, at.head);
  op.DropNotes(place);
  // Whoever put what is below may have left it to the intent to prune there.
  return unlinked ? Mark(anchor, at.head.key, kMarked) : absl::OkStatus();
}

absl::StatusOr<InstallOutcome> Index::Install(Operation& op, const Anchor& anchor,
                                              const versions::Installing& transaction,
                                              const versions::RecordView& intent) {
  const std::uint64_t hash = Hash(intent.key);
  const std::uint32_t first_note = op.notes_used();
  const bool tombstone = intent.tombstone();
  InstallOutcome outcome;
  for (int attempt = 0; attempt < kInstallLimit; ++attempt) {
    op.DropNotes(first_note);
    versions::StepAhead(*transaction.progress);
    if (transaction.head->status.load(std::memory_order_acquire) != versions::kStatusActive) {
      outcome.result = InstallOutcome::Result::kOver;
      return outcome;
    }
    Position at;
    COMMY_RETURN_IF_ERROR(LocateForWrite(anchor, intent.key, hash, &at));
    const std::uint64_t newest = at.head.valid()
                                     ? at.head.record->commit.load(std::memory_order_acquire)
                                     : versions::kUndecided;
    if (newest > versions::kCommitTimeMax) {
      COMMY_ASSIGN_OR_RETURN(
          const std::uint64_t commit,
          intents_.DecideFor(transaction, at.head.record->commit, &outcome.ahead));
      if (commit == versions::kUndecided) {
        outcome.result = InstallOutcome::Result::kBehind;
        return outcome;
      }
      COMMY_RETURN_IF_ERROR(SettleHead(op, anchor, at, commit));
      continue;
    }
    // A root without one before it is that of a namespace that was made since, in which nothing was
    // then: as the transaction's snapshot is held, what it sees has not been taken back.
    const bool cleared =
        at.root->commit.load(std::memory_order_acquire) > transaction.snapshot_time &&
        at.root->prev.load(std::memory_order_acquire) != 0;
    if (newest > transaction.snapshot_time || cleared) {
      outcome.result = InstallOutcome::Result::kConflict;
      return outcome;
    }
    if (at.slot == nullptr) {
      COMMY_RETURN_IF_ERROR(MakeRoom(op, anchor, at, intent.key, hash));
      continue;
    }
    intent.record->prev.store(at.head.offset, std::memory_order_relaxed);
    if (at.slot->CompareAndSet(at.word, PackSlot(hash, intent.offset), std::memory_order_seq_cst)) {
      outcome.root_offset = at.root_offset;
      outcome.delta = (tombstone ? 0 : 1) - (at.head.valid() && !at.head.tombstone() ? 1 : 0);
      return outcome;
    }
  }
  return base::DataLoss(region_.path(), ": a key of namespace ", anchor.id & kIdMask,
                        " cannot be changed; `commy check` tells more");
}

absl::StatusOr<bool> Index::PlanTotal(Operation& op, const Anchor& anchor,
                                      std::uint64_t root_offset, std::int64_t delta,
                                      versions::TransactionTotal* total) {
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, root_offset));
  const std::uint32_t first_note = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(const Shared64* cell, CounterCell(op, *root, alloc::Purpose::kMakesRoom));
  op.DropNotes(first_note);
  if (cell == nullptr) {
    return false;
  }
  total->cell = region_.OffsetOf(cell);
  total->before = cell->load(std::memory_order_acquire);
  total->after = PackCell(CellValue(total->before) + delta, CellSeq(total->before) + 1);
  return true;
}

absl::Status Index::TidyIntent(Operation& op, const Anchor& anchor,
                               const versions::RecordView& intent) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit, intents_.Decide(intent.record->commit));
  if (commit == versions::kCommitAborted) {
    return TidyAborted(op, anchor, intent);
  }
  versions::SnapshotTimes times(region_);
  const std::uint32_t place = op.AddNote(0);
  Left left = Prune(op, place, times, *intent.record, false);
  if (left == Left::kNothing && intent.tombstone()) {
    op.SetNote(place, BlockNote(NoteKind::kRecord, intent.offset));
    left = RemoveTombstone(op, anchor, Hash(intent.key), Position(), intent);
  }
  op.DropNotes(place);
  if (intent.record->expiry_ns != 0) {
    COMMY_RETURN_IF_ERROR(NoteExpiry(anchor, intent.key, intent.record->expiry_ns));
  }
  return left == Left::kNothing ? absl::OkStatus()
                                : MarkLeft(anchor, intent.key, left, times.ended());
}

absl::Status Index::TidyAborted(Operation& op, const Anchor& anchor,
                                const versions::RecordView& intent) {
  const std::uint64_t hash = Hash(intent.key);
  const std::uint32_t place = op.AddNote(0);
  for (int attempt = 0; attempt < kTidyLimit; ++attempt) {
    Position at;
    absl::Status located = LocateForWrite(anchor, intent.key, hash, &at);
    if (!located.ok() && !absl::IsAborted(located)) {
      op.DropNotes(place);
      return located;
    }
    if (located.ok() && at.head.valid() && at.head.offset == intent.offset) {
      if (!UnlinkAborted(op, *at.slot, at.word, place, intent)) {
        continue;
      }
      op.DropNotes(place);
      if (intent.record->prev.load(std::memory_order_acquire) != 0) {
        return Mark(anchor, intent.key, kMarked);  // As in SettleHead.
      }
      AfterDeath(op, anchor, intent.key);
      return absl::OkStatus();
    }
    op.DropNotes(place);
    // Never installed, or taken away by somebody; or in a root that was cleared, with which it goes.
    COMMY_ASSIGN_OR_RETURN(const bool reachable,
                           IsReachable(anchor, NoteKind::kRecord, intent.offset));
    if (!reachable) {
      allocator_.Retire(op, intent.offset);
    }
    return absl::OkStatus();
  }
  op.DropNotes(place);
  return Mark(anchor, intent.key, kMarked);
}

}  // namespace commy::index
