// A store and a model of its content: random single-key operations, ranges, snapshots, clears and
// drops are done to both and compared. A derived class says how often it does each, and adds other
// operations; see tests/api/snapshot_ops_test.cc.
#pragma once

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"

namespace commy::test {

class ModelStore {
 public:
  ModelStore(Store store, std::uint64_t seed, int keys)
      : store_(std::move(store)), random_(seed), keys_(keys) {}
  virtual ~ModelStore() = default;
  ModelStore(const ModelStore&) = delete;
  ModelStore& operator=(const ModelStore&) = delete;

  void Run(int operations) {
    for (operation_ = 1; operation_ <= operations && !testing::Test::HasFailure(); ++operation_) {
      SCOPED_TRACE("operation " + std::to_string(operation_));
      One();
      if (operation_ % (operations / 10) == 0) {
        ASSERT_TRUE(IsSound(store_));
      }
    }
    EndAll();
  }

 protected:
  using Map = std::map<std::string, std::string>;
  using Model = std::map<std::string, Map>;  // By path of the namespace.
  using Entries = std::vector<std::pair<std::string, std::string>>;
  struct Held {
    Snapshot snapshot;
    Model model;
  };

  // One operation.
  virtual void One() = 0;
  // Releases all snapshots that are held.
  virtual void ReleaseAll() { held_.clear(); }

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  std::string RandomKey() {
    const std::uint64_t n = Below(static_cast<std::uint64_t>(keys_));
    return std::to_string(n) + std::string(n % 13 == 0 ? 200 : 0, 'k');
  }
  // No two are the same.
  std::string RandomValue() { return std::to_string(random_()) + std::string(Below(300), 'v'); }
  std::string RandomPath() { return std::to_string(Below(4)); }

  Namespace Open(const std::string& path) {
    const Order order = path < "2" ? Order::kHash : Order::kOrdered;
    absl::StatusOr<Namespace> ns = store_.OpenNamespace(path, {.order = order});
    EXPECT_TRUE(ns.ok()) << ns.status();
    model_[path];
    return *std::move(ns);
  }

  void Put(const Namespace& ns, const std::string& key) {
    std::string& value = model_[ns.path()][key];
    value = RandomValue();
    ASSERT_TRUE(ns.Put(key, value).ok());
  }
  void Delete(const Namespace& ns, const std::string& key) {
    const absl::StatusOr<bool> deleted = ns.Delete(key);
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    ASSERT_EQ(*deleted, model_[ns.path()].erase(key) == 1);
  }
  void Clear(const Namespace& ns) {
    ASSERT_TRUE(ns.Clear().ok());
    model_[ns.path()].clear();
  }
  void Drop(const std::string& path) {
    ASSERT_TRUE(store_.DropNamespace(path).ok());
    model_.erase(path);
    for (Held& held : held_) {
      held.model.erase(path);  // A new namespace of that path is another one, and empty.
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
  void Beat() { EngineOf(store_).session.Beat(); }

  static const Map& MapIn(const Model& model, const std::string& path) {
    static const Map none;
    const auto found = model.find(path);
    return found == model.end() ? none : found->second;
  }
  static void ExpectOne(const absl::StatusOr<std::string>& got, const Map& map,
                        const std::string& key) {
    const auto want = map.find(key);
    ASSERT_EQ(got.ok(), want != map.end()) << key << " " << got.status();
    ASSERT_TRUE(want == map.end() || *got == want->second) << key;
  }
  // A key as one of the snapshots, or now, sees it.
  void CompareOne(const Namespace& ns, const std::string& key) {
    const Held* const held = Any();
    const Snapshot* const snapshot = held == nullptr ? nullptr : &held->snapshot;
    ++compared_;
    ExpectOne(ns.Get(key, {.snapshot = snapshot}), MapOf(held, ns.path()), key);
  }

  ScanOptions RandomRange(Order order) {
    ScanOptions options;
    options.reverse = order == Order::kOrdered && Below(2) == 0;
    if (Below(2) == 0) {
      options.from = RandomKey();
      options.to = RandomKey();
    }
    return options;
  }
  static bool IsIn(const ScanOptions& range, const std::string& key) {
    return key >= range.from && (range.to.empty() || key < range.to);
  }
  static void ExpectRange(ScanRange scan, Order order, const Map& map, const ScanOptions& range) {
    Entries want;
    for (const auto& [key, value] : map) {
      if (IsIn(range, key)) {
        want.emplace_back(key, value);
      }
    }
    if (range.reverse) {
      std::reverse(want.begin(), want.end());
    }
    Entries seen;
    for (const Entry& entry : scan) {
      seen.emplace_back(entry.key(), entry.value());
    }
    ASSERT_TRUE(scan.status().ok()) << scan.status();
    if (order == Order::kHash) {
      std::sort(seen.begin(), seen.end());
    } else {
      want.resize(std::min<std::uint64_t>(want.size(), range.limit));
    }
    ASSERT_TRUE(seen == want) << seen.size() << " entries, " << want.size() << " wanted";
  }
  // A range as one of the snapshots, or now, sees it.
  void CompareRange(const Namespace& ns) {
    const Held* const held = Any();
    ScanOptions range = RandomRange(ns.order());
    range.snapshot = held == nullptr ? nullptr : &held->snapshot;
    const Map& map = MapOf(held, ns.path());
    ++compared_;
    ASSERT_NO_FATAL_FAILURE(ExpectRange(ns.Scan(range), ns.order(), map, range)) << ns.path();
    const auto counted = static_cast<std::uint64_t>(std::count_if(
        map.begin(), map.end(), [&](const auto& entry) { return IsIn(range, entry.first); }));
    ASSERT_EQ(*ns.Count(range), counted);
  }

  Store store_;
  std::mt19937_64 random_;
  int operation_ = 0;
  Model model_;
  std::vector<Held> held_;
  int taken_ = 0;
  int compared_ = 0;

 private:
  const Held* Any() { return held_.empty() ? nullptr : &held_[Below(held_.size())]; }
  // The content of a namespace in a snapshot, or, without one, now.
  const Map& MapOf(const Held* held, const std::string& path) {
    return MapIn(held == nullptr ? model_ : held->model, path);
  }

  void EndAll() {
    ReleaseAll();
    for (int i = 0; i < 3; ++i) {
      Beat();
    }
    std::uint64_t keys = 0;
    for (const auto& [path, map] : model_) {
      keys += map.size();
      ASSERT_EQ(*Open(path).Size(), map.size()) << path;
    }
    const absl::StatusOr<CheckReport> report = store_.Check();
    ASSERT_TRUE(IsSound(report));
    EXPECT_EQ(report->keys, keys);
    EXPECT_EQ(report->records, keys) << "a superseded version is kept that no snapshot needs";
  }

  const int keys_;
};

// Runs several of a kind, each on a store of its own and with its own seed.
class ModelFixture : public OrderedFixture {
 protected:
  template <typename Model>
  void RunModels(const Options& options, int runs, int operations, int keys) {
    const std::uint64_t seed = Seed();
    for (int i = 0; i < runs && !HasFatalFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", run " + std::to_string(i));
      path_ = temp_.File("store" + std::to_string(i));
      Model model(MustOpen(options), seed + static_cast<std::uint64_t>(i), keys);
      model.Run(operations);
      model.Report();
    }
  }
};

}  // namespace commy::test
