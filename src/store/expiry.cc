// The expiry sweep: deletes the keys whose time is over, a little at a time.
#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "base/status.h"
#include "store/store_impl.h"

namespace commy::store {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

constexpr std::uint64_t kKeysAtOnce = 256;
// The budget of a beat is doubled from beat to beat, up to this, while there is more to do.
constexpr std::int64_t kBudgetMaxNs = 320'000'000;

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
  if (expiry_ns != index::kExpiryByDefault) {
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

std::vector<NamespaceKey> StoreImpl::ListDue(Lane& lane, std::int64_t now_ns) {
  std::vector<NamespaceKey> due;
  const Pin pin(lane);
  if (!pin.entered()) {
    return due;
  }
  (void)catalog_.ForEach("", [&](std::string_view, std::uint64_t object) {
    const absl::StatusOr<index::Anchor> anchor = AnchorAt(object);
    if (!anchor.ok() || anchor->id == 0) {
      return true;
    }
    const auto* const root =
        region().At<index::IndexRoot>(anchor->object->root.load(std::memory_order_acquire));
    if (root != nullptr && index::IsDue(root->due.load(std::memory_order_relaxed), now_ns)) {
      due.push_back({object, anchor->id});
    }
    return true;
  });
  return due;
}

bool StoreImpl::ExpireKeysOf(Lane& lane, const NamespaceKey& key, std::int64_t now_ns,
                             std::int64_t deadline_ns) {
  std::uint64_t& place = expiry_places_[key.id];
  std::vector<std::string> keys;
  do {
    keys.clear();
    const absl::Status found =
        TryWrite(lane, key, OpKind::kSweep, [&](Operation&, const index::Anchor& anchor) {
          return IndexOf(anchor).FindExpired(anchor, now_ns, kKeysAtOnce, &place, &keys);
        });
    if (!found.ok()) {
      place = 0;
      return true;  // Being dropped, or damaged, for `check` to report.
    }
    for (const std::string& each : keys) {
      // What cannot be deleted now stays due.
      (void)TryWrite(lane, key, OpKind::kWrite, [&](Operation& op, const index::Anchor& anchor) {
        return IndexOf(anchor).DeleteExpired(op, anchor, each);
      });
    }
    if (!keys.empty() && session_->platform().MonotonicNs() >= deadline_ns) {
      return false;
    }
  } while (!keys.empty());
  return true;
}

void StoreImpl::ExpireKeys() {
  absl::StatusOr<Lane*> lane = session_->ThisLane();
  if (!lane.ok() || !session_->clock().settled()) {
    return;
  }
  // One at a time in this process, and nobody waits.
  const std::unique_lock lock(expiry_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    return;
  }
  const std::int64_t now_ns = session_->clock().NowNs();
  const std::int64_t deadline_ns = session_->platform().MonotonicNs() + expiry_budget_ns_;
  bool all = true;
  for (const NamespaceKey& due : ListDue(**lane, now_ns)) {
    all = ExpireKeysOf(**lane, due, now_ns, deadline_ns) && all;
  }
  if (all) {
    expiry_places_.clear();
  }
  expiry_budget_ns_ = all ? kExpiryBudgetNs : std::min(2 * expiry_budget_ns_, kBudgetMaxNs);
}

}  // namespace commy::store
