#include "crash/steps.h"

namespace commy::test {
namespace {

constexpr absl::Duration kShortWait = absl::Microseconds(200);

}  // namespace

Step GetOrWait(std::uint64_t id, const std::string& key) {
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

Step WaitForChange(std::uint64_t id) {
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

}  // namespace commy::test
