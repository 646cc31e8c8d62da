#include "engine/access.h"

#include "absl/strings/cord.h"

#include "base/status.h"
#include "engine/maintenance.h"
#include "engine/room.h"

namespace commy::engine {
namespace {

using base::Outcome;
using base::Result;
using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// What tells the status of a dropped namespace from every other.
constexpr char kDroppedUrl[] = "commy/namespace";
constexpr char kDroppedValue[] = "dropped";

absl::Status ReadOnly(const Engine& engine) {
  return base::FailedPrecondition(engine.path, ": the store was opened read-only");
}

}  // namespace

absl::Status DroppedStatus(std::uint64_t id) {
  absl::Status status = base::FailedPrecondition("namespace ", id & index::kNamespaceIdMask,
                                                 " was dropped; open it again to make a new one");
  status.SetPayload(kDroppedUrl, absl::Cord(kDroppedValue));
  return status;
}

bool IsDroppedStatus(const absl::Status& status) {
  return !status.ok() && status.GetPayload(kDroppedUrl).has_value();
}

absl::StatusOr<NamespaceRef> NamespaceAt(const Engine& engine, std::uint64_t object) {
  NamespaceRef ns;
  ns.offset = object;
  ns.object = engine.region.At<namespaces::NamespaceObject>(object);
  if (ns.object == nullptr) {
    return base::DataLoss(engine.path, ": a namespace object at ", base::Hex(object),
                          " lies outside the file");
  }
  ns.id = ns.object->id.load(std::memory_order_acquire);
  ns.order = ns.object->order.load(std::memory_order_relaxed);
  return ns;
}

Result FindNamespace(const Engine& engine, const NamespaceKey& key, NamespaceRef* ns) {
  auto* const object = engine.region.At<namespaces::NamespaceObject>(key.object);
  if (object == nullptr) [[unlikely]] {
    return NamespaceAt(engine, key.object).status();
  }
  if (object->id.load(std::memory_order_acquire) != key.id) [[unlikely]] {
    return Outcome::kDropped;
  }
  *ns = {key.object, object, key.id, object->order.load(std::memory_order_relaxed)};
  return Outcome::kDone;
}

absl::Status AfterDrop(const Engine& engine, const NamespaceKey& key) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return NotEntered(engine);
  }
  // Where another namespace has the object by now, its transactions have nothing to do with this.
  const absl::StatusOr<NamespaceRef> ns = NamespaceAt(engine, key.object);
  if (ns.ok() && ns->id == key.id) {
    engine.map.intents().ResolveWriters(key.object);
  }
  return DroppedStatus(key.id);
}

absl::Status NotEntered(const Engine& engine) {
  COMMY_RETURN_IF_ERROR(engine.session.CheckUsable());
  return base::Unavailable(engine.path, ": the store was being closed; try again");
}

absl::Status ToStatus(const Engine& engine, const NamespaceKey& key, const Result& result) {
  COMMY_DCHECK(result.status().ok() ==
               (!result.is(Outcome::kFull) && !result.is(Outcome::kFailed)));
  switch (result.outcome()) {
    case Outcome::kDone:
      return absl::OkStatus();
    case Outcome::kDropped:
      return AfterDrop(engine, key);
    case Outcome::kFull:
    case Outcome::kFailed:
      return result.status();
    case Outcome::kAbsent:
    case Outcome::kConflict:
    case Outcome::kAgain:
      break;
  }
  return base::Internal("an unexpected outcome: ", static_cast<int>(result.outcome()));
}

Access::Access(const Engine& engine, const NamespaceKey& key) : engine_(engine), key_(key) {
  absl::StatusOr<Lane*> lane = engine.session.ThisLane();
  if (!lane.ok()) [[unlikely]] {
    status_ = lane.status();
    return;
  }
  lane_ = *lane;
  pin_.emplace(*lane_);
  if (!pin_->entered()) [[unlikely]] {
    pin_.reset();
    status_ = NotEntered(engine);
    return;
  }
  if (const Result found = FindNamespace(engine, key, &ns_); !found.done()) [[unlikely]] {
    status_ = Finish(found);
    COMMY_DCHECK(!ok());
  }
}

absl::Status Access::Finish(const Result& result) {
  pin_.reset();
  return ToStatus(engine_, key_, result);
}

Result TryWrite(const Engine& engine, Lane& lane, const NamespaceKey& key, OpKind kind,
                WriteUse use) {
  Operation op(lane, kind, key.object);
  if (!op.entered()) [[unlikely]] {
    return op.status();
  }
  NamespaceRef ns;
  COMMY_TRY(FindNamespace(engine, key, &ns));
  COMMY_DCHECK(lane.active());
  COMMY_DCHECK(ns.offset == key.object && ns.id == key.id);
  return use(op, ns);
}

absl::Status WriteKey(const Engine& engine, const NamespaceKey& key,
                      const namespaces::WriteOp& write, namespaces::WriteOutcome* outcome) {
  if (engine.session.read_only()) [[unlikely]] {
    return ReadOnly(engine);
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  const auto attempt = [&]() -> Result {
    Operation op(*lane, OpKind::kWrite, key.object);
    if (!op.entered()) [[unlikely]] {
      return op.status();
    }
    NamespaceRef ns;
    COMMY_TRY(FindNamespace(engine, key, &ns));
    return engine.map.Write(op, ns, write, outcome);
  };
  Result result = attempt();
  if (result.done()) [[likely]] {
    return absl::OkStatus();
  }
  if (result.is(Outcome::kFull)) {
    if (write.makes_room()) {  // It has its slot already.
      result = WithRoom(engine, alloc::Purpose::kMakesRoom, attempt);
    } else {
      result = WithRoom(engine, alloc::Purpose::kOrdinary, [&] {
        engine.maintenance.expiry().RunBeside(*lane, key, write.key);
        return attempt();
      });
    }
  }
  return ToStatus(engine, key, result);
}

absl::Status Write(const Engine& engine, const NamespaceKey& key, OpKind kind,
                   alloc::Purpose purpose, WriteUse use) {
  if (engine.session.read_only()) [[unlikely]] {
    return ReadOnly(engine);
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ThisLane());
  Result result = TryWrite(engine, *lane, key, kind, use);
  if (result.done()) [[likely]] {
    return absl::OkStatus();
  }
  if (result.is(Outcome::kFull)) {
    result = WithRoom(engine, purpose, [&] { return TryWrite(engine, *lane, key, kind, use); });
  }
  return ToStatus(engine, key, result);
}

}  // namespace commy::engine
