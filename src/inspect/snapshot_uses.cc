// Who holds snapshots, and what is kept for them.
#include <algorithm>

#include "base/status.h"
#include "engine/store_impl.h"

namespace commy::engine {
namespace {

// The times of one owner, ascending, and what they add up to.
struct Holding {
  StoreImpl::SnapshotUse use;
  std::vector<std::uint64_t> times;

  void Add(const versions::SnapshotInfo& held) {
    ++use.count;
    use.oldest_store_ns =
        use.count == 1 ? held.store_ns : std::min(use.oldest_store_ns, held.store_ns);
    times.push_back(held.time);
  }
  void Add(const index::OldVersion& old) {
    const auto at = std::lower_bound(times.begin(), times.end(), old.from);
    if (at != times.end() && *at < old.until) {
      use.kept_bytes += old.block_bytes;
    }
  }
};

}  // namespace

absl::StatusOr<StoreImpl::SnapshotUses> StoreImpl::UsesOfSnapshots() {
  const process::Session::Call call(*session_);
  COMMY_RETURN_IF_ERROR(call.status());
  std::vector<Holding> owners;
  Holding all;
  for (const versions::SnapshotInfo& held : versions::ListSnapshots(region())) {
    if (held.time == 0) {
      continue;  // Still being taken.
    }
    auto mine = std::find_if(owners.begin(), owners.end(), [&](const Holding& holding) {
      return holding.use.owner == held.owner;
    });
    if (mine == owners.end()) {
      mine = owners.insert(owners.end(), Holding());
      mine->use.owner = held.owner;
    }
    mine->Add(held);
    all.Add(held);
  }
  if (all.use.count != 0) {
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, session_->ThisLane());
    const process::Pin pin(*lane);
    if (!pin.entered()) {
      return session_->CheckUsable();
    }
    COMMY_RETURN_IF_ERROR(catalog_.ForEach("", [&](std::string_view, std::uint64_t object) {
      const absl::StatusOr<index::Anchor> anchor = AnchorAt(object);
      if (anchor.ok()) {
        // One that is being dropped keeps nothing for anybody.
        (void)IndexOf(*anchor).ForEachOld(*anchor, [&](const index::OldVersion& old) {
          all.Add(old);
          for (Holding& holding : owners) {
            holding.Add(old);
          }
        });
      }
      return true;
    }));
  }
  SnapshotUses uses;
  uses.all = all.use;
  for (const Holding& holding : owners) {
    uses.owners.push_back(holding.use);
  }
  return uses;
}

}  // namespace commy::engine
