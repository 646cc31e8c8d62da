#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

using Key = const std::string&;

// Deletes from the key downwards, and so merges on all levels until the root is lost.
std::vector<Step> Deletes(Key key) {
  std::vector<Step> steps;
  const int last = std::stoi(key.substr(1));
  for (int i = last; i > last - 6 && i >= 1000; --i) {
    steps.push_back(Delete(kA, absl::StrCat("z", i)));
  }
  return steps;
}

struct EarlierVictim {
  std::string name;
  std::string (*prepare)(Preparer&);
  MakeStep step;
};

std::vector<EarlierVictim> EarlierVictims() {
  return {{"split", BeforeLeafSplit, PutAfter},
          {"inner split", BeforeInnerSplit, PutAfter},
          {"merge", BeforeMerges, DeleteKey},
          {"clear", FilledTree, ClearA},
          {"drop", FilledTree, DropA}};
}

}  // namespace

std::vector<Operation> OrderedOperations() {
  std::vector<Operation> all = {
      {"ordered put new", Absent, Once(PutAfter)},
      {"ordered put overwrite", Plain, Once(PutAfter)},
      {"ordered delete", Plain, Once(DeleteKey)},
      {"ordered put, rebuild", BeforeLeafRebuild, Once(PutAfter)},
      {"ordered put, split", BeforeLeafSplit, Once(PutAfter)},
      {"ordered put, first root", BeforeFirstRoot, Once(PutAfter)},
      {"ordered put, higher root", BeforeHigherRoot, Once(PutAfter)},
      {"ordered put, inner split", BeforeInnerSplit, Once(PutAfter)},
      {"ordered deletes, merges", BeforeMerges, Deletes},
      {"ordered scan", FilledTree, Once([](Key) { return ScanBack(); })},
      {"ordered clear", FilledTree, Once(ClearA)},
      {"ordered drop", FilledTree, Once(DropA)},
      {.name = "ordered mark and sweep",
       .prepare = FilledTree,
       .steps = Once([](Key) { return MarkAll(); }),
       .inside = true},
      {"ordered create", Plain, Once([](Key) { return CreateNs("c/new", Order::kOrdered); })},
  };
  for (const auto& [name, prepare, step] : EarlierVictims()) {
    all.push_back({.name = "recover ordered " + name,
                   .prepare = prepare,
                   .steps = Once([](Key) { return Attach(); }),
                   .prior = step,
                   .attaches = true});
    all.push_back({"beside stopped ordered " + name, prepare,
                   [](Key key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"),
                                              Delete(kA, "z1003"), ScanBack(), Add(kA, "n", 1)};
                   },
                   step, hooks::Action::kStop});
  }
  return WithOrder(std::move(all), Order::kOrdered);
}

}  // namespace commy::test
