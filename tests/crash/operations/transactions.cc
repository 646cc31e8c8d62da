#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"
#include "crash/transaction_steps.h"

namespace commy::test {
namespace {

using Key = const std::string&;

// A transaction of `fresh` new keys. -1: it is empty. 0: it only puts the operation's key.
// Positive: it also puts into "b", deletes an absent key and, if serializable, counts.
TransactionPlan PlanOf(Key key, int fresh, Isolation isolation) {
  TransactionPlan plan;
  plan.isolation = isolation;
  if (fresh >= 0) {
    plan.keys[key] = Padded("by a transaction");
  }
  for (int i = 0; i < fresh; ++i) {
    plan.keys[absl::StrCat("t", i)] = "t";
  }
  if (fresh > 0) {
    plan.in_b = "x";
    plan.counts = isolation == Isolation::kSerializable;
    plan.keys["absent"] = std::nullopt;
  }
  return plan;
}

MakeStep AtSnapshot(int fresh) {
  return [=](Key key) { return Transact(PlanOf(key, fresh, Isolation::kSnapshot)); };
}

MakeStep Serializable(int fresh) {
  return [=](Key key) { return Transact(PlanOf(key, fresh, Isolation::kSerializable)); };
}

Step Batch(Key key) {
  return WriteBatchOf(PlanOf(key, 2, Isolation::kSnapshot));
}

Step Removes(Key key) {
  TransactionPlan plan;
  plan.keys = {{key, std::nullopt}, {"n", std::nullopt}};
  plan.in_b = "new";
  return Transact(plan);
}

std::vector<Operation> Commits(Order order) {
  const std::string kind = Kind(order);
  const Operation of_3 = {kind + "transaction of 3", Plain, Once(AtSnapshot(1))};
  const Operation of_100 = {.name = kind + "transaction of 100",
                            .prepare = Absent,
                            .steps = Once(AtSnapshot(100)),
                            .large = true};
  if (order == Order::kOrdered) {  // Only the splits differ from the hash index.
    return {of_3, of_100};
  }
  return {
      {"transaction of 0", Plain, Once(AtSnapshot(-1))},
      {"transaction of 1", Plain, Once(AtSnapshot(0))},
      of_3,
      of_100,
      {"serializable of 0", Plain, Once(Serializable(-1))},
      {"serializable of 1", Plain, Once(Serializable(0))},
      {"serializable of 3", Plain, Once(Serializable(1))},
      {.name = "serializable of 100",
       .prepare = Absent,
       .steps = Once(Serializable(100)),
       .large = true},
      {"transaction of deletes", Plain, Once(Removes)},
      {"transaction, conflict", Plain, Once(Conflict)},
      {"batch", Plain, Once(Batch)},
  };
}

struct EarlierVictim {
  std::string name;
  MakeStep step;
};

std::vector<EarlierVictim> EarlierVictims(Order order) {
  if (order == Order::kOrdered) {
    return {{"transaction", AtSnapshot(2)}};
  }
  return {{"transaction", AtSnapshot(2)},
          {"serializable", Serializable(2)},
          {"deletes", Removes},
          {"conflict", Conflict}};
}

}  // namespace

std::vector<Operation> TransactionOperations(Order order) {
  const std::string kind = Kind(order);
  std::vector<Operation> all = Commits(order);
  for (const auto& [name, step] : EarlierVictims(order)) {
    all.push_back({.name = "recover " + kind + name,
                   .prepare = Plain,
                   .steps = Once([](Key) { return Attach(); }),
                   .prior = step,
                   .attaches = true});
    all.push_back({"beside stopped " + kind + name, Plain,
                   [](Key key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"),
                                              AtSnapshot(2)("t1"), Add(kA, "n", 1),
                                              Put(kB, "x", "beside")};
                   },
                   step, hooks::Action::kStop});
  }
  all.push_back({kind + "clear beside stopped transaction", Plain,
                 [](Key key) {
                   return std::vector<Step>{Clear(kA), Put(kA, key, "beside"), Get(kB, "x")};
                 },
                 AtSnapshot(2), hooks::Action::kStop});
  all.push_back({.name = kind + "drop beside stopped transaction",
                 .prepare = Plain,
                 .steps =
                     [](Key key) {
                       return std::vector<Step>{DropA(key), Beat(), Beat(), Get(kB, "x")};
                     },
                 .prior = AtSnapshot(2),
                 .prior_fate = hooks::Action::kStop,
                 .inside = true});
  return WithOrder(std::move(all), order);
}

}  // namespace commy::test
