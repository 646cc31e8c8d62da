#include "engine/sums.h"

#include <array>

#include "base/status.h"
#include "engine/access.h"
#include "process/quick_pin.h"

namespace commy::engine {
namespace {

using base::Outcome;
using base::Result;

absl::Status Finish(Access& at, const Result& result) {
  return result.is(Outcome::kConflict) ? base::InvalidArgument("the namespace is no counter")
                                       : at.Finish(result);
}

// The cells that a thread has added to lately. A cell stays where it is as long as its namespace
// lives, which each use asks under its pin, and a thread has one lane of a session.
struct KnownCell {
  std::uint64_t session_id = 0;
  NamespaceKey key;
  process::Lane* lane = nullptr;
  const base::Shared64* namespace_id = nullptr;
  base::Shared64* cell = nullptr;
};
constexpr std::size_t kKnownCells = 8;
constinit thread_local std::array<KnownCell, kKnownCells> known_cells{};

KnownCell& PlaceOf(const NamespaceKey& key) {
  return known_cells[key.object / region::kBlockAlignBytes % kKnownCells];
}

void Remember(const Engine& engine, const NamespaceKey& key, const NamespaceRef& ns,
              process::Lane& lane, base::Shared64& cell) {
  // A lane of its own, not one that is lent to this thread for an operation.
  if (engine.session.FindThisLane() == &lane) {
    PlaceOf(key) = {engine.session.id(), key, &lane, &ns.object->id, &cell};
  }
}

absl::Status AddInOperation(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation& op, const NamespaceRef& ns) {
                                base::Shared64* cell = nullptr;
                                Result made = engine.map.sums().MakeCell(op, ns, &cell);
                                is_counter = !made.is(Outcome::kConflict);
                                if (made.done()) {
                                  namespaces::Sums::Add(*cell, delta);
                                  Remember(engine, key, ns, op.lane(), *cell);
                                }
                                return is_counter ? made : Result();
                              }));
  return is_counter ? absl::OkStatus() : base::InvalidArgument("the namespace is no counter");
}

// sum-2, if nothing is in the way: a cell that is missing, a store that is marked whole.
bool AddAtOnce(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  const KnownCell& known = PlaceOf(key);
  if (known.session_id != engine.session.id() || known.key.object != key.object ||
      known.key.id != key.id) [[unlikely]] {
    return false;
  }
  const process::QuickPin pin(engine.session, known.lane);
  if (!pin.entered() || engine.region.NeedsDirty() ||
      known.namespace_id->load(std::memory_order_acquire) != key.id) [[unlikely]] {
    return false;
  }
  namespaces::Sums::Add(*known.cell, delta);
  return true;
}

}  // namespace

absl::Status AddToSum(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  return AddAtOnce(engine, key, delta) ? absl::OkStatus() : AddInOperation(engine, key, delta);
}

absl::StatusOr<std::uint64_t> SumOf(const Engine& engine, const NamespaceKey& key) {
  Access at(engine, key);
  COMMY_RETURN_IF_ERROR(at.status());
  std::uint64_t value = 0;
  COMMY_RETURN_IF_ERROR(Finish(at, engine.map.sums().Value(at.ns(), &value)));
  return value;
}

absl::StatusOr<std::uint64_t> ResetSum(const Engine& engine, const NamespaceKey& key) {
  std::uint64_t taken = 0;
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation&, const NamespaceRef& ns) {
                                Result reset = engine.map.sums().Reset(ns, &taken);
                                is_counter = !reset.is(Outcome::kConflict);
                                return is_counter ? reset : Result();
                              }));
  if (!is_counter) {
    return base::InvalidArgument("the namespace is no counter");
  }
  return taken;
}

}  // namespace commy::engine
