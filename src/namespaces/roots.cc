#include "namespaces/roots.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using index::IndexRoot;
using process::BlockNote;
using process::Operation;
using region::BlockKind;

}  // namespace

absl::Status LeadsInACircle(const region::Region& region, const NamespaceRef& ns) {
  return base::DataLoss(region.path(), ": the index of namespace ", ns.id & index::kNamespaceIdMask,
                        " leads in a circle; `commy check` tells more");
}

void RetireNoted(Operation& op, alloc::Allocator& allocator, std::uint32_t first_note) {
  for (std::uint32_t place = first_note; place < op.notes_used(); ++place) {
    const process::Note note =
        process::ReadNote(op.lane().words().notes[place].load(std::memory_order_relaxed));
    if (note.offset_bytes != 0) {
      allocator.Retire(op, note.offset_bytes);
    }
  }
  op.DropNotes(first_note);
}

Result Roots::Older(const NamespaceRef& ns, const versions::AsOf& as_of, IndexRoot** root) const {
  for (int step = 0; step < versions::kChainLimit; ++step) {
    const std::uint64_t offset = versions::PrevOffset((*root)->prev);
    if (offset == 0) {
      *root = nullptr;
      return Outcome::kDone;
    }
    COMMY_ASSIGN_OR_RETURN(*root, At(ns, offset));
    if ((*root)->commit.load(std::memory_order_acquire) <= as_of.time) {
      return Outcome::kDone;
    }
  }
  return LeadsInACircle(core_.region, ns);
}

Result Roots::MissingThen(const NamespaceRef& ns) const {
  // A drop marks the newest root before it takes anything away, from the older ones too.
  std::uint64_t offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(Current(ns, &offset, &root));
  return Outcome::kAbsent;
}

Result Roots::CompleteClear(const NamespaceRef& ns, std::uint64_t root_offset,
                            std::uint64_t successor) const {
  COMMY_DCHECK(successor > index::kDropped);
  core_.intents.ResolveWriters(ns.offset);  // clear-2
  COMMY_ASSIGN_OR_RETURN(IndexRoot * next, At(ns, successor));
  COMMY_DCHECK(successor > index::kDropped);
  core_.publisher.Root(ns, root_offset, successor, *next);  // clear-3
  return Outcome::kDone;
}

Result Roots::HelpFrozen(const NamespaceRef& ns, std::uint64_t root_offset, IndexRoot& root) const {
  const std::uint64_t successor = root.successor.load(std::memory_order_acquire);  // clear-1
  if (successor == index::kDropped) {
    return Outcome::kDropped;
  }
  if (successor != 0) {
    return CompleteClear(ns, root_offset, successor);
  }
  return core_.ShapeOf(ns).HelpPending(root);  // Or done since; the way leads to the new one.
}

Result Roots::Clear(Operation& op, const NamespaceRef& ns) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(Current(ns, &root_offset, &root));
  const std::uint32_t first_note = op.notes_used();
  const absl::StatusOr<std::uint64_t> made =
      core_.ShapeOf(ns).BuildRoot(op, ns.id, root_offset, alloc::Purpose::kClears);
  if (!made.ok()) {
    RetireNoted(op, core_.allocator, first_note);
    return made.status();
  }
  std::uint64_t successor = 0;
  if (root->successor.compare_exchange(successor, *made, std::memory_order_seq_cst)) {  // clear-1
    successor = *made;
  } else {
    RetireNoted(op, core_.allocator, first_note);
    if (successor == index::kDropped) {
      return Outcome::kDropped;
    }
  }
  COMMY_DCHECK(root->successor.load(std::memory_order_relaxed) == successor);  // Set once.
  Result completed = CompleteClear(ns, root_offset, successor);
  op.DropNotes(first_note);
  return completed;
}

absl::StatusOr<bool> Roots::MarkForDrop(const NamespaceRef& ns) const {
  for (int attempt = 0; attempt < versions::kChainLimit; ++attempt) {
    const std::uint64_t offset = ns.object->root.load(std::memory_order_acquire);
    if (offset == 0) {
      return false;
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, At(ns, offset));
    versions::ResolveCommit(core_.region, root->commit);
    std::uint64_t successor = 0;
    const bool marked =  // drop-1
        root->successor.compare_exchange(successor, index::kDropped, std::memory_order_seq_cst);
    if (marked || successor == index::kDropped) {
      // No clear can come any more.
      COMMY_DCHECK(root->successor.load(std::memory_order_relaxed) == index::kDropped);
      return marked;
    }
    COMMY_RETURN_IF_ERROR(CompleteClear(ns, offset, successor).status());
  }
  return LeadsInACircle(core_.region, ns);
}

absl::StatusOr<bool> Roots::ReclaimCleared(Operation& op, const NamespaceRef& ns,
                                           std::int64_t deadline_ns) const {
  versions::SnapshotTimes times(core_.region);
  return ReclaimOlder(op, ns, &times, deadline_ns);
}

absl::StatusOr<bool> Roots::ReclaimOlder(Operation& op, const NamespaceRef& ns,
                                         versions::SnapshotTimes* times,
                                         std::int64_t deadline_ns) const {
  const std::uint64_t offset = ns.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return true;
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * newer, At(ns, offset));
  versions::ResolveCommit(core_.region, newer->commit);
  for (int step = 0; step < versions::kChainLimit; ++step) {
    const std::uint64_t victim = newer->prev.load(std::memory_order_acquire);
    if (victim == 0 || (victim & versions::kPrevFrozen) != 0) {
      return true;  // Frozen: being taken out itself, by a process that goes on below it.
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * old, At(ns, victim));
    if (times != nullptr && times->Needs(old->commit.load(std::memory_order_acquire),
                                         newer->commit.load(std::memory_order_acquire))) {
      newer = old;
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const bool done, core_.ShapeOf(ns).Reclaim(op, *old, deadline_ns));
    if (!done) {
      return false;
    }
    const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kIndexRoot, victim));
    (void)core_.chains.Unlink(op, newer->prev, victim, old->prev);
    op.DropNotes(place);
  }
  return true;
}

absl::StatusOr<bool> Roots::ReclaimDropped(Operation& op, const NamespaceRef& ns,
                                           std::int64_t deadline_ns) const {
  COMMY_ASSIGN_OR_RETURN(const bool older, ReclaimOlder(op, ns, nullptr, deadline_ns));
  const std::uint64_t offset = ns.object->root.load(std::memory_order_acquire);
  if (!older || offset == 0) {
    return older;
  }
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, At(ns, offset));
  if (root->successor.load(std::memory_order_relaxed) != index::kDropped) {
    return core_.Damaged("an index root", offset);  // Only a dropped namespace is in that list.
  }
  return core_.ShapeOf(ns).Reclaim(op, *root, deadline_ns);
}

void Roots::ReclaimDroppedRoot(Operation& op, const NamespaceRef& ns) const {
  const std::uint64_t offset = ns.object->root.load(std::memory_order_acquire);
  if (offset == 0) {
    return;
  }
  const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kIndexRoot, offset));
  if (ns.object->root.CompareAndSet(offset, 0, std::memory_order_seq_cst)) {  // drop-3
    core_.allocator.Retire(op, offset);
  }
  COMMY_DCHECK(ns.object->root.load(std::memory_order_relaxed) == 0);  // For good.
  op.DropNotes(place);
}

Result Roots::FinishPosted(const NamespaceRef& ns) const {
  // Also in roots that were cleared away, where a late writer may have posted, and in one that is
  // being dropped: the blocks that a reshape replaces are retired by its poster, or by its
  // recoverer.
  COMMY_TRY(ForEach(ns, [&](std::uint64_t, IndexRoot& each) -> absl::StatusOr<bool> {
    COMMY_RETURN_IF_ERROR(core_.ShapeOf(ns).HelpPending(each));
    return true;
  }));
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(Current(ns, &root_offset, &root));
  const std::uint64_t successor = root->successor.load(std::memory_order_acquire);
  if (successor == index::kDropped) {
    return Outcome::kDropped;
  }
  return successor == 0 ? Result(Outcome::kDone) : CompleteClear(ns, root_offset, successor);
}

absl::Status Roots::ForEach(
    const NamespaceRef& ns,
    absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, IndexRoot&)> use) const {
  std::uint64_t offset = ns.object->root.load(std::memory_order_acquire);
  for (int step = 0; step < versions::kChainLimit && offset != 0; ++step) {
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, At(ns, offset));
    COMMY_ASSIGN_OR_RETURN(const bool go_on, use(offset, *root));
    if (!go_on) {
      return absl::OkStatus();
    }
    offset = versions::PrevOffset(root->prev);
  }
  return absl::OkStatus();
}

}  // namespace commy::namespaces
