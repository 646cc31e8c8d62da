#include <tuple>

#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"
#include "crash/queue_steps.h"
#include "sequences/small_sequences.h"

// Operations on a queue. Each element is in it, leased, or gone: never two of that, and never none.
namespace commy::test {
namespace {

using Key = const std::string&;

std::string NewQueue(Preparer& at) {
  static const SmallSequences small;  // Of the victims too.
  at.Do(OpenQueue(kDeadJobs));
  at.Do(OpenQueue(kJobs));
  return "k";
}

std::string Element(int number) {
  return absl::StrCat("element-", number, std::string(8, '.'));
}
std::string Large() {
  return "large" + std::string(700, 'L');
}

std::string SomeThere(Preparer& at) {
  (void)NewQueue(at);
  for (int i = 0; i < 5; ++i) {
    at.Do(QueuePush(Element(i)));
  }
  return "k";
}
// A push makes a leaf, and a pop takes one.
std::string LeavesThere(Preparer& at) {
  (void)SomeThere(at);
  for (int i = 5; i < 12; ++i) {
    at.Do(QueuePush(Element(i)));
  }
  at.Do(QueuePop());
  return "k";
}
std::string LargeFirst(Preparer& at) {
  (void)NewQueue(at);
  at.Do(QueuePush(Large()));
  for (int i = 0; i < 4; ++i) {
    at.Do(QueuePush(Element(i)));
  }
  return "k";
}
std::string ReturnedFirst(Preparer& at) {
  (void)LargeFirst(at);
  at.Do(QueueLease());
  at.Do(QueueLease());
  at.Do(QueueReturn());
  at.Do(QueueReturn());
  return "k";
}
std::string DeadFirst(Preparer& at) {
  (void)ReturnedFirst(at);
  at.Do(QueueLease());
  at.Do(QueueAcknowledge());
  at.Do(QueueLimit(100, 1));
  return "k";
}
std::string LargeDeadFirst(Preparer& at) {
  (void)LargeFirst(at);
  at.Do(QueueLease());
  at.Do(QueueReturn());
  at.Do(QueueLimit(100, 1));
  return "k";
}
std::string NearlyFull(Preparer& at) {
  (void)SomeThere(at);
  at.Do(QueueLimit(6, 0));
  return "k";
}

// Of a survivor. It takes from the back alone, where nobody leases.
std::vector<Step> Beside(Key key) {
  return {QueuePush("beside-1........"),
          QueuePopBack(),
          Content(false),
          Put(kA, key, "beside"),
          QueuePush("beside-2........"),
          QueuePush("beside-3........")};
}

MakeSteps LeaseAnd(const MakeStep& then) {
  return [then](Key key) { return std::vector<Step>{QueueLease(), then(key)}; };
}

}  // namespace

std::vector<Operation> QueueOperations() {
  const auto push = [](Key) { return QueuePush("pushed.........."); };
  const auto push_in = [](Key key) { return QueuePushIn(key, "pushed.........."); };
  const auto pop = [](Key) { return QueuePop(); };
  const auto lease = [](Key) { return QueueLease(); };
  const auto acknowledge = [](Key) { return QueueAcknowledge(); };
  const auto give_back = [](Key) { return QueueReturn(); };
  const auto clear = [](Key) { return QueueClear(); };
  std::vector<Operation> all = {
      {"queue, first push", NewQueue, Once(push)},
      {"queue, push", SomeThere, Once(push)},
      {"queue, push a leaf", LeavesThere, Once(push)},
      {"queue, push the last", NearlyFull, Once(push)},
      {"queue, push large", SomeThere, Once([](Key) { return QueuePush(Large()); })},
      {"queue, pop", SomeThere, Once(pop)},
      {"queue, pop a leaf", LeavesThere, Once(pop)},
      {"queue, pop large", LargeFirst, Once(pop)},
      {"queue, pop returned", ReturnedFirst, Once(pop)},
      {"queue, acknowledge", SomeThere, LeaseAnd(acknowledge)},
      {"queue, acknowledge large", LargeFirst, LeaseAnd(acknowledge)},
      {"queue, acknowledge in txn", SomeThere, LeaseAnd(QueueAcknowledgeIn)},
      {"queue, ack large in txn", LargeFirst, LeaseAnd(QueueAcknowledgeIn)},
      {"queue, return", SomeThere, LeaseAnd(give_back)},
      {"queue, return large", LargeFirst, LeaseAnd(give_back)},
      {"queue, dead letter", DeadFirst, Once([](Key) { return QueueLeaseAfterDead(); })},
      {"queue, large dead letter", LargeDeadFirst, Once([](Key) { return QueueLeaseAfterDead(); })},
      {"queue, set limits", SomeThere, Once([](Key) { return QueueLimit(9, 3); })},
      {"queue, clear", LeavesThere, Once(clear)},
      {"queue, clear returned", ReturnedFirst, Once(clear)},
      {"queue, push in txn", LeavesThere, Once(push_in)},
      {"queue, pop in txn", LeavesThere, Once(QueuePopIn)},
  };
  for (Operation& operation : all) {
    operation.beside = Beside;
  }
  // Another has leased the first one and was killed; or is stopped on its way.
  for (const auto& [name, prepare, steps] :
       std::vector<std::tuple<std::string, std::string (*)(Preparer&), MakeSteps>>{
           {"queue, pop of the gone", SomeThere, Once(pop)},
           {"queue, lease of the gone", LargeFirst, LeaseAnd(acknowledge)}}) {
    all.push_back({.name = name,
                   .prepare = prepare,
                   .steps = steps,
                   .prior = lease,
                   .beside = Beside,
                   .prior_tail = true});
  }
  all.push_back({.name = "queue, push beside stopped",
                 .prepare = LeavesThere,
                 .steps = Once(push),
                 .prior = push,
                 .prior_fate = hooks::Action::kStop,
                 .beside = Beside});
  for (Operation& operation : all) {
    operation.large = true;
  }
  return all;
}

}  // namespace commy::test
