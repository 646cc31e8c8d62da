#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"
#include "crash/transaction_steps.h"

// Operations on keys that expire. At the end no expired record may be left: the sweep must have
// been told of each one, if need be by the process that recovered its writer.
namespace commy::test {
namespace {

using Key = const std::string&;

Step PutAKeyExpired(Key key) {
  return PutExpired(kA, key);
}

Step SetTtl(Key /*key*/) {
  return SetDefaultTtl(kA);
}

// The key's segment or leaf holds an expired record. It replaces a key that was there already, so
// the shape stays.
std::string BeforeSplitWithExpired(Preparer& at, Order order) {
  const bool ordered = order == Order::kOrdered;
  const std::string key = ordered ? BeforeLeafSplit(at) : BeforeSplit(at);
  at.Do(PutExpired(kA, ordered ? absl::StrCat("z", std::stoi(key.substr(1)) - 1) : "fill0"));
  return key;
}

std::vector<Operation> PutsThatExpire(Order order) {
  const std::string kind = Kind(order);
  const bool ordered = order == Order::kOrdered;
  return {
      {kind + "put, expires", Absent, Once(PutAKeyExpired)},
      {kind + "overwrite, expires", Plain, Once(PutAKeyExpired)},
      {kind + "put, expires, split", ordered ? BeforeLeafSplit : BeforeSplit, Once(PutAKeyExpired)},
      {kind + "put, expires, rebuild", ordered ? BeforeLeafRebuild : BeforeRebuild,
       Once(PutAKeyExpired)},
      {kind + "split with expired",
       [order](Preparer& at) { return BeforeSplitWithExpired(at, order); }, Once(PutAfter)},
      {.name = kind + "expiry sweep",
       .prepare = SomeExpired,
       .steps = Once([](Key) { return Beat(); }),
       .inside = true},
      {kind + "transaction, expires", Plain, Once(TransactExpired)},
  };
}

}  // namespace

std::vector<Operation> ExpiryOperations(Order order) {
  const std::string kind = Kind(order);
  std::vector<Operation> all = PutsThatExpire(order);
  all.push_back({kind + "set default ttl, put", Absent, [](Key key) {
                   return std::vector<Step>{SetTtl(key), PutAfter(key)};
                 }});
  all.push_back({.name = "recover " + kind + "set default ttl",
                 .prepare = Plain,
                 .steps = Once([](Key) { return Attach(); }),
                 .prior = SetTtl,
                 .attaches = true});
  all.push_back({"beside stopped " + kind + "set default ttl", Plain,
                 [](Key key) {
                   return std::vector<Step>{PutAfter(key), SetTtl(key), Get(kA, key)};
                 },
                 SetTtl, hooks::Action::kStop});
  all.push_back(
      {.name = "beside stopped " + kind + "put, expires",
       .prepare = Absent,
       .steps =
           [](Key key) {
             return std::vector<Step>{Get(kA, key), PutExpired(kA, "other"), Beat(), PutAfter(key)};
           },
       .prior = PutAKeyExpired,
       .prior_fate = hooks::Action::kStop,
       .inside = true});
  return WithOrder(std::move(all), order);
}

}  // namespace commy::test
