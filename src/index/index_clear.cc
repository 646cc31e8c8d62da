// The life of a root: made empty, clear, drop, and taking the memory back. The steps are those of
// index.h.
#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::NoteKind;
using process::Operation;

}  // namespace

absl::StatusOr<std::uint64_t> Index::BuildRoot(Operation& op, std::uint64_t namespace_id,
                                               std::uint64_t prev, alloc::Purpose purpose) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         allocator_.Allocate(op, NoteKind::kIndexRoot, sizeof(IndexRoot), purpose));
  auto* const root = region_.At<IndexRoot>(offset);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t structure, BuildEmpty(op, purpose));
  if (root == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(root, sizeof(IndexRoot));
  root->prev.store(prev, std::memory_order_relaxed);
  root->namespace_id = namespace_id;
  root->directory.store(structure, std::memory_order_release);
  return offset;
}

absl::Status Index::CloseBaton(IndexRoot& root) {
  while (true) {
    std::uint64_t baton = root.baton.load(std::memory_order_acquire);
    if (baton == kBatonClosed) {
      return absl::OkStatus();
    }
    if (baton != 0) {
      COMMY_RETURN_IF_ERROR(Help(root, baton));
      continue;
    }
    root.baton.compare_exchange(baton, kBatonClosed, std::memory_order_seq_cst);
  }
}

absl::Status Index::CompleteClear(const Anchor& anchor, std::uint64_t root_offset,
                                  std::uint64_t successor) {
  intents_.SettleWriters(anchor.offset);  // C2
  COMMY_ASSIGN_OR_RETURN(IndexRoot * next, RootAt(anchor, successor));
  anchor.object->root.CompareAndSet(root_offset, successor, std::memory_order_seq_cst);  // C3
  versions::SettleWord(region_, next->commit);
  TellChange(anchor);
  return absl::OkStatus();
}

absl::Status Index::Clear(Operation& op, const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  const std::uint32_t first_note = op.notes_used();
  const absl::StatusOr<std::uint64_t> made =
      BuildRoot(op, anchor.id, root_offset, alloc::Purpose::kClears);
  const auto discard = [&] {
    for (std::uint32_t place = first_note; place < op.notes_used(); ++place) {
      const process::Note note =
          process::ReadNote(op.lane().words().notes[place].load(std::memory_order_relaxed));
      if (note.offset_bytes != 0) {
        allocator_.Retire(op, note.offset_bytes);
      }
    }
    op.DropNotes(first_note);
  };
  if (!made.ok()) {
    discard();
    return made.status();
  }
  std::uint64_t successor = 0;
  if (root->successor.compare_exchange(successor, *made, std::memory_order_seq_cst)) {  // C1
    successor = *made;
  } else {
    discard();
    if (successor == kDropMark) {
      return absl::AbortedError("being dropped");
    }
  }
  absl::Status completed = CompleteClear(anchor, root_offset, successor);
  op.DropNotes(first_note);
  return completed;
}

absl::StatusOr<bool> Index::MarkForDrop([[maybe_unused]] Operation& op, const Anchor& anchor) {
  for (int attempt = 0; attempt < kChainLimit; ++attempt) {
    const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
    if (offset == 0) {
      return false;
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
    versions::SettleWord(region_, root->commit);
    std::uint64_t successor = 0;
    const bool marked =
        root->successor.compare_exchange(successor, kDropMark, std::memory_order_seq_cst);
    if (marked || successor == kDropMark) {
      return marked;
    }
    COMMY_RETURN_IF_ERROR(CompleteClear(anchor, offset, successor));
  }
  return base::DataLoss(region_.path(), ": the roots of namespace ", anchor.id & kIdMask,
                        " lead in a circle");
}

void Index::ReclaimChain(Operation& op, Shared64& slot, std::uint64_t word,
                         std::uint32_t first_note) {
  auto* const record = region_.At<versions::Record>(SlotOffset(word));
  if (record == nullptr) {
    return;
  }
  op.SetNote(first_note, BlockNote(NoteKind::kRecord, SlotOffset(word)));
  // No snapshot needs this structure, so the whole past goes.
  while (true) {
    const std::uint64_t prev =
        record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
    auto* const old = prev == 0 ? nullptr : region_.At<versions::Record>(prev);
    if (old == nullptr) {
      break;
    }
    op.SetNote(first_note + 1, BlockNote(NoteKind::kRecord, prev));
    const std::uint64_t below =
        old->prev.fetch_or(versions::kPrevFrozen, std::memory_order_seq_cst);
    if (record->prev.CompareAndSet(prev, below & ~versions::kPrevFrozen,
                                   std::memory_order_seq_cst)) {
      allocator_.Retire(op, prev);
    } else if ((record->prev.load(std::memory_order_acquire) & versions::kPrevFrozen) != 0) {
      return;
    }
  }
  if (slot.CompareAndSet(word, kSlotFrozen | kSlotDead, std::memory_order_seq_cst)) {
    allocator_.Retire(op, SlotOffset(word));
  }
}

absl::Status Index::ReclaimSlots(Operation& op, const SlotArray& slots) {
  // Frozen, so that no write can succeed any more; and final, so that no transaction can be committed
  // of which a part is taken away.
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
    if (SlotIsEmpty(word) || SlotIsDead(word)) {
      continue;
    }
    auto* const record = region_.At<versions::Record>(SlotOffset(word));
    if (record == nullptr) {
      return base::DataLoss(region_.path(), ": a record at ", base::Hex(SlotOffset(word)),
                            " lies outside the file");
    }
    if (versions::IsIntent(versions::SettleWord(region_, record->commit))) {
      COMMY_RETURN_IF_ERROR(intents_.Decide(record->commit).status());
    }
  }
  const std::uint32_t records = op.AddNote(0);
  op.AddNote(0);
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (!SlotIsEmpty(word) && !SlotIsDead(word)) {
      ReclaimChain(op, slots.words[i], word, records);
    }
  }
  op.DropNotes(records);
  return absl::OkStatus();
}

absl::StatusOr<bool> Index::ReclaimContent(Operation& op, IndexRoot& root,
                                           std::int64_t deadline_ns) {
  COMMY_RETURN_IF_ERROR(CloseBaton(root));  // C4
  COMMY_ASSIGN_OR_RETURN(const bool done, ReclaimStructure(op, root, deadline_ns));
  if (!done) {
    return false;
  }
  for (Shared64& group : root.counters) {
    // Closed for good, or a writer that comes late could still hang a block there.
    std::uint64_t offset = group.load(std::memory_order_acquire);
    while (offset != kCountersClosed) {
      const std::uint32_t place =
          op.AddNote(offset == 0 ? 0 : BlockNote(NoteKind::kCounters, offset));
      const std::uint64_t block = offset;
      if (group.compare_exchange(offset, kCountersClosed, std::memory_order_seq_cst)) {
        if (block != 0) {
          allocator_.Retire(op, block);
        }
        offset = kCountersClosed;
      }
      op.DropNotes(place);
    }
  }
  return true;
}

absl::StatusOr<bool> Index::ReclaimCleared(Operation& op, const Anchor& anchor,
                                           std::int64_t deadline_ns) {
  versions::SnapshotTimes times(region_);
  return ReclaimOlder(op, anchor, &times, deadline_ns);
}

absl::StatusOr<bool> Index::ReclaimOlder(Operation& op, const Anchor& anchor,
                                         versions::SnapshotTimes* times, std::int64_t deadline_ns) {
  const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return true;
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * newer, RootAt(anchor, offset));
  versions::SettleWord(region_, newer->commit);
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t victim = newer->prev.load(std::memory_order_acquire);
    if (victim == 0 || (victim & versions::kPrevFrozen) != 0) {
      return true;  // Frozen: dropped itself, by who goes on below it.
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * old, RootAt(anchor, victim));
    if (times != nullptr && times->Needs(old->commit.load(std::memory_order_acquire),
                                         newer->commit.load(std::memory_order_acquire))) {
      newer = old;
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const bool done, ReclaimContent(op, *old, deadline_ns));
    if (!done) {
      return false;
    }
    const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kIndexRoot, victim));
    const std::uint64_t below =
        old->prev.fetch_or(versions::kPrevFrozen, std::memory_order_seq_cst);
    if (newer->prev.CompareAndSet(victim, below & ~versions::kPrevFrozen,
                                  std::memory_order_seq_cst)) {
      allocator_.Retire(op, victim);
    }
    op.DropNotes(place);
  }
  return true;
}

absl::StatusOr<bool> Index::ReclaimDropped(Operation& op, const Anchor& anchor,
                                           std::int64_t deadline_ns) {
  COMMY_ASSIGN_OR_RETURN(const bool older, ReclaimOlder(op, anchor, nullptr, deadline_ns));
  const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  if (!older || offset == 0) {
    return older;
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
  return ReclaimContent(op, *root, deadline_ns);
}

absl::Status Index::ReclaimDroppedRoot(Operation& op, const Anchor& anchor) {
  const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return absl::OkStatus();
  }
  const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kIndexRoot, offset));
  if (anchor.object->root.CompareAndSet(offset, 0, std::memory_order_seq_cst)) {
    allocator_.Retire(op, offset);
  }
  op.DropNotes(place);
  return absl::OkStatus();
}

}  // namespace commy::index
