// The end of a root: clear, drop, and taking the memory back. The steps are those of hash_index.h.
#include "base/status.h"
#include "index/hash_index.h"

namespace commy::index {
namespace {

using process::BlockNote;
using process::NoteKind;
using process::Operation;

// Roots wait for their memory to be taken back in a chain; longer ones are damage.
constexpr int kRootChainLimit = 1'000'000;

}  // namespace

absl::Status HashIndex::CloseRoot(IndexRoot& root) {
  while (true) {  // C2
    std::uint64_t baton = root.baton.load(std::memory_order_acquire);
    if (baton == kBatonClosed) {
      break;
    }
    if (baton != 0) {
      COMMY_RETURN_IF_ERROR(Help(root, baton));
      continue;
    }
    root.baton.compare_exchange(baton, kBatonClosed, std::memory_order_seq_cst);
  }
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries == nullptr) {
    return absl::OkStatus();  // Closed long ago, and being taken back.
  }
  const std::uint64_t entry_count = std::uint64_t{1} << directory.depth;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    const std::uint64_t offset = directory.entries[i].load(std::memory_order_acquire);
    if (offset <= kEntryGone || offset == last) {
      continue;
    }
    last = offset;
    COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(offset));
    for (std::uint64_t k = 0; k < SlotCount(); ++k) {  // C3
      Slots(*segment)[k].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
    }
  }
  last = 0;
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    const std::uint64_t offset = directory.entries[i].load(std::memory_order_acquire);
    if (offset <= kEntryGone || offset == last) {
      continue;
    }
    last = offset;
    COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(offset));
    for (std::uint64_t k = 0; k < SlotCount(); ++k) {  // C4
      const std::uint64_t word = Slots(*segment)[k].load(std::memory_order_acquire);
      if (SlotIsEmpty(word) || SlotIsDead(word)) {
        continue;
      }
      auto* const record = region_.At<Record>(SlotOffset(word));
      if (record == nullptr) {
        return base::DataLoss(region_.path(), ": a record at ", base::Hex(SlotOffset(word)),
                              " lies outside the file");
      }
      SettleWord(region_, record->commit);
    }
  }
  return absl::OkStatus();
}

absl::Status HashIndex::CompleteClear(const Anchor& anchor, std::uint64_t root_offset,
                                      IndexRoot& root, std::uint64_t successor) {
  COMMY_RETURN_IF_ERROR(CloseRoot(root));
  COMMY_ASSIGN_OR_RETURN(IndexRoot * next, RootAt(anchor, successor));
  anchor.object->root.CompareAndSet(root_offset, successor, std::memory_order_seq_cst);  // C5
  SettleWord(region_, next->commit);
  return absl::OkStatus();
}

absl::Status HashIndex::Clear(Operation& op, const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  const std::uint32_t first_note = op.notes_used();
  const absl::StatusOr<std::uint64_t> made =
      BuildRoot(op, anchor.id, root_offset, alloc::Purpose::kMakesRoom);
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
  COMMY_RETURN_IF_ERROR(CompleteClear(anchor, root_offset, *root, successor));
  op.DropNotes(first_note);
  return ReclaimCleared(op, anchor);
}

absl::StatusOr<bool> HashIndex::CloseForDrop([[maybe_unused]] Operation& op, const Anchor& anchor) {
  for (int attempt = 0; attempt < kRootChainLimit; ++attempt) {
    const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
    if (offset == 0) {
      return false;
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
    SettleWord(region_, root->commit);
    std::uint64_t successor = 0;
    const bool marked =
        root->successor.compare_exchange(successor, kDropMark, std::memory_order_seq_cst);
    if (marked || successor == kDropMark) {
      COMMY_RETURN_IF_ERROR(CloseRoot(*root));
      return marked;
    }
    COMMY_RETURN_IF_ERROR(CompleteClear(anchor, offset, *root, successor));
  }
  return base::DataLoss(region_.path(), ": the roots of namespace ", anchor.id & kIdMask,
                        " lead in a circle");
}

void HashIndex::ReclaimChain(Operation& op, Shared64& slot, std::uint64_t word,
                             std::uint32_t first_note) {
  auto* const record = region_.At<Record>(SlotOffset(word));
  if (record == nullptr) {
    return;
  }
  op.SetNote(first_note, BlockNote(NoteKind::kRecord, SlotOffset(word)));
  // No snapshot can be as old as this structure, so the whole past goes.
  while (true) {
    const std::uint64_t prev = record->prev.load(std::memory_order_acquire) & ~kPrevFrozen;
    auto* const old = prev == 0 ? nullptr : region_.At<Record>(prev);
    if (old == nullptr) {
      break;
    }
    op.SetNote(first_note + 1, BlockNote(NoteKind::kRecord, prev));
    const std::uint64_t below = old->prev.fetch_or(kPrevFrozen, std::memory_order_seq_cst);
    if (record->prev.CompareAndSet(prev, below & ~kPrevFrozen, std::memory_order_seq_cst)) {
      allocator_.Retire(op, prev);
    } else if ((record->prev.load(std::memory_order_acquire) & kPrevFrozen) != 0) {
      return;
    }
  }
  if (slot.CompareAndSet(word, kSlotFrozen | kSlotDead, std::memory_order_seq_cst)) {
    allocator_.Retire(op, SlotOffset(word));
  }
}

absl::Status HashIndex::ReclaimSegment(Operation& op, const DirectoryRef& directory,
                                       std::uint64_t index) {
  const std::uint64_t offset = directory.entries[index].load(std::memory_order_acquire);
  if (offset <= kEntryGone) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(Segment * segment, SegmentAt(offset));
  const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kSegment, offset));
  const std::uint32_t records = op.AddNote(0);
  op.AddNote(0);
  for (std::uint64_t i = 0; i < SlotCount(); ++i) {
    Shared64& slot = Slots(*segment)[i];
    const std::uint64_t word = slot.load(std::memory_order_acquire);
    if (!SlotIsEmpty(word) && !SlotIsDead(word)) {
      ReclaimChain(op, slot, word, records);
    }
  }
  // Every entry that may name it, not only those that are left: then none does.
  if (segment->depth > directory.depth) {
    return base::DataLoss(region_.path(), ": the segment at ", base::Hex(offset),
                          " is deeper than its directory");
  }
  const std::uint64_t count = std::uint64_t{1} << (directory.depth - segment->depth);
  const std::uint64_t first = index & ~(count - 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    directory.entries[first + i].CompareAndSet(offset, kEntryGone, std::memory_order_seq_cst);
  }
  allocator_.Retire(op, offset);
  op.DropNotes(place);
  return absl::OkStatus();
}

absl::Status HashIndex::ReclaimContent(Operation& op, IndexRoot& root) {
  COMMY_ASSIGN_OR_RETURN(const DirectoryRef directory, DirectoryOf(root));
  if (directory.entries != nullptr) {
    for (std::uint64_t i = 0; i < (std::uint64_t{1} << directory.depth); ++i) {
      COMMY_RETURN_IF_ERROR(ReclaimSegment(op, directory, i));
    }
    const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kDirectory, directory.offset));
    if (root.directory.CompareAndSet(directory.offset, 0, std::memory_order_seq_cst)) {
      allocator_.Retire(op, directory.offset);
    }
    op.DropNotes(place);
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
  return absl::OkStatus();
}

absl::Status HashIndex::ReclaimCleared(Operation& op, const Anchor& anchor) {
  const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
  for (int step = 0; step < kRootChainLimit; ++step) {
    IndexRoot* newer = root;
    std::uint64_t oldest = root->prev.load(std::memory_order_acquire);
    if (oldest == 0 || SnapshotsForbidPruning()) {
      return absl::OkStatus();
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * victim, RootAt(anchor, oldest));
    for (int depth = 0; depth < kRootChainLimit; ++depth) {
      const std::uint64_t further = victim->prev.load(std::memory_order_acquire);
      if (further == 0) {
        break;
      }
      newer = victim;
      oldest = further;
      COMMY_ASSIGN_OR_RETURN(victim, RootAt(anchor, further));
    }
    COMMY_RETURN_IF_ERROR(ReclaimContent(op, *victim));
    const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kIndexRoot, oldest));
    if (newer->prev.CompareAndSet(oldest, 0, std::memory_order_seq_cst)) {
      allocator_.Retire(op, oldest);
    }
    op.DropNotes(place);
  }
  return absl::OkStatus();
}

absl::Status HashIndex::ReclaimDropped(Operation& op, const Anchor& anchor) {
  COMMY_RETURN_IF_ERROR(ReclaimCleared(op, anchor));
  const std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
  COMMY_RETURN_IF_ERROR(ReclaimContent(op, *root));
  const std::uint32_t place = op.AddNote(BlockNote(NoteKind::kIndexRoot, offset));
  if (anchor.object->root.CompareAndSet(offset, 0, std::memory_order_seq_cst)) {
    allocator_.Retire(op, offset);
  }
  op.DropNotes(place);
  return absl::OkStatus();
}

}  // namespace commy::index
