#include "crash/transaction_steps.h"

#include <utility>

#include "base/status.h"

namespace commy::test {
namespace {

std::string Apply(const TransactionPlan& plan, Model& model) {
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

// Makes the changes of the plan in a transaction.
absl::Status Fill(const TransactionPlan& plan, Transaction& txn, const Namespace* a,
                  const Namespace* b) {
  for (const auto& [key, value] : plan.keys) {
    COMMY_RETURN_IF_ERROR(value.has_value() ? txn.Put(*a, key, *value)
                                            : txn.Delete(*a, key).status());
  }
  if (plan.counts) {
    COMMY_RETURN_IF_ERROR(txn.Add(*a, "n", 1).status());
  }
  return plan.in_b.empty() ? absl::OkStatus() : txn.Put(*b, plan.in_b, "by a transaction");
}

}  // namespace

Step Transact(const TransactionPlan& plan) {
  return {
      "transact",
      [=](Actor& actor) {
        const Namespace* const a = actor.ns(kA);
        const Namespace* const b = actor.ns(kB);
        if ((a == nullptr && (!plan.keys.empty() || plan.counts)) ||
            (b == nullptr && !plan.in_b.empty())) {
          return std::string("no namespace");
        }
        return Word(actor.store().Transact([&](Transaction& txn) { return Fill(plan, txn, a, b); },
                                           {.isolation = plan.isolation}));
      },
      [=](Model& model) { return Apply(plan, model); }};
}

Step WriteBatchOf(const TransactionPlan& plan) {
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

Step Conflict(const std::string& key) {
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
    // Outside of the transaction, which then finds a newer version of its last key.
    const absl::Status put = b->Put("y", "2");
    if (!put.ok()) {
      return IsNamespaceDropped(put) ? absl::OkStatus() : put;
    }
    const absl::Status committed = txn.Commit();
    return absl::IsAborted(committed) || IsNamespaceDropped(committed)
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
}

Step TransactExpired(const std::string& key) {
  return {"transact expired",
          [=](Actor& actor) {
            const Namespace* const ns = actor.ns(kA);
            return ns == nullptr ? std::string("no namespace")
                                 : Word(actor.store().Transact([&](Transaction& txn) {
                                     return txn.Put(*ns, key, "x", {.ttl = absl::Nanoseconds(1)});
                                   }));
          },
          [=](Model& model) {
            Model::Content* const content = model.ById(kA);
            if (content == nullptr) {
              return std::string("no namespace");
            }
            content->keys.Edit().erase(key);
            return std::string("ok");
          }};
}

}  // namespace commy::test
