#include "engine/expiry.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// A namespace's turn is over when it has found this many keys, or looked in vain for some time.
constexpr std::uint64_t kKeysOfATurn = 256;
// A caller that needs room looks no longer than this for something to delete.
constexpr std::int64_t kLookMaxNs = 200'000'000;

}  // namespace

void ExpirySweep::QueueDue(Lane& lane, std::int64_t now_ns) {
  absl::flat_hash_set<std::uint64_t> queued;
  for (const QueuedTurn& turn : queue_) {
    queued.insert(turn.key.id);
  }
  const Pin pin(lane);
  if (!pin.entered()) {
    return;
  }
  (void)engine_.catalog.ForEach("", [&](std::string_view, std::uint64_t object) {
    const absl::StatusOr<NamespaceRef> ns = NamespaceAt(engine_, object);
    if (!ns.ok() || ns->id == 0 || queued.contains(ns->id)) {
      return true;
    }
    const auto* const root =
        engine_.region.At<index::IndexRoot>(ns->object->root.load(std::memory_order_acquire));
    if (root != nullptr && index::IsDue(root->due.load(std::memory_order_relaxed), now_ns)) {
      queue_.push_back({{object, ns->id}, {}});
    }
    return true;
  });
}

std::uint64_t ExpirySweep::Delete(Lane& lane, const NamespaceKey& ns,
                                  const std::vector<std::string>& keys) {
  std::uint64_t deleted = 0;
  for (const std::string& key : keys) {
    namespaces::WriteOutcome outcome;
    // A key that cannot be deleted now stays due.
    const base::Result written =
        TryWrite(engine_, lane, ns, OpKind::kWrite, [&](Operation& op, const NamespaceRef& at) {
          return engine_.map.Write(
              op, at, {.kind = namespaces::WriteOp::Kind::kDeleteExpired, .key = key}, &outcome);
        });
    deleted += outcome.changed ? 1 : 0;
    if (written.is(base::Outcome::kFull)) {
      break;  // Nor would the others be: each looks everywhere for room first.
    }
  }
  return deleted;
}

void ExpirySweep::RunBeside(Lane& lane, const NamespaceKey& ns, std::string_view key) {
  if (lane.active() || !engine_.session.clock().settled()) {
    return;
  }
  std::vector<std::string> keys;
  const base::Result looked =
      TryWrite(engine_, lane, ns, OpKind::kSweep, [&](Operation&, const NamespaceRef& at) {
        return engine_.map.expiry().FindExpiredBeside(at, key, engine_.session.clock().NowNs(),
                                                      &keys);
      });
  if (looked.done()) {
    (void)Delete(lane, ns, keys);
  }
}

std::uint64_t ExpirySweep::Turn(Lane& lane, const NamespaceKey& key, namespaces::ExpiryPass* pass) {
  std::vector<std::string> keys;
  std::uint64_t found = 0;
  std::uint64_t deleted = 0;
  do {
    keys.clear();
    const base::Result looked =
        TryWrite(engine_, lane, key, OpKind::kSweep, [&](Operation&, const NamespaceRef& ns) {
          return engine_.map.expiry().FindExpired(ns, engine_.session.clock().NowNs(), pass, &keys);
        });
    if (!looked.done()) {
      *pass = namespaces::ExpiryPass();  // Being dropped, or damaged, for `check` to report.
      return deleted;
    }
    const std::uint64_t now_deleted = Delete(lane, key, keys);
    deleted += now_deleted;
    found += keys.size();
    COMMY_DCHECK(deleted <= found);
    pass->stuck = !keys.empty() && now_deleted == 0;
  } while (pass->under_way() && !keys.empty() && found < kKeysOfATurn);
  return deleted;
}

bool ExpirySweep::Run(const ExpiryWork& work) {
  absl::StatusOr<Lane*> lane = engine_.session.ThisLane();
  if (!lane.ok() || !engine_.session.clock().settled()) {
    return false;
  }
  std::unique_lock lock(mutex_, std::defer_lock);
  if (work.wait) {
    lock.lock();  // At most for the time that a beat may take.
  } else if (!lock.try_lock()) {
    return false;  // One at a time in this process.
  }
  COMMY_DCHECK(lock.owns_lock());
  if (work.begin) {
    QueueDue(**lane, engine_.session.clock().NowNs());
  }
  const std::int64_t begin_ns = engine_.session.platform().MonotonicNs();
  std::uint64_t deleted = 0;
  while (!queue_.empty() && !engine_.session.ending()) {
    QueuedTurn turn = std::move(queue_.front());
    queue_.pop_front();
    deleted += Turn(**lane, turn.key, &turn.pass);
    if (turn.pass.under_way()) {
      queue_.push_back(std::move(turn));
    }
    (void)engine_.session
        .PushEpoch();  // So that the next turn's tombstones can lie where this one's lay.
    const std::int64_t taken_ns = engine_.session.platform().MonotonicNs() - begin_ns;
    if (taken_ns >= work.budget_ns && (!work.wait || deleted != 0 || taken_ns >= kLookMaxNs)) {
      break;
    }
  }
  return !queue_.empty() && (!work.wait || deleted != 0);
}

}  // namespace commy::engine
