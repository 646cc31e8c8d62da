#include "namespaces/writer.h"

#include "absl/cleanup/cleanup.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using index::Found;
using index::Position;
using process::BlockNote;
using process::Operation;
using region::BlockKind;
using versions::Leftover;
using versions::Record;
using versions::RecordView;

// Looking again after another writer's change is progress of the whole; more often than this in a
// row is a file that contradicts itself.
constexpr int kRetryLimit = 1'000'000;
constexpr int kRemoveAttempts = 4;

bool SameContent(const Decision& a, const Decision& b) {
  return a.kind == b.kind && a.value.data() == b.value.data() && a.value.size() == b.value.size() &&
         a.expiry_ns == b.expiry_ns && !b.buffer_reused;
}

}  // namespace

absl::Status Writer::CannotBeChanged(const NamespaceRef& ns) const {
  return base::DataLoss(core_.region.path(), ": a key of namespace ",
                        ns.id & index::kNamespaceIdMask,
                        " cannot be changed; `commy check` tells more");
}

Result Writer::Locate(const NamespaceRef& ns, std::string_view key, std::uint64_t hash,
                      Position* at) const {
  const index::Shape& shape = core_.ShapeOf(ns);
  for (int attempt = 0; attempt < kRetryLimit; ++attempt) {
    COMMY_TRY(roots_.Current(ns, &at->root_offset, &at->root));
    // After the fence of a transaction: see CLEAR in versions/intents.h.
    if (const std::uint64_t successor = at->root->successor.load(std::memory_order_seq_cst);
        successor > index::kDropped) [[unlikely]] {
      COMMY_TRY(roots_.CompleteClear(ns, at->root_offset, successor));
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const Found found, shape.FindPlace(key, hash, at));
    if (found == Found::kFrozen) [[unlikely]] {
      COMMY_TRY(roots_.HelpFrozen(ns, at->root_offset, *at->root));
    } else if (found != Found::kGone) [[likely]] {
      COMMY_DCHECK(!at->head.valid() ||
                   at->head.record->commit.load(std::memory_order_relaxed) != versions::kUndecided);
      COMMY_DCHECK(!at->head.valid() ||
                   (at->slot != nullptr && index::SlotOffset(at->word) == at->head.offset));
      return Outcome::kDone;
    }
  }
  return base::DataLoss(core_.region.path(), ": the index of namespace ",
                        ns.id & index::kNamespaceIdMask,
                        " stays frozen though no process changes it; `commy check` tells more");
}

absl::Status Writer::PrepareDraft(Operation& op, const NamespaceRef& ns, std::string_view key,
                                  const Decision& decision, std::uint32_t first_note,
                                  Draft* draft) const {
  if (draft->record != nullptr && SameContent(draft->from, decision)) {
    return absl::OkStatus();
  }
  const bool tombstone = decision.kind == Decision::Kind::kDelete;
  const std::string_view value = tombstone ? std::string_view() : decision.value;
  const std::uint64_t align = draft->reserved ? versions::kValueAlignMax
                              : tombstone     ? versions::kValueAlign
                                              : ValueAlign(*ns.object);
  const std::int64_t expiry_ns = tombstone ? 0 : expiry_.For(ns, decision.expiry_ns);
  const bool expiry_word = draft->reserved || expiry_ns != 0;
  const std::uint64_t bytes = versions::RecordBytes(key.size(), value.size(), align, expiry_word);
  if (draft->offset == 0 || draft->block_bytes < bytes) {
    if (draft->offset != 0) {
      // Disarmed before another block takes the note's place: the commit word that it holds from an
      // earlier life would be taken for a published change.
      op.Disarm();
      core_.allocator.Retire(op, draft->offset);
      draft->offset = 0;
      draft->record = nullptr;
      op.DropNotes(first_note);
    }
    const alloc::Purpose purpose =
        tombstone || decision.frees ? alloc::Purpose::kMakesRoom : alloc::Purpose::kOrdinary;
    COMMY_ASSIGN_OR_RETURN(draft->offset,
                           core_.allocator.Allocate(op, BlockKind::kRecord, bytes, purpose));
    draft->block_bytes = bytes;
  }
  COMMY_DCHECK(core_.allocator.BlockBytes(draft->offset) >= bytes);
  std::byte* const block = core_.region.At(draft->offset, bytes, alignof(Record));
  if (block == nullptr) {
    return base::DataLoss(core_.region.path(), ": no block at ", base::Hex(draft->offset));
  }
  versions::WriteRecord(block, {.namespace_number = index::NamespaceNumber(ns.id),
                                .key = key,
                                .value = value,
                                .expiry_ns = expiry_ns,
                                .flags = tombstone ? versions::kRecordTombstone : std::uint8_t{0},
                                .align = align,
                                .expiry_word = expiry_word});
  draft->record = reinterpret_cast<Record*>(block);
  // Without padding it takes what it needs at most.
  draft->units = tombstone ? 0
                 : align == versions::kValueAlign
                     ? versions::UnitsOfBytes(bytes)
                     : versions::UnitsOf(versions::ViewRecord(core_.region, draft->offset));
  COMMY_DCHECK(draft->units ==
               versions::UnitsOf(versions::ViewRecord(core_.region, draft->offset)));
  draft->from = decision;
  draft->notes_end = op.notes_used();
  return absl::OkStatus();
}

Result Writer::Write(Operation& op, const NamespaceRef& ns, const WriteOp& write,
                     WriteOutcome* outcome) const {
  const std::uint64_t hash = core_.Hash(write.key);
  // Notes, in this order: the draft's (the first note of kind record is the new one), then the
  // record that it replaces; notes of reshapes come behind and go again.
  const std::uint32_t first_note = op.notes_used();
  Draft draft;
  // Also if the caller's `compute` throws.
  const absl::Cleanup retire_draft = [&] {
    if (draft.offset != 0) {
      op.Disarm();
      core_.allocator.Retire(op, draft.offset);  // Never published.
    }
  };
  for (int attempt = 0; attempt < kRetryLimit; ++attempt) {
    Result done = TryWrite(op, ns, write, hash, first_note, &draft, outcome);
    if (!done.is(Outcome::kAgain)) [[likely]] {
      return done;
    }
  }
  return CannotBeChanged(ns);
}

Result Writer::TryWrite(Operation& op, const NamespaceRef& ns, const WriteOp& write,
                        std::uint64_t hash, std::uint32_t first_note, Draft* draft,
                        WriteOutcome* outcome) const {
  Position at;
  COMMY_TRY(Locate(ns, write.key, hash, &at));  // write-1
  if (at.head.valid() && at.head.record->commit.load(std::memory_order_relaxed) >
                             versions::kCommitTimeMax) [[unlikely]] {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit,
                           core_.intents.ResolveForPut(at.head.record->commit));
    COMMY_TRY(ResolveHead(op, ns, at, commit));
    return Outcome::kAgain;
  }
  const bool existed = core_.chains.IsLive(at.head);
  *outcome = {false, existed, true};
  const Decision decision = Decide(write, at.head, existed, &outcome->matched);  // write-2
  // An expired record still counts as a key, and is there to delete, until it is swept.
  const bool counted = at.head.valid() && !at.head.tombstone();
  if (decision.kind == Decision::Kind::kKeep ||
      (decision.kind == Decision::Kind::kDelete && !counted)) {
    return Outcome::kDone;
  }
  if (at.slot == nullptr) {
    COMMY_TRY(core_.ShapeOf(ns).MakeRoom(op, at, write.key, hash));
    return Outcome::kAgain;
  }
  op.DropNotes(draft->offset != 0 ? draft->notes_end : first_note);
  COMMY_TRY(PrepareDraft(op, ns, write.key, decision, first_note, draft));
  const std::uint32_t old_note =
      op.AddNote(at.head.valid() ? BlockNote(BlockKind::kRecord, at.head.offset) : 0);
  COMMY_DCHECK(versions::IsNoted(op, draft->offset));                       // O1
  COMMY_DCHECK(!at.head.valid() || versions::IsNoted(op, at.head.offset));  // O1
  draft->record->prev.store(at.head.offset, std::memory_order_relaxed);
  const bool is_put = decision.kind == Decision::Kind::kPut;
  const index::Counts delta{(is_put ? 1 : 0) - (counted ? 1 : 0),
                            draft->units - versions::UnitsOf(at.head)};
  if (HasQuota(*ns.object) && delta.units > 0 && is_put && !decision.frees) [[unlikely]] {
    const Growth growth{ns, delta.units};
    COMMY_TRY(core_.quotas == nullptr ? Result() : core_.quotas->Admit({&growth, 1}));
  }
  index::CounterCell* cell = nullptr;
  if (delta.keys != 0 || delta.units != 0) {  // write-3
    cell = counters_.CellIfThere(op, *at.root);
    if (cell == nullptr) [[unlikely]] {
      COMMY_ASSIGN_OR_RETURN(cell,
                             counters_.Cell(op, *at.root,
                                            !is_put || decision.frees ? alloc::Purpose::kMakesRoom
                                                                      : alloc::Purpose::kOrdinary));
    }
    if (cell == nullptr) [[unlikely]] {
      return Outcome::kAgain;  // The root was cleared and its memory reclaimed meanwhile.
    }
    counters_.Announce(op, *cell, delta);
  } else {
    op.Disarm();
  }
  if (!core_.publisher.Record(ns, {&at, hash, draft->offset, draft->record, is_put})) {  // write-4
    return Outcome::kAgain;
  }
  if (cell != nullptr) {
    Counters::Count(op, *cell, delta);
  }
  outcome->changed = true;
  Finish(op, ns, hash, at, *draft, old_note);  // write-6
  draft->offset = 0;                           // Published: no draft any more.
  return Outcome::kDone;
}

absl::StatusOr<Reservation> Writer::Reserve(Operation& op, const NamespaceRef& /*ns*/,
                                            std::string_view key, std::uint64_t value_size) const {
  COMMY_DCHECK(key.size() <= versions::kKeyBytesMax && value_size <= versions::kValueBytesMax);
  COMMY_DCHECK(op.notes_used() == 0);
  Reservation made;
  constexpr std::uint64_t kAlign = versions::kValueAlignMax;  // The key is first, then.
  made.block_bytes = versions::RecordBytes(key.size(), value_size, kAlign, true);
  COMMY_ASSIGN_OR_RETURN(made.offset,
                         core_.allocator.Allocate(op, BlockKind::kRecord, made.block_bytes));
  std::byte* const block = core_.region.At(made.offset, made.block_bytes, alignof(Record));
  if (block == nullptr) {
    return core_.Damaged("a block", made.offset);
  }
  // What the block held before must not pass for a record, however long the value takes to come.
  base::ZeroIn(block, sizeof(Record));
  const versions::RecordParts parts =
      versions::PartsOf(versions::LayoutFlags(made.offset, key.size(), value_size, kAlign, true),
                        key.size(), value_size);
  base::CopyIn(block + parts.key_start, key.data(), key.size());
  made.key = {reinterpret_cast<const char*>(block) + parts.key_start, key.size()};
  made.value = block + parts.value_start;
  made.value_size = value_size;
  COMMY_DCHECK(reinterpret_cast<std::uintptr_t>(made.value) % kAlign == 0);
  return made;
}

Result Writer::Publish(Operation& op, const NamespaceRef& ns, const Reservation& reservation,
                       std::int64_t expiry_ns) const {
  COMMY_DCHECK(op.notes_used() == 1 && versions::IsNoted(op, reservation.offset));  // O1
  const WriteOp write{
      .key = reservation.key,
      .value = {reinterpret_cast<const char*>(reservation.value), reservation.value_size},
      .expiry_ns = expiry_ns};
  Draft draft;
  draft.offset = reservation.offset;
  draft.block_bytes = reservation.block_bytes;
  draft.reserved = true;
  draft.notes_end = op.notes_used();
  const std::uint64_t hash = core_.Hash(write.key);
  WriteOutcome outcome;
  Result done = Outcome::kAgain;
  for (int attempt = 0; attempt < kRetryLimit && done.is(Outcome::kAgain); ++attempt) {
    done = TryWrite(op, ns, write, hash, 0, &draft, &outcome);
    COMMY_DCHECK(draft.offset == (done.done() ? 0 : reservation.offset));
  }
  if (!done.done()) {
    op.Disarm();
    op.DropNotes(draft.notes_end);
    base::ZeroIn(core_.region.At<Record>(reservation.offset), sizeof(Record));  // None again.
  }
  return done.is(Outcome::kAgain) ? Result(CannotBeChanged(ns)) : done;
}

void Writer::Finish(Operation& op, const NamespaceRef& ns, std::uint64_t hash, const Position& at,
                    const Draft& draft, std::uint32_t old_note) const {
  versions::SnapshotTimes times(core_.region);
  Leftover left = core_.chains.Prune(op, old_note, times, *draft.record, false);
  const RecordView made = versions::ViewRecord(core_.region, draft.offset);
  COMMY_DCHECK(made.valid() && made.record == draft.record);  // V1
  if (left == Leftover::kNothing && draft.from.kind == Decision::Kind::kDelete) {
    Position now = at;
    now.word = index::PackSlot(hash, draft.offset);
    left = RemoveTombstone(op, ns, hash, now, made);
  }
  if (left != Leftover::kNothing) {
    (void)sweeper_.MarkLeft(ns, made.key, left, times.ended());
  }
  if (made.expiry_ns() != 0) [[unlikely]] {
    (void)expiry_.Schedule(ns, made.key, made.expiry_ns());
  }
}

Leftover Writer::RemoveTombstone(Operation& op, const NamespaceRef& ns, std::uint64_t hash,
                                 Position at, const RecordView& tombstone) const {
  COMMY_DCHECK(tombstone.tombstone());
  COMMY_DCHECK(versions::IsNoted(op, tombstone.offset));  // O1
  for (int attempt = 0; attempt < kRemoveAttempts; ++attempt) {
    if (tombstone.record->prev.load(std::memory_order_acquire) != 0) {
      return Leftover::kDirty;
    }
    // write-5.
    if (at.slot != nullptr &&
        at.slot->CompareAndSet(at.word, index::kSlotClosed, std::memory_order_seq_cst)) {
      COMMY_DCHECK(index::SlotIsClosed(at.slot->load(std::memory_order_relaxed)));  // H2
      core_.allocator.Retire(op, tombstone.offset);
      // Under our pin the record's bytes stay.
      core_.ShapeOf(ns).AfterClose(op, *at.root, tombstone.key);
      return Leftover::kNothing;
    }
    if (!Locate(ns, tombstone.key, hash, &at).done()) {
      return Leftover::kNothing;  // The namespace is going, and the tombstone with it.
    }
    if (at.slot != nullptr && at.head.valid() && at.head.offset == tombstone.offset) {
      continue;
    }
    // Of the same time: the tombstone itself, which was moved. It is in no note, so the sweep takes
    // it. Else another writer has written the key since, and prunes it.
    const bool moved = at.slot != nullptr && at.head.valid() &&
                       at.head.record->commit.load(std::memory_order_acquire) ==
                           tombstone.record->commit.load(std::memory_order_acquire);
    return moved ? Leftover::kDirty : Leftover::kNothing;
  }
  return Leftover::kDirty;
}

absl::StatusOr<bool> Writer::IsReachable(const NamespaceRef& ns, BlockKind kind,
                                         std::uint64_t offset) const {
  bool found = false;
  COMMY_RETURN_IF_ERROR(roots_.ForEach(
      ns, [&](std::uint64_t root_offset, index::IndexRoot& root) -> absl::StatusOr<bool> {
        COMMY_ASSIGN_OR_RETURN(found,
                               core_.ShapeOf(ns).IsReachable(root, root_offset, kind, offset));
        return !found;
      }));
  return found;
}

}  // namespace commy::namespaces
