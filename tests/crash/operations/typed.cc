// Types of namespaces, counters, and loans.
#include <tuple>

#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

using Key = const std::string&;

constexpr char kCounter[] = "c/counter";
constexpr char kBox[] = "c/box";
constexpr char kShort[] = "box<struct S{a:u32}>";
constexpr char kLong[] = "box<struct S{a:u32,b:u32}>";

std::string CounterThere(Preparer& at) {
  at.Do(CreateTyped(kCounter, "counter"));
  at.Do(CounterAdd(kCounter, 100));
  at.DoInThread({CounterAdd(kCounter, 20), Put(kA, "other thread", "t")});
  return "k";
}

std::string BoxThere(Preparer& at) {
  at.Do(CreateTyped(kBox, kShort));
  return "k";
}

Step AddSeven(Key /*key*/) {
  return CounterAdd(kCounter, 7);
}
Step MakeLonger(Key /*key*/) {
  return Lengthen(kBox, kLong);
}
Step Loaned(Key key) {
  return PutByLoan(kA, key, Padded("loaned"));
}
Step LoanedLarge(Key key) {
  return PutByLoan(kA, key, std::string(9500, 'N'));
}

// Of a survivor that uses the same counter.
std::vector<Step> BesideCounter(Key key) {
  return {CounterAdd(kCounter, 3), CounterAdd(kCounter, 4), CounterReset(kCounter),
          Put(kA, key, "beside")};
}

std::vector<Step> BesideBox(Key key) {
  return {CreateTyped("c/new", "map<u64,string>"), MakeLonger(key), Put(kA, key, "beside")};
}

}  // namespace

std::vector<Operation> TypedOperations() {
  std::vector<Operation> all = {
      {"create typed", Plain, Once([](Key) { return CreateTyped("c/new", "map<u64,string>"); })},
      {"create counter", Plain, Once([](Key) { return CreateTyped("c/new", "counter"); })},
      {.name = "type, longer", .prepare = BoxThere, .steps = Once(MakeLonger), .beside = BesideBox},
      {"adopt", Plain, Once([](Key) { return Adopt("a", "map<string,string>", kA); })},
      {"drop typed", BoxThere, Once([](Key) { return DropNs(kBox); })},
      {.name = "counter, add twice",
       .prepare = CounterThere,
       .steps =
           [](Key) {
             return std::vector<Step>{CounterAdd(kCounter, 7), CounterAdd(kCounter, 8)};
           },
       .beside = BesideCounter},
      {.name = "counter, reset",
       .prepare = CounterThere,
       .steps =
           [](Key) {
             return std::vector<Step>{CounterAdd(kCounter, 7), CounterReset(kCounter)};
           },
       .beside = BesideCounter},
      {"drop counter", CounterThere, Once([](Key) { return DropNs(kCounter); })},
      {"loan, new", Absent, Once(Loaned)},
      {"loan, overwrite", Plain, Once(Loaned)},
      {"loan, large", LargeThere, Once(LoanedLarge)},
      {"loan, split", BeforeSplit, Once(Loaned)},
      {"loan, dropped", Plain, Once([](Key key) { return DropLoan(kA, key, Padded("loaned")); })},
  };
  for (const auto& [name, prepare, step] :
       std::vector<std::tuple<std::string, std::string (*)(Preparer&), MakeStep>>{
           {"loan", Absent, Loaned},
           {"large loan", LargeThere, LoanedLarge},
           {"type, longer", BoxThere, MakeLonger},
           {"counter, add", CounterThere, AddSeven},
           {"drop counter", CounterThere, [](Key) { return DropNs(kCounter); }}}) {
    all.push_back({.name = "recover " + name,
                   .prepare = prepare,
                   .steps = Once([](Key) { return Attach(); }),
                   .prior = step,
                   .attaches = true});
    all.push_back({"beside stopped " + name, prepare,
                   [](Key key) {
                     return std::vector<Step>{Get(kA, key), PutByLoan(kA, key, "beside"),
                                              Put(kB, "x", "beside"), CreateNs("beside")};
                   },
                   step, hooks::Action::kStop});
  }
  return all;
}

}  // namespace commy::test
