// Random operations on a store against std::map: a million of them over several seeds, with small
// and with default sizes, values from 0 to 300 KiB, time to live on a manual clock, hash and
// ordered namespaces that come, go and change their names, and the store closed and opened again.
// Threads and processes at once are in tests/race and tests/multiprocess.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/fault_platform.h"
#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/slow_build.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

struct ModelValue {
  std::string value;
  std::int64_t expiry_ns = 0;  // 0: never.
};
using ModelMap = std::map<std::string, ModelValue>;
struct ModelNamespace {
  Order order = Order::kHash;
  ModelMap map;
};

struct Plan {
  Options options;
  int operations = 0;
  int keys = 0;               // Different keys in a namespace, at most.
  std::size_t big_every = 0;  // One value in this many is large.
};

class RandomOps {
 public:
  RandomOps(std::string path, std::string shell, const Plan& plan, std::uint64_t seed)
      : path_(std::move(path)), shell_(std::move(shell)), plan_(plan), random_(seed) {
    platform_.FreezeClocks();
    Open();
  }

  void Run() {
    for (int i = 0; i < plan_.operations && !testing::Test::HasFatalFailure(); ++i) {
      operation_ = i;
      One();
      if (i % (plan_.operations / 20) == 0) {
        ASSERT_TRUE(IsSound(*store_)) << "after operation " << i;
        CompareAll();
      }
    }
    CompareAll();
    ASSERT_TRUE(IsSound(*store_));
    std::cout << plan_.operations << " operations, " << model_.size() << " namespaces, "
              << store_->Stats()->keys << " keys\n";
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  std::string RandomKey() {
    const std::uint64_t n = Below(static_cast<std::uint64_t>(plan_.keys));
    std::string key = n == 0 ? "" : std::to_string(n);
    if (n % 97 == 1) {
      key += std::string(n % 3000, 'k');
    }
    return key;
  }
  std::string RandomValue() {
    std::size_t bytes = Below(150);
    if (Below(plan_.big_every) == 0) {
      bytes = Below(300 << 10);
    } else if (Below(20) == 0) {
      bytes = Below(5000);
    }
    std::string value(bytes, static_cast<char>('a' + Below(26)));
    const std::string start = std::to_string(random_());
    value.replace(0, std::min(bytes, start.size()), start.substr(0, bytes));
    return value;
  }
  std::string RandomPath() { return "ns/" + std::to_string(Below(6)); }
  // When a key that is written now expires; at most an hour of the manual clock.
  PutOptions RandomTtl(std::int64_t* expiry_ns) {
    *expiry_ns = 0;
    PutOptions options;
    if (Below(8) == 0) {
      const auto seconds = static_cast<std::int64_t>(Below(3600) + 1);
      options.ttl = absl::Seconds(seconds);
      *expiry_ns = platform_.WallNs() + seconds * 1'000'000'000;
    }
    return options;
  }

  void Open() {
    auto state = api::Open(platform_, path_, plan_.options);
    ASSERT_TRUE(state.ok()) << state.status();
    store_ = std::make_unique<Store>(*Store::Open(shell_, QuietOptions()));
    StateOf(*store_) = *std::move(state);
    handles_.clear();
  }
  const Namespace& Handle(const std::string& path) {
    auto found = handles_.find(path);
    if (found == handles_.end()) {
      const bool is_new = !model_.contains(path);
      NamespaceOptions options;
      if (is_new || Below(2) == 0) {
        options.order =
            is_new ? (Below(2) == 0 ? Order::kHash : Order::kOrdered) : model_.at(path).order;
      }
      absl::StatusOr<Namespace> opened = store_->OpenNamespace(path, options);
      EXPECT_TRUE(opened.ok()) << opened.status();
      if (is_new) {
        model_[path].order = *options.order;
      }
      EXPECT_EQ(opened->order(), model_.at(path).order);
      found = handles_.emplace(path, *std::move(opened)).first;
    }
    return found->second;
  }
  // The live value, or null. Expired ones stay in the map, as they count until they are swept.
  const ModelValue* Live(const ModelMap& map, const std::string& key) {
    const auto found = map.find(key);
    if (found == map.end() ||
        (found->second.expiry_ns != 0 && found->second.expiry_ns <= platform_.WallNs())) {
      return nullptr;
    }
    return &found->second;
  }

  // Expired keys count until they are swept: at the beats of this test, or at any moment by a
  // heartbeat thread.
  void ExpectCount(std::uint64_t count, const ModelMap& map) {
    ASSERT_LE(count, map.size());
    const auto live =
        static_cast<std::uint64_t>(std::count_if(map.begin(), map.end(), [&](const auto& entry) {
          return Live(map, entry.first) != nullptr;
        }));
    ASSERT_GE(count, plan_.options.testing.background ? live : map.size());
  }

  void One() {
    const std::uint64_t dice = Below(1000);
    if (dice < 950) {
      const std::string path = RandomPath();
      const Namespace& ns = Handle(path);
      OnKey(dice, ns, model_.at(path).map, RandomKey());
    } else if (dice < 980) {
      platform_.Advance(static_cast<std::int64_t>(Below(60)) * 1'000'000'000);
    } else {
      OnStore(dice);
    }
  }

  void OnKey(std::uint64_t dice, const Namespace& ns, ModelMap& map, const std::string& key) {
    SCOPED_TRACE("operation " + std::to_string(operation_) + " on " + ns.path() + " \"" +
                 key.substr(0, 20) + "\"");
    const ModelValue* const live = Live(map, key);
    if (dice < 250) {
      std::int64_t expiry = 0;
      const PutOptions ttl = RandomTtl(&expiry);
      const std::string value = RandomValue();
      ASSERT_TRUE(ns.Put(key, value, ttl).ok());
      map[key] = {value, expiry};
    } else if (dice < 400) {
      const absl::StatusOr<bool> deleted = ns.Delete(key);
      ASSERT_TRUE(deleted.ok()) << deleted.status();
      ASSERT_EQ(*deleted, live != nullptr);
      map.erase(key);  // Also one that has expired.
    } else if (dice < 550) {
      CompareOne(ns, live, key);
    } else if (dice < 600) {
      std::int64_t expiry = 0;
      const PutOptions ttl = RandomTtl(&expiry);
      const std::string value = RandomValue();
      const absl::StatusOr<bool> put = ns.PutIfAbsent(key, value, ttl);
      ASSERT_TRUE(put.ok()) << put.status();
      ASSERT_EQ(*put, live == nullptr);
      if (*put) {
        map[key] = {value, expiry};
      }
    } else if (dice < 700) {
      OnCompareAndSwap(ns, map, live, key);
    } else if (dice < 780) {
      OnAdd(ns, map, live, "n" + std::to_string(Below(20)));
    } else if (dice < 860) {
      OnUpdate(ns, map, live, key);
    } else if (dice < 900) {
      const std::vector<std::string> keys = {RandomKey(), RandomKey(), key};
      const auto got = ns.MultiGet({keys[0], keys[1], keys[2]});
      for (std::size_t i = 0; i < 3; ++i) {
        const ModelValue* const want = Live(map, keys[i]);
        ASSERT_EQ(got[i].ok(), want != nullptr) << got[i].status();
        ASSERT_TRUE(want == nullptr || *got[i] == want->value);
      }
    } else if (dice < 930) {
      ExpectCount(*ns.Size(), map);
    } else if (dice < 945) {
      CompareScan(ns, map, RandomRange(ns.order()));
    } else if (Below(10) == 0) {
      ASSERT_TRUE(ns.Clear().ok());
      map.clear();
    }
  }

  void OnCompareAndSwap(const Namespace& ns, ModelMap& map, const ModelValue* live,
                        const std::string& key) {
    const bool right = Below(3) != 0;
    const bool desire = Below(4) != 0;
    const std::string desired = RandomValue();
    const std::string wrong = "not this";
    Swap swap;
    if (right) {
      swap.expected = live == nullptr ? std::nullopt : std::optional<std::string_view>(live->value);
    } else {
      swap.expected = wrong;
    }
    if (desire) {
      swap.desired = desired;
    }
    const absl::StatusOr<bool> swapped = ns.CompareAndSwap(key, swap);
    ASSERT_TRUE(swapped.ok()) << swapped.status();
    ASSERT_EQ(*swapped, right);
    if (right && desire) {
      map[key] = {desired, 0};
    } else if (right) {
      map.erase(key);
    }
  }

  void OnAdd(const Namespace& ns, ModelMap& map, const ModelValue* /*unused*/,
             const std::string& key) {
    const ModelValue* const live = Live(map, key);
    const std::int64_t delta = static_cast<std::int64_t>(Below(2000)) - 1000;
    const std::int64_t sum = (live == nullptr ? 0 : std::stoll(live->value)) + delta;
    const absl::StatusOr<std::int64_t> got = ns.Add(key, delta);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(*got, sum);
    map[key] = {std::to_string(sum), live == nullptr ? 0 : live->expiry_ns};
  }

  void OnUpdate(const Namespace& ns, ModelMap& map, const ModelValue* live,
                const std::string& key) {
    const std::uint64_t kind = Below(3);
    const std::string value = RandomValue();
    std::optional<std::string> saw;
    const absl::StatusOr<bool> changed = ns.Update(key, [&](std::optional<std::string_view> now) {
      saw = now.has_value() ? std::optional<std::string>(*now) : std::nullopt;
      return kind == 0 ? Change::Put(value) : kind == 1 ? Change::Delete() : Change::Keep();
    });
    ASSERT_TRUE(changed.ok()) << changed.status();
    ASSERT_EQ(saw.has_value(), live != nullptr);
    ASSERT_TRUE(live == nullptr || *saw == live->value);
    ASSERT_EQ(*changed, kind == 0 || (kind == 1 && live != nullptr));
    if (kind == 0) {
      map[key] = {value, 0};
    } else if (kind == 1) {
      map.erase(key);
    }
  }

  void CompareOne(const Namespace& ns, const ModelValue* live, const std::string& key) {
    const absl::StatusOr<std::string> got = ns.Get(key);
    ASSERT_EQ(*ns.Contains(key), live != nullptr);
    if (live == nullptr) {
      ASSERT_TRUE(Says(got.status(), Code::kNotFound, "key"));
      return;
    }
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_TRUE(*got == live->value);
    const absl::StatusOr<View> view = ns.GetView(key);
    ASSERT_TRUE(view.ok() && view->value() == live->value);
  }

  ScanOptions RandomRange(Order order) {
    ScanOptions options;
    if (Below(2) == 0) {
      options.prefix = std::to_string(Below(10));
    }
    if (Below(2) == 0) {
      options.from = RandomKey();
    }
    if (Below(2) == 0) {
      options.to = RandomKey();
    }
    if (Below(3) == 0) {
      options.limit = Below(20);
    }
    options.reverse = order == Order::kOrdered && Below(2) == 0;
    return options;
  }

  // A scan shows each key once, an ordered namespace in its order. For a hash namespace, a limit
  // fixes only how many keys, not which.
  void CompareScan(const Namespace& ns, const ModelMap& map, const ScanOptions& options) {
    using Entries = std::vector<std::pair<std::string, std::string>>;
    Entries seen;
    ScanRange scan = ns.Scan(options);
    for (const Entry& entry : scan) {
      seen.emplace_back(entry.key(), entry.value());
    }
    ASSERT_TRUE(scan.status().ok()) << scan.status();
    ASSERT_EQ(ns.Count(options).value_or(UINT64_MAX), seen.size());
    Entries want;
    for (const auto& [key, value] : map) {
      if (key >= options.from && (options.to.empty() || key < options.to) &&
          key.starts_with(options.prefix) && Live(map, key) != nullptr) {
        want.emplace_back(key, value.value);
      }
    }
    const std::size_t limit = std::min<std::uint64_t>(options.limit, want.size());
    if (ns.order() == Order::kOrdered) {
      if (options.reverse) {
        std::reverse(want.begin(), want.end());
      }
      want.resize(limit);
      ASSERT_TRUE(seen == want) << seen.size() << " entries, " << want.size() << " wanted";
      return;
    }
    std::sort(seen.begin(), seen.end());
    ASSERT_EQ(seen.size(), limit);
    ASSERT_TRUE(std::adjacent_find(seen.begin(), seen.end()) == seen.end()) << "seen twice";
    ASSERT_TRUE(std::includes(want.begin(), want.end(), seen.begin(), seen.end()));
  }

  void OnStore(std::uint64_t dice) {
    const std::string path = RandomPath();
    if (dice < 983) {
      const absl::Status dropped = store_->DropNamespace(path);
      ASSERT_EQ(dropped.ok(), model_.contains(path)) << dropped;
      model_.erase(path);
      handles_.erase(path);
    } else if (dice < 987) {
      const std::string to = RandomPath();
      const absl::Status renamed = store_->RenameNamespace(path, to);
      const bool fine = model_.contains(path) && !model_.contains(to);
      ASSERT_EQ(renamed.ok(), fine) << renamed;
      if (fine) {
        model_[to] = std::move(model_[path]);
        model_.erase(path);
        handles_.erase(path);
      }
    } else if (dice < 996) {
      const auto listed = store_->ListNamespaces("ns/");
      ASSERT_TRUE(listed.ok()) << listed.status();
      ASSERT_EQ(listed->size(), model_.size());
      auto want = model_.begin();
      for (const NamespaceInfo& info : *listed) {
        ASSERT_EQ(info.path, want->first);
        ExpectCount(info.keys, want->second.map);
        ASSERT_EQ(info.order, want->second.order);
        ++want;
      }
    } else if (dice < 998) {
      Beat();
      Beat();
    } else {
      ASSERT_TRUE(store_->Close().ok());
      Open();
    }
  }

  // Sweeps expired keys once the store's clock is settled, if this Open has written anything.
  void Beat() {
    process::Session& session = EngineOf(*store_).session;
    session.Beat();
    if (!session.clock().settled() || !session.region().made_dirty()) {
      return;
    }
    for (auto& [path, model] : model_) {
      std::erase_if(model.map, [this](const auto& entry) {
        return entry.second.expiry_ns != 0 && entry.second.expiry_ns <= platform_.WallNs();
      });
    }
  }

  void CompareAll() {
    for (const auto& [path, model] : model_) {
      const Namespace& ns = Handle(path);
      const ModelMap& map = model.map;
      CompareScan(ns, map, ScanOptions());
      ExpectCount(*ns.Size(), map);
      for (const auto& [key, value] : map) {
        CompareOne(ns, Live(map, key), key);
      }
    }
  }

  const std::string path_;
  const std::string shell_;
  const Plan plan_;
  std::mt19937_64 random_;
  FaultPlatform platform_;
  std::unique_ptr<Store> store_;
  std::map<std::string, Namespace> handles_;
  std::map<std::string, ModelNamespace> model_;
  int operation_ = 0;
};

class RandomOpsTest : public StoreFixture {
 protected:
  void Run(const Plan& plan) {
    const std::uint64_t seed = Seed();
    for (std::uint64_t i = 0; i < 3 && !HasFatalFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", run " + std::to_string(i));
      path_ = temp_.File("store" + std::to_string(i));
      RandomOps(path_, temp_.File("shell"), plan, seed + i).Run();
    }
  }
};

TEST_F(RandomOpsTest, SmallSpansAndSegmentsOfOneBucketAgreeWithAMap) {
  Plan plan{TinyNodes(QuietOptions()), Calls(200'000), 400, 2000};
  plan.options.max_size = std::uint64_t{256} << 20;
  Run(plan);
}

TEST_F(RandomOpsTest, DefaultSizesAgreeWithAMap) {
  Plan plan{QuietOptions(), Calls(120'000), 2000, 1000};
  plan.options.max_size = std::uint64_t{1} << 30;
  plan.options.testing = Options::Testing();
  plan.options.testing.background = false;
  Run(plan);
}

TEST_F(RandomOpsTest, FewKeysWithAHeartbeatAgreeWithAMap) {
  // Mostly overwrites, with the background work in between at any moment.
  Plan plan{TinyNodes(SmallOptions()), Calls(50'000), 12, 500};
  plan.options.max_size = std::uint64_t{256} << 20;
  Run(plan);
}

}  // namespace
}  // namespace commy::test
