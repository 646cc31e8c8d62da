#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

using Key = const std::string&;

std::vector<Step> Nothing(Key /*key*/) {
  return {};
}

// The victim may have found the empty slot that the survivor's split then freezes.
Operation PutBesideASplit() {
  Operation row{"put beside a split", BesideFullBucket, Once(PutAfter)};
  row.beside = Once([](Key) { return Put(kA, kSplitter, "s"); });
  return row;
}

// Two participants prune neighbours of one chain. No other process is there to repair it.
Operation TwoOverwritesPrune() {
  Operation row{"two overwrites prune", Plain, Once(PutAfter),
                [](Key key) { return Put(kA, key, Padded("first")); }, hooks::Action::kStop};
  row.beside = Nothing;
  row.prior_tail = true;
  row.victim_tail = 12;
  return row;
}

// A recoverer dies during the recovery. Before the next recovery the survivor reuses, in another
// namespace, all that no pin keeps.
Operation RecovererKilled() {
  Operation row{"recoverer killed", Plain, Once([](Key) { return RecoverDead(); }), PutAfter};
  row.inside = true;
  row.waits = true;
  row.prior_tail = true;
  row.beside = [](Key) {
    std::vector<Step> steps = {Beat(), Beat(), Beat(), Beat()};
    for (int i = 0; i < 12; ++i) {
      steps.push_back(Put(kB, absl::StrCat("o", i), Padded("o")));
    }
    return steps;
  };
  return row;
}

// The same after a victim that changed counters and died between two of its steps: it left several
// notes.
Operation RecovererOfCountsKilled(std::string name, std::string (*prepare)(Preparer&),
                                  MakeStep prior) {
  Operation row = RecovererKilled();
  row.name = std::move(name);
  row.prepare = prepare;
  row.prior = std::move(prior);
  row.prior_tail = false;
  row.prior_swaps = true;
  row.beside = Nothing;
  return row;
}

// The victim finds at its CAS that the survivor was first.
Operation Again(std::string name, std::string (*prepare)(Preparer&), MakeSteps beside) {
  Operation row{std::move(name), prepare, Once(PutAfter)};
  row.again = true;
  row.beside = std::move(beside);
  return row;
}

}  // namespace

std::vector<Operation> RaceOperations() {
  return {
      PutBesideASplit(),
      TwoOverwritesPrune(),
      RecovererKilled(),
      RecovererOfCountsKilled("recoverer of a delete killed", Plain, DeleteKey),
      RecovererOfCountsKilled("recoverer of a put killed", Absent, PutAfter),
      Again("put beside a put", Absent, Once([](Key key) { return Put(kA, key, "beside"); })),
      Again("overwrite beside a delete", Plain,
            [](Key key) {
              return std::vector<Step>{Delete(kA, key), Beat()};
            }),
  };
}

}  // namespace commy::test
