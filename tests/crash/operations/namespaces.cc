#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {

using Key = const std::string&;

std::vector<Operation> NamespaceOperations() {
  return {
      {"clear", Filled, Once(ClearA)},
      {"clear, put", Filled,
       [](Key key) {
         return std::vector<Step>{ClearA(key), PutAfter(key)};
       }},
      {"namespace create", Plain, Once(CreateNew)},
      {"namespace drop", Filled, Once(DropA)},
      {"namespace rename", Plain, Once(RenameA)},
      {"namespace list", Plain, Once([](Key) { return ListNs(); })},
      {"create, drop", Plain,
       [](Key key) {
         return std::vector<Step>{CreateNew(key), DropNs("c/new")};
       }},
  };
}

std::vector<Operation> NamespaceOperationsBesideStopped() {
  return {
      {.name = "remove beside stopped drop",
       .prepare = Filled,
       .steps =
           [](Key key) {
             return std::vector<Step>{DropA(key), Beat(), Beat()};
           },
       .prior = DropA,
       .prior_fate = hooks::Action::kStop,
       .inside = true},
      {"clear beside stopped clear", Filled,
       [](Key key) {
         return std::vector<Step>{PutAfter(key), Clear(kA)};
       },
       ClearA, hooks::Action::kStop},
      {"clear beside stopped split", BeforeSplit, Once(ClearA), PutAfter, hooks::Action::kStop},
  };
}

}  // namespace commy::test
