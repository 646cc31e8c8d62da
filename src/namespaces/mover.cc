#include "namespaces/mover.h"

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

}  // namespace

Result Mover::Move(Operation& op, const NamespaceRef& ns,
                   absl::FunctionRef<bool(std::uint64_t)> moves, std::int64_t deadline_ns,
                   std::uint64_t bytes_limit, index::SlotPlace* place, MoveTally* tally,
                   bool* done) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &root_offset, &root));
  index::Shape& shape = core_.ShapeOf(ns);
  versions::SnapshotTimes times(core_.region);
  const std::uint64_t bytes_before = tally->bytes;
  // The walk goes by the directory that it found. Another one names what takes the place of the
  // segments that it would come to.
  const std::uint64_t top = root->directory.load(std::memory_order_acquire);
  Result moved = Outcome::kDone;
  bool stop = false;
  COMMY_ASSIGN_OR_RETURN(
      *done,
      shape.ForEachSlotsFrom(*root, place, [&](const SlotArray& slots) -> absl::StatusOr<bool> {
        if (stop) {
          return false;  // The place is this array's.
        }
        moved = MoveSlots(op, ns, slots, moves, times, tally);
        if (!moved.done()) {
          return moved.status();
        }
        // After its records, so that these are in the slots that are copied.
        const absl::Status shaped =
            shape.MoveStructure(op, *root, slots.offset, [&](std::uint64_t offset) {
              const bool wanted = moves(offset);
              tally->blocks += wanted ? 1 : 0;
              tally->bytes += wanted ? core_.allocator.BlockBytes(offset) : 0;
              return wanted;
            });
        if (absl::IsResourceExhausted(shaped)) {
          tally->no_room = true;
        } else {
          COMMY_RETURN_IF_ERROR(shaped);
        }
        stop = tally->no_room || root->directory.load(std::memory_order_acquire) != top ||
               tally->bytes - bytes_before >= bytes_limit ||
               core_.session.platform().MonotonicNs() >= deadline_ns;
        return true;
      }));
  return Outcome::kDone;
}

Result Mover::MoveSlots(Operation& op, const NamespaceRef& ns, const SlotArray& slots,
                        absl::FunctionRef<bool(std::uint64_t)> moves,
                        versions::SnapshotTimes& times, MoveTally* tally) const {
  const std::uint32_t place = op.AddNote(0);
  for (std::uint64_t i = 0; i < slots.count && !tally->no_room; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (index::SlotIsEmpty(word) || index::SlotIsClosed(word) || !moves(index::SlotOffset(word))) {
      continue;
    }
    if (index::SlotIsFrozen(word)) {
      ++tally->busy;  // Its array is being replaced.
      continue;
    }
    Result moved = MoveRecord(op, ns, slots.words[i], word, place, times, tally);
    if (!moved.done()) {
      return moved;
    }
  }
  op.DropNotes(place);
  return Outcome::kDone;
}

Result Mover::MoveRecord(Operation& op, const NamespaceRef& ns, Shared64& slot, std::uint64_t word,
                         std::uint32_t place, versions::SnapshotTimes& times,
                         MoveTally* tally) const {
  const RecordView record = versions::ViewRecord(core_.region, index::SlotOffset(word));
  if (!record.valid()) {
    return core_.Damaged("a record", index::SlotOffset(word));
  }
  versions::ResolveCommit(core_.region, record.record->commit);  // move-1
  if (record.record->commit.load(std::memory_order_acquire) > versions::kCommitTimeMax ||
      record.tombstone()) {
    ++tally->busy;
    return Outcome::kDone;
  }
  if (record.record->prev.load(std::memory_order_acquire) != 0) {
    const Leftover left = core_.chains.Prune(op, place, times, *record.record, true);
    if (record.record->prev.load(std::memory_order_acquire) != 0) {
      ++(left == Leftover::kWaits ? tally->kept_by_snapshots : tally->busy);
      return Outcome::kDone;
    }
  }
  op.DropNotes(place + 1);
  op.SetNote(place, BlockNote(BlockKind::kRecord, record.offset));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t copy, Copy(op, ns, record, tally));  // move-2
  if (copy == 0) {
    op.SetNote(place, 0);
    return Outcome::kDone;
  }
  COMMY_DCHECK(versions::IsNoted(op, copy) && versions::IsNoted(op, record.offset));  // O1
  const bool moved = core_.publisher.Moved(slot, word, record.offset, copy);          // move-3
  core_.allocator.Retire(op, moved ? record.offset : copy);                           // move-4
  op.DropNotes(place + 1);
  op.SetNote(place, 0);
  if (moved) {
    ++tally->blocks;
    tally->bytes += core_.allocator.BlockBytes(record.offset);
  }
  return Outcome::kDone;
}

absl::StatusOr<std::uint64_t> Mover::Copy(Operation& op, const NamespaceRef& ns,
                                          const RecordView& record, MoveTally* tally) const {
  const std::uint64_t align = versions::ValueAlignOf(record.flags);
  const bool expires = (record.flags & versions::kRecordExpires) != 0;
  const std::uint64_t bytes =
      align == versions::kValueAlign
          ? record.bytes()
          : versions::RecordBytes(record.key.size(), record.value.size(), align, expires);
  if (align != versions::kValueAlign && !versions::VerifyRecord(record)) {
    ++tally->damaged;  // A new sum would hide it.
    return 0;
  }
  absl::StatusOr<std::uint64_t> block = core_.allocator.Allocate(op, BlockKind::kRecord, bytes);
  if (absl::IsResourceExhausted(block.status())) {
    tally->no_room = true;
    return 0;
  }
  COMMY_RETURN_IF_ERROR(block.status());
  std::byte* const to = core_.region.At(*block, bytes, alignof(versions::Record));
  if (to == nullptr) {
    return core_.Damaged("a block", *block);
  }
  if (align == versions::kValueAlign) {
    base::CopyIn(to, record.record, bytes);
  } else {  // Where the value begins depends on where the block does.
    versions::WriteRecord(
        to, {.namespace_number = ns.id & index::kNamespaceIdMask,
             .key = record.key,
             .value = record.value,
             .expiry_ns = record.expiry_ns(),
             .flags = static_cast<std::uint8_t>(record.flags & versions::kRecordTombstone),
             .align = align,
             .expiry_word = expires});
  }
  auto* const made = reinterpret_cast<versions::Record*>(to);
  made->prev.store(0, std::memory_order_relaxed);
  made->commit.store(record.record->commit.load(std::memory_order_acquire),
                     std::memory_order_relaxed);
  return block;
}

}  // namespace commy::namespaces
