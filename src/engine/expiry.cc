#include "engine/expiry.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

#include "base/status.h"
#include "engine/access.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// A namespace's turn is over when it has found so many keys, or looked in vain for some time.
constexpr std::uint64_t kKeysOfATurn = 256;
// Who needs room looks no longer than this for something to delete.
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
    const absl::StatusOr<index::Anchor> anchor = AnchorAt(engine_, object);
    if (!anchor.ok() || anchor->id == 0 || queued.contains(anchor->id)) {
      return true;
    }
    const auto* const root =
        engine_.region.At<index::IndexRoot>(anchor->object->root.load(std::memory_order_acquire));
    if (root != nullptr && index::IsDue(root->due.load(std::memory_order_relaxed), now_ns)) {
      queue_.push_back({{object, anchor->id}, {}});
    }
    return true;
  });
}

std::uint64_t ExpirySweep::Turn(Lane& lane, const NamespaceKey& key, index::ExpiryPass* pass) {
  std::vector<std::string> keys;
  std::uint64_t found = 0;
  std::uint64_t deleted = 0;
  do {
    keys.clear();
    const absl::Status status =
        TryWrite(engine_, lane, key, OpKind::kSweep, [&](Operation&, const index::Anchor& anchor) {
          return engine_.IndexOf(anchor).FindExpired(anchor, engine_.session.clock().NowNs(), pass,
                                                     &keys);
        });
    if (!status.ok()) {
      *pass = index::ExpiryPass();  // Being dropped, or damaged, for `check` to report.
      return deleted;
    }
    const std::uint64_t before = deleted;
    for (const std::string& each : keys) {
      // What cannot be deleted now stays due.
      (void)TryWrite(engine_, lane, key, OpKind::kWrite,
                     [&](Operation& op, const index::Anchor& anchor) {
                       COMMY_ASSIGN_OR_RETURN(
                           const bool did, engine_.IndexOf(anchor).DeleteExpired(op, anchor, each));
                       deleted += did ? 1 : 0;
                       return absl::OkStatus();
                     });
    }
    found += keys.size();
    pass->stuck = !keys.empty() && deleted == before;
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
    lock.lock();  // At most for what a beat may take.
  } else if (!lock.try_lock()) {
    return false;  // One at a time in this process.
  }
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
