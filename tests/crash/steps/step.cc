#include <string_view>
#include <utility>

#include "base/status.h"
#include "crash/steps.h"

namespace commy::test {

std::string Word(const absl::Status& status) {
  if (status.ok()) {
    return "ok";
  }
  if (IsNamespaceDropped(status)) {
    return "no namespace";
  }
  if (absl::IsNotFound(status)) {
    return base::ToStd(status.message()).find("namespace") != std::string_view::npos
               ? "no namespace"
               : "no key";
  }
  return absl::IsInvalidArgument(status) ? "invalid" : status.ToString();
}

std::string Word(const absl::StatusOr<bool>& answer) {
  return !answer.ok() ? Word(answer.status()) : *answer ? "yes" : "no";
}

std::string Word(const absl::StatusOr<std::string>& value) {
  return value.ok() ? "=" + *value : Word(value.status());
}

Step OnKeys(std::string name, std::uint64_t id, std::function<std::string(const Namespace&)> real,
            std::function<std::string(Keys&)> ideal) {
  return {std::move(name),
          [=](Actor& actor) {
            const Namespace* const ns = actor.ns(id);
            return ns == nullptr ? std::string("no namespace") : real(*ns);
          },
          [=](Model& model) {
            Model::Content* const content = model.ById(id);
            return content == nullptr ? std::string("no namespace") : ideal(content->keys.Edit());
          }};
}

Step Unseen(std::string name, std::function<absl::Status(Actor&)> run) {
  return {std::move(name), [run](Actor& actor) { return Word(run(actor)); },
          [](Model&) { return std::string("ok"); }};
}

}  // namespace commy::test
