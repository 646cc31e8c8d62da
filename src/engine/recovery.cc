// What a dead participant left in a lane: the steps R1 and R2 of process/session.h.
#include "engine/recovery.h"

#include "base/status.h"
#include "engine/access.h"

namespace commy::engine {
namespace {

using process::Operation;
using process::OpKind;

// Whether the namespace that the dead lane was working in is published; then `anchor` names it.
absl::StatusOr<bool> FindPublished(const Engine& engine, const region::LaneLayout& dead,
                                   index::Anchor* anchor) {
  const std::uint64_t object = dead.op_object.load(std::memory_order_acquire);
  if (object == 0) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const bool named,
                         engine.catalog.IsReachable(process::NoteKind::kNamespace, object));
  COMMY_ASSIGN_OR_RETURN(*anchor, AnchorAt(engine, object));
  return named && anchor->id != 0;
}

absl::Status SettleCounter(const Engine& engine, Operation& own, region::LaneLayout& dead,
                           const index::Anchor* anchor) {
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  if (op.kind != OpKind::kWrite || anchor == nullptr) {
    return absl::OkStatus();
  }
  // The first noted record is the one that the operation made.
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind != process::NoteKind::kRecord) {
      continue;
    }
    const versions::RecordView made = versions::ViewRecord(engine.region, note.offset_bytes);
    if (!made.valid()) {
      return absl::OkStatus();
    }
    COMMY_ASSIGN_OR_RETURN(const bool reachable, engine.IndexOf(*anchor).IsReachable(
                                                     *anchor, note.kind, note.offset_bytes));
    if (reachable) {
      versions::SettleWord(engine.region, made.record->commit);
      // What it left to prune is for the sweep.
      (void)engine.IndexOf(*anchor).MarkForSweep(own, *anchor, made.key);  // Advice.
      if (made.record->expiry_ns != 0) {
        (void)engine.IndexOf(*anchor).NoteExpiry(*anchor, made.key, made.record->expiry_ns);
      }
    }
    if (!op.armed || made.record->commit.load(std::memory_order_acquire) == versions::kUndecided) {
      return absl::OkStatus();
    }
    auto* const cell =
        engine.region.At<base::Shared64>(dead.op_counter.load(std::memory_order_acquire));
    if (cell == nullptr) {
      return absl::OkStatus();
    }
    std::uint64_t seen = cell->load(std::memory_order_acquire);
    if (index::CellSeq(seen) != op.seq) {
      // Once, also if a recoverer before us did it: then the cell carries the seq.
      cell->compare_exchange(seen, index::PackCell(index::CellValue(seen) + op.delta, op.seq),
                             std::memory_order_seq_cst);
    }
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status SettleNotes(const Engine& engine, Operation& own, region::LaneLayout& dead,
                         const index::Anchor* anchor) {
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    bool reachable = false;
    switch (note.kind) {
      case process::NoteKind::kRecord:
      case process::NoteKind::kSegment:
      case process::NoteKind::kDirectory:
      case process::NoteKind::kIndexRoot:
      case process::NoteKind::kDescriptor:
      case process::NoteKind::kCounters:
      case process::NoteKind::kLeaf:
      case process::NoteKind::kInner:
      case process::NoteKind::kSeparator:
        if (anchor != nullptr) {
          COMMY_ASSIGN_OR_RETURN(reachable, engine.IndexOf(*anchor).IsReachable(*anchor, note.kind,
                                                                                note.offset_bytes));
        }
        break;
      case process::NoteKind::kNamespace:
      case process::NoteKind::kCatalogRoot:
      case process::NoteKind::kCatalogNode: {
        COMMY_ASSIGN_OR_RETURN(reachable, engine.catalog.IsReachable(note.kind, note.offset_bytes));
        auto* const object = engine.region.At<index::NamespaceObject>(note.offset_bytes);
        if (!reachable && note.kind == process::NoteKind::kNamespace && object != nullptr &&
            engine.allocator.IsUsed(note.offset_bytes)) {
          object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
        }
        break;
      }
      default:
        continue;  // Empty, or the allocator's.
    }
    if (!reachable) {
      engine.allocator.Retire(own, note.offset_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FinishOperation(const Engine& engine, Operation& own, region::LaneLayout& dead) {
  index::Anchor anchor;
  COMMY_ASSIGN_OR_RETURN(const bool published, FindPublished(engine, dead, &anchor));
  if (!published) {
    return absl::OkStatus();
  }
  index::Index& index = engine.IndexOf(anchor);
  const absl::Status finished = index.FinishPosted(own, anchor);
  if (!absl::IsAborted(finished)) {  // Marked for a drop: a heartbeat goes on with that.
    COMMY_RETURN_IF_ERROR(finished);
  }
  index.TellAll(anchor);  // Of what it changed, if it did.
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  if (op.kind == OpKind::kSweep) {
    (void)index.ResumeSweep(anchor);  // Aborted: being dropped, and nothing to sweep.
  }
  return absl::OkStatus();
}

absl::Status ReclaimNotes(const Engine& engine, Operation& own, region::LaneLayout& dead) {
  index::Anchor anchor;
  COMMY_ASSIGN_OR_RETURN(const bool published, FindPublished(engine, dead, &anchor));
  COMMY_RETURN_IF_ERROR(SettleCounter(engine, own, dead, published ? &anchor : nullptr));
  return SettleNotes(engine, own, dead, published ? &anchor : nullptr);
}

}  // namespace commy::engine
