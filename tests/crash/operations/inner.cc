#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

Operation Inside(std::string name, std::function<std::string(Preparer&)> prepare, Step (*step)()) {
  Operation operation;
  operation.name = std::move(name);
  operation.prepare = std::move(prepare);
  operation.steps = Once([step](const std::string&) { return step(); });
  operation.inside = true;
  return operation;
}

// With system calls, whose places function entries show.
Operation InsideWithCalls(std::string name, Step (*step)()) {
  Operation operation = Inside(std::move(name), Plain, step);
  operation.calls = true;
  return operation;
}

}  // namespace

std::vector<Operation> InnerOperations() {
  return {
      InsideWithCalls("file growth", GrowFile),
      InsideWithCalls("growth ahead", GrowAhead),
      InsideWithCalls("lane growth", GrowLanes),
      Inside("epoch advance", Plain, PushEpochs),
      Inside("raw blocks", Plain, RawBlocks),
      Inside("runs back", Plain, RunsBack),
      Inside("mark and sweep", Filled, MarkAll),
      {"take over idle lanes", IdleLanes,
       [](const std::string&) {
         std::vector<Step> steps;
         for (int i = 0; i < 14; ++i) {
           steps.push_back(Put(kA, absl::StrCat("wide", i), std::string(60 + 100 * i, 'w')));
         }
         return steps;
       }},
      Inside("empty others' spans", EmptyIdleLanes, EmptyOthers),
      Inside("take from the living", EmptyIdleLanes, TakeFromTheLiving),
  };
}

std::vector<Operation> AttachOperations() {
  const MakeSteps attach = Once([](const std::string&) { return Attach(); });
  const MakeSteps detach = Once([](const std::string&) { return Detach(); });
  return {
      {.name = "attach", .prepare = Plain, .steps = attach, .attaches = true, .calls = true},
      {.name = "detach", .prepare = Plain, .steps = detach, .calls = true},
      {.name = "create store",
       .prepare = Plain,
       .steps = attach,
       .attaches = true,
       .calls = true,
       .no_store = true},
  };
}

}  // namespace commy::test
