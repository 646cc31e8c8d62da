// What a snapshot sees, the space that it keeps, and that its release gives this space back.
#include "commy/snapshot.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <gmock/gmock.h>

#include "support/fault_platform.h"
#include "support/ordered_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs Scanned(const Namespace& ns, const ScanOptions& options) {
  Pairs pairs;
  ScanRange scan = ns.Scan(options);
  for (const Entry& entry : scan) {
    pairs.emplace_back(entry.key(), entry.value());
  }
  EXPECT_TRUE(scan.status().ok()) << scan.status();
  if (ns.order() == Order::kHash) {
    std::sort(pairs.begin(), pairs.end());
  }
  return pairs;
}

class SnapshotTest : public OrderedFixture {
 protected:
  static Snapshot MustTake(const Store& store) {
    absl::StatusOr<Snapshot> snapshot = store.TakeSnapshot();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return *std::move(snapshot);
  }
  static std::string GetAt(const Namespace& ns, std::string_view key, const Snapshot& snapshot) {
    const absl::StatusOr<std::string> got = ns.Get(key, {.snapshot = &snapshot});
    return got.ok() ? *got : got.status().ToString();
  }
  static std::uint64_t Records(const Store& store) { return store.Check()->records; }
  static void Beat(Store& store) { EngineOf(store).session.Beat(); }
};

// The two kinds of namespace behave alike.
class SnapshotOfEachOrderTest : public SnapshotTest, public testing::WithParamInterface<Order> {
 protected:
  Store store_ = MustOpen(TinyNodes(QuietOptions()));
  Namespace ns_ = *store_.OpenNamespace("n", {.order = GetParam()});
};

TEST_P(SnapshotOfEachOrderTest, ASnapshotSeesTheKeysOfTheMomentItWasTaken) {
  ASSERT_TRUE(ns_.Put("kept", "1").ok());
  ASSERT_TRUE(ns_.Put("changed", "1").ok());
  ASSERT_TRUE(ns_.Put("deleted", "1").ok());
  const Snapshot then = MustTake(store_);
  ASSERT_TRUE(ns_.Put("changed", "2").ok());
  ASSERT_TRUE(ns_.Put("changed", "3").ok());
  ASSERT_TRUE(*ns_.Delete("deleted"));
  ASSERT_TRUE(ns_.Put("new", "1").ok());

  EXPECT_EQ(GetAt(ns_, "kept", then), "1");
  EXPECT_EQ(GetAt(ns_, "changed", then), "1");
  EXPECT_EQ(GetAt(ns_, "deleted", then), "1");
  EXPECT_TRUE(Says(ns_.Get("new", {.snapshot = &then}).status(), Code::kNotFound, "key"));
  EXPECT_TRUE(*ns_.Contains("deleted", {.snapshot = &then}));
  EXPECT_FALSE(*ns_.Contains("deleted"));
  EXPECT_EQ(ns_.GetView("changed", {.snapshot = &then})->value(), "1");
  std::string read;
  ASSERT_TRUE(
      ns_.ReadWith("changed", [&](std::string_view value) { read = value; }, {.snapshot = &then})
          .ok());
  EXPECT_EQ(read, "1");
  const auto several = ns_.MultiGet({"deleted", "new", "changed"}, {.snapshot = &then});
  EXPECT_EQ(*several[0], "1");
  EXPECT_TRUE(absl::IsNotFound(several[1].status()));
  EXPECT_EQ(*several[2], "1");
  EXPECT_EQ(*ns_.Get("changed"), "3");

  const Pairs want = {{"changed", "1"}, {"deleted", "1"}, {"kept", "1"}};
  EXPECT_EQ(Scanned(ns_, {.snapshot = &then}), want);
  EXPECT_EQ(*ns_.Count({.snapshot = &then}), 3U);
  EXPECT_EQ(Scanned(ns_, {}), Pairs({{"changed", "3"}, {"kept", "1"}, {"new", "1"}}));
}

TEST_P(SnapshotOfEachOrderTest, ASnapshotIsUnaffectedByReshapesOfTheIndex) {
  std::map<std::string, std::string> model;
  for (int i = 0; i < 300; i += 2) {
    model[std::to_string(i)] = "old" + std::to_string(i);
    ASSERT_TRUE(ns_.Put(std::to_string(i), model[std::to_string(i)]).ok());
  }
  const Pairs want(model.begin(), model.end());
  const Snapshot then = MustTake(store_);
  for (int i = 0; i < 900; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(i), "new").ok());
  }
  EXPECT_EQ(Scanned(ns_, {.snapshot = &then}), want);
  for (int i = 0; i < 900; ++i) {
    ASSERT_TRUE(*ns_.Delete(std::to_string(i)));
    if (i % 50 == 0) {
      Beat(store_);
    }
  }
  EXPECT_EQ(Scanned(ns_, {.snapshot = &then}), want);
  EXPECT_EQ(*ns_.Size(), 0U);
  EXPECT_TRUE(IsSound(store_));
}

TEST_P(SnapshotOfEachOrderTest, ASnapshotSeesTheKeysFromBeforeAClear) {
  ASSERT_TRUE(ns_.Put("a", "1").ok());
  const Snapshot first = MustTake(store_);
  ASSERT_TRUE(ns_.Clear().ok());
  const Snapshot empty = MustTake(store_);
  ASSERT_TRUE(ns_.Put("a", "2").ok());
  const Snapshot second = MustTake(store_);
  ASSERT_TRUE(ns_.Clear().ok());
  Beat(store_);
  EXPECT_EQ(GetAt(ns_, "a", first), "1");
  EXPECT_EQ(*ns_.Count({.snapshot = &empty}), 0U);
  EXPECT_EQ(GetAt(ns_, "a", second), "2");
  EXPECT_EQ(Scanned(ns_, {.snapshot = &first}), Pairs({{"a", "1"}}));
  EXPECT_FALSE(*ns_.Contains("a"));
  EXPECT_TRUE(IsSound(store_));
}

TEST_P(SnapshotOfEachOrderTest, VersionsThatNoSnapshotNeedsAreReclaimedAnywhereInAChain) {
  ASSERT_TRUE(ns_.Put("a", "1").ok());
  std::optional<Snapshot> first = MustTake(store_);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_.Put("a", std::to_string(i)).ok());
  }
  EXPECT_EQ(Records(store_), 2U) << "the chain grew by a version that no snapshot needs";
  std::optional<Snapshot> second = MustTake(store_);
  ASSERT_TRUE(ns_.Put("a", "x").ok());
  std::optional<Snapshot> third = MustTake(store_);
  ASSERT_TRUE(*ns_.Delete("a"));
  EXPECT_EQ(Records(store_), 4U);
  second.reset();
  Beat(store_);
  EXPECT_EQ(Records(store_), 3U);
  EXPECT_EQ(GetAt(ns_, "a", *first), "1");
  EXPECT_EQ(GetAt(ns_, "a", *third), "x");
  first.reset();
  Beat(store_);
  EXPECT_EQ(GetAt(ns_, "a", *third), "x");
  EXPECT_EQ(Records(store_), 2U);
  third.reset();
  Beat(store_);
  EXPECT_EQ(Records(store_), 0U);
}

TEST_P(SnapshotOfEachOrderTest, ClearedContentBetweenTwoSnapshotsIsReclaimed) {
  ASSERT_TRUE(ns_.Put("a", "1").ok());
  std::optional<Snapshot> first = MustTake(store_);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(ns_.Clear().ok());
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(ns_.Put(std::to_string(i), "x").ok());
    }
  }
  EXPECT_EQ(Records(store_), 51U);
  EXPECT_EQ(GetAt(ns_, "a", *first), "1");
  first.reset();
  Beat(store_);
  EXPECT_EQ(Records(store_), 50U);
}

TEST_P(SnapshotOfEachOrderTest, ASnapshotJudgesTimesToLiveByTheClockOfItsTaking) {
  FaultPlatform platform;
  platform.FreezeClocks();
  Store store = *OpenOn(platform, temp_.File("ttl"), QuietOptions());
  const Namespace ns = *store.OpenNamespace("n", {.order = GetParam()});
  ASSERT_TRUE(ns.Put("short", "1", {.ttl = absl::Seconds(10)}).ok());
  const Snapshot then = MustTake(store);
  platform.Advance(60'000'000'000);
  EXPECT_FALSE(*ns.Contains("short"));
  EXPECT_EQ(GetAt(ns, "short", then), "1");
  ScanRange scan = ns.Scan({.snapshot = &then});
  ASSERT_NE(scan.begin(), scan.end());
  const Snapshot later = MustTake(store);
  EXPECT_FALSE(*ns.Contains("short", {.snapshot = &later}));
}

TEST_P(SnapshotOfEachOrderTest, ADroppedNamespaceIsGoneForSnapshots) {
  ASSERT_TRUE(ns_.Put("a", "1").ok());
  const Snapshot then = MustTake(store_);
  ASSERT_TRUE(ns_.Clear().ok());
  ASSERT_TRUE(store_.DropNamespace("n").ok());
  EXPECT_TRUE(
      Says(ns_.Get("a", {.snapshot = &then}).status(), Code::kFailedPrecondition, "dropped"));
  ScanRange scan = ns_.Scan({.snapshot = &then});
  EXPECT_EQ(scan.begin(), scan.end());
  EXPECT_TRUE(Says(scan.status(), Code::kFailedPrecondition, "dropped"));
  Beat(store_);
  EXPECT_EQ(Records(store_), 0U);
}

TEST_P(SnapshotOfEachOrderTest, AScanSeesTheKeysOfOneMoment) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(1000 + i), "old").ok());
  }
  int seen = 0;
  ScanRange scan = ns_.Scan();
  for (const Entry& entry : scan) {
    if (seen++ == 0) {
      for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(ns_.Put(std::to_string(1000 + i), "new").ok());
        ASSERT_TRUE(ns_.Put(std::to_string(2000 + i), "new").ok());
        ASSERT_TRUE(*ns_.Delete(std::to_string(1000 + i)));
      }
    }
    EXPECT_EQ(entry.value(), "old") << entry.key();
  }
  EXPECT_EQ(seen, 100);
  EXPECT_TRUE(scan.status().ok());
  Beat(store_);
  EXPECT_EQ(Records(store_), 100U) << "the scan's own snapshot is still held";
}

TEST_P(SnapshotOfEachOrderTest, AScanWithoutASnapshotMayDeleteTheKeysItMeets) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(i), "x").ok());
  }
  ScanRange scan = ns_.Scan({.consistent = false});
  for (const Entry& entry : scan) {
    ASSERT_TRUE(*ns_.Delete(entry.key()));
  }
  EXPECT_EQ(Records(store_), 0U);
}

INSTANTIATE_TEST_SUITE_P(Orders, SnapshotOfEachOrderTest,
                         testing::Values(Order::kHash, Order::kOrdered), [](const auto& order) {
                           return order.param == Order::kHash ? "Hash" : "Ordered";
                         });

TEST_F(SnapshotTest, SnapshotsOfOrderedNamespacesAreScannedBothWays) {
  Store store = MustOpen(TinyNodes(QuietOptions()));
  const Namespace ns = MustOpenOrdered(store, "n");
  for (const char* key : {"a1", "a2", "a3", "b1"}) {
    ASSERT_TRUE(ns.Put(key, "old").ok());
  }
  const Snapshot then = MustTake(store);
  ASSERT_TRUE(ns.Put("a0", "new").ok());
  ASSERT_TRUE(*ns.Delete("a2"));
  EXPECT_EQ(Scanned(ns, {.prefix = "a", .reverse = true, .snapshot = &then}),
            Pairs({{"a3", "old"}, {"a2", "old"}, {"a1", "old"}}));
  EXPECT_EQ(Scanned(ns, {.from = "a2", .limit = 2, .snapshot = &then}),
            Pairs({{"a2", "old"}, {"a3", "old"}}));
  EXPECT_EQ(*ns.Count({.from = "a1", .to = "a3", .snapshot = &then}), 2U);
}

TEST_F(SnapshotTest, ASnapshotIsOneMomentOfAllNamespaces) {
  Store store = MustOpen(QuietOptions());
  const Namespace a = MustOpenNamespace(store, "a");
  const Namespace b = MustOpenOrdered(store, "b");
  ASSERT_TRUE(a.Put("k", "1").ok());
  const Snapshot then = MustTake(store);
  ASSERT_TRUE(b.Put("k", "1").ok());
  const Namespace later = MustOpenNamespace(store, "later");
  ASSERT_TRUE(later.Put("k", "1").ok());
  EXPECT_EQ(GetAt(a, "k", then), "1");
  EXPECT_FALSE(*b.Contains("k", {.snapshot = &then}));
  EXPECT_FALSE(*later.Contains("k", {.snapshot = &then}));
  EXPECT_EQ(*later.Count({.snapshot = &then}), 0U);
  ASSERT_TRUE(store.RenameNamespace("a", "renamed").ok());
  EXPECT_EQ(GetAt(MustOpenNamespace(store, "renamed"), "k", then), "1");
}

TEST_F(SnapshotTest, CommitTimesOfSnapshotsRise) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  Snapshot first = MustTake(store);
  ASSERT_TRUE(ns.Put("k", "1").ok());
  const Snapshot second = MustTake(store);
  EXPECT_GT(second.commit_time(), first.commit_time());
  EXPECT_GE(second.taken(), first.taken());
  const Snapshot moved = std::move(first);
  EXPECT_NE(moved.commit_time(), 0U);
  // NOLINTNEXTLINE(bugprone-use-after-move)
  EXPECT_TRUE(Says(ns.Get("k", {.snapshot = &first}).status(), Code::kInvalidArgument, "moved"));
}

TEST_F(SnapshotTest, ASnapshotOfAnotherOpenIsRefused) {
  Store store = MustOpen(QuietOptions());
  Store other = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const Snapshot snapshot = MustTake(other);
  EXPECT_TRUE(
      Says(ns.Get("k", {.snapshot = &snapshot}).status(), Code::kInvalidArgument, "another"));
  ScanRange scan = ns.Scan({.snapshot = &snapshot});
  EXPECT_EQ(scan.begin(), scan.end());
  EXPECT_TRUE(Says(scan.status(), Code::kInvalidArgument, "another"));
}

TEST_F(SnapshotTest, TakeSnapshotIsResourceExhaustedOnceAllSlotsAreTaken) {
  Options options = QuietOptions();
  options.snapshots = 5;
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "n");
  std::vector<Snapshot> held;
  for (int i = 0; i < 5; ++i) {
    held.push_back(MustTake(store));
  }
  EXPECT_TRUE(Says(store.TakeSnapshot().status(), Code::kResourceExhausted, "all 5 snapshots"));
  ScanRange scan = ns.Scan();
  EXPECT_EQ(scan.begin(), scan.end());
  EXPECT_TRUE(absl::IsResourceExhausted(scan.status()));
  EXPECT_TRUE(ns.Count({.consistent = false}).ok());
  held.pop_back();
  EXPECT_TRUE(store.TakeSnapshot().ok());
}

TEST_F(SnapshotTest, AStoreHoldsAsManySnapshotsAsItWasCreatedWith) {
  Options options = QuietOptions();
  options.snapshots = Options().snapshots + 76;
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "n");
  std::vector<Snapshot> held;
  for (std::uint64_t i = 0; i < options.snapshots; ++i) {
    ASSERT_TRUE(ns.Put("k", std::to_string(i)).ok());
    held.push_back(MustTake(store));
  }
  EXPECT_TRUE(Says(store.TakeSnapshot().status(), Code::kResourceExhausted, "all 1100 snapshots"));
  EXPECT_EQ(*ns.Get("k", {.snapshot = &held.front()}), "0");
  EXPECT_EQ(*ns.Get("k", {.snapshot = &held.back()}), "1099");
}

TEST_F(SnapshotTest, CloseReleasesTheSnapshotsOfItsStore) {
  Store store = MustOpen(QuietOptions());
  Store other = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const Namespace same = MustOpenNamespace(other, "n");
  ASSERT_TRUE(ns.Put("k", "1").ok());
  std::optional<Snapshot> snapshot = MustTake(store);
  ASSERT_TRUE(same.Put("k", "2").ok());
  EXPECT_EQ(Records(other), 2U);
  ASSERT_TRUE(store.Close().ok());
  EXPECT_TRUE(
      Says(ns.Get("k", {.snapshot = &*snapshot}).status(), Code::kFailedPrecondition, "closed"));
  Beat(other);
  EXPECT_EQ(Records(other), 1U);
  const Snapshot in_its_slot = MustTake(other);
  ASSERT_TRUE(same.Put("k", "3").ok());
  snapshot.reset();  // Must not touch the slot, which another snapshot has.
  Beat(other);
  EXPECT_EQ(GetAt(same, "k", in_its_slot), "2");
}

TEST_F(SnapshotTest, AReadOnlyStoreTakesSnapshots) {
  Store writer = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(writer, "n");
  ASSERT_TRUE(ns.Put("k", "1").ok());
  Options options = QuietOptions();
  options.read_only = true;
  Store reader = MustOpen(options);
  const Namespace seen = MustOpenNamespace(reader, "n");
  const Snapshot then = MustTake(reader);
  ASSERT_TRUE(ns.Put("k", "2").ok());
  EXPECT_EQ(GetAt(seen, "k", then), "1");
}

TEST_F(SnapshotTest, StatsNameTheHoldersOfSnapshotsAndTheBytesTheyKeep) {
  Store store = MustOpen(QuietOptions());
  Store other = MustOpen(QuietOptions());
  const Namespace ns = MustOpenOrdered(store, "n");
  constexpr std::uint64_t kValue = 1000;
  const auto put = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), std::string(kValue, 'v')).ok());
    }
  };
  // Of the participant behind `holder`.
  const auto info = [&](Store& holder) {
    const std::vector<ParticipantInfo> all = *store.Participants();
    for (const ParticipantInfo& each : all) {
      if (each.slot == EngineOf(holder).session.region().slot_index()) {
        return each;
      }
    }
    return ParticipantInfo();
  };
  // The bytes of `count` values, which block sizes round up.
  const auto values = [](std::uint64_t count) {
    return testing::AllOf(testing::Ge(count * kValue), testing::Le(count * kValue * 13 / 10));
  };
  put(0, 100);
  std::optional<Snapshot> first = MustTake(other);
  EXPECT_EQ(store.Stats()->snapshots, 1U);
  EXPECT_EQ(store.Stats()->snapshot_kept_bytes, 0U);
  put(0, 50);
  put(0, 50);
  EXPECT_THAT(store.Stats()->snapshot_kept_bytes, values(50));
  EXPECT_THAT(info(other).snapshot_kept_bytes, values(50));
  EXPECT_EQ(info(other).snapshots, 1U);
  EXPECT_EQ(info(store).snapshots, 0U);
  EXPECT_EQ(info(store).snapshot_kept_bytes, 0U);
  std::optional<Snapshot> second = MustTake(store);
  put(40, 60);  // The second snapshot now sees 20 superseded values; the first, 60.
  EXPECT_THAT(info(store).snapshot_kept_bytes, values(20));
  EXPECT_THAT(info(other).snapshot_kept_bytes, values(60));
  EXPECT_THAT(store.Stats()->snapshot_kept_bytes, values(70));
  ASSERT_TRUE(ns.Clear().ok());
  EXPECT_THAT(info(store).snapshot_kept_bytes, values(100));
  first.reset();
  second.reset();
  EXPECT_EQ(store.Stats()->snapshots, 0U);
  EXPECT_EQ(store.Stats()->snapshot_kept_bytes, 0U);
}

TEST_F(SnapshotTest, TheReleaseOfTheLastSnapshotGivesItsSpaceBack) {
  Options options = QuietOptions();
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "n");
  const std::string value(1000, 'v');
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(ns.Put(std::to_string(i), value).ok());
  }
  const std::uint64_t before = store.Stats()->used_bytes;
  std::optional<Snapshot> snapshot = MustTake(store);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), value).ok());
    }
  }
  const std::uint64_t during = store.Stats()->used_bytes;
  EXPECT_GT(during, before + 500'000);
  EXPECT_LT(during, before + 700'000) << "more than one old version of each key is kept";
  snapshot.reset();
  Beat(store);
  EXPECT_LE(store.Stats()->used_bytes, before + 10'000);
}

}  // namespace
}  // namespace commy::test
