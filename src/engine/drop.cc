// Clearing and dropping namespaces, and removing the remains of dropped ones.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/room.h"

namespace commy::engine {
namespace {

using base::ToAbsl;
using process::BlockNote;
using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;
using region::BlockKind;

base::Result TakeOutDropped(const Engine& engine, const NamespaceKey& key,
                            std::string_view path_hint) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  Operation op(*lane, OpKind::kDrop, 0);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, key.object));
  if (ns.id != key.id) {
    return base::Outcome::kDone;  // Gone.
  }
  engine.map.intents().ResolveWriters(key.object);  // Before another namespace can have the name.
  const auto take_out = [&](namespaces::CatalogEdit& edit) -> base::Result {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t hinted,
                           path_hint.empty() ? 0 : edit.Find(path_hint));
    std::string path(path_hint);
    if (hinted != key.object) {
      COMMY_ASSIGN_OR_RETURN(path, edit.PathOf(key.object));
    }
    if (path.empty()) {
      return base::Outcome::kAbsent;  // Another process took it out.
    }
    // Only a dropped namespace already has no root. `edit` may be older than its drop and removal:
    // then the catalog of after this look does not name it, and the CAS fails.
    const bool rootless = ns.object->root.load(std::memory_order_acquire) == 0;
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t named, engine.catalog.Find(path));
    if (rootless && named == key.object) {
      return base::DataLoss(engine.path, ": namespace \"", path,
                            "\" has lost its root; `commy recover` ", "saves what verifies");
    }
    edit.dropped().push_back(key.object);
    return edit.Erase(path);
  };
  const base::Result changed = engine.catalog.Change(op, alloc::Purpose::kClears, take_out);
  engine.map.publisher().Dropped(ns);
  return changed.is(base::Outcome::kAbsent) ? base::Result() : changed;
}

absl::StatusOr<bool> RemoveSome(const Engine& engine, std::uint64_t object) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  Operation op(*lane, OpKind::kDrop, object);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> dead, engine.catalog.Dropped());
  if (std::find(dead.begin(), dead.end(), object) == dead.end()) {
    return true;  // Another process was faster.
  }
  COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, object));
  COMMY_ASSIGN_OR_RETURN(const bool empty,
                         engine.map.roots().ReclaimDropped(op, ns, PieceDeadline(engine)));
  if (!empty) {
    return false;
  }
  engine.map.types().Reclaim(op, ns);
  engine.map.sums().Reclaim(op, ns);
  engine.map.roots().ReclaimDroppedRoot(op, ns);
  op.AddNote(BlockNote(BlockKind::kNamespace, object));
  COMMY_DCHECK(ns.object->root.load(std::memory_order_relaxed) ==
               0);  // Nothing hangs on it any more.
  const base::Result changed = engine.catalog.Change(
      op, alloc::Purpose::kClears, [&](namespaces::CatalogEdit& edit) -> base::Result {
        const std::size_t before = edit.dropped().size();
        std::erase(edit.dropped(), object);
        // Absent: another process has removed it.
        return edit.dropped().size() == before ? base::Outcome::kAbsent : base::Outcome::kDone;
      });
  if (!changed.done()) {
    return changed.is(base::Outcome::kAbsent) ? absl::StatusOr<bool>(true) : changed.status();
  }
  ns.object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
  COMMY_DCHECK(ns.object->id.load(std::memory_order_relaxed) == 0);
  COMMY_DCHECK(versions::IsNoted(op, object));  // O1
  engine.allocator.Retire(op, object);
  return true;
}

}  // namespace

absl::Status DropNamespace(const Engine& engine, std::string_view path) {
  COMMY_RETURN_IF_ERROR(CheckPath(path));
  if (engine.session.read_only()) {
    return base::FailedPrecondition(engine.path, ": the store was opened read-only");
  }
  NamespaceKey key;
  bool mine = false;
  {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
    Operation op(*lane, OpKind::kDrop, 0);
    if (!op.entered()) {
      return op.status();
    }
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, engine.catalog.Find(path));
    if (object == 0) {
      return base::NotFound(engine.path, ": there is no namespace \"", ToAbsl(path), "\"");
    }
    COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, object));
    op.SetObject(object);
    key = {object, ns.id};
    COMMY_ASSIGN_OR_RETURN(mine, engine.map.roots().MarkForDrop(ns));
  }
  // Once it is marked, it is dropped: it cannot be used again. If there is no room at all to write
  // that into the catalog, a heartbeat does so when there is.
  const base::Result finished =
      WithRoom(engine, alloc::Purpose::kClears, [&] { return FinishDrop(engine, key, path); });
  if (finished.done()) {
    (void)RemoveDropped(engine,
                        kNoDeadline);  // The rest is a matter of its memory alone.
  }
  if (finished.is(base::Outcome::kFailed)) {
    return finished.status();
  }
  return mine ? absl::OkStatus()
              : base::NotFound(engine.path, ": the namespace \"", ToAbsl(path),
                               "\" was being dropped already");
}

base::Result FinishDrop(const Engine& engine, const NamespaceKey& key, std::string_view path_hint) {
  base::Result taken = TakeOutDropped(engine, key, path_hint);
  if (!taken.is(base::Outcome::kFull)) {
    return taken;
  }
  // No room for that: reclaiming the namespace's content makes some.
  while (true) {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
    Operation op(*lane, OpKind::kDrop, key.object);
    if (!op.entered()) {
      return op.status();
    }
    COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, key.object));
    if (ns.id != key.id) {
      return base::Outcome::kDone;  // Gone.
    }
    COMMY_ASSIGN_OR_RETURN(const bool done,
                           engine.map.roots().ReclaimDropped(op, ns, PieceDeadline(engine)));
    if (done) {
      break;
    }
  }
  (void)engine.session.MoveEpochs();
  return TakeOutDropped(engine, key, path_hint);
}

absl::Status RemoveDropped(const Engine& engine, std::int64_t deadline_ns) {
  std::vector<std::uint64_t> dead;
  {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
    const Pin pin(*lane);
    if (!pin.entered()) {
      return NotEntered(engine);
    }
    COMMY_ASSIGN_OR_RETURN(dead, engine.catalog.Dropped());
  }
  absl::Status first;
  for (const std::uint64_t object : dead) {
    absl::StatusOr<bool> done = false;
    while (done.ok() && !*done) {
      done = RemoveSome(engine, object);
      if (engine.session.platform().MonotonicNs() >= deadline_ns) {
        return first;  // A later beat goes on.
      }
    }
    first.Update(done.status());  // A damaged one does not keep the others from removal.
  }
  return first;
}

absl::Status Clear(const Engine& engine, const NamespaceKey& key) {
  COMMY_RETURN_IF_ERROR(Write(
      engine, key, OpKind::kClear, alloc::Purpose::kClears,
      [&](Operation& op, const NamespaceRef& ns) { return engine.map.roots().Clear(op, ns); }));
  bool done = false;
  while (!done) {
    // A failure here is for the heartbeat to see to; and a drop may have come.
    const base::Result piece =
        TryWrite(engine, **engine.session.ThisLane(), key, OpKind::kSweep,
                 [&](Operation& op, const NamespaceRef& ns) -> base::Result {
                   COMMY_ASSIGN_OR_RETURN(
                       done, engine.map.roots().ReclaimCleared(op, ns, PieceDeadline(engine)));
                   return base::Outcome::kDone;
                 });
    done = done || !piece.done();
  }
  return absl::OkStatus();
}

}  // namespace commy::engine
