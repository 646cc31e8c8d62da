// The life of namespaces: create, open, list, rename, drop, bury.
#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "engine/store_impl.h"

namespace commy::engine {
namespace {

using base::ToAbsl;
using process::BlockNote;
using process::Lane;
using process::NoteKind;
using process::Operation;
using process::OpKind;
using process::Pin;

constexpr std::size_t kPathBytesMax = 1024;
std::string_view OrderName(Order order) {
  return order == Order::kHash ? "hash" : "ordered";
}

}  // namespace

absl::Status CheckPath(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax) {
    return base::InvalidArgument("a namespace path has ", path.size(), " bytes; it must have 1 to ",
                                 kPathBytesMax);
  }
  if (path.front() == '/' || path.back() == '/' || path.find("//") != std::string_view::npos) {
    return base::InvalidArgument("the namespace path \"", ToAbsl(path),
                                 "\" has an empty part; write it as part/part/part");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> StoreImpl::FindObject(std::string_view path) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return session_->CheckUsable();
  }
  return catalog_.Find(path);
}

absl::StatusOr<std::uint64_t> StoreImpl::CreateNamespace(std::string_view path, Order order,
                                                         std::int64_t default_ttl_ns) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  Operation op(*lane, OpKind::kCatalog, 0);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      allocator_.Allocate(op, NoteKind::kNamespace, sizeof(index::NamespaceObject)));
  // Everything that is noted from here on hangs on this object. While it is not in the catalog,
  // none of it can be reached.
  op.SetObject(offset);
  auto* const object = region().At<index::NamespaceObject>(offset);
  if (object == nullptr) {
    return base::DataLoss(path_, ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(object, sizeof(*object));
  const std::uint64_t id =
      index::kIdTag |
      (region().header().next_namespace_id.fetch_add(1, std::memory_order_seq_cst) + 1);
  const auto discard = [&] {
    object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
    for (std::uint32_t place = 0; place < op.notes_used(); ++place) {
      const process::Note note =
          process::ReadNote(lane->words().notes[place].load(std::memory_order_relaxed));
      if (note.offset_bytes != 0) {
        allocator_.Retire(op, note.offset_bytes);
      }
    }
  };
  const absl::StatusOr<std::uint64_t> root =
      IndexFor(order).BuildRoot(op, id, 0, alloc::Purpose::kOrdinary);
  if (!root.ok()) {
    discard();
    return root.status();
  }
  object->order.store(static_cast<std::uint64_t>(order), std::memory_order_relaxed);
  object->root.store(*root, std::memory_order_relaxed);
  object->default_ttl_ns.store(static_cast<std::uint64_t>(default_ttl_ns),
                               std::memory_order_relaxed);
  object->id.store(id, std::memory_order_release);
  const absl::Status published = catalog_.Change(
      op, alloc::Purpose::kOrdinary, [&](namespaces::CatalogEdit& edit) -> absl::Status {
        COMMY_ASSIGN_OR_RETURN(const std::uint64_t there, edit.Find(path));
        if (there != 0) {
          return base::AlreadyExists("namespace \"", ToAbsl(path), "\" exists");
        }
        return edit.Insert(path, offset);
      });
  if (!published.ok()) {
    discard();
    return absl::IsAlreadyExists(published) ? absl::StatusOr<std::uint64_t>(0) : published;
  }
  const absl::StatusOr<index::Anchor> anchor = AnchorAt(offset);
  if (anchor.ok() && anchor->id == id) {
    (void)IndexFor(order).FinishPosted(op, *anchor);  // Settles the root.
  }
  return offset;
}

absl::StatusOr<std::uint64_t> StoreImpl::CreateAsAsked(std::string_view path,
                                                       const NamespaceOptions& options) {
  if (!options.create_if_missing) {
    return base::NotFound(path_, ": there is no namespace \"", ToAbsl(path), "\"");
  }
  if (session_->read_only()) {
    return base::FailedPrecondition(path_, ": there is no namespace \"", ToAbsl(path),
                                    "\", and the store was opened read-only");
  }
  const Order wanted = options.order.value_or(Order::kHash);
  if (wanted != Order::kHash && wanted != Order::kOrdered) {
    return base::InvalidArgument(path_, ": namespace \"", ToAbsl(path), "\": unknown order");
  }
  std::int64_t default_ttl_ns = 0;
  if (options.default_ttl.has_value()) {
    COMMY_ASSIGN_OR_RETURN(default_ttl_ns, CheckTtl(*options.default_ttl));
  }
  return CreateNamespace(path, wanted, default_ttl_ns);
}

absl::StatusOr<std::pair<NamespaceKey, Order>> StoreImpl::OpenNamespace(
    std::string_view path, const NamespaceOptions& options) {
  COMMY_RETURN_IF_ERROR(CheckPath(path));
  while (true) {
    COMMY_ASSIGN_OR_RETURN(std::uint64_t object, FindObject(path));
    if (object == 0) {
      COMMY_RETURN_IF_ERROR(WithRoom(alloc::Purpose::kOrdinary,
                                     [&] { return CreateAsAsked(path, options).status(); }));
      continue;
    }
    NamespaceKey key;
    std::uint64_t order = 0;
    bool dropping = false;
    {
      COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
      const Pin pin(*lane);
      if (!pin.entered()) {
        return session_->CheckUsable();
      }
      // Under this pin again: between the two it may have been dropped and its memory reused.
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t again, catalog_.Find(path));
      if (again != object) {
        continue;
      }
      COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(object));
      key = {object, anchor.id};
      order = anchor.object->order.load(std::memory_order_relaxed);
      const auto* const root =
          region().At<index::IndexRoot>(anchor.object->root.load(std::memory_order_acquire));
      dropping =
          root == nullptr || root->successor.load(std::memory_order_acquire) == index::kDropMark;
    }
    if (dropping) {
      COMMY_RETURN_IF_ERROR(
          WithRoom(alloc::Purpose::kClears, [&] { return FinishDrop(key, path); }));
      continue;
    }
    if (order != index::kOrderHash && order != index::kOrderOrdered) {
      return base::DataLoss(path_, ": namespace \"", ToAbsl(path), "\" has the unknown order ",
                            order);
    }
    const auto found = static_cast<Order>(order);
    if (options.order.has_value() && *options.order != found) {
      return base::InvalidArgument(path_, ": namespace \"", ToAbsl(path),
                                   "\" was created with the order ", ToAbsl(OrderName(found)),
                                   ", not ", ToAbsl(OrderName(*options.order)));
    }
    COMMY_RETURN_IF_ERROR(SetDefaultTtlAsAsked(key, options));
    return std::make_pair(key, found);
  }
}

absl::Status StoreImpl::SetDefaultTtlAsAsked(const NamespaceKey& key,
                                             const NamespaceOptions& options) {
  if (!options.default_ttl.has_value()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t wanted, CheckTtl(*options.default_ttl));
  std::int64_t present = 0;
  COMMY_RETURN_IF_ERROR(Read(key, [&](Lane&, const index::Anchor& anchor) -> absl::Status {
    present =
        static_cast<std::int64_t>(anchor.object->default_ttl_ns.load(std::memory_order_relaxed));
    return absl::OkStatus();
  }));
  return wanted == present ? absl::OkStatus() : SetDefaultTtl(key, *options.default_ttl);
}

absl::Status StoreImpl::DropNamespace(std::string_view path) {
  COMMY_RETURN_IF_ERROR(CheckPath(path));
  if (session_->read_only()) {
    return base::FailedPrecondition(path_, ": the store was opened read-only");
  }
  NamespaceKey key;
  bool mine = false;
  {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
    Operation op(*lane, OpKind::kDrop, 0);
    if (!op.entered()) {
      return op.status();
    }
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, catalog_.Find(path));
    if (object == 0) {
      return base::NotFound(path_, ": there is no namespace \"", ToAbsl(path), "\"");
    }
    COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(object));
    op.SetObject(object);
    key = {object, anchor.id};
    COMMY_ASSIGN_OR_RETURN(mine, IndexOf(anchor).MarkForDrop(op, anchor));
  }
  // Marked, it is dropped: nobody can use it again. If there is no room at all to write that into the
  // catalog, a heartbeat does so when there is.
  absl::Status finished = WithRoom(alloc::Purpose::kClears, [&] { return FinishDrop(key, path); });
  if (finished.ok()) {
    (void)BuryDead(kNoDeadline);  // What is left of it is a matter of its memory alone.
  }
  if (!finished.ok() && !absl::IsResourceExhausted(finished)) {
    return finished;
  }
  return mine ? absl::OkStatus()
              : base::NotFound(path_, ": the namespace \"", ToAbsl(path),
                               "\" was being dropped already");
}

absl::Status StoreImpl::FinishDrop(const NamespaceKey& key, std::string_view path_hint) {
  absl::Status taken = TakeOutDropped(key, path_hint);
  if (!absl::IsResourceExhausted(taken)) {
    return taken;
  }
  // No room for that: what the namespace has makes some.
  while (true) {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
    Operation op(*lane, OpKind::kDrop, key.object);
    if (!op.entered()) {
      return op.status();
    }
    COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(key.object));
    if (anchor.id != key.id) {
      return absl::OkStatus();  // Buried.
    }
    COMMY_ASSIGN_OR_RETURN(const bool done,
                           IndexOf(anchor).ReclaimDropped(op, anchor, PieceDeadline()));
    if (done) {
      break;
    }
  }
  (void)session_->MoveEpochs();
  return TakeOutDropped(key, path_hint);
}

absl::Status StoreImpl::TakeOutDropped(const NamespaceKey& key, std::string_view path_hint) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  Operation op(*lane, OpKind::kDrop, 0);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(key.object));
  if (anchor.id != key.id) {
    return absl::OkStatus();  // Buried.
  }
  const versions::Intents intents(region(), session_->platform());
  intents.SettleWriters(key.object);  // Before another namespace can have the name.
  const auto take_out = [&](namespaces::CatalogEdit& edit) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t hinted,
                           path_hint.empty() ? 0 : edit.Find(path_hint));
    std::string path(path_hint);
    if (hinted != key.object) {
      COMMY_ASSIGN_OR_RETURN(path, edit.PathOf(key.object));
    }
    if (path.empty()) {
      return base::NotFound("somebody else took it out");
    }
    // Only what is dead already has no root. `edit` may be older than its death and burial: then the
    // catalog of after this look does not name it, and the CAS fails.
    const bool rootless = anchor.object->root.load(std::memory_order_acquire) == 0;
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t named, catalog_.Find(path));
    if (rootless && named == key.object) {
      return base::DataLoss(path_, ": namespace \"", path, "\" has lost its root; `commy recover` ",
                            "saves what verifies");
    }
    edit.dead().push_back(key.object);
    return edit.Erase(path);
  };
  const absl::Status changed = catalog_.Change(op, alloc::Purpose::kClears, take_out);
  IndexOf(anchor).TellAll(anchor);
  return absl::IsNotFound(changed) ? absl::OkStatus() : changed;
}

absl::Status StoreImpl::RenameNamespace(std::string_view from, std::string_view to) {
  COMMY_RETURN_IF_ERROR(CheckPath(from));
  COMMY_RETURN_IF_ERROR(CheckPath(to));
  if (session_->read_only()) {
    return base::FailedPrecondition(path_, ": the store was opened read-only");
  }
  NamespaceKey marked;
  std::string marked_path;
  // Aborted: one of the names is that of a namespace which was dropped, `marked`.
  const auto look_at = [&](std::string_view path, std::uint64_t object) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const bool dropped, IsMarkedForDrop(object, &marked));
    marked_path = path;
    return dropped ? absl::AbortedError("dropped") : absl::OkStatus();
  };
  const auto rename = [&](namespaces::CatalogEdit& edit) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, edit.Find(from));
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t taken, edit.Find(to));
    if (object == 0) {
      return base::NotFound(path_, ": there is no namespace \"", ToAbsl(from), "\"");
    }
    COMMY_RETURN_IF_ERROR(look_at(from, object));
    if (taken != 0) {
      COMMY_RETURN_IF_ERROR(look_at(to, taken));
      return base::AlreadyExists(path_, ": there is a namespace \"", ToAbsl(to), "\" already");
    }
    COMMY_RETURN_IF_ERROR(edit.Erase(from));
    return edit.Insert(to, object);
  };
  while (true) {
    absl::Status renamed = WithRoom(alloc::Purpose::kMakesRoom, [&]() -> absl::Status {
      COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
      Operation op(*lane, OpKind::kCatalog, 0);
      return op.entered() ? catalog_.Change(op, alloc::Purpose::kMakesRoom, rename) : op.status();
    });
    if (!absl::IsAborted(renamed)) {
      return renamed;
    }
    COMMY_RETURN_IF_ERROR(
        WithRoom(alloc::Purpose::kClears, [&] { return FinishDrop(marked, marked_path); }));
  }
}

absl::StatusOr<bool> StoreImpl::IsMarkedForDrop(std::uint64_t object, NamespaceKey* key) const {
  COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(object));
  *key = {object, anchor.id};
  const auto* const root =
      region().At<index::IndexRoot>(anchor.object->root.load(std::memory_order_acquire));
  return root == nullptr || root->successor.load(std::memory_order_acquire) == index::kDropMark;
}

absl::StatusOr<std::vector<NamespaceInfo>> StoreImpl::ListNamespaces(std::string_view prefix) {
  std::vector<NamespaceInfo> all;
  while (true) {
    std::vector<std::pair<NamespaceKey, std::string>> dropped;
    COMMY_RETURN_IF_ERROR(ListOnce(prefix, &all, &dropped));
    if (dropped.empty() || session_->read_only()) {
      return all;
    }
    // Of these only the names are left. The catalog may be older than the drop, and may name others that
    // are not there any more by then; so it is read again once it has lost these.
    for (const std::pair<NamespaceKey, std::string>& each : dropped) {
      const absl::Status finished =
          WithRoom(alloc::Purpose::kClears, [&] { return FinishDrop(each.first, each.second); });
      if (absl::IsResourceExhausted(finished)) {
        return all;
      }
      COMMY_RETURN_IF_ERROR(finished);
    }
  }
}

absl::Status StoreImpl::ListOnce(std::string_view prefix, std::vector<NamespaceInfo>* all,
                                 std::vector<std::pair<NamespaceKey, std::string>>* dropped) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return session_->CheckUsable();
  }
  all->clear();
  absl::Status failed;
  const auto add = [&](std::string_view path, std::uint64_t object) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(object));
    const absl::StatusOr<std::uint64_t> keys = IndexOf(anchor).Size(anchor);
    if (absl::IsAborted(keys.status())) {
      dropped->push_back({{object, anchor.id}, std::string(path)});
      return absl::OkStatus();
    }
    if (absl::IsDataLoss(keys.status())) {
      return keys.status();
    }
    NamespaceInfo info;
    info.path = std::string(path);
    info.id = anchor.id & index::kIdMask;
    info.order = static_cast<Order>(anchor.object->order.load(std::memory_order_relaxed));
    info.default_ttl = ToTtl(
        static_cast<std::int64_t>(anchor.object->default_ttl_ns.load(std::memory_order_relaxed)));
    info.keys = keys.value_or(0);
    all->push_back(std::move(info));
    return absl::OkStatus();
  };
  COMMY_RETURN_IF_ERROR(catalog_.ForEach(prefix, [&](std::string_view path, std::uint64_t object) {
    failed = add(path, object);
    return failed.ok();
  }));
  return failed;
}

absl::Status StoreImpl::BuryDead(std::int64_t deadline_ns) {
  std::vector<std::uint64_t> dead;
  {
    COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
    const Pin pin(*lane);
    if (!pin.entered()) {
      return session_->CheckUsable();
    }
    COMMY_ASSIGN_OR_RETURN(dead, catalog_.Dead());
  }
  absl::Status first;
  for (const std::uint64_t object : dead) {
    absl::StatusOr<bool> done = false;
    while (done.ok() && !*done) {
      done = BurySome(object);
      if (session_->platform().MonotonicNs() >= deadline_ns) {
        return first;  // A later beat goes on.
      }
    }
    first.Update(done.status());  // One that is damaged keeps no other from its grave.
  }
  return first;
}

absl::StatusOr<bool> StoreImpl::BurySome(std::uint64_t object) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  Operation op(*lane, OpKind::kDrop, object);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> dead, catalog_.Dead());
  if (std::find(dead.begin(), dead.end(), object) == dead.end()) {
    return true;  // Somebody else was faster.
  }
  COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(object));
  COMMY_ASSIGN_OR_RETURN(const bool empty,
                         IndexOf(anchor).ReclaimDropped(op, anchor, PieceDeadline()));
  if (!empty) {
    return false;
  }
  COMMY_RETURN_IF_ERROR(IndexOf(anchor).ReclaimDroppedRoot(op, anchor));
  op.AddNote(BlockNote(NoteKind::kNamespace, object));
  const absl::Status changed = catalog_.Change(
      op, alloc::Purpose::kClears, [&](namespaces::CatalogEdit& edit) -> absl::Status {
        const std::size_t before = edit.dead().size();
        std::erase(edit.dead(), object);
        return edit.dead().size() == before ? base::NotFound("buried by somebody else")
                                            : absl::OkStatus();
      });
  if (!changed.ok()) {
    return absl::IsNotFound(changed) ? absl::StatusOr<bool>(true) : changed;
  }
  anchor.object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
  allocator_.Retire(op, object);
  return true;
}

}  // namespace commy::engine
