#include "engine/access.h"

#include "base/status.h"
#include "engine/room.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

}  // namespace

absl::Status DroppedStatus(std::uint64_t id) {
  return base::NotFound("namespace ", id & index::kIdMask, " was dropped");
}

absl::StatusOr<index::Anchor> AnchorAt(const Engine& engine, std::uint64_t object) {
  index::Anchor anchor;
  anchor.offset = object;
  anchor.object = engine.region.At<index::NamespaceObject>(object);
  if (anchor.object == nullptr) {
    return base::DataLoss(engine.path, ": a namespace object at ", base::Hex(object),
                          " lies outside the file");
  }
  anchor.id = anchor.object->id.load(std::memory_order_acquire);
  return anchor;
}

absl::Status FindAnchor(const Engine& engine, const NamespaceKey& key, index::Anchor* anchor) {
  auto* const object = engine.region.At<index::NamespaceObject>(key.object);
  if (object == nullptr) [[unlikely]] {
    return AnchorAt(engine, key.object).status();
  }
  if (object->id.load(std::memory_order_acquire) != key.id) [[unlikely]] {
    return DroppedStatus(key.id);
  }
  *anchor = {key.object, object, key.id};
  return absl::OkStatus();
}

absl::Status AfterDrop(const Engine& engine, const NamespaceKey& key) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return engine.session.CheckUsable();
  }
  const versions::Intents intents(engine.region, engine.session.platform());
  intents.SettleWriters(key.object);
  return DroppedStatus(key.id);
}

absl::Status Read(const Engine& engine, const NamespaceKey& key,
                  absl::FunctionRef<absl::Status(Lane&, const index::Anchor&)> use) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  absl::Status status;
  {
    const Pin pin(*lane);
    if (!pin.entered()) [[unlikely]] {
      return engine.session.CheckUsable();
    }
    index::Anchor anchor;
    COMMY_RETURN_IF_ERROR(FindAnchor(engine, key, &anchor));
    status = use(*lane, anchor);
  }
  if (!status.ok() && absl::IsAborted(status)) [[unlikely]] {
    return AfterDrop(engine, key);
  }
  return status;
}

absl::Status Write(const Engine& engine, const NamespaceKey& key, OpKind kind,
                   alloc::Purpose purpose,
                   absl::FunctionRef<absl::Status(Operation&, const index::Anchor&)> use) {
  if (engine.session.read_only()) [[unlikely]] {
    return base::FailedPrecondition(engine.path, ": the store was opened read-only");
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  absl::Status status = TryWrite(engine, *lane, key, kind, use);
  if (status.ok()) [[likely]] {
    return status;
  }
  if (absl::IsResourceExhausted(status)) {
    status = WithRoom(engine, purpose, [&] { return TryWrite(engine, *lane, key, kind, use); });
  }
  return absl::IsAborted(status) ? AfterDrop(engine, key) : status;
}

absl::Status TryWrite(const Engine& engine, Lane& lane, const NamespaceKey& key, OpKind kind,
                      absl::FunctionRef<absl::Status(Operation&, const index::Anchor&)> use) {
  Operation op(lane, kind, key.object);
  if (!op.entered()) [[unlikely]] {
    return op.status();
  }
  index::Anchor anchor;
  COMMY_RETURN_IF_ERROR(FindAnchor(engine, key, &anchor));
  return use(op, anchor);
}

}  // namespace commy::engine
