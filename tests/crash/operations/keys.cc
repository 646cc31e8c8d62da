#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {

std::vector<Operation> KeyOperations() {
  using Key = const std::string&;
  return {
      {"put new", Absent, Once(PutAfter)},
      {"put overwrite", Plain, Once(PutAfter)},
      {"put, doubling", BeforeDoubling, Once(PutAfter)},
      {"put, split", BeforeSplit, Once(PutAfter)},
      {"put, rebuild", BeforeRebuild, Once(PutAfter)},
      {"put, wide split", BeforeWideSplit, Once(PutAfter)},
      {"put, wide rebuild", BeforeWideRebuild, Once(PutAfter)},
      {"put large", Absent, Once(PutLarge)},
      {"overwrite large", LargeThere, Once(PutLarge)},
      {"overwrite large by small", LargeThere, Once(PutAfter)},
      {"delete", Plain, Once(DeleteKey)},
      {"delete absent", Absent, Once(DeleteKey)},
      {"put_if_absent", Absent, Once([](Key key) { return PutIfAbsent(kA, key, "after"); })},
      {"put_if_absent, there", Plain, Once([](Key key) { return PutIfAbsent(kA, key, "after"); })},
      {"compare_and_swap", Plain,
       Once([](Key key) { return CompareAndSwap(kA, key, Padded("before"), Padded("after")); })},
      {"add", Plain, Once([](Key) { return Add(kA, "n", 7); })},
      {"add to absent", Absent, Once([](Key key) { return Add(kA, key, 7); })},
      {"update", Plain, Once([](Key key) { return Update(kA, key, "+"); })},
      {"get", Plain, Once([](Key key) { return Get(kA, key); })},
      {"put, delete, put", Absent,
       [](Key key) {
         return std::vector<Step>{PutAfter(key), DeleteKey(key), Put(kA, key, "again")};
       }},
  };
}

}  // namespace commy::test
