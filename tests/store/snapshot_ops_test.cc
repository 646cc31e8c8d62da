// Random operations on several namespaces with snapshots held all the time, against a std::map of
// each namespace and a copy of all of them for each snapshot. Tiny nodes, so that the shape changes
// all the time; sweeps, clears and drops in between; and in the end nothing is kept any more.
#include <algorithm>
#include <iostream>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"

namespace commy::test {
namespace {

using Map = std::map<std::string, std::string>;
using Model = std::map<std::string, Map>;

class SnapshotOps {
 public:
  SnapshotOps(Store store, std::uint64_t seed, int keys)
      : store_(std::move(store)), random_(seed), keys_(keys) {}

  void Run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("operation " + std::to_string(i));
      One();
      if (i % (operations / 10) == 0) {
        ASSERT_TRUE(IsSound(store_));
      }
    }
    EndAll();
    std::cout << operations << " operations, " << taken_ << " snapshots, " << compared_
              << " comparisons with one\n";
  }

 private:
  struct Held {
    Snapshot snapshot;
    Model model;
  };

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  std::string Key() {
    const std::uint64_t n = Below(static_cast<std::uint64_t>(keys_));
    return std::to_string(n) + std::string(n % 13 == 0 ? 200 : 0, 'k');
  }
  std::string Path() { return std::to_string(Below(4)); }
  Namespace Open(const std::string& path) {
    const Order order = path < "2" ? Order::kHash : Order::kOrdered;
    absl::StatusOr<Namespace> ns = store_.OpenNamespace(path, {.order = order});
    EXPECT_TRUE(ns.ok()) << ns.status();
    model_[path];
    return *std::move(ns);
  }

  void One() {
    const std::uint64_t dice = Below(1000);
    const std::string path = Path();
    const Namespace ns = Open(path);
    Map& map = model_[path];
    const std::string key = Key();
    if (dice < 400) {
      map[key] = std::to_string(random_()) + std::string(Below(300), 'v');
      ASSERT_TRUE(ns.Put(key, map[key]).ok());
    } else if (dice < 650) {
      const absl::StatusOr<bool> deleted = ns.Delete(key);
      ASSERT_TRUE(deleted.ok()) << deleted.status();
      ASSERT_EQ(*deleted, map.erase(key) == 1);
    } else if (dice < 850) {
      CompareOne(ns, key);
    } else if (dice < 930) {
      CompareRange(ns, path);
    } else if (dice < 990) {
      TakeOrRelease();
    } else if (dice < 994) {
      ASSERT_TRUE(ns.Clear().ok());
      map.clear();
    } else if (dice < 995) {
      Drop(path);
    } else {
      ImplOf(store_)->session().Beat();
    }
  }

  void TakeOrRelease() {
    if (held_.size() < 6 && Below(2) == 0) {
      absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.status();
      held_.push_back({*std::move(snapshot), model_});
      ++taken_;
    } else if (!held_.empty()) {
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(Below(held_.size())));
    }
  }

  void Drop(const std::string& path) {
    ASSERT_TRUE(store_.DropNamespace(path).ok());
    model_.erase(path);
    for (Held& held : held_) {
      held.model.erase(path);  // One that is made anew is another one, and empty then.
    }
  }

  const Held* Any() { return held_.empty() ? nullptr : &held_[Below(held_.size())]; }
  // What a snapshot knows of a namespace, or, without one, what it is now.
  const Map& MapOf(const Held* held, const std::string& path) {
    static const Map none;
    const Model& model = held == nullptr ? model_ : held->model;
    const auto found = model.find(path);
    return found == model.end() ? none : found->second;
  }

  void CompareOne(const Namespace& ns, const std::string& key) {
    const Held* const held = Any();
    const Map& map = MapOf(held, ns.path());
    const Snapshot* const snapshot = held == nullptr ? nullptr : &held->snapshot;
    const absl::StatusOr<std::string> got = ns.Get(key, {.snapshot = snapshot});
    const auto want = map.find(key);
    ++compared_;
    ASSERT_EQ(got.ok(), want != map.end()) << ns.path() << " " << key << " " << got.status();
    ASSERT_TRUE(want == map.end() || *got == want->second);
  }

  void CompareRange(const Namespace& ns, const std::string& path) {
    const Held* const held = Any();
    ScanOptions options;
    options.snapshot = held == nullptr ? nullptr : &held->snapshot;
    options.reverse = ns.order() == Order::kOrdered && Below(2) == 0;
    if (Below(2) == 0) {
      options.from = Key();
      options.to = Key();
    }
    std::vector<std::pair<std::string, std::string>> want;
    for (const auto& [key, value] : MapOf(held, path)) {
      if (key >= options.from && (options.to.empty() || key < options.to)) {
        want.emplace_back(key, value);
      }
    }
    if (options.reverse) {
      std::reverse(want.begin(), want.end());
    }
    std::vector<std::pair<std::string, std::string>> seen;
    ScanRange scan = ns.Scan(options);
    for (const Entry& entry : scan) {
      seen.emplace_back(entry.key(), entry.value());
    }
    ASSERT_TRUE(scan.status().ok()) << scan.status();
    if (ns.order() == Order::kHash) {
      std::sort(seen.begin(), seen.end());
    }
    ++compared_;
    ASSERT_TRUE(seen == want) << path << ": " << seen.size() << " entries, " << want.size()
                              << " wanted";
    ASSERT_EQ(*ns.Count(options), want.size());
  }

  void EndAll() {
    held_.clear();
    for (int i = 0; i < 3; ++i) {
      ImplOf(store_)->session().Beat();
    }
    std::uint64_t keys = 0;
    for (const auto& [path, map] : model_) {
      keys += map.size();
    }
    const absl::StatusOr<CheckReport> report = store_.Check();
    ASSERT_TRUE(IsSound(report));
    EXPECT_EQ(report->keys, keys);
    EXPECT_EQ(report->records, keys) << "something is kept that nobody needs";
  }

  Store store_;
  std::mt19937_64 random_;
  const int keys_;
  Model model_;
  std::vector<Held> held_;
  int taken_ = 0;
  int compared_ = 0;
};

class SnapshotOpsTest : public OrderedFixture {
 protected:
  void Run(Options options, int runs, int operations, int keys) {
    const std::uint64_t seed = Seed();
    for (int i = 0; i < runs && !HasFatalFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", run " + std::to_string(i));
      path_ = temp_.File("store" + std::to_string(i));
      SnapshotOps(MustOpen(options), seed + static_cast<std::uint64_t>(i), keys).Run(operations);
    }
  }
};

TEST_F(SnapshotOpsTest, TinyNodes) {
  Options options = TinyNodes(QuietOptions());
  options.max_size = std::uint64_t{256} << 20;
  Run(options, 20, 30'000, 150);
}

TEST_F(SnapshotOpsTest, FewKeys) {
  Run(TinyNodes(QuietOptions()), 10, 30'000, 6);
}

TEST_F(SnapshotOpsTest, DefaultSizes) {
  Options options;
  options.max_size = std::uint64_t{1} << 30;
  options.testing.background = false;
  Run(options, 2, 40'000, 1000);
}

TEST_F(SnapshotOpsTest, WithAHeartbeat) {
  Options options = TinyNodes(SmallOptions());
  options.heartbeat_interval = absl::Milliseconds(1);
  options.max_size = std::uint64_t{256} << 20;
  Run(options, 3, 30'000, 40);
}

}  // namespace
}  // namespace commy::test
