#include "engine/recovery.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/block_owners.h"

namespace commy::engine {
namespace {

using process::Operation;
using process::OpKind;
using region::BlockKind;

// Whether the namespace that the dead lane was working in is published; then `ns` names it.
absl::StatusOr<bool> FindPublished(const Engine& engine, const region::LaneLayout& dead,
                                   NamespaceRef* ns) {
  const std::uint64_t object = dead.op_object.load(std::memory_order_acquire);
  if (object == 0) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const bool named,
                         engine.catalog.IsReachable(BlockKind::kNamespace, object));
  COMMY_ASSIGN_OR_RETURN(*ns, NamespaceAt(engine, object));
  return named && ns->id != 0;
}

// The first noted record is the one that the operation made. Not valid(): it made none.
versions::RecordView MadeRecord(const Engine& engine, const region::LaneLayout& dead) {
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind == BlockKind::kRecord) {
      return versions::ViewRecord(engine.region, note.offset_bytes);
    }
  }
  return {};
}

// Brings in the counts that go with what the dead lane published.
absl::Status ReplayCounters(const Engine& engine, const region::LaneLayout& dead,
                            const NamespaceRef& ns) {
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  const versions::RecordView made = MadeRecord(engine, dead);
  if (op.kind != OpKind::kWrite || !made.valid()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const bool reachable,
                         engine.map.writer().IsReachable(ns, BlockKind::kRecord, made.offset));
  if (reachable) {
    versions::ResolveCommit(engine.region, made.record->commit);
  }
  // With a time it was published. If it cannot be reached any more, it was replaced, or moved
  // (namespaces/mover.h): what is to do for its key stays the same. Of another record, which had
  // the block before, the advice is harmless.
  const bool was_published =
      made.record->commit.load(std::memory_order_acquire) != versions::kUndecided;
  if (was_published) {
    // The versions that it left to prune are for the sweep.
    (void)engine.map.sweeper().Mark(ns, made.key);  // Advice.
    if (made.expiry_ns() != 0) {
      (void)engine.map.expiry().Schedule(ns, made.key, made.expiry_ns());
    }
  }
  if (!op.armed || !was_published) {
    return absl::OkStatus();
  }
  auto* const cell =
      engine.region.At<index::CounterCell>(dead.op_counter.load(std::memory_order_acquire));
  if (cell != nullptr) {
    namespaces::Counters::CountForDead(op, *cell);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FinishOperation(const Engine& engine, [[maybe_unused]] Operation& own,
                             region::LaneLayout& dead) {
  COMMY_DCHECK(&own.lane().words() != &dead);  // N1
  COMMY_DCHECK(own.lane().active());           // E1
  NamespaceRef ns;
  COMMY_ASSIGN_OR_RETURN(const bool published, FindPublished(engine, dead, &ns));
  if (!published) {
    return absl::OkStatus();
  }
  // Dropped: a heartbeat goes on with that.
  COMMY_RETURN_IF_ERROR(engine.map.roots().FinishPosted(ns).status());
  engine.map.publisher().Recovered(ns);  // Of the change, if it made one.
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  if (op.kind == OpKind::kSweep) {
    (void)engine.map.sweeper().Resume(ns);  // Dropped: there is nothing to sweep.
  }
  return absl::OkStatus();
}

absl::Status ReclaimNotes(const Engine& engine, Operation& own, region::LaneLayout& dead) {
  NamespaceRef ns;
  COMMY_ASSIGN_OR_RETURN(const bool published, FindPublished(engine, dead, &ns));
  COMMY_DCHECK(&own.lane().words() != &dead);  // N1
  COMMY_DCHECK(!published || ns.id != 0);
  if (published) {
    COMMY_RETURN_IF_ERROR(ReplayCounters(engine, dead, ns));
  }
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    const BlockOwner* const owner = OwnerOf(note.kind);
    if (owner == nullptr) {
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const bool reachable,
                           owner->is_reachable(engine, published ? &ns : nullptr, note));
    if (reachable) {
      continue;
    }
    if (owner->before_reclaim != nullptr) {
      owner->before_reclaim(engine, note.offset_bytes);
    }
    engine.allocator.Retire(own, note.offset_bytes);
  }
  return absl::OkStatus();
}

}  // namespace commy::engine
