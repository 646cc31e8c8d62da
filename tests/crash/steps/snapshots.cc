#include <utility>

#include "crash/steps.h"

namespace commy::test {

Step TakeSnapshot(int number) {
  return {absl::StrCat("take ", number),
          [=](Actor& actor) {
            absl::StatusOr<Snapshot> taken = actor.store().TakeSnapshot();
            if (!taken.ok()) {
              return Word(taken.status());
            }
            actor.snapshots.insert_or_assign(number, *std::move(taken));
            return std::string("ok");
          },
          [=](Model& model) {
            model.snapshots[number] = model.names;
            return std::string("ok");
          }};
}

Step ReleaseSnapshot(int number) {
  return {absl::StrCat("release ", number),
          [=](Actor& actor) {
            actor.snapshots.erase(number);
            return std::string("ok");
          },
          [=](Model& model) {
            model.snapshots.erase(number);
            return std::string("ok");
          }};
}

Step ContentAt(int number, std::uint64_t id) {
  return {absl::StrCat("content at ", number),
          [=](Actor& actor) {
            const Namespace* const ns = actor.ns(id);
            if (ns == nullptr) {
              return std::string("no namespace");
            }
            std::map<std::string, std::string> keys;
            ScanRange scan = ns->Scan({.snapshot = &actor.snapshots.at(number)});
            for (const Entry& entry : scan) {
              keys.emplace(entry.key(), entry.value());
            }
            if (!scan.status().ok()) {
              return Word(scan.status());
            }
            std::string text;
            for (const auto& [key, value] : keys) {
              absl::StrAppend(&text, " ", key, "=", value);
            }
            return text;
          },
          [=](Model& model) {
            if (model.ById(id) == nullptr) {
              return std::string("no namespace");
            }
            std::string text;
            for (const auto& [path, content] : model.snapshots[number]) {
              if (content.id == id) {
                absl::StrAppend(&text, content.keys.Text());
              }
            }
            return text;
          }};
}

Step SnapshotRound(const std::string& key) {
  Step step = OnKeys("a round with a snapshot", kA, nullptr, [=](Keys& keys) {
    keys[key] = Padded("round");
    return std::string("as before");
  });
  step.real = [=](Actor& actor) {
    const Namespace* const ns = actor.ns(kA);
    if (ns == nullptr) {
      return std::string("no namespace");
    }
    const absl::StatusOr<Snapshot> taken = actor.store().TakeSnapshot();
    if (!taken.ok()) {
      return Word(taken.status());
    }
    const std::string before = Word(ns->Get(key, {.snapshot = &*taken}));
    if (const absl::Status put = ns->Put(key, Padded("round")); !put.ok()) {
      return Word(put);
    }
    const bool same = Word(ns->Get(key, {.snapshot = &*taken})) == before;
    return std::string(same ? "as before" : "changed");
  };
  return step;
}

}  // namespace commy::test
