#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

struct EarlierVictim {
  std::string name;
  std::function<std::string(Preparer&)> prepare;
  MakeStep step;
};

std::vector<EarlierVictim> EarlierVictims() {
  return {{"put new", Absent, PutAfter},
          {"put overwrite", Plain, PutAfter},
          {"put, doubling", BeforeDoubling, PutAfter},
          {"put, split", BeforeSplit, PutAfter},
          {"put, rebuild", BeforeRebuild, PutAfter},
          {"put large", LargeThere, PutLarge},
          {"delete", Plain, DeleteKey},
          {"clear", Filled, ClearA},
          {"create", Plain, CreateNew},
          {"drop", Filled, DropA},
          {"rename", Plain, RenameA},
          {"add", Plain, [](const std::string&) { return Add(kA, "n", 5); }}};
}

}  // namespace

std::vector<Operation> EarlierVictimOperations() {
  std::vector<Operation> all;
  for (const auto& [name, prepare, step] : EarlierVictims()) {
    all.push_back({.name = "recover " + name,
                   .prepare = prepare,
                   .steps = Once([](const std::string&) { return Attach(); }),
                   .prior = step,
                   .attaches = true});
  }
  for (const auto& [name, prepare, step] : EarlierVictims()) {
    all.push_back({"beside stopped " + name, prepare,
                   [](const std::string& key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"), Add(kA, "n", 1),
                                              Put(kB, "x", "beside"), CreateNs("beside")};
                   },
                   step, hooks::Action::kStop});
  }
  return all;
}

}  // namespace commy::test
