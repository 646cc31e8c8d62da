#include "engine/maintenance.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/quotas.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// The time that the expiry sweep may take at once; between two such pieces the heartbeat thread
// rests as long.
constexpr std::int64_t kExpiryBudgetNs = 20'000'000;
static_assert(kExpiryBudgetNs <= Maintenance::kBudgetNs && kPieceNs <= Maintenance::kBudgetNs);
// The time that a session that ends before its first beat takes for each kind of work.
constexpr std::int64_t kWorkAtEndNs = 3'000'000;

}  // namespace

bool Maintenance::Background() {
  worked_.store(true, std::memory_order_relaxed);
  const std::int64_t budget_ns = budget_ns_.load(std::memory_order_relaxed);
  COMMY_DCHECK(budget_ns >= kBudgetNs && budget_ns <= kBudgetMaxNs);
  const std::int64_t deadline_ns = engine_.session.platform().MonotonicNs() + budget_ns;
  (void)RemoveDropped(engine_, deadline_ns);
  engine_.quotas.MarkAll();
  const bool more = expiry_.Run({.budget_ns = kExpiryBudgetNs});
  MaintainNamespaces(std::max(deadline_ns, PieceDeadline(engine_)));
  // While there is more to do, a beat takes longer.
  const bool late = engine_.session.platform().MonotonicNs() > deadline_ns;
  budget_ns_.store(late ? std::min(2 * budget_ns, kBudgetMaxNs) : kBudgetNs,
                   std::memory_order_relaxed);
  return more;
}

bool Maintenance::GoOn() {
  return expiry_.Run({.budget_ns = kExpiryBudgetNs, .begin = false});
}

void Maintenance::BeforeTheEnd() {
  if (!engine_.session.usable() || engine_.session.read_only() || !engine_.region.made_dirty() ||
      worked_.exchange(true, std::memory_order_relaxed)) {
    return;
  }
  const process::Session::Call call(engine_.session);
  const absl::StatusOr<Lane*> lane = engine_.session.ThisLane();
  if (!call.status().ok() || !lane.ok() || (*lane)->active()) {
    return;
  }
  (void)expiry_.Run({.budget_ns = kWorkAtEndNs});
  MaintainNamespaces(engine_.session.platform().MonotonicNs() + kWorkAtEndNs);
}

std::vector<NamespaceKey> Maintenance::ListToMaintain(Lane& lane, bool waiting) const {
  std::vector<NamespaceKey> to_maintain;
  const Pin pin(lane);
  if (!pin.entered()) {
    return to_maintain;
  }
  (void)engine_.catalog.ForEach("", [&](std::string_view, std::uint64_t object) {
    const auto* const words = engine_.region.At<namespaces::NamespaceObject>(object);
    const auto* const root =
        words == nullptr
            ? nullptr
            : engine_.region.At<index::IndexRoot>(words->root.load(std::memory_order_acquire));
    if (root == nullptr) {
      return true;
    }
    const std::uint64_t marks = root->marks.load(std::memory_order_relaxed);
    if ((marks != 0 && (waiting || marks != index::kSweepAfterSnapshot)) ||
        root->prev.load(std::memory_order_relaxed) != 0 ||
        root->successor.load(std::memory_order_relaxed) != 0) {
      to_maintain.push_back({object, words->id.load(std::memory_order_acquire)});
    }
    return true;
  });
  return to_maintain;
}

bool Maintenance::MaintainNamespaces(std::int64_t deadline_ns) {
  absl::StatusOr<Lane*> lane = engine_.session.ThisLane();
  if (!lane.ok()) {
    return true;
  }
  const std::uint64_t ended =
      engine_.region.header().snapshots_ended.load(std::memory_order_seq_cst);
  // Also the versions that waited for a snapshot, since one has ended.
  const bool waiting = ended != swept_ended_.load(std::memory_order_relaxed);
  std::vector<NamespaceKey> to_maintain = ListToMaintain(**lane, waiting);
  if (to_maintain.empty()) {
    swept_ended_.store(ended, std::memory_order_relaxed);
    return true;
  }
  // Each in its turn, whether the others were finished or not.
  const std::uint64_t turn = turn_.load(std::memory_order_relaxed) % to_maintain.size();
  std::rotate(to_maintain.begin(), to_maintain.begin() + static_cast<std::ptrdiff_t>(turn),
              to_maintain.end());
  // At least a piece of one.
  const auto is_late = [&] {
    return engine_.session.platform().MonotonicNs() >= deadline_ns || engine_.session.ending();
  };
  bool all = true;
  std::uint64_t seen = 0;
  for (bool late = false; seen < to_maintain.size() && !late; late = is_late()) {
    const absl::StatusOr<bool> done = MaintainNamespace(**lane, to_maintain[seen], waiting);
    all = all && done.ok();
    seen += done.value_or(true) ? 1 : 0;
  }
  COMMY_DCHECK(seen <= to_maintain.size());
  all = all && seen == to_maintain.size();
  turn_.store(turn + seen, std::memory_order_relaxed);
  if (all) {
    swept_ended_.store(ended, std::memory_order_relaxed);
  }
  return all;
}

absl::StatusOr<bool> Maintenance::MaintainNamespace(Lane& lane, const NamespaceKey& key,
                                                    bool waiting) {
  bool done = false;
  const base::Result result =
      TryWrite(engine_, lane, key, OpKind::kSweep,
               [&](Operation& op, const NamespaceRef& ns) -> base::Result {
                 const namespaces::Roots& roots = engine_.map.roots();
                 const std::int64_t deadline_ns = PieceDeadline(engine_);
                 COMMY_TRY(roots.FinishPosted(ns));
                 COMMY_ASSIGN_OR_RETURN(done, roots.ReclaimCleared(op, ns, deadline_ns));
                 return done ? engine_.map.sweeper().Sweep(op, ns, waiting, deadline_ns, &done)
                             : base::Result();
               });
  if (result.is(base::Outcome::kDropped)) {
    // Or it is gone already; then this finds nothing to do.
    COMMY_RETURN_IF_ERROR(FinishDrop(engine_, key, "").status());
    return true;
  }
  COMMY_RETURN_IF_ERROR(result.status());
  return done;
}

}  // namespace commy::engine
