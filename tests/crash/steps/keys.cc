#include "base/status.h"
#include "crash/steps.h"

namespace commy::test {

std::string Padded(std::string value) {
  value.resize(300, '.');
  return value;
}

Step Put(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "put " + key, id, [=](const Namespace& ns) { return Word(ns.Put(key, value)); },
      [=](Keys& keys) {
        keys[key] = value;
        return std::string("ok");
      });
}

Step PutExpired(std::uint64_t id, const std::string& key) {
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

Step Delete(std::uint64_t id, const std::string& key) {
  return OnKeys(
      "delete " + key, id, [=](const Namespace& ns) { return Word(ns.Delete(key)); },
      [=](Keys& keys) { return std::string(keys.erase(key) == 1 ? "yes" : "no"); });
}

Step Get(std::uint64_t id, const std::string& key) {
  return OnKeys(
      "get " + key, id, [=](const Namespace& ns) { return Word(ns.Get(key)); },
      [=](Keys& keys) {
        const auto at = keys.find(key);
        return at == keys.end() ? std::string("no key") : "=" + at->second;
      });
}

Step PutIfAbsent(std::uint64_t id, const std::string& key, const std::string& value) {
  return OnKeys(
      "put_if_absent " + key, id,
      [=](const Namespace& ns) { return Word(ns.PutIfAbsent(key, value)); },
      [=](Keys& keys) { return std::string(keys.emplace(key, value).second ? "yes" : "no"); });
}

Step CompareAndSwap(std::uint64_t id, const std::string& key, const std::string& expected,
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

Step Add(std::uint64_t id, const std::string& key, std::int64_t delta) {
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

Step Update(std::uint64_t id, const std::string& key, const std::string& suffix) {
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

Step ScanBack() {
  return OnKeys(
      "scan back", kA,
      [](const Namespace& ns) {
        // Each leaf is read at a time of its own, so only the order is the same whatever happens.
        std::string last = "z1010";
        ScanRange scan = ns.Scan({.from = "k", .to = last, .reverse = true});
        for (const Entry& entry : scan) {
          if (entry.key() >= last || entry.key() < "k") {
            return absl::StrCat("out of order: ", base::ToAbsl(entry.key()));
          }
          last.assign(entry.key());
        }
        return scan.status().ok() ? std::string("in order") : Word(scan.status());
      },
      [](const Keys&) { return std::string("in order"); });
}

}  // namespace commy::test
