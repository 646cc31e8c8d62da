// What the kill and stop harness does to a store, twice: really, and in a model.
//
// A step is one call. `real` makes it on a store and says in a word what came of it; `ideal` does
// the same to a model of what a store holds. A run is right if there is an order of its steps,
// agreeing with the order in which each participant made them, in which the model answers every
// step as the store did. A killed participant's last step may be in it or not; nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/hash.h"
#include "base/status.h"
#include "commy/store.h"
#include "engine/store_impl.h"
#include "platform/platform.h"

namespace commy::test {

// Keys and values, shared by copies until one of them is edited: the search for an order copies
// models all the time.
class ModelKeys {
 public:
  using Map = std::map<std::string, std::string>;

  Map& Edit() {
    if (node_.use_count() != 1) {
      node_ = std::make_shared<Node>(*node_);
    }
    node_->text.clear();
    node_->digest.clear();
    return node_->map;
  }
  [[nodiscard]] std::size_t size() const { return node_->map.size(); }
  // " key=value" of each.
  [[nodiscard]] const std::string& Text() const {
    if (node_->text.empty()) {
      for (const auto& [key, value] : node_->map) {
        absl::StrAppend(&node_->text, " ", key, "=", value);
      }
    }
    return node_->text;
  }
  // 128 bits in its place.
  [[nodiscard]] const std::string& Digest() const {
    if (node_->digest.empty()) {
      node_->digest =
          absl::StrCat(absl::Hex(base::HashKey(Text(), 1)), absl::Hex(base::HashKey(Text(), 2)));
    }
    return node_->digest;
  }

 private:
  struct Node {
    Map map;
    std::string text;
    std::string digest;
  };
  std::shared_ptr<Node> node_ = std::make_shared<Node>();
};

struct Model {
  struct Content {
    std::uint64_t id = 0;
    ModelKeys keys;
  };
  std::map<std::string, Content> names;
  std::uint64_t next_id = 1;
  std::map<int, std::map<std::string, Content>> snapshots;  // Each held by one participant.

  Content* ById(std::uint64_t id) {
    for (auto& [path, content] : names) {
      if (content.id == id) {
        return &content;
      }
    }
    return nullptr;
  }
};

inline Options CrashOptions() {
  Options options;
  options.max_size = std::uint64_t{4} << 20;
  options.testing.chunk_bytes = 64 << 10;
  options.testing.span_bytes = 4 << 10;
  options.testing.segment_buckets = 2;  // So that a full bucket has one with empty slots beside it.
  options.testing.leaf_keys = 4;
  options.testing.leaf_append = 2;
  options.testing.node_children = 3;
  options.testing.participant_count = 12;
  options.testing.lane_count = 32;
  options.testing.background = false;
  return options;
}

// An attached participant, as the public API and, for what only a heartbeat does, from inside.
class Actor {
 public:
  explicit Actor(std::string path) : path_(std::move(path)) {}

  absl::Status Attach(const Model& model, bool inside) {
    COMMY_ASSIGN_OR_RETURN(Store opened, Store::Open(path_, CrashOptions()));
    store_.emplace(std::move(opened));
    // By id: an earlier victim may have renamed one already, or be dropping it.
    COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> there, store_->ListNamespaces());
    for (const NamespaceInfo& info : model.names.empty() ? std::vector<NamespaceInfo>() : there) {
      absl::StatusOr<Namespace> ns = store_->OpenNamespace(info.path, {.create_if_missing = false});
      if (ns.ok()) {
        handles_.emplace(info.id, *std::move(ns));
      } else if (!absl::IsNotFound(ns.status())) {
        return ns.status();
      }
    }
    if (inside) {
      COMMY_ASSIGN_OR_RETURN(
          inside_, engine::StoreImpl::Open(platform::Platform::Real(), path_, CrashOptions()));
      inside_->session().clock().Beat();
      inside_->session().clock().Beat();  // From here on it sweeps what has expired.
    }
    return absl::OkStatus();
  }
  absl::Status Close() {
    handles_.clear();
    snapshots.clear();
    absl::Status status = store_.has_value() ? store_->Close() : absl::OkStatus();
    store_.reset();
    if (inside_ != nullptr) {
      status.Update(inside_->Close());
      inside_.reset();
    }
    return status;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] engine::StoreImpl& inside() { return *inside_; }
  std::map<int, Snapshot> snapshots;
  // Null: it was gone when this participant came.
  [[nodiscard]] const Namespace* ns(std::uint64_t id) {
    const auto at = handles_.find(id);
    return at == handles_.end() ? nullptr : &at->second;
  }

 private:
  const std::string path_;
  std::optional<Store> store_;
  std::shared_ptr<engine::StoreImpl> inside_;
  std::map<std::uint64_t, Namespace> handles_;
};

struct Step {
  std::string name;
  std::function<std::string(Actor&)> real;
  std::function<std::string(Model&)> ideal;
  // What it may have done instead, where the API promises less; see DropNs.
  std::function<std::string(Model&)> also = nullptr;
};

// --- What came of a call, in a word ----------------------------------------------------------------

inline std::string Word(const absl::Status& status) {
  if (status.ok()) {
    return "ok";
  }
  if (absl::IsNotFound(status)) {
    return base::ToStd(status.message()).find("namespace") != std::string_view::npos
               ? "no namespace"
               : "no key";
  }
  return absl::IsInvalidArgument(status) ? "invalid" : status.ToString();
}
inline std::string Word(const absl::StatusOr<bool>& answer) {
  return !answer.ok() ? Word(answer.status()) : *answer ? "yes" : "no";
}
inline std::string Word(const absl::StatusOr<std::string>& value) {
  return value.ok() ? "=" + *value : Word(value.status());
}
template <typename Number>
std::string WordOfNumber(const absl::StatusOr<Number>& value) {
  return value.ok() ? absl::StrCat(*value) : Word(value.status());
}

// --- Steps -----------------------------------------------------------------------------------------

using Keys = std::map<std::string, std::string>;

// A step on the keys of one namespace. `ideal` gets its keys; if it was dropped, the answer is that.
inline Step OnKeys(std::string name, std::uint64_t id,
                   std::function<std::string(const Namespace&)> real,
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

inline Step Put(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "put " + key, id, [=](const Namespace& ns) { return Word(ns.Put(key, value)); },
      [=](Keys& keys) {
        keys[key] = value;
        return std::string("ok");
      });
}
// With a time to live that is over at once: a record, and no key.
inline Step PutExpired(std::uint64_t id, const std::string& key) {
  return OnKeys(
      "put expired " + key, id,
      [=](const Namespace& ns) {
        return Word(ns.Put(key, "expired", {.ttl = absl::Nanoseconds(1)}));
      },
      [=](Keys& keys) {
        keys.erase(key);
        return std::string("ok");
      });
}
inline Step Delete(std::uint64_t id, const std::string& key) {
  return OnKeys(
      "delete " + key, id, [=](const Namespace& ns) { return Word(ns.Delete(key)); },
      [=](Keys& keys) { return std::string(keys.erase(key) == 1 ? "yes" : "no"); });
}
inline Step Get(std::uint64_t id, const std::string& key) {
  return OnKeys(
      "get " + key, id, [=](const Namespace& ns) { return Word(ns.Get(key)); },
      [=](Keys& keys) {
        const auto at = keys.find(key);
        return at == keys.end() ? std::string("no key") : "=" + at->second;
      });
}
inline Step PutIfAbsent(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "put_if_absent " + key, id,
      [=](const Namespace& ns) { return Word(ns.PutIfAbsent(key, value)); },
      [=](Keys& keys) { return std::string(keys.emplace(key, value).second ? "yes" : "no"); });
}
inline Step CompareAndSwap(std::uint64_t id, const std::string& key, const std::string& expected,
                           const std::string& desired) {
  return OnKeys(
      "compare_and_swap " + key, id,
      [=](const Namespace& ns) {
        return Word(ns.CompareAndSwap(key, {.expected = expected, .desired = desired}));
      },
      [=](Keys& keys) {
        const auto at = keys.find(key);
        if (at == keys.end() || at->second != expected) {
          return std::string("no");
        }
        at->second = desired;
        return std::string("yes");
      });
}
inline Step Add(std::uint64_t id, const std::string& key, std::int64_t delta) {
  return OnKeys(
      "add " + key, id, [=](const Namespace& ns) { return WordOfNumber(ns.Add(key, delta)); },
      [=](Keys& keys) {
        const auto at = keys.find(key);
        if (at != keys.end() && at->second.find_first_not_of("-0123456789") != std::string::npos) {
          return std::string("invalid");
        }
        const std::int64_t sum = (at == keys.end() ? 0 : std::stoll(at->second)) + delta;
        keys[key] = std::to_string(sum);
        return std::to_string(sum);
      });
}
inline Step Update(std::uint64_t id, const std::string& key, const std::string& suffix) {
  return OnKeys(
      "update " + key, id,
      [=](const Namespace& ns) {
        return Word(ns.Update(key, [&](std::optional<std::string_view> seen) {
          return Change::Put(std::string(seen.value_or("")) + suffix);
        }));
      },
      [=](Keys& keys) {
        keys[key] += suffix;
        return std::string("yes");
      });
}
inline Step Clear(std::uint64_t id) {
  return OnKeys(
      "clear", id, [=](const Namespace& ns) { return Word(ns.Clear()); },
      [=](Keys& keys) {
        keys.clear();
        return std::string("ok");
      });
}
inline Step CreateNs(const std::string& path, std::optional<Order> order = std::nullopt) {
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
// A drop means the namespace that it finds at the path when it begins, also if that is given another
// path meanwhile; `id`, if not 0, is that namespace.
inline Step DropNs(const std::string& path, std::uint64_t id = 0) {
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
inline Step RenameNs(const std::string& from, const std::string& to) {
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
inline Step ListNs() {
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

// --- Snapshots, by numbers that tests give them ------------------------------------------------

inline Step TakeSnapshot(int number) {
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
inline Step ReleaseSnapshot(int number) {
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
// All keys of a namespace, as a snapshot has them.
inline Step ContentAt(int number, std::uint64_t id) {
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

// Every namespace with every key, of one moment: who reads may be the one who gives a stopped
// transaction its time. Sizes only when nothing is under way: a key counts a moment
// after it can be seen.
inline std::string ContentText(Actor& actor, bool sizes) {
  const absl::StatusOr<Snapshot> now = actor.store().TakeSnapshot();
  if (!now.ok()) {
    return Word(now.status());
  }
  const auto read = [&](const NamespaceInfo& info, std::string* text) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const Namespace ns,
                           actor.store().OpenNamespace(info.path, {.create_if_missing = false}));
    std::map<std::string, std::string> keys;
    ScanRange scan = ns.Scan({.snapshot = &*now});
    for (const Entry& entry : scan) {
      if (ns.order() == Order::kOrdered && !keys.empty() && entry.key() <= keys.rbegin()->first) {
        return base::DataLoss("scanned out of order: ", entry.key());
      }
      if (!keys.emplace(entry.key(), entry.value()).second) {
        return base::DataLoss("scanned twice: ", entry.key());
      }
    }
    COMMY_RETURN_IF_ERROR(scan.status());
    absl::StrAppend(text, info.path, ":");
    if (sizes) {
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, ns.Size());
      absl::StrAppend(text, size);
    }
    for (const auto& [key, value] : keys) {
      absl::StrAppend(text, " ", key, "=", value);
    }
    absl::StrAppend(text, ";");
    return absl::OkStatus();
  };
  for (int attempt = 0; attempt < 4; ++attempt) {  // A listed one may turn out to be going.
    const absl::StatusOr<std::vector<NamespaceInfo>> all = actor.store().ListNamespaces();
    if (!all.ok()) {
      return Word(all.status());
    }
    std::string text;
    absl::Status status;
    for (const NamespaceInfo& info : *all) {
      status.Update(read(info, &text));
    }
    if (status.ok()) {
      return text;
    }
    if (!absl::IsNotFound(status)) {
      return Word(status);
    }
  }
  return "listed, but not there";
}
inline Step Content(bool sizes) {
  return {sizes ? "content and sizes" : "content",
          [=](Actor& actor) { return ContentText(actor, sizes); },
          [=](Model& model) {
            std::string text;
            for (const auto& [path, content] : model.names) {
              absl::StrAppend(&text, path, ":");
              if (sizes) {
                absl::StrAppend(&text, content.keys.size());
              }
              absl::StrAppend(&text, content.keys.Text(), ";");
            }
            return text;
          }};
}

// A step that changes nothing that a model knows of.
inline Step Unseen(std::string name, std::function<absl::Status(Actor&)> run) {
  return {std::move(name), [run](Actor& actor) { return Word(run(actor)); },
          [](Model&) { return std::string("ok"); }};
}
inline Step Beat() {
  return Unseen("beat", [](Actor& actor) {
    (void)actor.inside().session().PushEpoch();
    actor.inside().Background();
    return absl::OkStatus();
  });
}
inline Step RecoverDead() {
  return Unseen("recover", [](Actor& actor) { return actor.inside().session().RecoverDead(); });
}

}  // namespace commy::test
