// The rows of transactions and batches in the harness's table.
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "crash/operations.h"

namespace commy::test {

// What a transaction is to do: keys of "a" that it sets, or (no value) removes; one of "b" that it
// sets, if that has a name; and the counter "n" of "a" that it reads and increments, if told so.
struct TransactionPlan {
  std::map<std::string, std::optional<std::string>> keys;
  std::string in_b;
  bool counts = false;
  Isolation isolation = Isolation::kSnapshot;
};

inline std::string Apply(const TransactionPlan& plan, Model& model) {
  Model::Content* const a = model.ById(kA);
  Model::Content* const b = model.ById(kB);
  if ((a == nullptr && (!plan.keys.empty() || plan.counts)) ||
      (b == nullptr && !plan.in_b.empty())) {
    return "no namespace";
  }
  for (const auto& [key, value] : plan.keys) {
    if (value.has_value()) {
      a->keys.Edit()[key] = *value;
    } else {
      a->keys.Edit().erase(key);
    }
  }
  if (plan.counts) {
    std::string& counter = a->keys.Edit()["n"];
    counter = std::to_string((counter.empty() ? 0 : std::stoll(counter)) + 1);
  }
  if (!plan.in_b.empty()) {
    b->keys.Edit()[plan.in_b] = "by a transaction";
  }
  return "ok";
}

inline Step Transact(const TransactionPlan& plan) {
  return {"transact",
          [=](Actor& actor) {
            const Namespace* const a = actor.ns(kA);
            const Namespace* const b = actor.ns(kB);
            if ((a == nullptr && (!plan.keys.empty() || plan.counts)) ||
                (b == nullptr && !plan.in_b.empty())) {
              return std::string("no namespace");
            }
            return Word(actor.store().Transact(
                [&](Transaction& txn) -> absl::Status {
                  for (const auto& [key, value] : plan.keys) {
                    COMMY_RETURN_IF_ERROR(value.has_value() ? txn.Put(*a, key, *value)
                                                            : txn.Delete(*a, key).status());
                  }
                  if (plan.counts) {
                    COMMY_RETURN_IF_ERROR(txn.Add(*a, "n", 1).status());
                  }
                  return plan.in_b.empty() ? absl::OkStatus()
                                           : txn.Put(*b, plan.in_b, "by a transaction");
                },
                {.isolation = plan.isolation}));
          },
          [=](Model& model) { return Apply(plan, model); }};
}

inline Step WriteBatchOf(const TransactionPlan& plan) {
  return {"batch",
          [=](Actor& actor) {
            const Namespace* const a = actor.ns(kA);
            const Namespace* const b = actor.ns(kB);
            if (a == nullptr || (b == nullptr && !plan.in_b.empty())) {
              return std::string("no namespace");
            }
            WriteBatch batch;
            for (const auto& [key, value] : plan.keys) {
              if (value.has_value()) {
                batch.Put(*a, key, *value);
              } else {
                batch.Delete(*a, key);
              }
            }
            if (!plan.in_b.empty()) {
              batch.Put(*b, plan.in_b, "by a transaction");
            }
            return Word(actor.store().Write(std::move(batch)));
          },
          [=](Model& model) { return Apply(plan, model); }};
}

inline std::vector<Operation> TransactionOperations(Order order) {
  using KeyName = const std::string&;
  using hooks::Action;
  const std::string kind = order == Order::kOrdered ? "ordered " : "";
  const auto one = [](auto make) {
    return [make](KeyName key) { return std::vector<Step>{make(key)}; };
  };
  const auto attach = one([](KeyName) { return Attach(); });
  const auto plan_of = [](int fresh, Isolation isolation) {
    return [=](KeyName key) {
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
    };
  };
  const auto snapshot = [=](int fresh) {
    return [=](KeyName key) { return Transact(plan_of(fresh, Isolation::kSnapshot)(key)); };
  };
  const auto serializable = [=](int fresh) {
    return [=](KeyName key) { return Transact(plan_of(fresh, Isolation::kSerializable)(key)); };
  };
  const auto removes = [](KeyName key) {
    TransactionPlan plan;
    plan.keys = {{key, std::nullopt}, {"n", std::nullopt}};
    plan.in_b = "new";
    return Transact(plan);
  };
  const auto batch = [=](KeyName key) {
    return WriteBatchOf(plan_of(2, Isolation::kSnapshot)(key));
  };
  const auto aborted = [](KeyName key) {
    Step step = Unseen("a conflict", [=](Actor& actor) -> absl::Status {
      const Namespace* const a = actor.ns(kA);
      const Namespace* const b = actor.ns(kB);
      if (a == nullptr || b == nullptr) {
        return absl::OkStatus();
      }
      COMMY_ASSIGN_OR_RETURN(Transaction txn, actor.store().Begin());
      COMMY_RETURN_IF_ERROR(txn.Put(*a, "first", "1"));
      COMMY_RETURN_IF_ERROR(txn.Put(*a, key, "2"));
      COMMY_RETURN_IF_ERROR(txn.Put(*b, "y", "3"));
      // Somebody else's, as it were: the transaction finds a newer version of its last key.
      const absl::Status put = b->Put("y", "2");
      if (!put.ok()) {
        return absl::IsNotFound(put) ? absl::OkStatus() : put;
      }
      const absl::Status committed = txn.Commit();
      return absl::IsAborted(committed) || absl::IsNotFound(committed)
                 ? absl::OkStatus()
                 : base::Internal("committed: ", committed.ToString());
    });
    step.ideal = [](Model& model) {
      if (Model::Content* const b = model.ById(kB); b != nullptr) {
        b->keys.Edit()["y"] = "2";
      }
      return std::string("ok");
    };
    return step;
  };
  std::vector<Operation> all = {
      {kind + "transaction of 0", Plain, one(snapshot(-1))},
      {kind + "transaction of 1", Plain, one(snapshot(0))},
      {kind + "transaction of 3", Plain, one(snapshot(1))},
      {kind + "transaction of 100", Absent, one(snapshot(100))},
      {kind + "serializable of 0", Plain, one(serializable(-1))},
      {kind + "serializable of 1", Plain, one(serializable(0))},
      {kind + "serializable of 3", Plain, one(serializable(1))},
      {kind + "serializable of 100", Absent, one(serializable(100))},
      {kind + "transaction of deletes", Plain, one(removes)},
      {kind + "transaction, conflict", Plain, one(aborted)},
      {kind + "batch", Plain, one(batch)},
  };
  for (Operation& operation : all) {
    operation.large = operation.name.ends_with(" of 100");
  }
  if (order == Order::kOrdered) {  // What differs by it: the splits.
    all = {all[2], all[3]};
  }
  const std::vector<std::tuple<std::string, std::function<Step(KeyName)>>> priors = {
      {"transaction", snapshot(2)},
      {"serializable", serializable(2)},
      {"deletes", removes},
      {"conflict", aborted}};
  for (const auto& [name, step] : priors) {
    if (order == Order::kOrdered && name != "transaction") {
      continue;
    }
    all.push_back({"recover " + kind + name, Plain, attach, step, Action::kKill, true});
    all.push_back({"beside stopped " + kind + name, Plain,
                   [=](KeyName key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"),
                                              snapshot(2)("t1"), Add(kA, "n", 1),
                                              Put(kB, "x", "beside")};
                   },
                   step, Action::kStop});
  }
  all.push_back({kind + "clear beside stopped transaction", Plain,
                 [=](KeyName key) {
                   return std::vector<Step>{Clear(kA), Put(kA, key, "beside"), Get(kB, "x")};
                 },
                 snapshot(2), Action::kStop});
  all.push_back({kind + "drop beside stopped transaction", Plain,
                 [=](KeyName) {
                   return std::vector<Step>{DropNs("a", kA), Beat(), Beat(), Get(kB, "x")};
                 },
                 snapshot(2), Action::kStop, false, true});
  for (Operation& operation : all) {
    operation.order = order;
  }
  return all;
}

}  // namespace commy::test
