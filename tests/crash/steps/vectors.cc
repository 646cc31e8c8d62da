#include <utility>
#include <vector>

#include "commy/shared_vec.h"
#include "crash/steps.h"

namespace commy::test {
namespace {

using Vec = SharedVec<std::int64_t>;
using Elements = std::vector<std::int64_t>;

std::string WordOfVec(const absl::Status& status) {
  return absl::IsOutOfRange(status) ? "past the end" : Word(status);
}

// A step on a vector. Both answer "no namespace" if it is gone.
Step OnVec(std::string name, const std::string& path, std::function<std::string(const Vec&)> real,
           std::function<std::string(Elements&)> ideal) {
  return {std::move(name),
          [=](Actor& actor) {
            const absl::StatusOr<Vec> vec =
                actor.store().OpenShared<Vec>(path, {.create_if_missing = false});
            return vec.ok() ? real(*vec) : Word(vec.status());
          },
          [=](Model& model) {
            const auto at = model.names.find(path);
            return at == model.names.end() ? std::string("no namespace")
                                           : ideal(at->second.elements);
          }};
}

Elements::iterator At(Elements& elements, std::uint64_t index) {
  return elements.begin() + static_cast<std::ptrdiff_t>(index);
}

}  // namespace

Step CreateVec(const std::string& path) {
  return {"create vec " + path,
          [=](Actor& actor) { return Word(actor.store().OpenShared<Vec>(path).status()); },
          [=](Model& model) {
            if (model.names.find(path) == model.names.end()) {
              model.names[path].id = model.next_id++;
              model.names[path].type = Vec::kDescriptor;
            }
            return std::string("ok");
          }};
}

Step VecPush(const std::string& path, bool back, std::int64_t value) {
  return OnVec(
      absl::StrCat("push ", value, back ? " back" : " front"), path,
      [=](const Vec& vec) { return Word(back ? vec.PushBack(value) : vec.PushFront(value)); },
      [=](Elements& elements) {
        elements.insert(back ? elements.end() : elements.begin(), value);
        return std::string("ok");
      });
}

Step VecPop(const std::string& path, bool back) {
  return OnVec(
      back ? "pop back" : "pop front", path,
      [=](const Vec& vec) { return WordOfNumber(back ? vec.PopBack() : vec.PopFront()); },
      [=](Elements& elements) {
        if (elements.empty()) {
          return std::string("no key");
        }
        const auto at = back ? elements.end() - 1 : elements.begin();
        const std::int64_t value = *at;
        elements.erase(at);
        return std::to_string(value);
      });
}

Step VecSet(const std::string& path, std::uint64_t index, std::int64_t value) {
  return OnVec(
      absl::StrCat("set ", index, " to ", value), path,
      [=](const Vec& vec) { return WordOfVec(vec.Set(index, value)); },
      [=](Elements& elements) {
        if (index >= elements.size()) {
          return std::string("past the end");
        }
        elements[index] = value;
        return std::string("ok");
      });
}

Step VecInsert(const std::string& path, std::uint64_t index, std::int64_t value) {
  return OnVec(
      absl::StrCat("insert ", value, " at ", index), path,
      [=](const Vec& vec) { return WordOfVec(vec.Insert(index, value)); },
      [=](Elements& elements) {
        if (index > elements.size()) {
          return std::string("past the end");
        }
        elements.insert(At(elements, index), value);
        return std::string("ok");
      });
}

Step VecErase(const std::string& path, std::uint64_t from, std::uint64_t count) {
  return OnVec(
      absl::StrCat("erase ", count, " from ", from), path,
      [=](const Vec& vec) { return WordOfVec(vec.EraseRange(from, count)); },
      [=](Elements& elements) {
        if (from + count > elements.size()) {
          return std::string("past the end");
        }
        elements.erase(At(elements, from), At(elements, from + count));
        return std::string("ok");
      });
}

Step VecClear(const std::string& path) {
  return OnVec(
      "clear vec", path, [](const Vec& vec) { return Word(vec.Clear()); },
      [](Elements& elements) {
        elements.clear();
        return std::string("ok");
      });
}

Step VecEditAndPublish(const std::string& path) {
  return OnVec(
      "edit and publish", path,
      [](const Vec& vec) {
        absl::Status status;
        do {
          absl::StatusOr<VecEdit<std::int64_t>> edit = vec.Edit();
          if (!edit.ok()) {
            return Word(edit.status());
          }
          status = (*edit)->Insert(1, 500);
          status.Update((*edit)->EraseRange(0, 1));
          for (std::int64_t i = 0; i < 5; ++i) {
            status.Update((*edit)->PushBack(501 + i));
          }
          if (status.ok()) {
            status = edit->Publish();
          }
        } while (absl::IsAborted(status));
        return WordOfVec(status);
      },
      [](Elements& elements) {
        if (elements.empty()) {
          return std::string("past the end");
        }
        elements.front() = 500;
        for (std::int64_t i = 0; i < 5; ++i) {
          elements.push_back(501 + i);
        }
        return std::string("ok");
      });
}

Step VecTransact(const std::string& path, std::int64_t value, const std::string& key) {
  return {absl::StrCat("push ", value, " and put ", key),
          [=](Actor& actor) {
            const Namespace* const a = actor.ns(kA);
            const absl::StatusOr<Vec> vec =
                actor.store().OpenShared<Vec>(path, {.create_if_missing = false});
            if (a == nullptr || !vec.ok()) {
              return a == nullptr ? std::string("no namespace") : Word(vec.status());
            }
            return Word(actor.store().Transact([&](Transaction& txn) {
              absl::Status status = vec->In(txn).PushBack(value);
              status.Update(txn.Put(*a, key, "by a transaction"));
              return status;
            }));
          },
          [=](Model& model) {
            Model::Content* const a = model.ById(kA);
            const auto at = model.names.find(path);
            if (a == nullptr || at == model.names.end()) {
              return std::string("no namespace");
            }
            at->second.elements.push_back(value);
            a->keys.Edit()[key] = "by a transaction";
            return std::string("ok");
          }};
}

}  // namespace commy::test
