// Operations of the harness beside waiters: what a writer does to wake them, and what they do before they
// sleep. A waiter is one that died asleep, which looks the same to a writer.
#pragma once

#include <string>
#include <vector>

#include "crash/operations.h"

namespace commy::test {

constexpr absl::Duration kShortWait = absl::Microseconds(200);

inline Step GetOrWait(std::uint64_t id, const std::string& key) {
  Step step = Get(id, key);
  step.name = "get or wait " + key;
  step.real = [=](Actor& actor) {
    const Namespace* const ns = actor.ns(id);
    if (ns == nullptr) {
      return std::string("no namespace");
    }
    const absl::StatusOr<std::string> value = ns->GetOrWait(key, kShortWait);
    return absl::IsDeadlineExceeded(value.status()) ? std::string("no key") : Word(value);
  };
  return step;
}
// Whether anything has changed says nothing about what is there.
inline Step WaitForChange(std::uint64_t id) {
  return OnKeys(
      "wait for a change", id,
      [](const Namespace& ns) {
        const absl::StatusOr<ChangeToken> seen = ns.Changes();
        const absl::Status waited =
            seen.ok() ? ns.WaitForChange(*seen, kShortWait).status() : seen.status();
        return Word(absl::IsDeadlineExceeded(waited) ? absl::OkStatus() : waited);
      },
      [](const Keys&) { return std::string("ok"); });
}

inline std::string Awaited(Preparer& at) {
  at.Do(WaitForChange(kA));
  at.Do(GetOrWait(kA, "new"));
  return "new";
}

inline std::vector<Operation> WaitingOperations(Order order) {
  using KeyName = const std::string&;
  using hooks::Action;
  const auto one = [](auto make) {
    return [make](KeyName key) { return std::vector<Step>{make(key)}; };
  };
  const auto put = [](KeyName key) { return Put(kA, key, Padded("after")); };
  const auto wait = [](KeyName key) { return GetOrWait(kA, key); };
  if (order == Order::kOrdered) {
    return {};  // Nothing differs by it.
  }
  return {
      {"put, awaited", Awaited, one(put)},
      {"put, delete, put, awaited", Awaited,
       [=](KeyName key) {
         return std::vector<Step>{put(key), Delete(kA, key), wait(key), put(key)};
       }},
      {"clear, awaited", Awaited, one([](KeyName) { return Clear(kA); })},
      {"wait for a key", Absent, one(wait)},
      {"wait for a key, awaited", Awaited, one(wait)},
      {"wait for a change", Plain, one([](KeyName) { return WaitForChange(kA); })},
      {"beside stopped put, awaited", Awaited,
       [=](KeyName key) {
         return std::vector<Step>{wait(key), WaitForChange(kA), Put(kA, key, "beside")};
       },
       put, Action::kStop},
      {"beside stopped wait", Absent,
       [=](KeyName key) {
         return std::vector<Step>{put(key), Delete(kA, key), wait(key)};
       },
       wait, Action::kStop},
  };
}

}  // namespace commy::test
