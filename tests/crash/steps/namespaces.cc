#include <utility>
#include <vector>

#include "crash/steps.h"

namespace commy::test {

Step Clear(std::uint64_t id) {
  return OnKeys(
      "clear", id, [=](const Namespace& ns) { return Word(ns.Clear()); },
      [=](Keys& keys) {
        keys.clear();
        return std::string("ok");
      });
}

Step SetDefaultTtl(std::uint64_t id) {
  return OnKeys(
      "set default ttl", id,
      [](const Namespace& ns) { return Word(ns.SetDefaultTtl(absl::Hours(24))); },
      [](const Keys&) { return std::string("ok"); });
}

Step CreateNs(const std::string& path, std::optional<Order> order) {
  return {"create " + path,
          [=](Actor& actor) {
            return Word(actor.store().OpenNamespace(path, {.order = order}).status());
          },
          [=](Model& model) {
            if (model.names.find(path) == model.names.end()) {
              model.names[path].id = model.next_id++;
            }
            return std::string("ok");
          }};
}

Step DropNs(const std::string& path, std::uint64_t id) {
  Step step{"drop " + path, [=](Actor& actor) { return Word(actor.store().DropNamespace(path)); },
            [=](Model& model) {
              return std::string(model.names.erase(path) == 1 ? "ok" : "no namespace");
            }};
  if (id != 0) {
    step.also = [=](Model& model) {
      std::erase_if(model.names, [=](const auto& named) { return named.second.id == id; });
      return std::string("ok");
    };
  }
  return step;
}

Step RenameNs(const std::string& from, const std::string& to) {
  return {"rename " + from,
          [=](Actor& actor) { return Word(actor.store().RenameNamespace(from, to)); },
          [=](Model& model) {
            const auto at = model.names.find(from);
            if (at == model.names.end()) {
              return std::string("no namespace");
            }
            Model::Content content = std::move(at->second);
            model.names.erase(at);
            model.names[to] = std::move(content);
            return std::string("ok");
          }};
}

Step ListNs() {
  return {"list",
          [](Actor& actor) {
            const absl::StatusOr<std::vector<NamespaceInfo>> all = actor.store().ListNamespaces();
            if (!all.ok()) {
              return Word(all.status());
            }
            std::string text;
            for (const NamespaceInfo& info : *all) {
              text += info.path + ";";
            }
            return text;
          },
          [](Model& model) {
            std::string text;
            for (const auto& [path, content] : model.names) {
              text += path + ";";
            }
            return text;
          }};
}

}  // namespace commy::test
