#include "index/shape.h"

#include "base/check.h"
#include "base/status.h"
#include "versions/units.h"

namespace commy::index {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

Shape::Shape(process::Session& session, alloc::Allocator& allocator, const versions::Chains& chains,
             const versions::Intents& intents)
    : session_(session),
      region_(session.region()),
      allocator_(allocator),
      chains_(chains),
      intents_(intents) {}

absl::StatusOr<std::uint64_t> Shape::BuildRoot(Operation& op, std::uint64_t namespace_id,
                                               std::uint64_t prev, alloc::Purpose purpose) {
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      allocator_.Allocate(op, BlockKind::kIndexRoot, sizeof(IndexRoot), purpose));
  auto* const root = region_.At<IndexRoot>(offset);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t structure, BuildEmpty(op, purpose));
  if (root == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(root, sizeof(IndexRoot));
  root->prev.store(prev, std::memory_order_relaxed);
  root->namespace_id = namespace_id;
  root->directory.store(structure, std::memory_order_release);
  COMMY_DCHECK(versions::IsNoted(op, offset) && versions::IsNoted(op, structure));  // O1
  return offset;
}

absl::Status Shape::ForEachSlots(const IndexRoot& root,
                                 absl::FunctionRef<absl::Status(const SlotArray&)> use) const {
  SlotPlace place;
  return ForEachSlotsFrom(root, &place,
                          [&](const SlotArray& slots) -> absl::StatusOr<bool> {
                            COMMY_RETURN_IF_ERROR(use(slots));
                            return true;
                          })
      .status();
}

// --- Reshapes ----------------------------------------------------------------------------------

absl::Status Shape::Help(IndexRoot& root, std::uint64_t descriptor) {
  COMMY_DCHECK(descriptor > kReshapeClosed);
  // In this order. While the word names the descriptor, its poster's pin is up, and keeps the old
  // one's memory from being reused: so the first test looked at the genuine old one if the second
  // holds. If it was in place then, our own pin keeps it from here on.
  COMMY_ASSIGN_OR_RETURN(const bool in_place, IsInPlace(root, descriptor));
  if (root.pending_reshape.load(std::memory_order_seq_cst) != descriptor) {
    return absl::OkStatus();  // Done, by others.
  }
  if (in_place) {  // Else reshape-1 came too late, or reshape-4 is done.
    COMMY_RETURN_IF_ERROR(Apply(root, descriptor));
  }
  root.pending_reshape.CompareAndSet(descriptor, 0, std::memory_order_seq_cst);  // reshape-5
  // C2: it is over, and its descriptor is not posted again under this pin.
  COMMY_DCHECK(root.pending_reshape.load(std::memory_order_relaxed) != descriptor);
  return absl::OkStatus();
}

absl::Status Shape::HelpPending(IndexRoot& root) {
  const std::uint64_t pending = root.pending_reshape.load(std::memory_order_acquire);  // reshape-1
  return pending > kReshapeClosed ? Help(root, pending) : absl::OkStatus();
}

void Shape::AfterClose(Operation& /*op*/, IndexRoot& /*root*/, std::string_view /*key*/) {}

absl::Status Shape::ClosePending(IndexRoot& root) {
  while (true) {
    std::uint64_t pending = root.pending_reshape.load(std::memory_order_acquire);
    if (pending == kReshapeClosed) {
      return absl::OkStatus();
    }
    if (pending != 0) {
      COMMY_RETURN_IF_ERROR(Help(root, pending));
      continue;
    }
    root.pending_reshape.compare_exchange(pending, kReshapeClosed, std::memory_order_seq_cst);
  }
}

// --- Reclaiming --------------------------------------------------------------------------------

void Shape::ReclaimSlot(Operation& op, Shared64& slot, std::uint64_t word,
                        std::uint32_t first_note) {
  COMMY_DCHECK(SlotIsFrozen(word) && !SlotIsClosed(word));
  auto* const record = region_.At<versions::Record>(SlotOffset(word));
  if (record == nullptr) {
    return;
  }
  op.SetNote(first_note, BlockNote(BlockKind::kRecord, SlotOffset(word)));
  // No snapshot needs this structure, so the whole past goes.
  if (chains_.PruneAll(op, first_note + 1, *record) &&
      slot.CompareAndSet(word, kSlotFrozen | kSlotClosed, std::memory_order_seq_cst)) {
    allocator_.Retire(op, SlotOffset(word));
  }
}

absl::Status Shape::ReclaimSlots(Operation& op, const SlotArray& slots) {
  // Frozen, so that no write can succeed any more; and final, so that no transaction can be
  // committed of which a part is taken away.
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
    if (SlotIsEmpty(word) || SlotIsClosed(word)) {
      continue;
    }
    auto* const record = region_.At<versions::Record>(SlotOffset(word));
    if (record == nullptr) {
      return base::DataLoss(region_.path(), ": a record at ", base::Hex(SlotOffset(word)),
                            " lies outside the file");
    }
    if (versions::IsIntent(versions::ResolveCommit(region_, record->commit))) {
      COMMY_RETURN_IF_ERROR(intents_.Resolve(record->commit).status());
    }
  }
  const std::uint32_t records = op.AddNote(0);
  op.AddNote(0);
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    COMMY_DCHECK(SlotIsFrozen(word));
    if (!SlotIsEmpty(word) && !SlotIsClosed(word)) {
      ReclaimSlot(op, slots.words[i], word, records);
    }
  }
  op.DropNotes(records);
  return absl::OkStatus();
}

void Shape::CloseCounters(Operation& op, IndexRoot& root) {
  for (Shared64& group : root.counters) {
    // Closed for good, or a late writer could still hang a block there.
    std::uint64_t offset = group.load(std::memory_order_acquire);
    while (offset != kCountersClosed) {
      const std::uint32_t place =
          op.AddNote(offset == 0 ? 0 : BlockNote(BlockKind::kCounters, offset));
      const std::uint64_t block = offset;
      if (group.compare_exchange(offset, kCountersClosed, std::memory_order_seq_cst)) {
        if (block != 0) {
          allocator_.Retire(op, block);
        }
        offset = kCountersClosed;
      }
      op.DropNotes(place);
    }
    COMMY_DCHECK(group.load(std::memory_order_relaxed) == kCountersClosed);  // For good.
  }
}

absl::StatusOr<bool> Shape::Reclaim(Operation& op, IndexRoot& root, std::int64_t deadline_ns) {
  COMMY_RETURN_IF_ERROR(ClosePending(root));
  COMMY_DCHECK(root.pending_reshape.load(std::memory_order_relaxed) ==
               kReshapeClosed);  // For good.
  COMMY_ASSIGN_OR_RETURN(const bool done, ReclaimStructure(op, root, deadline_ns));
  if (done) {
    CloseCounters(op, root);
  }
  return done;
}

// --- Which blocks there are ----------------------------------------------------------------------

absl::StatusOr<bool> Shape::IsReachable(const IndexRoot& root, std::uint64_t root_offset,
                                        BlockKind kind, std::uint64_t offset) const {
  switch (kind) {
    case BlockKind::kIndexRoot:
      return root_offset == offset;
    case BlockKind::kDescriptor:
      return root.pending_reshape.load(std::memory_order_acquire) == offset;
    case BlockKind::kCounters:
      for (const Shared64& group : root.counters) {
        if (group.load(std::memory_order_acquire) == offset) {
          return true;
        }
      }
      return false;
    case BlockKind::kRecord: {
      const versions::RecordView wanted = versions::ViewRecord(region_, offset);
      if (!wanted.valid()) {
        return false;  // Never finished, so never published.
      }
      const std::uint64_t hash = Hash(wanted.key);
      COMMY_ASSIGN_OR_RETURN(const SlotArray at, SlotsOf(root, wanted.key, hash));
      for (std::uint64_t i = 0; i < at.count; ++i) {
        const std::uint64_t word = at.words[i].load(std::memory_order_acquire);
        if (!SlotIsEmpty(word) && !SlotIsClosed(word) && SlotHasPrefix(word, hash) &&
            chains_.Contains(SlotOffset(word), offset)) {
          return true;
        }
      }
      return false;
    }
    default:
      return IsStructureReachable(root, kind, offset);
  }
}

absl::Status Shape::ForEachEdge(IndexRoot& root, const EdgeWalk& walk) const {
  for (Shared64& group : root.counters) {
    if (const std::uint64_t block = group.load(std::memory_order_acquire);
        block > kCountersClosed) {
      walk.use({BlockKind::kCounters, &group, block});
    }
  }
  if (const std::uint64_t pending = root.pending_reshape.load(std::memory_order_acquire);
      pending > kReshapeClosed) {
    walk.use({BlockKind::kDescriptor, &root.pending_reshape, pending});
  }
  return WalkStructure(root, walk);
}

void Shape::WalkSlot(
    const IndexRoot& root, Shared64& slot, const EdgeWalk& walk,
    absl::FunctionRef<bool(std::string_view key, std::uint64_t hash)> belongs) const {
  const std::uint64_t word = slot.load(std::memory_order_acquire);
  if (SlotIsEmpty(word) || SlotIsClosed(word)) {
    return;
  }
  Shared64* from = &slot;
  std::uint64_t offset = SlotOffset(word);
  bool head = true;
  bool counted = !walk.whole;  // The first one that counts says whether the key is there.
  for (int step = 0; step < versions::kChainLimit && offset != 0; ++step) {
    const std::string where = absl::StrCat("namespace ", root.namespace_id & kNamespaceIdMask,
                                           ", record at ", base::Hex(offset));
    const versions::RecordView view = versions::ViewRecord(region_, offset);
    if (!view.valid() || allocator_.BlockBytes(offset) < view.bytes()) {
      walk.fault(absl::StrCat(where, ": its sizes do not fit into its block"));
      return;
    }
    if (!walk.use({BlockKind::kRecord, from, offset})) {
      return;  // Seen before: two chains that meet, or one that leads in a circle.
    }
    if (!versions::VerifyRecord(view)) {
      walk.fault(absl::StrCat(where, ": wrong checksum"));
    }
    const std::uint64_t hash = Hash(view.key);
    if (NamespaceIdOf(view.namespace_number()) != root.namespace_id) {
      walk.fault(absl::StrCat(where, ": it belongs to namespace ", view.namespace_number()));
    }
    if (!SlotHasPrefix(word, hash) || !belongs(view.key, hash)) {
      walk.fault(absl::StrCat(where, ": its key does not belong there"));
    }
    const absl::StatusOr<std::uint64_t> commit = intents_.StatusOf(view.record->commit);
    if (!commit.ok()) {
      walk.fault(absl::StrCat(where, ": ", commit.status().message()));
    } else if (!head && *commit > versions::kCommitTimeMax) {
      walk.fault(absl::StrCat(where, ": it was never committed, and is not the newest of its key"));
    } else if (!counted && *commit <= versions::kCommitTimeMax) {
      counted = true;
      walk.counts->keys += view.tombstone() ? 0 : 1;
      walk.counts->units += versions::UnitsOf(view);
    }
    head = false;
    from = &view.record->prev;
    offset = versions::PrevOffset(view.record->prev);
  }
}

}  // namespace commy::index
