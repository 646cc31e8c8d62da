// Operations of the harness on keys that expire. When everything has ended, no expired record may be
// left: so the sweep must have been told of each, also by who recovered its writer.
#pragma once

#include <string>
#include <vector>

#include "crash/operations.h"

namespace commy::test {

inline std::string SomeExpired(Preparer& at) {
  for (int i = 0; i < 6; ++i) {
    at.Do(PutExpired(kA, absl::StrCat("expired", i)));
    at.Do(Put(kA, absl::StrCat("stays", i), "s"));
  }
  return "k";
}

// Long enough that nothing of the run expires by it.
inline Step SetDefaultTtl(std::uint64_t id) {
  return OnKeys(
      "set default ttl", id,
      [](const Namespace& ns) { return Word(ns.SetDefaultTtl(absl::Hours(24))); },
      [](const Keys&) { return std::string("ok"); });
}

inline std::vector<Operation> ExpiryOperations(Order order) {
  using KeyName = const std::string&;
  using hooks::Action;
  const std::string prefix = order == Order::kOrdered ? "ordered " : "";
  const auto one = [](auto make) {
    return [make](KeyName key) { return std::vector<Step>{make(key)}; };
  };
  const auto put_expired = [](KeyName key) { return PutExpired(kA, key); };
  const auto put = [](KeyName key) { return Put(kA, key, Padded("after")); };
  const auto before_split = order == Order::kOrdered ? BeforeLeafSplit : BeforeSplit;
  const auto before_rebuild = order == Order::kOrdered ? BeforeLeafRebuild : BeforeRebuild;
  std::vector<Operation> all = {
      {prefix + "put, expires", Absent, one(put_expired)},
      {prefix + "overwrite, expires", Plain, one(put_expired)},
      {prefix + "put, expires, split", before_split, one(put_expired)},
      {prefix + "put, expires, rebuild", before_rebuild, one(put_expired)},
      {prefix + "split with expired",
       [before_split, order](Preparer& at) {
         const std::string key = before_split(at);
         // One that is there, so that this does not change the shape.
         at.Do(PutExpired(kA, order == Order::kOrdered
                                  ? absl::StrCat("z", std::stoi(key.substr(1)) - 1)
                                  : "fill0"));
         return key;
       },
       one(put)},
      {prefix + "expiry sweep", SomeExpired, one([](KeyName) { return Beat(); }), nullptr,
       Action::kKill, false, true},
      {prefix + "transaction, expires", Plain, one([](KeyName key) {
         return Step{"transact expired",
                     [=](Actor& actor) {
                       const Namespace* const ns = actor.ns(kA);
                       return ns == nullptr
                                  ? std::string("no namespace")
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
       })},
      {prefix + "set default ttl, put", Absent,
       [=](KeyName key) {
         return std::vector<Step>{SetDefaultTtl(kA), put(key)};
       }},
      {"recover " + prefix + "set default ttl", Plain, one([](KeyName) { return Attach(); }),
       [](KeyName) { return SetDefaultTtl(kA); }, Action::kKill, true},
      {"beside stopped " + prefix + "set default ttl", Plain,
       [=](KeyName key) {
         return std::vector<Step>{put(key), SetDefaultTtl(kA), Get(kA, key)};
       },
       [](KeyName) { return SetDefaultTtl(kA); }, Action::kStop},
      {"beside stopped " + prefix + "put, expires", Absent,
       [=](KeyName key) {
         return std::vector<Step>{Get(kA, key), PutExpired(kA, "other"), Beat(), put(key)};
       },
       put_expired, Action::kStop, false, true},
  };
  for (Operation& operation : all) {
    operation.order = order;
  }
  return all;
}

}  // namespace commy::test
