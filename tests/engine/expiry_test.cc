// Keys that expire: when they are gone, by which clock, and how their space is reclaimed.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "engine/access.h"
#include "support/fault_platform.h"
#include "support/ordered_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

constexpr std::int64_t kSecondNs = 1'000'000'000;

// Each reading of the monotonic clock costs a millisecond, so a time budget is a number of turns.
class SlowPlatform : public FaultPlatform {
 public:
  std::int64_t MonotonicNs() override {
    if (slow_) {
      Set([](Faults& faults) { *faults.monotonic_ns += 1'000'000; });
    }
    return FaultPlatform::MonotonicNs();
  }
  void BecomeSlow() { slow_ = true; }

 private:
  bool slow_ = false;
};

class ExpiryTest : public OrderedFixture, public testing::WithParamInterface<Order> {
 protected:
  ExpiryTest() { platform_.FreezeClocks(); }

  void SetUp() override {
    store_ = *OpenOn(platform_, path_, TinyNodes(QuietOptions()));
    ns_ = *store_->OpenNamespace("n", {.order = GetParam()});
    Beat();
    Beat();  // From here on the store's clock is settled.
  }
  void TearDown() override {
    EXPECT_TRUE(IsSound(*store_));
    ns_.reset();
    store_.reset();
    OrderedFixture::TearDown();
  }

  void Beat() { EngineOf(*store_).session.Beat(); }
  void Advance(std::int64_t seconds) { platform_.Advance(seconds * kSecondNs); }
  void Put(const std::string& key, std::optional<absl::Duration> ttl) {
    ASSERT_TRUE(ns_->Put(key, "value of " + key, {.ttl = ttl}).ok());
  }
  [[nodiscard]] bool IsThere(const std::string& key) const { return *ns_->Contains(key); }
  [[nodiscard]] std::uint64_t Records() const { return store_->Check()->records; }
  [[nodiscard]] std::uint64_t Claims() {
    return EngineOf(*store_).region.header().due_claims.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<absl::Duration> TtlOf(const std::string& key) const {
    std::optional<absl::Duration> ttl;
    ScanRange scan = ns_->Scan();
    for (const Entry& entry : scan) {
      if (entry.key() == key) {
        ttl = entry.ttl();
      }
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return ttl;
  }

  SlowPlatform platform_;
  std::optional<Store> store_;
  std::optional<Namespace> ns_;
};

TEST_P(ExpiryTest, AKeyIsPresentUntilItsTimeToLiveHasElapsed) {
  Put("short", absl::Seconds(10));
  Put("long", absl::Minutes(10));
  Put("ever", absl::InfiniteDuration());
  Advance(9);
  EXPECT_TRUE(IsThere("short"));
  EXPECT_EQ(TtlOf("short"), absl::Seconds(1));
  Advance(1);
  EXPECT_FALSE(IsThere("short"));
  EXPECT_TRUE(Says(ns_->Get("short").status(), Code::kNotFound, "key"));
  EXPECT_FALSE(ns_->GetView("short").ok());
  EXPECT_EQ(TtlOf("short"), std::nullopt);
  EXPECT_EQ(TtlOf("long"), absl::Seconds(590));
  EXPECT_EQ(TtlOf("ever"), absl::InfiniteDuration());
  EXPECT_EQ(*ns_->Count(), 2U);
}

TEST_P(ExpiryTest, BeatsReclaimExpiredKeysThatNobodyTouches) {
  for (int i = 0; i < 500; ++i) {
    Put("k" + std::to_string(i), absl::Seconds(1 + i % 50));
  }
  Put("ever", std::nullopt);
  for (int second = 1; second <= 50; ++second) {
    Advance(1);
    Beat();
    EXPECT_EQ(Records(), 1U + 10U * static_cast<unsigned>(50 - second)) << second;
    EXPECT_EQ(*ns_->Size(), Records());
  }
  Beat();
  EXPECT_TRUE(IsThere("ever"));
}

TEST_P(ExpiryTest, ABeatStartsNoSweepBeforeAnyKeyIsDue) {
  Put("later", absl::Seconds(10));
  Beat();
  const std::uint64_t claims = Claims();
  Advance(9);
  Beat();
  EXPECT_EQ(Claims(), claims);
  Advance(1);
  Beat();
  EXPECT_GT(Claims(), claims);
}

TEST_P(ExpiryTest, TheSweepFindsKeysThatMovedWhileTheIndexWasReshaped) {
  Put("first", absl::Seconds(5));
  for (int i = 0; i < 300; ++i) {
    Put("grow" + std::to_string(i), std::nullopt);
  }
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(*ns_->Delete("grow" + std::to_string(i)));
  }
  Advance(5);
  Beat();
  EXPECT_EQ(Records(), 0U);
}

TEST_P(ExpiryTest, APutReplacesTheTimeToLiveOfItsKey) {
  Put("a", absl::Seconds(5));
  Put("b", absl::Seconds(5));
  Put("a", absl::Seconds(50));
  Put("b", std::nullopt);
  Advance(5);
  Beat();
  EXPECT_TRUE(IsThere("a"));
  EXPECT_TRUE(IsThere("b"));
  Advance(45);
  Beat();
  EXPECT_FALSE(IsThere("a"));
  EXPECT_TRUE(IsThere("b"));
  EXPECT_EQ(Records(), 1U);
}

TEST_P(ExpiryTest, ASnapshotStillSeesKeysThatExpireAndAreSweptLater) {
  Put("short", absl::Seconds(5));
  absl::StatusOr<Snapshot> then = store_->TakeSnapshot();
  Advance(5);
  Beat();
  EXPECT_FALSE(IsThere("short"));
  EXPECT_EQ(*ns_->Get("short", {.snapshot = &*then}), "value of short");
  const absl::StatusOr<Snapshot> later = store_->TakeSnapshot();
  EXPECT_FALSE(*ns_->Contains("short", {.snapshot = &*later}));
  then = store_->TakeSnapshot();
  Beat();
  EXPECT_EQ(Records(), 0U);
}

TEST_P(ExpiryTest, TransactionsAndBatchesSetTimesToLive) {
  ASSERT_TRUE(ns_->SetDefaultTtl(absl::Seconds(30)).ok());
  WriteBatch batch;
  batch.Put(*ns_, "b10", "1", {.ttl = absl::Seconds(10)});
  batch.Put(*ns_, "b30", "1");
  ASSERT_TRUE(store_->Write(std::move(batch)).ok());
  ASSERT_TRUE(store_
                  ->Transact([&](Transaction& txn) {
                    EXPECT_TRUE(txn.Put(*ns_, "t10", "1", {.ttl = absl::Seconds(10)}).ok());
                    EXPECT_TRUE(txn.Put(*ns_, "t30", "1").ok());
                    EXPECT_EQ(*txn.Add(*ns_, "n30", 1), 1);
                    ScanRange scan = txn.Scan(*ns_, {.prefix = "t3"});
                    for (const Entry& entry : scan) {
                      EXPECT_EQ(entry.ttl(), absl::Seconds(30));
                    }
                    return scan.status();
                  })
                  .ok());
  EXPECT_EQ(TtlOf("n30"), absl::Seconds(30));
  Advance(10);
  Beat();
  EXPECT_EQ(Records(), 3U);
  Advance(20);
  Beat();
  EXPECT_EQ(Records(), 0U);
}

TEST_P(ExpiryTest, AnAbortedTransactionDoesNotHideExpiredKeysFromTheSweep) {
  Put("k", absl::Seconds(5));
  absl::StatusOr<Transaction> loser = store_->Begin();
  ASSERT_TRUE(loser->Put(*ns_, "k", "new").ok());
  ASSERT_TRUE(ns_->Put("other", "1").ok());
  ASSERT_TRUE(loser->Put(*ns_, "zz", "new").ok());
  loser->Rollback();
  Advance(5);
  Beat();
  Advance(1);
  Beat();
  EXPECT_EQ(Records(), 1U);
}

TEST_P(ExpiryTest, TheNamespacesDefaultAppliesToPutsWithoutATimeToLive) {
  EXPECT_EQ(*ns_->DefaultTtl(), absl::InfiniteDuration());
  Put("before", std::nullopt);
  ASSERT_TRUE(ns_->SetDefaultTtl(absl::Seconds(20)).ok());
  EXPECT_EQ(*ns_->DefaultTtl(), absl::Seconds(20));
  Put("default", std::nullopt);
  Put("own", absl::Seconds(5));
  Put("ever", absl::InfiniteDuration());
  EXPECT_EQ(*ns_->Add("counter", 1), 1);
  EXPECT_TRUE(*ns_->PutIfAbsent("absent", "1"));
  EXPECT_TRUE(*ns_->CompareAndSwap("swapped", {.desired = "1"}));
  EXPECT_TRUE(*ns_->Update("updated", [](auto) { return Change::Put("1"); }));
  for (const char* const key : {"default", "counter", "absent", "swapped", "updated"}) {
    EXPECT_EQ(TtlOf(key), absl::Seconds(20)) << key;
  }
  EXPECT_EQ(TtlOf("own"), absl::Seconds(5));
  EXPECT_EQ(TtlOf("ever"), absl::InfiniteDuration());
  EXPECT_EQ(TtlOf("before"), absl::InfiniteDuration());
  Advance(10);
  EXPECT_EQ(*ns_->Add("counter", 1), 2);  // An existing key keeps its time to live.
  EXPECT_EQ(TtlOf("counter"), absl::Seconds(10));
  ASSERT_TRUE(ns_->SetDefaultTtl(absl::InfiniteDuration()).ok());
  Put("after", std::nullopt);
  EXPECT_EQ(TtlOf("after"), absl::InfiniteDuration());
}

TEST_P(ExpiryTest, TheDefaultTimeToLiveIsSetWithTheNamespaceAndListed) {
  const Namespace made = *store_->OpenNamespace("made", {.default_ttl = absl::Hours(1)});
  EXPECT_EQ(*made.DefaultTtl(), absl::Hours(1));
  EXPECT_EQ(*store_->OpenNamespace("made")->DefaultTtl(), absl::Hours(1));
  ASSERT_TRUE(store_->OpenNamespace("made", {.default_ttl = absl::Hours(2)}).ok());
  EXPECT_EQ(*made.DefaultTtl(), absl::Hours(2));
  const auto listed = *store_->ListNamespaces("made");
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].default_ttl, absl::Hours(2));
  for (const absl::Duration bad : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    EXPECT_TRUE(Says(ns_->SetDefaultTtl(bad), Code::kInvalidArgument, "must be positive"));
    EXPECT_TRUE(Says(store_->OpenNamespace("made", {.default_ttl = bad}).status(),
                     Code::kInvalidArgument, "must be positive"));
    EXPECT_TRUE(Says(store_->OpenNamespace("new", {.default_ttl = bad}).status(),
                     Code::kInvalidArgument, "must be positive"));
    EXPECT_TRUE(Says(ns_->Put("k", "1", {.ttl = bad}), Code::kInvalidArgument, "time to live"));
  }
  EXPECT_TRUE(store_->ListNamespaces("new")->empty());
}

TEST_P(ExpiryTest, SettingTheWallClockChangesNoTimeToLive) {
  Put("k", absl::Seconds(100));
  for (const std::int64_t step : {3600 * kSecondNs, -7200 * kSecondNs}) {
    platform_.Set([&](FaultPlatform::Faults& faults) { *faults.wall_ns += step; });
    EXPECT_EQ(TtlOf("k"), absl::Seconds(100));
    Beat();
    // A store that is opened now has the same time.
    Store other = *OpenOn(platform_, path_, QuietOptions());
    ScanRange scan = other.OpenNamespace("n")->Scan();
    for (const Entry& entry : scan) {
      EXPECT_EQ(entry.ttl(), absl::Seconds(100));
    }
    EXPECT_EQ(*other.OpenNamespace("n")->Count(), 1U);
  }
}

TEST_P(ExpiryTest, ARebootTakesAsLongAsTheWallClockSays) {
  Put("short", absl::Seconds(100));
  Put("long", absl::Seconds(1000));
  Beat();
  ns_.reset();
  store_.reset();
  platform_.Set([](FaultPlatform::Faults& faults) {
    faults.boot_ns = 5 * kSecondNs;
    faults.monotonic_ns = 5 * kSecondNs;
    *faults.wall_ns += 200 * kSecondNs;
  });
  store_ = *OpenOn(platform_, path_, TinyNodes(QuietOptions()));
  ns_ = *store_->OpenNamespace("n");
  EXPECT_FALSE(IsThere("short"));
  EXPECT_EQ(TtlOf("long"), absl::Seconds(800));
}

TEST_P(ExpiryTest, ExpiredKeysStayGoneWhenARebootSetsTheWallClockBack) {
  Put("short", absl::Seconds(100));
  Put("long", absl::Seconds(1000));
  Advance(200);
  Beat();
  EXPECT_FALSE(IsThere("short"));
  ns_.reset();
  store_.reset();
  platform_.Set([](FaultPlatform::Faults& faults) {
    faults.boot_ns = 5 * kSecondNs;
    *faults.wall_ns -= 100'000 * kSecondNs;
  });
  store_ = *OpenOn(platform_, path_, TinyNodes(QuietOptions()));
  ns_ = *store_->OpenNamespace("n");
  EXPECT_FALSE(IsThere("short"));
  EXPECT_EQ(TtlOf("long"), absl::Seconds(800));
  Put("other", absl::Seconds(1));  // A process that changes nothing sweeps nothing.
  Beat();
  Beat();
  Advance(800);
  Beat();
  EXPECT_EQ(Records(), 0U);
}

TEST_P(ExpiryTest, AFullStoreMakesRoomFromExpiredKeys) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{10} << 20;
  Store small = *OpenOn(platform_, temp_.File("small"), options);
  const Namespace ns = *small.OpenNamespace("n", {.order = GetParam()});
  EngineOf(small).session.Beat();
  EngineOf(small).session.Beat();
  const std::string value(1000, 'v');
  int put = 0;
  while (ns.Put("old" + std::to_string(put), value, {.ttl = absl::Seconds(5)}).ok()) {
    ASSERT_LT(++put, 20'000);
  }
  EXPECT_FALSE(ns.Put("new", value).ok());
  Advance(5);
  int fit = 0;
  while (fit < put / 2 && ns.Put("new" + std::to_string(fit), value).ok()) {
    ++fit;
  }
  EXPECT_EQ(fit, put / 2);
  EXPECT_TRUE(IsSound(small));
}

TEST_P(ExpiryTest, AFullStoreAcceptsPutsWhileOlderKeysExpire) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{10} << 20;
  Store small = *OpenOn(platform_, temp_.File("small"), options);
  const Namespace ns = *small.OpenNamespace("n", {.order = GetParam()});
  const std::string value(1000, 'v');
  const auto put = [&](int i) {
    // In no order.
    const std::string key = std::to_string((i * 7919LL) % 1'000'003);
    return ns.Put(key, value, {.ttl = absl::Seconds(4)});
  };
  int fit = 0;
  while (put(fit).ok()) {
    ASSERT_LT(++fit, 20'000);
  }
  Advance(4);
  for (int i = fit; i < 6 * fit; ++i) {
    ASSERT_TRUE(put(i).ok()) << i << " of " << fit << ": " << put(i);
    if (i % (fit / 8) == 0) {
      Advance(1);
    }
  }
  EXPECT_TRUE(IsSound(small));
}

TEST_P(ExpiryTest, ASmallNamespaceIsSweptBesideALargeBacklog) {
  constexpr int kMany = 20'000;
  constexpr int kFew = 2'000;
  const Namespace few = *store_->OpenNamespace("few", {.order = GetParam()});
  for (int i = 0; i < kMany; ++i) {
    Put("k" + std::to_string(i), absl::Seconds(1));
  }
  for (int i = 0; i < kFew; ++i) {
    ASSERT_TRUE(few.Put("k" + std::to_string(i), "v", {.ttl = absl::Seconds(1)}).ok());
  }
  Advance(1);
  platform_.BecomeSlow();
  // Each beat has a few turns; every second one is for the small namespace.
  for (int beat = 0; beat < 3; ++beat) {
    Beat();
  }
  EXPECT_EQ(*few.Size(), 0U);
  EXPECT_GT(*ns_->Size(), 0U);
  for (int beat = 0; beat < 40; ++beat) {
    Beat();
  }
  EXPECT_EQ(*ns_->Size(), 0U);
}

TEST_P(ExpiryTest, ASweepMakesAtMostThreeVisitsPerIndexNodeHoweverManyStepsItTakes) {
  constexpr int kKeys = 3'000;
  for (int i = 0; i < kKeys; ++i) {
    Put("k" + std::to_string(i), i % 3 == 0 ? absl::Seconds(100) : absl::Seconds(1));
  }
  const std::map<region::BlockKind, std::uint64_t> blocks = BlocksOf(*store_);
  const std::uint64_t parts = GetParam() == Order::kOrdered
                                  ? blocks.at(region::BlockKind::kLeaf)
                                  : blocks.at(region::BlockKind::kSegment);
  Advance(1);
  const engine::Engine& impl = EngineOf(*store_);
  const engine::NamespaceRef ns = RefOf(*store_);
  const engine::NamespaceKey key{ns.offset, ns.id};
  const auto in_operation = [&](process::OpKind kind, auto use) {
    ASSERT_TRUE(engine::Write(impl, key, kind, alloc::Purpose::kOrdinary, use).ok());
  };
  namespaces::ExpiryPass pass;
  std::uint64_t pieces = 0;
  std::uint64_t deleted = 0;
  do {
    std::vector<std::string> keys;
    in_operation(process::OpKind::kSweep, [&](process::Operation&, const engine::NamespaceRef& at) {
      return impl.map.expiry().FindExpired(at, impl.session.clock().NowNs(), &pass, &keys);
    });
    for (const std::string& each : keys) {
      in_operation(
          process::OpKind::kWrite, [&](process::Operation& op, const engine::NamespaceRef& at) {
            namespaces::WriteOutcome outcome;
            base::Result result = impl.map.Write(
                op, at, {.kind = namespaces::WriteOp::Kind::kDeleteExpired, .key = each}, &outcome);
            deleted += outcome.changed ? 1 : 0;
            return result;
          });
    }
    ++pieces;
    ASSERT_LT(pieces, 100'000U);
  } while (pass.under_way());
  EXPECT_EQ(deleted, kKeys - kKeys / 3);
  EXPECT_GT(pieces, parts / 2);
  EXPECT_LE(pass.visits, 3 * parts);
  // The pass has recorded when the rest is due, so a beat before that sweeps nothing.
  const std::uint64_t claims = Claims();
  Beat();
  EXPECT_EQ(Claims(), claims);
  Advance(99);
  Beat();
  EXPECT_EQ(Records(), 0U);
}

TEST_P(ExpiryTest, AnotherSweepFinishesWhatAnAbandonedOneLeft) {
  constexpr int kKeys = 12'000;
  for (int i = 0; i < kKeys; ++i) {
    Put("k" + std::to_string(i), absl::Seconds(1));
  }
  Advance(1);
  {
    SlowPlatform slow;
    slow.Set([&](FaultPlatform::Faults& faults) {
      faults.boot_ns = platform_.BootNs();
      faults.wall_ns = platform_.WallNs();
      faults.monotonic_ns = platform_.MonotonicNs();
    });
    slow.BecomeSlow();
    Store other = *OpenOn(slow, path_, TinyNodes(QuietOptions()));
    ASSERT_TRUE(other.OpenNamespace("n")->Put("mine", "1").ok());
    EngineOf(other).session.Beat();
    EXPECT_LT(*ns_->Size(), kKeys + 1U);
    EXPECT_GT(*ns_->Size(), 1U);
  }
  Beat();
  EXPECT_EQ(*ns_->Size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(EachOrder, ExpiryTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

}  // namespace
}  // namespace commy::test
