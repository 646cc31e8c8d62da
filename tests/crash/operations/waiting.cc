#include "crash/operations.h"
#include "crash/preparations.h"

// Operations beside waiters: a writer wakes them, and they look before they sleep. The order of the
// namespace does not matter to them.
namespace commy::test {

std::vector<Operation> WaitingOperations() {
  using Key = const std::string&;
  const auto wait = [](Key key) { return GetOrWait(kA, key); };
  return {
      {"put, awaited", Awaited, Once(PutAfter)},
      {"put, delete, put, awaited", Awaited,
       [=](Key key) {
         return std::vector<Step>{PutAfter(key), DeleteKey(key), wait(key), PutAfter(key)};
       }},
      {"clear, awaited", Awaited, Once(ClearA)},
      {"wait for a key", Absent, Once(wait)},
      {"wait for a key, awaited", Awaited, Once(wait)},
      {"wait for a change", Plain, Once([](Key) { return WaitForChange(kA); })},
      {"beside stopped put, awaited", Awaited,
       [=](Key key) {
         return std::vector<Step>{wait(key), WaitForChange(kA), Put(kA, key, "beside")};
       },
       PutAfter, hooks::Action::kStop},
      {"beside stopped wait", Absent,
       [=](Key key) {
         return std::vector<Step>{PutAfter(key), DeleteKey(key), wait(key)};
       },
       wait, hooks::Action::kStop},
  };
}

}  // namespace commy::test
