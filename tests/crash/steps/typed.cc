#include <cstring>
#include <utility>

#include "commy/loan.h"
#include "commy/shared_counter.h"
#include "crash/steps.h"

namespace commy::test {
namespace {

// A step on a counter. Both answer "no namespace" if it is gone.
Step OnCounter(std::string name, const std::string& path,
               std::function<std::string(const SharedCounter&)> real,
               std::function<std::string(std::int64_t&)> ideal) {
  return {std::move(name),
          [=](Actor& actor) {
            const absl::StatusOr<SharedCounter> counter =
                actor.store().OpenShared<SharedCounter>(path, {.create_if_missing = false});
            return counter.ok() ? real(*counter) : Word(counter.status());
          },
          [=](Model& model) {
            const auto at = model.names.find(path);
            return at == model.names.end() ? std::string("no namespace") : ideal(at->second.sum);
          }};
}

// Room for a value, filled.
absl::StatusOr<Loan> Filled(const Namespace& ns, const std::string& key, const std::string& value) {
  absl::StatusOr<Loan> loan = ns.Reserve(key, value.size());
  if (loan.ok()) {
    std::memcpy(loan->bytes().data(), value.data(), value.size());
  }
  return loan;
}

}  // namespace

Step CreateTyped(const std::string& path, const std::string& type) {
  return {"create typed " + path,
          [=](Actor& actor) {
            return Word(actor.store().OpenNamespace(path, {.type = type}).status());
          },
          [=](Model& model) {
            if (model.names.find(path) == model.names.end()) {
              model.names[path].id = model.next_id++;
              model.names[path].type = type;
            }
            return std::string(model.names[path].type == type ? "ok" : "invalid");
          }};
}

Step Lengthen(const std::string& path, const std::string& type) {
  return {
      "lengthen " + path,
      [=](Actor& actor) {
        return Word(
            actor.store().OpenNamespace(path, {.create_if_missing = false, .type = type}).status());
      },
      [=](Model& model) {
        const auto at = model.names.find(path);
        if (at == model.names.end()) {
          return std::string("no namespace");
        }
        at->second.type = type;
        return std::string("ok");
      }};
}

Step Adopt(const std::string& path, const std::string& type, std::uint64_t id) {
  return {
      "adopt " + path,
      [=](Actor& actor) {
        return Word(actor.store()
                        .OpenNamespace(
                            path, {.create_if_missing = false, .type = type, .adopt_untyped = true})
                        .status());
      },
      [=](Model& model) {
        const auto at = model.names.find(path);
        if (at == model.names.end()) {
          return std::string("no namespace");
        }
        at->second.type = type;
        return std::string("ok");
      },
      [=](Model& model) {
        Model::Content* const content = model.ById(id);
        if (content != nullptr) {
          content->type = type;
        }
        return std::string(content != nullptr ? "ok" : "no namespace");
      }};
}

Step CounterAdd(const std::string& path, std::int64_t delta) {
  return OnCounter(
      absl::StrCat("add to counter ", delta), path,
      [=](const SharedCounter& counter) { return Word(counter.Add(delta)); },
      [=](std::int64_t& sum) {
        sum += delta;
        return std::string("ok");
      });
}

Step CounterReset(const std::string& path) {
  return OnCounter(
      "reset counter", path,
      [](const SharedCounter& counter) { return WordOfNumber(counter.Reset()); },
      [](std::int64_t& sum) { return std::to_string(std::exchange(sum, 0)); });
}

Step PutByLoan(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "put by loan " + key, id,
      [=](const Namespace& ns) {
        absl::StatusOr<Loan> loan = Filled(ns, key, value);
        return Word(loan.ok() ? std::move(*loan).Publish() : loan.status());
      },
      [=](Keys& keys) {
        keys[key] = value;
        return std::string("ok");
      });
}

Step DropLoan(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "drop loan " + key, id,
      [=](const Namespace& ns) { return Word(Filled(ns, key, value).status()); },
      [](Keys&) { return std::string("ok"); });
}

}  // namespace commy::test
