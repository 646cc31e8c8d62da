#include "inspect/snapshot_uses.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"

namespace commy::inspect {
namespace {

// The times of one owner, ascending, and the bytes that they keep in all.
struct Holding {
  SnapshotUse use;
  std::vector<std::uint64_t> times;

  void Add(const versions::SnapshotInfo& held) {
    ++use.count;
    use.oldest_store_ns =
        use.count == 1 ? held.store_ns : std::min(use.oldest_store_ns, held.store_ns);
    times.push_back(held.time);
  }
  void Add(const versions::Superseded& old) {
    const auto at = std::lower_bound(times.begin(), times.end(), old.from);
    if (at != times.end() && *at < old.until) {
      use.kept_bytes += old.block_bytes;
    }
  }
};

}  // namespace

absl::StatusOr<SnapshotUses> UsesOfSnapshots(const engine::Engine& engine) {
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  std::vector<Holding> owners;
  Holding all;
  for (const versions::SnapshotInfo& held : versions::ListSnapshots(engine.region)) {
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
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, engine.session.ThisLane());
    const process::Pin pin(*lane);
    if (!pin.entered()) {
      return engine::NotEntered(engine);
    }
    COMMY_RETURN_IF_ERROR(engine.catalog.ForEach("", [&](std::string_view, std::uint64_t object) {
      const absl::StatusOr<engine::NamespaceRef> ns = engine::NamespaceAt(engine, object);
      if (ns.ok()) {
        // A namespace that is being dropped keeps nothing for a snapshot.
        (void)engine.map.sweeper().ForEachSuperseded(*ns, [&](const versions::Superseded& old) {
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

}  // namespace commy::inspect
