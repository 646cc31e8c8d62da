#include "engine/sums.h"

#include <array>

#include "base/status.h"
#include "engine/access.h"
#include "process/quick_pin.h"

namespace commy::engine {
namespace {

using base::Outcome;
using base::Result;

// kDropped, from the mark of the drop on.
Result CheckThere(const Engine& engine, const NamespaceRef& ns) {
  std::uint64_t offset = 0;
  index::IndexRoot* root = nullptr;
  return engine.map.roots().Current(ns, &offset, &root);
}

absl::Status Finish(Access& at, const Result& result) {
  return result.is(Outcome::kConflict) ? base::InvalidArgument("the namespace is no counter")
                                       : at.Finish(result);
}

// The cells that a thread has added to lately. A cell stays where it is as long as its namespace
// lives, which each use asks under its pin, and is the lane's, which each use asks the thread.
struct KnownCell {
  std::uint64_t session_id = 0;
  NamespaceKey key;
  process::Lane* lane = nullptr;
  const namespaces::NamespaceObject* object = nullptr;
  std::uint64_t root_offset = 0;
  const index::IndexRoot* root = nullptr;
  base::Shared64* cell = nullptr;

  // Whether the counter is there, and not being dropped. The mark of a drop comes before the cells
  // are retired: under a pin of before that they stay.
  [[nodiscard]] bool IsThere() const {
    return object->id.load(std::memory_order_acquire) == key.id &&
           object->root.load(std::memory_order_acquire) == root_offset &&
           root->successor.load(std::memory_order_seq_cst) == 0;
  }
};
constexpr std::size_t kKnownCells = 8;
constinit thread_local std::array<KnownCell, kKnownCells> known_cells{};

KnownCell& PlaceOf(const NamespaceKey& key) {
  return known_cells[key.object / region::kBlockAlignBytes % kKnownCells];
}

// sum-1 and sum-2, in an operation.
Result AddTo(const Engine& engine, process::Operation& op, const NamespaceRef& ns,
             const NamespaceKey& key, std::uint64_t delta) {
  KnownCell known{engine.session.id(), key, &op.lane(), ns.object};
  index::IndexRoot* root = nullptr;
  COMMY_TRY(engine.map.roots().Current(ns, &known.root_offset, &root));  // kDropped
  known.root = root;
  COMMY_TRY(engine.map.sums().MakeCell(op, ns, &known.cell));
  namespaces::Sums::Add(*known.cell, delta);
  PlaceOf(key) = known;
  return Outcome::kDone;
}

absl::Status AddInOperation(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation& op, const NamespaceRef& ns) {
                                Result made = AddTo(engine, op, ns, key, delta);
                                is_counter = !made.is(Outcome::kConflict);
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
  const process::QuickPin pin(engine.session, engine.session.FindThisLane());
  if (!pin.entered() || !pin.Is(known.lane) || engine.region.NeedsDirty() || !known.IsThere())
      [[unlikely]] {
    return false;
  }
  namespaces::Sums::Add(*known.cell, delta);
  if (engine.region.NeedsDirty()) [[unlikely]] {
    (void)engine.region.EnsureDirty();  // A sync came between, and has perhaps not seen the add.
  }
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
  if (const Result there = CheckThere(engine, at.ns()); !there.done()) {
    return at.Finish(there);
  }
  COMMY_RETURN_IF_ERROR(Finish(at, engine.map.sums().Value(at.ns(), &value)));
  return value;
}

absl::StatusOr<std::uint64_t> ResetSum(const Engine& engine, const NamespaceKey& key) {
  std::uint64_t taken = 0;
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation&, const NamespaceRef& ns) -> Result {
                                COMMY_TRY(CheckThere(engine, ns));
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
