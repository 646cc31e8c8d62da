#include "engine/lifecycle.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/namespace_types.h"
#include "engine/quotas.h"
#include "engine/room.h"

namespace commy::engine {
namespace {

using base::ToAbsl;
using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;
using region::BlockKind;

constexpr std::size_t kPathBytesMax = 1024;
static_assert(kPathBytesMax == namespaces::kCatalogPathBytesMax);
// The numbers of the interface are those of the file.
static_assert(static_cast<std::uint64_t>(Order::kHash) == namespaces::kOrderHash);
static_assert(static_cast<std::uint64_t>(Order::kOrdered) == namespaces::kOrderOrdered);

std::string_view OrderName(Order order) {
  return order == Order::kHash ? "hash" : "ordered";
}

absl::StatusOr<std::uint64_t> FindObject(const Engine& engine, std::string_view path) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return NotEntered(engine);
  }
  return engine.catalog.Find(path);
}

// Of an object that is not published yet.
absl::Status TypeNewObject(const Engine& engine, Operation& op, namespaces::NamespaceObject& object,
                           const WantedType& type) {
  if (type.text.empty()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t block, engine.map.types().Write(op, type.text));
  object.type.store(block, std::memory_order_relaxed);
  object.value_align.store(type.value_align, std::memory_order_relaxed);
  if (type.is_counter()) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t sums, engine.map.sums().BuildRoot(op));
    object.sums.store(sums, std::memory_order_relaxed);
  }
  return absl::OkStatus();
}

absl::Status CheckNumbersLeft(const Engine& engine) {
  if (engine.region.header().next_namespace_id.load(std::memory_order_relaxed) <
      versions::kNamespaceNumberMax) {
    return absl::OkStatus();
  }
  return base::ResourceExhausted(engine.path, ": ", versions::kNamespaceNumberMax,
                                 " namespaces were created in this store, and there are no more "
                                 "numbers for new ones; copy what it holds into a new store");
}

// Of a new namespace, never to be used again.
absl::StatusOr<std::uint64_t> DrawNumber(const Engine& engine) {
  COMMY_RETURN_IF_ERROR(CheckNumbersLeft(engine));
  const std::uint64_t number =
      engine.region.header().next_namespace_id.fetch_add(1, std::memory_order_seq_cst) + 1;
  return number <= versions::kNamespaceNumberMax ? absl::StatusOr<std::uint64_t>(number)
                                                 : CheckNumbersLeft(engine);
}

absl::StatusOr<std::uint64_t> CreateNamespace(const Engine& engine, std::string_view path,
                                              Order order, std::int64_t default_ttl_ns,
                                              std::uint64_t quota_bytes, const WantedType& type) {
  COMMY_DCHECK(order == Order::kHash || order == Order::kOrdered);
  COMMY_DCHECK(default_ttl_ns >= 0);
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  Operation op(*lane, OpKind::kCatalog, 0);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      engine.allocator.Allocate(op, BlockKind::kNamespace, sizeof(namespaces::NamespaceObject)));
  // Every block that is noted from here on hangs on this object. While it is not in the catalog,
  // none of them can be reached.
  op.SetObject(offset);
  auto* const object = engine.region.At<namespaces::NamespaceObject>(offset);
  if (object == nullptr) {
    return base::DataLoss(engine.path, ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(object, sizeof(*object));
  const auto discard = [&] {
    object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
    namespaces::RetireNoted(op, engine.allocator, 0);
  };
  const absl::StatusOr<std::uint64_t> number = DrawNumber(engine);
  if (!number.ok()) {
    discard();
    return number.status();
  }
  const std::uint64_t id = index::NamespaceIdOf(*number);
  const absl::StatusOr<std::uint64_t> root =
      engine.map.BuildRoot(op, static_cast<std::uint64_t>(order), id);
  if (!root.ok()) {
    discard();
    return root.status();
  }
  if (absl::Status typed = TypeNewObject(engine, op, *object, type); !typed.ok()) {
    discard();
    return typed;
  }
  object->order.store(static_cast<std::uint64_t>(order), std::memory_order_relaxed);
  object->root.store(*root, std::memory_order_relaxed);
  object->default_ttl_ns.store(static_cast<std::uint64_t>(default_ttl_ns),
                               std::memory_order_relaxed);
  object->quota_bytes.store(quota_bytes, std::memory_order_relaxed);
  object->id.store(id, std::memory_order_release);
  COMMY_DCHECK(versions::IsNoted(op, offset) && versions::IsNoted(op, *root));  // O1
  const base::Result published = engine.catalog.Change(
      op, alloc::Purpose::kOrdinary, [&](namespaces::CatalogEdit& edit) -> base::Result {
        COMMY_ASSIGN_OR_RETURN(const std::uint64_t there, edit.Find(path));
        if (there != 0) {
          return base::Outcome::kConflict;  // Another process made one first.
        }
        return edit.Insert(path, offset);
      });
  if (!published.done()) {
    discard();
    return published.is(base::Outcome::kConflict) ? absl::StatusOr<std::uint64_t>(0)
                                                  : published.status();
  }
  const absl::StatusOr<NamespaceRef> ns = NamespaceAt(engine, offset);
  if (ns.ok() && ns->id == id) {
    (void)engine.map.roots().FinishPosted(*ns);  // Gives the root its time.
    engine.quotas.Mark(path, *ns);
  }
  return offset;
}

absl::StatusOr<std::uint64_t> CreateAsAsked(const Engine& engine, std::string_view path,
                                            const NamespaceOptions& options,
                                            const WantedType& type) {
  if (!options.create_if_missing) {
    return base::NotFound(engine.path, ": there is no namespace \"", ToAbsl(path), "\"");
  }
  if (engine.session.read_only()) {
    return base::FailedPrecondition(engine.path, ": there is no namespace \"", ToAbsl(path),
                                    "\", and the store was opened read-only");
  }
  const Order wanted = options.order.value_or(Order::kHash);
  if (wanted != Order::kHash && wanted != Order::kOrdered) {
    return base::InvalidArgument(engine.path, ": namespace \"", ToAbsl(path), "\": unknown order");
  }
  std::int64_t default_ttl_ns = 0;
  if (options.default_ttl.has_value()) {
    COMMY_ASSIGN_OR_RETURN(default_ttl_ns, CheckTtl(*options.default_ttl));
  }
  const std::uint64_t quota_bytes = options.quota_bytes.value_or(0);
  COMMY_RETURN_IF_ERROR(CheckQuota(quota_bytes));
  return CreateNamespace(engine, path, wanted, default_ttl_ns, quota_bytes, type);
}

absl::Status SetDefaultTtlAsAsked(const Engine& engine, const NamespaceKey& key,
                                  const NamespaceOptions& options) {
  if (!options.default_ttl.has_value()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t wanted, CheckTtl(*options.default_ttl));
  std::int64_t present = 0;
  {
    const Access at(engine, key);
    COMMY_RETURN_IF_ERROR(at.status());
    present =
        static_cast<std::int64_t>(at.ns().object->default_ttl_ns.load(std::memory_order_relaxed));
  }
  return wanted == present ? absl::OkStatus() : SetDefaultTtl(engine, key, *options.default_ttl);
}

absl::Status SetQuotaAsAsked(const Engine& engine, const NamespaceKey& key,
                             const NamespaceOptions& options) {
  if (!options.quota_bytes.has_value()) {
    return absl::OkStatus();
  }
  std::uint64_t present = 0;
  {
    const Access at(engine, key);
    COMMY_RETURN_IF_ERROR(at.status());
    present = namespaces::OwnQuota(*at.ns().object);
  }
  return *options.quota_bytes == present ? absl::OkStatus()
                                         : SetQuota(engine, key, *options.quota_bytes);
}

absl::StatusOr<bool> IsMarkedForDrop(const Engine& engine, std::uint64_t object,
                                     NamespaceKey* key) {
  COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, object));
  *key = {object, ns.id};
  const auto* const root =
      engine.region.At<index::IndexRoot>(ns.object->root.load(std::memory_order_acquire));
  return root == nullptr || root->successor.load(std::memory_order_acquire) == index::kDropped;
}

absl::Status ListOnce(const Engine& engine, std::string_view prefix,
                      std::vector<NamespaceInfo>* all,
                      std::vector<std::pair<NamespaceKey, std::string>>* dropped) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return NotEntered(engine);
  }
  all->clear();
  absl::Status failed;
  const auto add = [&](std::string_view path, std::uint64_t object) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, object));
    index::Counts counts;
    const base::Result counted = engine.map.Count(ns, &counts);
    if (counted.is(base::Outcome::kDropped)) {
      dropped->push_back({{object, ns.id}, std::string(path)});
      return absl::OkStatus();
    }
    COMMY_RETURN_IF_ERROR(counted.status());
    NamespaceInfo info;
    info.path = std::string(path);
    info.id = ns.id & index::kNamespaceIdMask;
    info.order = static_cast<Order>(ns.object->order.load(std::memory_order_relaxed));
    info.default_ttl =
        ToTtl(static_cast<std::int64_t>(ns.object->default_ttl_ns.load(std::memory_order_relaxed)));
    info.keys = static_cast<std::uint64_t>(counts.keys);
    info.quota_bytes = namespaces::OwnQuota(*ns.object);
    info.bytes = static_cast<std::uint64_t>(counts.units) * versions::kUnitBytes;
    std::uint64_t type_word = 0;
    COMMY_ASSIGN_OR_RETURN(info.type, engine.map.types().Read(ns, &type_word));
    all->push_back(std::move(info));
    return absl::OkStatus();
  };
  COMMY_RETURN_IF_ERROR(
      engine.catalog.ForEach(prefix, [&](std::string_view path, std::uint64_t object) {
        failed = IsHiddenPath(path) ? absl::OkStatus() : add(path, object);
        return failed.ok();
      }));
  return failed;
}

absl::Status OrderDiffers(const Engine& engine, const NamespaceKey& key, std::string_view path,
                          Order found, const WantedType& wanted) {
  const Order other = found == Order::kHash ? Order::kOrdered : Order::kHash;
  if (wanted.text.empty()) {
    return base::InvalidArgument(engine.path, ": namespace \"", ToAbsl(path),
                                 "\" was created with the order ", ToAbsl(OrderName(found)),
                                 ", not ", ToAbsl(OrderName(other)));
  }
  const std::string stored = TypeOf(engine, key).value_or("");
  return base::InvalidArgument(
      engine.path, ": namespace \"", ToAbsl(path), "\" was created with the order ",
      ToAbsl(OrderName(found)), " and ", stored.empty() ? "no type" : "the type ", stored,
      "; it is not ", wanted.text, " with the order ", ToAbsl(OrderName(other)),
      ". SharedBTreeMap and SharedBTreeSet are ordered, all other containers hash");
}

absl::StatusOr<std::pair<NamespaceKey, Order>> OpenAnywhere(const Engine& engine,
                                                            std::string_view path,
                                                            const NamespaceOptions& options) {
  COMMY_ASSIGN_OR_RETURN(const WantedType type, ParseWanted(path, options));
  while (true) {
    COMMY_ASSIGN_OR_RETURN(std::uint64_t object, FindObject(engine, path));
    if (object == 0) {
      if (options.create_if_missing && !engine.session.read_only()) {
        COMMY_RETURN_IF_ERROR(CheckNumbersLeft(engine));  // No room that is found helps with that.
      }
      COMMY_RETURN_IF_ERROR(WithRoom(engine, alloc::Purpose::kOrdinary, [&] {
                              return base::Result(
                                  CreateAsAsked(engine, path, options, type).status());
                            }).status());
      continue;
    }
    NamespaceKey key;
    std::uint64_t order = 0;
    bool dropping = false;
    {
      COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
      const Pin pin(*lane);
      if (!pin.entered()) {
        return NotEntered(engine);
      }
      // Under this pin again: between the two it may have been dropped and its memory reused.
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t again, engine.catalog.Find(path));
      if (again != object) {
        continue;
      }
      COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, object));
      key = {object, ns.id};
      order = ns.object->order.load(std::memory_order_relaxed);
      const auto* const root =
          engine.region.At<index::IndexRoot>(ns.object->root.load(std::memory_order_acquire));
      dropping =
          root == nullptr || root->successor.load(std::memory_order_acquire) == index::kDropped;
    }
    if (dropping) {
      COMMY_RETURN_IF_ERROR(WithRoom(engine, alloc::Purpose::kClears, [&] {
                              return FinishDrop(engine, key, path);
                            }).status());
      continue;
    }
    if (order != namespaces::kOrderHash && order != namespaces::kOrderOrdered) {
      return base::DataLoss(engine.path, ": namespace \"", ToAbsl(path),
                            "\" has the unknown order ", order);
    }
    const auto found = static_cast<Order>(order);
    if (options.order.has_value() && *options.order != found) {
      return OrderDiffers(engine, key, path, found, type);
    }
    if (absl::Status agreed = AgreeOnType(engine, key, path, type, options.adopt_untyped);
        !agreed.ok()) {
      if (IsDroppedStatus(agreed)) {
        continue;
      }
      return agreed;
    }
    COMMY_RETURN_IF_ERROR(SetDefaultTtlAsAsked(engine, key, options));
    COMMY_RETURN_IF_ERROR(SetQuotaAsAsked(engine, key, options));
    return std::make_pair(key, found);
  }
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

absl::StatusOr<NamespaceKey> OpenHidden(const Engine& engine, std::string_view path) {
  COMMY_DCHECK(IsHiddenPath(path));
  COMMY_ASSIGN_OR_RETURN(const auto opened, OpenAnywhere(engine, path, {}));
  return opened.first;
}

absl::StatusOr<std::pair<NamespaceKey, Order>> OpenNamespace(const Engine& engine,
                                                             std::string_view path,
                                                             const NamespaceOptions& options) {
  COMMY_RETURN_IF_ERROR(CheckPath(path));
  return OpenAnywhere(engine, path, options);
}

absl::Status RenameNamespace(const Engine& engine, std::string_view from, std::string_view to) {
  COMMY_RETURN_IF_ERROR(CheckPath(from));
  COMMY_RETURN_IF_ERROR(CheckPath(to));
  if (engine.session.read_only()) {
    return base::FailedPrecondition(engine.path, ": the store was opened read-only");
  }
  NamespaceKey marked;
  std::string marked_path;
  std::uint64_t moved = 0;
  // kDropped: one of the names is that of a namespace which was dropped, `marked`.
  const auto look_at = [&](std::string_view path, std::uint64_t object) -> base::Result {
    COMMY_ASSIGN_OR_RETURN(const bool dropped, IsMarkedForDrop(engine, object, &marked));
    marked_path = path;
    return dropped ? base::Outcome::kDropped : base::Outcome::kDone;
  };
  const auto rename = [&](namespaces::CatalogEdit& edit) -> base::Result {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, edit.Find(from));
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t taken, edit.Find(to));
    if (object == 0) {
      return base::NotFound(engine.path, ": there is no namespace \"", ToAbsl(from), "\"");
    }
    COMMY_TRY(look_at(from, object));
    if (taken != 0) {
      COMMY_TRY(look_at(to, taken));
      return base::AlreadyExists(engine.path, ": there is a namespace \"", ToAbsl(to),
                                 "\" already");
    }
    moved = object;
    COMMY_TRY(edit.Erase(from));
    return edit.Insert(to, object);
  };
  while (true) {
    const base::Result renamed =
        WithRoom(engine, alloc::Purpose::kMakesRoom, [&]() -> base::Result {
          COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
          Operation op(*lane, OpKind::kCatalog, 0);
          if (!op.entered()) {
            return op.status();
          }
          COMMY_TRY(engine.catalog.Change(op, alloc::Purpose::kMakesRoom, rename));
          COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine, moved));
          engine.quotas.Mark(to, ns);
          return base::Outcome::kDone;
        });
    if (!renamed.is(base::Outcome::kDropped)) {
      return renamed.status();
    }
    COMMY_DCHECK(marked.object != 0 && !marked_path.empty());
    COMMY_RETURN_IF_ERROR(WithRoom(engine, alloc::Purpose::kClears, [&] {
                            return FinishDrop(engine, marked, marked_path);
                          }).status());
  }
}

absl::StatusOr<std::vector<NamespaceInfo>> ListNamespaces(const Engine& engine,
                                                          std::string_view prefix) {
  std::vector<NamespaceInfo> all;
  while (true) {
    std::vector<std::pair<NamespaceKey, std::string>> dropped;
    COMMY_RETURN_IF_ERROR(ListOnce(engine, prefix, &all, &dropped));
    if (dropped.empty() || engine.session.read_only()) {
      return all;
    }
    // Of these only the names are left. The catalog may be older than the drop, and may name others
    // that are gone now; so it is read again once it has lost these.
    for (const std::pair<NamespaceKey, std::string>& each : dropped) {
      const base::Result finished = WithRoom(engine, alloc::Purpose::kClears, [&] {
        return FinishDrop(engine, each.first, each.second);
      });
      if (finished.is(base::Outcome::kFull)) {
        return all;
      }
      COMMY_RETURN_IF_ERROR(finished.status());
    }
  }
}

}  // namespace commy::engine
