#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

using Key = const std::string&;

std::vector<Step> TakeAndRelease(Key /*key*/) {
  return {TakeSnapshot(1), ContentAt(1, kA), ReleaseSnapshot(1)};
}

std::vector<Step> PutsAndDelete(Key key) {
  return {TakeSnapshot(1),       Put(kA, key, Padded("first")),
          Delete(kA, "n"),       Put(kA, key, Padded("second")),
          Put(kA, "new", "new"), ContentAt(1, kA)};
}

std::vector<Step> TwoAndASweep(Key key) {
  return {TakeSnapshot(1), Put(kA, key, Padded("1")), TakeSnapshot(2),
          Delete(kA, key), ReleaseSnapshot(1),        Beat(),
          ContentAt(2, kA)};
}

std::vector<Step> AroundAClear(Key key) {
  return {TakeSnapshot(1),  Clear(kA),          Put(kA, key, "after"),
          ContentAt(1, kA), ReleaseSnapshot(1), Beat()};
}

std::vector<Step> PutInside(Key key) {
  return {TakeSnapshot(1), Put(kA, key, "beside"), ContentAt(1, kA)};
}

}  // namespace

std::vector<Operation> SnapshotOperations(Order order) {
  if (order == Order::kOrdered) {  // Only the place of a key's chain differs from the hash index.
    return WithOrder({{"ordered snapshot, puts, delete", Plain, PutsAndDelete}}, order);
  }
  return {
      {"snapshot take, release", Plain, TakeAndRelease},
      {"snapshot, puts, delete", Plain, PutsAndDelete},
      {.name = "snapshots, sweep", .prepare = Plain, .steps = TwoAndASweep, .inside = true},
      {.name = "snapshot, clear", .prepare = Plain, .steps = AroundAClear, .inside = true},
      {.name = "recover snapshot",
       .prepare = Plain,
       .steps = Once([](Key) { return Attach(); }),
       .prior = SnapshotRound,
       .attaches = true},
      {"beside stopped snapshot", Plain, PutInside, SnapshotRound, hooks::Action::kStop},
  };
}

}  // namespace commy::test
