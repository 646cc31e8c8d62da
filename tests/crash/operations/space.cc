// Giving space back: spans are left, what lies in them is moved, hash segments merge, free spans
// become holes and are filled again.
#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"
#include "crash/space_steps.h"
#include "crash/transaction_steps.h"

namespace commy::test {
namespace {

using Key = const std::string&;

Step CompactIt(Key /*key*/) {
  return Compact();
}

Step CompactRuns(Key /*key*/) {
  return Compact(true);
}

Step Transaction(Key key) {
  TransactionPlan plan;
  plan.keys = {{key, Medium("by a transaction")}, {"fill12", std::nullopt}, {"new", "t"}};
  plan.in_b = "x";
  return Transact(plan);
}

Step Counting(Key key) {
  TransactionPlan plan;
  plan.isolation = Isolation::kSerializable;
  plan.counts = true;
  plan.keys[key] = Medium("by a transaction");
  return Transact(plan);
}

// All kinds of calls, with rounds of a shrink between.
std::vector<Step> Others(Key key) {
  return {Get(kA, key),
          Put(kA, key, Medium("beside")),
          Content(false),
          Delete(kA, "fill0"),
          Transaction("fill24"),
          TakeSnapshot(1),
          Add(kA, "n", 1),
          Compact(),
          ContentAt(1, kA),
          Put(kA, "fill1", Medium("again")),
          Put(kB, "x", Medium("beside")),
          ReleaseSnapshot(1),
          Beat(),
          Compact(),
          Get(kA, "n"),
          Content(false)};
}

// The victim holds a snapshot, whose versions stay where they are.
std::vector<Step> CompactWithSnapshot(Key key) {
  return {TakeSnapshot(1), Put(kA, key, Medium("after")), Delete(kA, "fill0"), Compact(),
          ContentAt(1, kA)};
}

// A scan that finds other segments, or leaves, at each step.
std::vector<Step> ReadAll(Key key) {
  return {Get(kA, key), TakeSnapshot(1), ContentAt(1, kA)};
}

std::vector<Step> CompactTwice(Key /*key*/) {
  return {Compact(), Beat(), Compact(), Beat()};
}

Operation Row(std::string name, std::string (*prepare)(Preparer&), MakeSteps steps,
              Order order = Order::kHash) {
  Operation row{Kind(order) + std::move(name), prepare, std::move(steps)};
  row.inside = true;
  row.order = order;
  return row;
}

// The step of another participant's, which was killed or is stopped on its way.
Operation After(std::string name, MakeStep prior, hooks::Action fate, MakeStep step) {
  Operation row = Row(std::move(name), Sparse, Once(std::move(step)));
  row.prior = std::move(prior);
  row.prior_inside = true;
  row.prior_fate = fate;
  row.beside = Others;
  return row;
}

// What the victim has read moves, and at its CAS it finds that.
Operation Moved(std::string name, MakeStep step) {
  Operation row{std::move(name), Sparse, Once(std::move(step))};
  row.again = true;
  row.beside = [](Key) {
    return std::vector<Step>{Compact(), Compact()};  // The second finds what the first made.
  };
  return row;
}

// The span that a put takes its block from is left, and freed, meanwhile.
Operation PutIntoALeftSpan() {
  Operation row = Row("put, span left", Plain, [](Key key) {
    return std::vector<Step>{Put(kA, "v", Medium("1")), Delete(kA, "v"), PushEpochs(),
                             Put(kA, key, Medium("2"))};
  });
  row.stop_swaps = true;
  row.beside = [](Key key) {
    return std::vector<Step>{LeaveSpans(), FreeSpans(), Put(kB, "o", Medium("o")), Get(kA, key),
                             Content(false)};
  };
  return row;
}

// Others need free spans while these become holes.
Operation HolesBesidePuts() {
  const auto free = [](Preparer& at) {
    const std::string key = Sparse(at);
    at.Do(FreeSpans());
    return key;
  };
  Operation row = Row("holes", free, Once([](Key) { return PunchSpans(); }));
  row.beside = [](Key key) {
    std::vector<Step> steps = {Put(kA, key, Medium("beside"))};
    for (const std::size_t bytes : {600, 800, 1000, 1400}) {
      steps.push_back(Put(kB, absl::StrCat("o", bytes), std::string(bytes, 'o')));
    }
    steps.push_back(Content(false));
    return steps;
  };
  return row;
}

// A store in which nothing is free but what was left, and the last spans, for deletes.
Operation PutIntoAFullStore() {
  Operation row = Row("put, left spans, full", FullWithLeftSpans,
                      [](Key key) { return std::vector<Step>{Put(kA, key, Medium("1"))}; });
  row.max_bytes = std::uint64_t{512} << 10;
  row.beside = [](Key key) {
    return std::vector<Step>{Get(kA, key), Delete(kA, "fill0"), Content(false)};
  };
  return row;
}

// The read makes the intent final: it does not move before.
Operation TransactExpiredMoved() {
  Operation row = Row("transact expired, moved", Sparse, Once(TransactExpired));
  row.beside = [](Key key) { return std::vector<Step>{Get(kA, key), Compact(), Compact()}; };
  return row;
}

// The victim is stopped before each of its atomic operations, and others compact meanwhile.
Operation StoppedBeside(std::string name, std::string (*prepare)(Preparer&), MakeStep step,
                        Order order = Order::kHash) {
  Operation row = Row(std::move(name), prepare, Once(std::move(step)), order);
  row.stop_swaps = true;
  row.large = true;
  row.beside = [](Key key) {
    return std::vector<Step>{Compact(), Compact(), Put(kA, key, Medium("beside")), Content(false)};
  };
  return row;
}

// A value that is larger than what there is.
Operation PutThatGrows() {
  Operation row{"put that grows", Plain,
                Once([](Key key) { return Put(kA, key, std::string(200'000, 'g')); })};
  row.calls = true;
  return row;
}

// The last participant to close a store whose end is free cuts it.
Operation CutAtClose() {
  Operation row{"cut at close", Plain, [](Key) {
                  return std::vector<Step>{Put(kA, "long", std::string(200'000, 'l')),
                                           Delete(kA, "long"), Shrink(), Detach()};
                }};
  row.calls = true;
  row.alone = true;
  row.victim_tail = 300;
  return row;
}

Operation BackUp() {
  Operation row{"backup", Plain, Once([](Key) { return Backup(); })};
  row.calls = true;
  row.large = true;
  row.beside = [](Key key) {
    return std::vector<Step>{LookAtBackup(), Put(kA, key, Medium("beside")), Content(false)};
  };
  return row;
}

Operation CompactTheFile() {
  Operation row{"compact the file", Plain, Once([](Key) { return CompactFile(); })};
  row.attaches = true;
  row.calls = true;
  row.alone = true;
  row.large = true;
  return row;
}

std::vector<Operation> Compactions(Order order) {
  const auto prepare = order == Order::kHash ? Sparse : SparseTree;
  Operation alone = Row("compact", prepare, Once(CompactIt), order);
  alone.large = order == Order::kOrdered;
  Operation others = Row("compact, others", prepare, Once(CompactIt), order);
  others.beside = Others;
  others.large = true;
  Operation reads = Row("scan, moved", prepare, ReadAll, order);
  reads.beside = CompactTwice;
  return {alone, others, reads,
          StoppedBeside(
              "put, moved", prepare, [](Key key) { return Put(kA, key, Medium("after")); }, order)};
}

Operation Large(Operation row) {
  row.large = true;
  return row;
}

}  // namespace

std::vector<Operation> SpaceOperations() {
  std::vector<Operation> all = {
      Large(Row("compact large", SparseLarge, Once(CompactRuns))),
      Large(Row("compact with snapshot", Sparse, CompactWithSnapshot)),
      Large(Row("shrink", Sparse, Once([](Key) { return Shrink(); }))),
      HolesBesidePuts(),
      PutThatGrows(),
      CutAtClose(),
      BackUp(),
      CompactTheFile(),
      {.name = "put into holes",
       .prepare = Holes,
       .steps =
           [](Key key) {
             std::vector<Step> steps = {Put(kA, key, Padded("after"))};
             for (int i = 0; i < 6; ++i) {
               steps.push_back(Put(kB, absl::StrCat("wide", i), std::string(1200, 'w')));
             }
             return steps;
           },
       .calls = true},
      {.name = "put large into holes",
       .prepare = Holes,
       .steps = Once([](Key key) { return Put(kA, key, std::string(9000, 'L')); }),
       .calls = true},
      PutIntoAFullStore(),
      PutIntoALeftSpan(),
      After("compact after a dead one", CompactIt, hooks::Action::kKill, CompactIt),
      After("compact beside stopped one", CompactIt, hooks::Action::kStop, CompactIt),
      After("transaction beside compact", CompactIt, hooks::Action::kStop, Transaction),
      After("compact beside transaction", Transaction, hooks::Action::kStop, CompactIt),
      StoppedBeside("compact beside compact", Sparse, CompactIt),
      StoppedBeside("wide merge beside compact", SparseWide, CompactIt),
      StoppedBeside("split beside compact", BeforeSplit, PutAfter),
      StoppedBeside("doubling beside compact", BeforeDoubling, PutAfter),
      StoppedBeside("clear beside compact", Sparse, ClearA),
      StoppedBeside("serializable beside compact", Sparse, Counting),
      Moved("overwrite, moved", PutAfter),
      Moved("delete, moved", [](Key) { return Delete(kA, "fill12"); }),
      Moved("put expired, moved", [](Key key) { return PutExpired(kA, key); }),
      TransactExpiredMoved(),
  };
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    for (Operation& row : Compactions(order)) {
      all.push_back(std::move(row));
    }
  }
  return all;
}

}  // namespace commy::test
