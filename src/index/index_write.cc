// Changing keys, whatever their order: find the slot, CAS it, count, prune.
#include "absl/cleanup/cleanup.h"

#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::NoteKind;
using process::Operation;

// Looking again after somebody else's change is progress of the whole; more often than this in a
// row is a file that contradicts itself.
constexpr int kRetryLimit = 1'000'000;
constexpr int kRemoveAttempts = 4;

bool SameContent(const Decision& a, const Decision& b) {
  return a.kind == b.kind && a.value.data() == b.value.data() && a.value.size() == b.value.size() &&
         a.expiry_ns == b.expiry_ns && !b.buffer_reused;
}

}  // namespace

absl::StatusOr<Index::Found> Index::WalkSlots(Shared64* slots, std::uint64_t count,
                                              std::string_view key, std::uint64_t hash,
                                              Position* at) const {
  at->slot = nullptr;
  at->head = versions::RecordView();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    if (SlotIsFrozen(word)) [[unlikely]] {
      return Found::kFrozen;
    }
    if (word == 0) {
      at->slot = &slots[i];
      at->word = 0;
      return Found::kRoom;
    }
    if (!SlotHasTag(word, hash) || SlotIsDead(word)) {
      continue;
    }
    allocator_.PrefetchRetire(SlotOffset(word));  // Most likely it is replaced soon.
    const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
    if (!view.valid()) [[unlikely]] {
      return Damaged("a record", SlotOffset(word));
    }
    if (view.key == key) {
      versions::SettleWord(region_, view.record->commit);
      at->slot = &slots[i];
      at->word = word;
      at->head = view;
      return Found::kKey;
    }
  }
  return Found::kNoKey;
}

absl::Status Index::LocateForWrite(const Anchor& anchor, std::string_view key, std::uint64_t hash,
                                   Position* at) {
  for (int attempt = 0; attempt < kRetryLimit; ++attempt) {
    COMMY_ASSIGN_OR_RETURN(at->root, CurrentRoot(anchor, &at->root_offset));
    if (const std::uint64_t successor = at->root->successor.load(std::memory_order_seq_cst);
        successor > kDropMark) [[unlikely]] {
      COMMY_RETURN_IF_ERROR(CompleteClear(anchor, at->root_offset, successor));
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const Found found, FindPlace(key, hash, at));
    if (found == Found::kFrozen) [[unlikely]] {
      COMMY_RETURN_IF_ERROR(HelpFrozen(anchor, *at));
    } else if (found != Found::kGone) [[likely]] {
      return absl::OkStatus();
    }
  }
  return base::DataLoss(region_.path(), ": the index of namespace ", anchor.id & kIdMask,
                        " stays frozen though nobody changes it; `commy check` tells more");
}

absl::Status Index::HelpFrozen(const Anchor& anchor, const Position& at) {
  const std::uint64_t successor = at.root->successor.load(std::memory_order_acquire);
  if (successor == kDropMark) {
    return absl::AbortedError("being dropped");
  }
  if (successor != 0) {
    return CompleteClear(anchor, at.root_offset, successor);
  }
  const std::uint64_t baton = at.root->baton.load(std::memory_order_acquire);
  if (baton > kBatonClosed) {
    return Help(*at.root, baton);
  }
  return absl::OkStatus();  // Done since; the way from the root leads to the new one.
}

absl::Status Index::Help(IndexRoot& root, std::uint64_t descriptor) {
  // In this order. While the baton names the descriptor, its poster's pin is up, and keeps the old
  // one's memory from being reused: so the first test looked at the genuine old one if the second
  // holds. If it was in place then, our own pin keeps it from here on.
  COMMY_ASSIGN_OR_RETURN(const bool in_place, IsInPlace(root, descriptor));
  if (root.baton.load(std::memory_order_seq_cst) != descriptor) {
    return absl::OkStatus();  // Done, by others.
  }
  if (in_place) {  // Else S1 came too late, or S4 is done.
    COMMY_RETURN_IF_ERROR(Carry(root, descriptor));
  }
  root.baton.CompareAndSet(descriptor, 0, std::memory_order_seq_cst);  // S5
  return absl::OkStatus();
}

void Index::AfterDeath(Operation& /*op*/, const Anchor& /*anchor*/, std::string_view /*key*/) {}

absl::StatusOr<Shared64*> Index::CounterCell(Operation& op, IndexRoot& root,
                                             alloc::Purpose purpose) {
  const std::uint64_t lane = op.lane().index();
  Shared64& group = root.counters[lane % kCounterGroups];
  const std::uint64_t cells = (region_.geometry().lane_count + kCounterGroups - 1) / kCounterGroups;
  std::uint64_t offset = group.load(std::memory_order_acquire);
  if (offset == 0) [[unlikely]] {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t made,
                           allocator_.Allocate(op, NoteKind::kCounters, cells * 8, purpose));
    std::byte* const block = region_.At(made, cells * 8, alignof(Shared64));
    if (block == nullptr) {
      return base::DataLoss(region_.path(), ": no block at ", base::Hex(made));
    }
    base::ZeroIn(block, cells * 8);
    if (group.compare_exchange(offset, made, std::memory_order_seq_cst)) {
      offset = made;
    } else {
      allocator_.Retire(op, made);
    }
  }
  if (offset == kCountersClosed) [[unlikely]] {
    return nullptr;
  }
  auto* const block = reinterpret_cast<Shared64*>(region_.At(offset, cells * 8, alignof(Shared64)));
  if (block == nullptr) [[unlikely]] {
    return base::DataLoss(region_.path(), ": a counter block at ", base::Hex(offset),
                          " lies outside the file");
  }
  return &block[lane / kCounterGroups];
}

absl::Status Index::PrepareDraft(Operation& op, const Anchor& anchor, std::string_view key,
                                 const Decision& decision, std::uint32_t first_note, Draft* draft) {
  if (draft->record != nullptr && SameContent(draft->from, decision)) {
    return absl::OkStatus();
  }
  const bool tombstone = decision.kind == Decide::kDelete;
  const std::string_view value = tombstone ? std::string_view() : decision.value;
  const std::uint64_t bytes = versions::RecordBytes(key.size(), value.size());
  if (draft->record == nullptr || draft->block_bytes < bytes) {
    if (draft->record != nullptr) {
      // Disarmed before another block takes the note's place: what its commit word holds from an
      // earlier life would be taken for a published change.
      op.Disarm();
      allocator_.Retire(op, draft->offset);
      draft->record = nullptr;
      op.DropNotes(first_note);
    }
    COMMY_ASSIGN_OR_RETURN(
        draft->offset,
        allocator_.Allocate(op, NoteKind::kRecord, bytes,
                            tombstone ? alloc::Purpose::kMakesRoom : alloc::Purpose::kOrdinary));
    draft->block_bytes = bytes;
  }
  std::byte* const block = region_.At(draft->offset, bytes, alignof(versions::Record));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(draft->offset));
  }
  versions::WriteRecord(
      block, {anchor.id, key, value, tombstone ? 0 : ExpiryFor(anchor, decision.expiry_ns),
              tombstone ? versions::kRecordTombstone : std::uint8_t{0}});
  draft->record = reinterpret_cast<versions::Record*>(block);
  draft->from = decision;
  draft->notes_end = op.notes_used();
  return absl::OkStatus();
}

absl::Status Index::Write(Operation& op, const Anchor& anchor, std::string_view key, Decider decide,
                          WriteOutcome* outcome) {
  const std::uint64_t hash = Hash(key);
  // Notes, in this order: the draft's (the first note of kind record is the new one), then the
  // record that it replaces; notes of structural changes come behind and go again.
  const std::uint32_t first_note = op.notes_used();
  Draft draft;
  // Also if `decide` throws.
  const absl::Cleanup retire_draft = [&] {
    if (draft.record != nullptr) {
      op.Disarm();
      allocator_.Retire(op, draft.offset);  // Never published.
    }
  };
  for (int attempt = 0; attempt < kRetryLimit; ++attempt) {
    const absl::StatusOr<bool> done =
        TryWrite(op, anchor, key, hash, decide, first_note, &draft, outcome);
    if (!done.ok() || *done) {
      return done.status();
    }
  }
  return base::DataLoss(region_.path(), ": a key of namespace ", anchor.id & kIdMask,
                        " cannot be changed; `commy check` tells more");
}

absl::StatusOr<bool> Index::TryWrite(Operation& op, const Anchor& anchor, std::string_view key,
                                     std::uint64_t hash, Decider decide, std::uint32_t first_note,
                                     Draft* draft, WriteOutcome* outcome) {
  Position at;
  COMMY_RETURN_IF_ERROR(LocateForWrite(anchor, key, hash, &at));
  if (at.head.valid() && at.head.record->commit.load(std::memory_order_relaxed) >
                             versions::kCommitTimeMax) [[unlikely]] {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit,
                           intents_.DecideForPut(at.head.record->commit));
    COMMY_RETURN_IF_ERROR(SettleHead(op, anchor, at, commit));
    return false;
  }
  const bool existed = IsLive(at.head);
  Decision decision = decide(existed ? &at.head : nullptr);
  *outcome = {false, existed};
  // An expired record still counts as a key, and is there to delete, until it is swept.
  const bool counted = at.head.valid() && !at.head.tombstone();
  if (decision.kind == Decide::kExpire) {
    decision.kind = existed ? Decide::kKeep : Decide::kDelete;
  }
  if (decision.kind == Decide::kKeep || (decision.kind == Decide::kDelete && !counted)) {
    return true;
  }
  if (at.slot == nullptr) {
    COMMY_RETURN_IF_ERROR(MakeRoom(op, anchor, at, key, hash));
    return false;
  }
  op.DropNotes(draft->record != nullptr ? draft->notes_end : first_note);
  COMMY_RETURN_IF_ERROR(PrepareDraft(op, anchor, key, decision, first_note, draft));
  const std::uint32_t old_note =
      op.AddNote(at.head.valid() ? BlockNote(NoteKind::kRecord, at.head.offset) : 0);
  draft->record->prev.store(at.head.offset, std::memory_order_relaxed);
  const int delta = (decision.kind == Decide::kPut ? 1 : 0) - (counted ? 1 : 0);
  Shared64* cell = nullptr;
  if (delta != 0) {
    COMMY_ASSIGN_OR_RETURN(
        cell, CounterCell(op, *at.root,
                          delta < 0 ? alloc::Purpose::kMakesRoom : alloc::Purpose::kOrdinary));
    if (cell == nullptr) [[unlikely]] {
      return false;  // The root was cleared and its memory taken back meanwhile.
    }
    op.Arm(delta, region_.OffsetOf(cell), CellSeq(cell->load(std::memory_order_relaxed)));
  } else {
    op.Disarm();
  }
  if (!at.slot->CompareAndSet(at.word, PackSlot(hash, draft->offset), std::memory_order_seq_cst)) {
    return false;
  }
  versions::SettleWord(region_, draft->record->commit);
  if (decision.kind == Decide::kPut) {
    TellPut(anchor, hash);
  } else {
    TellChange(anchor);
  }
  if (cell != nullptr) {
    cell->store(PackCell(CellValue(cell->load(std::memory_order_relaxed)) + delta, op.seq()),
                std::memory_order_release);
  }
  outcome->changed = true;
  Finish(op, anchor, hash, at, *draft, old_note);
  draft->record = nullptr;  // Published: no draft any more.
  return true;
}

Index::Left Index::Prune(Operation& op, std::uint32_t note_place, versions::SnapshotTimes& times,
                         versions::Record& head, bool whole) {
  versions::Record* newer = &head;
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t prev = newer->prev.load(std::memory_order_acquire);
    if (prev == 0) {
      return newer == &head ? Left::kNothing : Left::kWaits;
    }
    if ((prev & versions::kPrevFrozen) != 0) {
      // Dropped itself, by who goes on below it; but he may have looked at the snapshots before us.
      return newer == &head ? Left::kNothing : Left::kDirty;
    }
    auto* const old = region_.At<versions::Record>(prev);
    if (old == nullptr) {
      return Left::kNothing;  // Damaged; for `check` to report.
    }
    if (times.Needs(old->commit.load(std::memory_order_acquire),
                    newer->commit.load(std::memory_order_acquire))) [[unlikely]] {
      if (!whole) {
        return Left::kWaits;
      }
      newer = old;
      continue;
    }
    op.SetNote(note_place, BlockNote(NoteKind::kRecord, prev));
    const std::uint64_t below =
        old->prev.fetch_or(versions::kPrevFrozen, std::memory_order_seq_cst);
    if (newer->prev.CompareAndSet(prev, below & ~versions::kPrevFrozen,
                                  std::memory_order_seq_cst)) {
      allocator_.Retire(op, prev);
    }
  }
  return Left::kDirty;
}

void Index::Finish(Operation& op, const Anchor& anchor, std::uint64_t hash, const Position& at,
                   Draft& draft, std::uint32_t old_note) {
  versions::SnapshotTimes times(region_);
  Left left = Prune(op, old_note, times, *draft.record, false);
  const versions::RecordView made = versions::ViewRecord(region_, draft.offset);
  if (left == Left::kNothing && draft.from.kind == Decide::kDelete) {
    Position now = at;
    now.word = PackSlot(hash, draft.offset);
    left = RemoveTombstone(op, anchor, hash, now, made);
  }
  if (left != Left::kNothing) {
    (void)MarkLeft(anchor, made.key, left, times.ended());
  }
  if (made.record->expiry_ns != 0) [[unlikely]] {
    (void)NoteExpiry(anchor, made.key, made.record->expiry_ns);
  }
}

Index::Left Index::RemoveTombstone(Operation& op, const Anchor& anchor, std::uint64_t hash,
                                   Position at, const versions::RecordView& tombstone) {
  for (int attempt = 0; attempt < kRemoveAttempts; ++attempt) {
    if (tombstone.record->prev.load(std::memory_order_acquire) != 0) {
      return Left::kDirty;
    }
    if (at.slot != nullptr &&
        at.slot->CompareAndSet(at.word, kSlotDead, std::memory_order_seq_cst)) {
      allocator_.Retire(op, tombstone.offset);
      AfterDeath(op, anchor, tombstone.key);  // Under our pin the record's bytes stay.
      return Left::kNothing;
    }
    if (!LocateForWrite(anchor, tombstone.key, hash, &at).ok()) {
      return Left::kNothing;  // The namespace is going, and the tombstone with it.
    }
    // Somebody wrote the key since: he prunes it.
    if (at.slot == nullptr || !at.head.valid() || at.head.offset != tombstone.offset) {
      return Left::kNothing;
    }
  }
  return Left::kDirty;
}

}  // namespace commy::index
