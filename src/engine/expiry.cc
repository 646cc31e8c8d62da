// The expiry sweep: deletes the keys whose time is over, a little at a time.
#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "base/status.h"
#include "engine/store_impl.h"

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

absl::StatusOr<std::int64_t> CheckTtl(absl::Duration ttl) {
  if (ttl <= absl::ZeroDuration()) {
    return base::InvalidArgument("the time to live is ", absl::FormatDuration(ttl),
                                 "; it must be longer than nothing");
  }
  return ttl == absl::InfiniteDuration() ? 0
                                         : std::max<std::int64_t>(1, absl::ToInt64Nanoseconds(ttl));
}

absl::Duration ToTtl(std::int64_t ttl_ns) {
  return ttl_ns == 0 ? absl::InfiniteDuration() : absl::Nanoseconds(ttl_ns);
}

std::int64_t StoreImpl::ExpiryFor(const NamespaceKey& key, std::int64_t expiry_ns) {
  if (expiry_ns != versions::kExpiryByDefault) {
    return expiry_ns;
  }
  const process::Session::Call call(*session_);
  index::Anchor anchor;
  anchor.object = call.status().ok() ? region().At<index::NamespaceObject>(key.object) : nullptr;
  return anchor.object == nullptr ? 0 : hash_index_.ExpiryFor(anchor, expiry_ns);
}

absl::Status StoreImpl::SetDefaultTtl(const NamespaceKey& key, absl::Duration ttl) {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t ttl_ns, CheckTtl(ttl));
  return Write(key, OpKind::kCatalog, alloc::Purpose::kOrdinary,
               [&](Operation&, const index::Anchor& anchor) {
                 anchor.object->default_ttl_ns.store(static_cast<std::uint64_t>(ttl_ns),
                                                     std::memory_order_seq_cst);
                 return absl::OkStatus();
               });
}

void StoreImpl::QueueDue(Lane& lane, std::int64_t now_ns) {
  absl::flat_hash_set<std::uint64_t> queued;
  for (const ExpiryTurn& turn : expiry_queue_) {
    queued.insert(turn.key.id);
  }
  const Pin pin(lane);
  if (!pin.entered()) {
    return;
  }
  (void)catalog_.ForEach("", [&](std::string_view, std::uint64_t object) {
    const absl::StatusOr<index::Anchor> anchor = AnchorAt(object);
    if (!anchor.ok() || anchor->id == 0 || queued.contains(anchor->id)) {
      return true;
    }
    const auto* const root =
        region().At<index::IndexRoot>(anchor->object->root.load(std::memory_order_acquire));
    if (root != nullptr && index::IsDue(root->due.load(std::memory_order_relaxed), now_ns)) {
      expiry_queue_.push_back({{object, anchor->id}, {}});
    }
    return true;
  });
}

std::uint64_t StoreImpl::ExpireTurn(Lane& lane, const NamespaceKey& key, index::ExpiryPass* pass) {
  std::vector<std::string> keys;
  std::uint64_t found = 0;
  std::uint64_t deleted = 0;
  do {
    keys.clear();
    const absl::Status status =
        TryWrite(lane, key, OpKind::kSweep, [&](Operation&, const index::Anchor& anchor) {
          return IndexOf(anchor).FindExpired(anchor, session_->clock().NowNs(), pass, &keys);
        });
    if (!status.ok()) {
      *pass = index::ExpiryPass();  // Being dropped, or damaged, for `check` to report.
      return deleted;
    }
    const std::uint64_t before = deleted;
    for (const std::string& each : keys) {
      // What cannot be deleted now stays due.
      (void)TryWrite(lane, key, OpKind::kWrite, [&](Operation& op, const index::Anchor& anchor) {
        COMMY_ASSIGN_OR_RETURN(const bool did, IndexOf(anchor).DeleteExpired(op, anchor, each));
        deleted += did ? 1 : 0;
        return absl::OkStatus();
      });
    }
    found += keys.size();
    pass->stuck = !keys.empty() && deleted == before;
  } while (pass->under_way() && !keys.empty() && found < kKeysOfATurn);
  return deleted;
}

bool StoreImpl::ExpireKeys(const ExpiryWork& work) {
  absl::StatusOr<Lane*> lane = session_->ThisLane();
  if (!lane.ok() || !session_->clock().settled()) {
    return false;
  }
  std::unique_lock lock(expiry_mutex_, std::defer_lock);
  if (work.wait) {
    lock.lock();  // At most for what a beat may take.
  } else if (!lock.try_lock()) {
    return false;  // One at a time in this process.
  }
  if (work.begin) {
    QueueDue(**lane, session_->clock().NowNs());
  }
  const std::int64_t begin_ns = session_->platform().MonotonicNs();
  std::uint64_t deleted = 0;
  while (!expiry_queue_.empty() && !session_->ending()) {
    ExpiryTurn turn = std::move(expiry_queue_.front());
    expiry_queue_.pop_front();
    deleted += ExpireTurn(**lane, turn.key, &turn.pass);
    if (turn.pass.under_way()) {
      expiry_queue_.push_back(std::move(turn));
    }
    (void)
        session_->PushEpoch();  // So that the next turn's tombstones can lie where this one's lay.
    const std::int64_t taken_ns = session_->platform().MonotonicNs() - begin_ns;
    if (taken_ns >= work.budget_ns && (!work.wait || deleted != 0 || taken_ns >= kLookMaxNs)) {
      break;
    }
  }
  return !expiry_queue_.empty() && (!work.wait || deleted != 0);
}

}  // namespace commy::engine
