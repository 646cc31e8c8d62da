// Store::Backup(): what a copy keeps, what it leaves out, of which moment it is, and what is left
// of one that fails.
#include "commy/backup.h"

#include <filesystem>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "packing/picture.h"
#include "region/layout.h"
#include "support/fault_platform.h"
#include "support/seed.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class BackupTest : public StoreFixture {
 protected:
  void TearDown() override {
    if (std::filesystem::exists(copy_)) {
      const absl::StatusOr<Store> copy = Store::Open(copy_, QuietOptions());
      ASSERT_TRUE(copy.ok()) << copy.status();
      EXPECT_TRUE(IsSound(*copy));
    }
    StoreFixture::TearDown();
  }

  BackupReport MustBackup(const Store& store, const BackupOptions& options = BackupOptions()) {
    const absl::StatusOr<BackupReport> report = store.Backup(copy_, options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(BackupReport());
  }
  // The names in the directory.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static void Put(const Namespace& ns, const std::string& key, const std::string& value,
                  const PutOptions& options = PutOptions()) {
    ASSERT_TRUE(ns.Put(key, value, options).ok());
  }

  const std::string copy_ = temp_.File("copy");
};

TEST_F(BackupTest, ACopyOfAnEmptyStoreIsAnEmptyStore) {
  const Store store = MustOpen(QuietOptions());
  const BackupReport report = MustBackup(store);
  EXPECT_EQ(report.keys, 0U);
  EXPECT_EQ(report.namespaces, 0U);
  Store copy = MustOpen(copy_, QuietOptions());
  EXPECT_TRUE(PictureOf(copy).empty());
  EXPECT_TRUE(MustOpenNamespace(copy, "new").Put("k", "v").ok());
}

TEST_F(BackupTest, NamespacesAndRecordsAreKeptToTheirCommitTimesAndAlignments) {
  Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("gone").ok());
  ASSERT_TRUE(store.DropNamespace("gone").ok());  // So that ids and places do not agree by chance.
  const Namespace hash = *store.OpenNamespace("a/hash", {.default_ttl = absl::Hours(100)});
  const Namespace ordered = *store.OpenNamespace("b/ordered", {.order = Order::kOrdered});
  ASSERT_TRUE(store.OpenNamespace("c/empty", {.order = Order::kOrdered}).ok());
  auto vec = *store.OpenShared<SharedVec<double>>("d/vec");
  std::mt19937_64 random(Seed());
  for (int i = 0; i < 3000; ++i) {
    const std::string key = absl::StrCat("key/", random() % 100000);
    const std::string value(random() % 300, static_cast<char>('a' + i % 26));
    Put(i % 2 == 0 ? hash : ordered, key, value,
        i % 5 == 0 ? PutOptions{.ttl = absl::Hours(1 + i)} : PutOptions());
    if (i % 7 == 0) {
      ASSERT_TRUE(ordered.Delete(key).ok());
    }
  }
  Put(hash, "", "the empty key");
  Put(ordered, "", std::string(200000, 'L'));
  Put(ordered, std::string(1000, '\0'), "");
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(vec.PushBack(i * 0.5).ok());
  }
  const Picture before = PictureOf(store);
  const BackupReport report = MustBackup(store);
  Store copy = MustOpen(copy_, QuietOptions());
  const Picture after = PictureOf(copy);
  EXPECT_EQ(before, after);
  std::uint64_t keys = 0;
  for (const auto& [path, ns] : after) {
    EXPECT_EQ(ns.keys, ns.records.size()) << path;
    keys += ns.keys;
  }
  EXPECT_EQ(report.keys, keys);
  EXPECT_EQ(report.namespaces, 4U);
  EXPECT_NE(store.Stats()->uuid, copy.Stats()->uuid);
  EXPECT_EQ(store.Stats()->max_size_bytes, copy.Stats()->max_size_bytes);
  EXPECT_EQ(store.Stats()->participants_max, copy.Stats()->participants_max);
  EXPECT_EQ(store.Stats()->threads_max, copy.Stats()->threads_max);
  EXPECT_EQ(store.Stats()->snapshots_max, copy.Stats()->snapshots_max);
}

TEST_F(BackupTest, HashNamespacesAreScannedInTheOrderOfTheSource) {
  const Store store = MustOpen(QuietOptions());
  const Namespace hash = MustOpenNamespace(store, "hash");
  for (int i = 0; i < 2000; ++i) {
    Put(hash, absl::StrCat(i), "v");
  }
  MustBackup(store);
  const Store copy = MustOpen(copy_, QuietOptions());
  EXPECT_EQ(EngineOf(const_cast<Store&>(store)).region.geometry().hash_seed,
            EngineOf(const_cast<Store&>(copy)).region.geometry().hash_seed);
}

TEST_F(BackupTest, IndexesOfEverySizeCanBeReadChangedAndEmptied) {
  // About the sizes of a bucket, a leaf, a node, and of some of each.
  const std::vector<int> sizes = {1, 2, 15, 16, 17, 31, 33, 47, 48, 49, 96, 97, 500, 3071, 3073};
  Options options = QuietOptions();
  {
    const Store store = MustOpen(options);
    for (const int size : sizes) {
      for (const Order order : {Order::kHash, Order::kOrdered}) {
        const Namespace ns = *store.OpenNamespace(
            absl::StrCat(size, order == Order::kHash ? "h" : "o"), {.order = order});
        for (int i = 0; i < size; ++i) {
          Put(ns, absl::StrCat("key", absl::Dec(i, absl::kZeroPad6)), absl::StrCat(i));
        }
      }
    }
    MustBackup(store);
  }
  options.testing.node_children = 3;  // From here on: deep trees grow on those of the copy.
  options.testing.leaf_keys = 4;
  options.testing.leaf_append = 2;
  const Store copy = MustOpen(copy_, options);
  EXPECT_TRUE(IsSound(copy));
  for (const int size : sizes) {
    for (const char* const order : {"h", "o"}) {
      const Namespace ns = MustOpenNamespace(copy, absl::StrCat(size, order));
      EXPECT_EQ(*ns.Size(), static_cast<std::uint64_t>(size));
      for (int i = 0; i < size; ++i) {
        const std::string key = absl::StrCat("key", absl::Dec(i, absl::kZeroPad6));
        ASSERT_EQ(*ns.Get(key), absl::StrCat(i)) << size << order;
        Put(ns, key + "x", "new");
        if (i % 3 != 0) {
          ASSERT_TRUE(*ns.Delete(key));
        }
      }
      EXPECT_EQ(*ns.Count(), *ns.Size());
    }
  }
  EXPECT_TRUE(IsSound(copy));
  for (const int size : sizes) {
    for (const char* const order : {"h", "o"}) {
      const Namespace ns = MustOpenNamespace(copy, absl::StrCat(size, order));
      std::vector<std::string> keys;
      for (const Entry& entry : ns.Scan()) {
        keys.push_back(entry.key());
      }
      for (const std::string& key : keys) {
        ASSERT_TRUE(*ns.Delete(key));
      }
      EXPECT_EQ(*ns.Size(), 0U);
    }
  }
}

TEST_F(BackupTest, DeletedKeysOldVersionsAndExpiredKeysAreNotInTheFile) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "ns");
  std::vector<Snapshot> old;  // They keep the old versions in the source.
  for (int round = 0; round < 20; ++round) {
    old.push_back(*store.TakeSnapshot());
    for (int i = 0; i < 200; ++i) {
      Put(ns, absl::StrCat(i), std::string(500, static_cast<char>('a' + round)));
    }
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(*ns.Delete(absl::StrCat(i)));
  }
  Put(ns, "short", "lived", {.ttl = absl::Nanoseconds(1)});
  const BackupReport report = MustBackup(store);
  EXPECT_EQ(report.keys, 100U);
  const Store copy = MustOpen(copy_, QuietOptions());
  const CheckReport check = *copy.Check();
  EXPECT_EQ(check.records, 100U);
  EXPECT_EQ(check.keys, 100U);
  EXPECT_LT(report.destination_bytes, report.source_bytes / 8);
}

TEST_F(BackupTest, TheFileEndsWithItsLastSpanAndHasNoFreeSpanInIt) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "ns");
  for (int i = 0; i < 3000; ++i) {
    Put(ns, absl::StrCat(i), std::string(100, 'v'));
  }
  MustBackup(store);
  Store copy = MustOpen(copy_, QuietOptions());
  const engine::Engine& engine = EngineOf(copy);
  EXPECT_EQ(std::filesystem::file_size(copy_),
            engine.region.SpanOffset(engine.region.span_count()));
  const alloc::AllocatorStats stats = engine.allocator.Stats();
  EXPECT_EQ(stats.spans_free, 0U);
  EXPECT_EQ(stats.blocks_retired, 0U);
  // One span that is not full for each size of block in use.
  EXPECT_LT(stats.bytes_free, 12 * engine.region.geometry().span_bytes);
}

TEST_F(BackupTest, IdsOfNamespacesGoOnWhereTheyWere) {
  const Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("kept").ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(store.OpenNamespace("dropped").ok());
    ASSERT_TRUE(store.DropNamespace("dropped").ok());
  }
  MustBackup(store);
  const Store copy = MustOpen(copy_, QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("next").ok());
  ASSERT_TRUE(copy.OpenNamespace("next").ok());
  EXPECT_EQ((*store.ListNamespaces("next"))[0].id, (*copy.ListNamespaces("next"))[0].id);
}

TEST_F(BackupTest, ContainersOfEveryKindAreTheSame) {
  const Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(
      (store.OpenShared<SharedHashMap<std::uint64_t, std::string>>("map"))->Put(7, "seven").ok());
  ASSERT_TRUE((store.OpenShared<SharedBTreeMap<std::string, double>>("tree"))->Put("pi", 3.5).ok());
  ASSERT_TRUE(store.OpenShared<SharedVec<int>>("vec")->PushBack(5).ok());
  ASSERT_TRUE(store.OpenShared<SharedDeque<std::string>>("deque")->PushBack("first").ok());
  ASSERT_TRUE(store.OpenShared<SharedString>("string")->Append("text").ok());
  ASSERT_TRUE(store.OpenShared<SharedBox<double>>("box")->Store(1.25).ok());
  const SharedCounter counter = *store.OpenShared<SharedCounter>("counter");
  ASSERT_TRUE(counter.Add(50).ok());
  ASSERT_TRUE(counter.Reset().ok());
  ASSERT_TRUE(counter.Add(-8).ok());
  ASSERT_TRUE(Latch::Open(store, "latch", 3)->CountDown().ok());
  MustBackup(store);

  const Store copy = MustOpen(copy_, QuietOptions());
  EXPECT_EQ(*(copy.OpenShared<SharedHashMap<std::uint64_t, std::string>>("map"))->Get(7), "seven");
  EXPECT_EQ(*(copy.OpenShared<SharedBTreeMap<std::string, double>>("tree"))->Get("pi"), 3.5);
  EXPECT_EQ(*copy.OpenShared<SharedVec<int>>("vec")->At(0), 5);
  const auto deque = *copy.OpenShared<SharedDeque<std::string>>("deque");
  ASSERT_TRUE(deque.PushBack("second").ok());
  EXPECT_EQ(*deque.PopFront(), "first");
  EXPECT_EQ(*deque.PopFront(), "second");
  EXPECT_EQ(*copy.OpenShared<SharedString>("string")->Get(), "text");
  EXPECT_EQ(*copy.OpenShared<SharedBox<double>>("box")->Load(), 1.25);
  const SharedCounter copied = *copy.OpenShared<SharedCounter>("counter");
  EXPECT_EQ(*copied.Value(), -8);
  ASSERT_TRUE(copied.Add(10).ok());
  EXPECT_EQ(*copied.Value(), 2);
  EXPECT_EQ(*copy.OpenShared<Latch>("latch")->Count(), 2U);
}

TEST_F(BackupTest, WhatAParticipantHoldsIsHeldByNobodyInTheCopy) {
  constexpr int kLives = 4;  // That the holder's slot has had.
  for (int i = 1; i < kLives; ++i) {
    MustOpen(SmallOptions());
  }
  const Store store = MustOpen(SmallOptions());
  const LeaderLease lease = *store.OpenShared<LeaderLease>("leader");
  const LeaderLease::Held held = *lease.Acquire(absl::Seconds(30));
  const Semaphore semaphore = *Semaphore::Open(store, "permits", 1);
  const Permits permit = *semaphore.Acquire(1, absl::Seconds(30));
  const auto jobs = *store.OpenShared<SharedDeque<std::string>>("jobs");
  ASSERT_TRUE(jobs.PushBack("job").ok());
  const absl::StatusOr<Leased<std::string>> leased = jobs.LeaseFront();
  ASSERT_TRUE(leased.ok()) << leased.status();
  MustBackup(store);
  ASSERT_TRUE(*held.StillHeld());

  // Openers that have the holder's slot, one after the other: none is taken for the holder.
  for (int i = 0; i < 2 * kLives; ++i) {
    const Store copy = MustOpen(copy_, SmallOptions());
    EXPECT_FALSE(copy.OpenShared<LeaderLease>("leader")->Holder()->has_value()) << i;
    EXPECT_EQ(*copy.OpenShared<Semaphore>("permits")->Available(), 1U) << i;
  }
  const Store copy = MustOpen(copy_, SmallOptions());
  EXPECT_TRUE(copy.OpenShared<LeaderLease>("leader")->TryAcquire()->has_value());
  EXPECT_TRUE(copy.OpenShared<Semaphore>("permits")->TryAcquire()->has_value());
  const auto copied = *copy.OpenShared<SharedDeque<std::string>>("jobs");
  const absl::StatusOr<Leased<std::string>> again = copied.LeaseFront(absl::Seconds(20));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->value(), "job");
}

TEST_F(BackupTest, ChangesThatComeMeanwhileAreNotInIt) {
  const Store store = MustOpen(QuietOptions());
  const Namespace hash = MustOpenNamespace(store, "hash");
  const Namespace ordered = *store.OpenNamespace("ordered", {.order = Order::kOrdered});
  const Namespace cleared = MustOpenNamespace(store, "cleared");
  const auto key = [](int i) { return absl::StrCat("key", absl::Dec(i, absl::kZeroPad6)); };
  for (int i = 0; i < 500; ++i) {
    Put(hash, key(i), "old");
    Put(ordered, key(i), "old");
    Put(cleared, key(i), "old");
  }
  int calls = 0;
  BackupOptions options;
  options.progress = [&](std::uint64_t /*done*/, std::uint64_t total) {
    EXPECT_EQ(total, 1500U);
    if (calls++ == 0) {
      for (int i = 0; i < 500; ++i) {
        Put(hash, key(i), "new");
        Put(ordered, key(i) + "x", "new");
        EXPECT_TRUE(*ordered.Delete(key(i)));
      }
      EXPECT_TRUE(cleared.Clear().ok());
      Put(MustOpenNamespace(store, "added"), "k", "new");
    }
    return true;
  };
  const BackupReport report = MustBackup(store, options);
  EXPECT_GE(calls, 2);
  EXPECT_EQ(report.keys, 1500U);
  EXPECT_EQ(report.namespaces, 3U);
  EXPECT_LT(report.commit_time, store.Stats()->commit_clock);
  const Store copy = MustOpen(copy_, QuietOptions());
  EXPECT_EQ(copy.Stats()->commit_clock, report.commit_time);
  EXPECT_EQ(copy.ListNamespaces()->size(), 3U);
  for (const char* const path : {"hash", "ordered", "cleared"}) {
    const Namespace ns = MustOpenNamespace(copy, path);
    EXPECT_EQ(*ns.Size(), 500U);
    for (int i = 0; i < 500; ++i) {
      ASSERT_EQ(*ns.Get(key(i)), "old") << path;
    }
  }
}

TEST_F(BackupTest, ANamespaceThatIsDroppedMeanwhileIsNotInIt) {
  const Store store = MustOpen(QuietOptions());
  const Namespace kept = MustOpenNamespace(store, "kept");
  Put(kept, "k", "v");
  const Namespace dropped = MustOpenNamespace(store, "dropped");
  for (int i = 0; i < 500; ++i) {
    Put(dropped, absl::StrCat(i), std::string(100, 'd'));
  }
  BackupOptions options;
  options.bytes_per_second = 1'000'000'000;
  options.progress = [&](std::uint64_t done, std::uint64_t /*total*/) {
    if (done > 0 && store.ListNamespaces("dropped")->size() == 1) {
      EXPECT_TRUE(store.DropNamespace("dropped").ok());
    }
    return true;
  };
  const BackupReport report = MustBackup(store, options);
  EXPECT_EQ(report.keys, 1U);
  const Store copy = MustOpen(copy_, QuietOptions());
  EXPECT_EQ(copy.ListNamespaces()->size(), 1U);
  EXPECT_EQ(*MustOpenNamespace(copy, "kept").Get("k"), "v");
}

TEST_F(BackupTest, AFileThatIsNoStoreIsNotOverwritten) {
  const Store store = MustOpen(QuietOptions());
  for (const std::string& precious : {std::string("p"), std::string(10'000, 'p')}) {
    WriteFileBytes(copy_, precious);
    EXPECT_TRUE(Says(store.Backup(copy_).status(), Code::kAlreadyExists, copy_));
    EXPECT_TRUE(Says(store.Backup(copy_, {.overwrite = true}).status(), Code::kFailedPrecondition,
                     "is no store"));
    EXPECT_EQ(FileBytes(copy_), precious);
  }
  WriteFileBytes(copy_, "");
  MustBackup(store, {.overwrite = true});
}

TEST_F(BackupTest, AStoreThatIsThereIsLeftAloneUnlessItMayBeOverwritten) {
  const Store store = MustOpen(QuietOptions());
  Put(MustOpenNamespace(store, "ns"), "k", "v");
  (void)MustOpenNamespace(MustOpen(copy_, QuietOptions()), "precious");
  std::filesystem::permissions(copy_, std::filesystem::perms(0640));
  const std::string before = FileBytes(copy_);
  EXPECT_TRUE(Says(store.Backup(copy_).status(), Code::kAlreadyExists, copy_));
  EXPECT_TRUE(FileBytes(copy_) == before);
  MustBackup(store, {.overwrite = true});
  EXPECT_EQ(static_cast<unsigned>(std::filesystem::status(copy_).permissions()), 0640U);
  EXPECT_EQ(*MustOpenNamespace(MustOpen(copy_, QuietOptions()), "ns").Get("k"), "v");
  EXPECT_EQ(Names(), (std::vector<std::string>{"copy", "store"}));
}

TEST_F(BackupTest, AStoreInUseIsNotOverwritten) {
  const Store store = MustOpen(QuietOptions());
  const Store other = MustOpen(copy_, QuietOptions());
  EXPECT_TRUE(Says(store.Backup(copy_, {.overwrite = true}).status(), Code::kFailedPrecondition,
                   "has open"));
  EXPECT_TRUE(Says(store.Backup(path_, {.overwrite = true}).status(), Code::kInvalidArgument,
                   "is the store itself"));
}

TEST_F(BackupTest, OfOneThatIsStoppedNothingIsLeft) {
  const Store store = MustOpen(QuietOptions());
  for (int i = 0; i < 1000; ++i) {
    Put(MustOpenNamespace(store, "ns"), absl::StrCat(i), "v");
  }
  const absl::StatusOr<BackupReport> report =
      store.Backup(copy_, {.progress = [](std::uint64_t, std::uint64_t) { return false; }});
  EXPECT_TRUE(Says(report.status(), Code::kCancelled, "nothing was kept"));
  EXPECT_EQ(Names(), std::vector<std::string>{"store"});
  EXPECT_EQ(store.Stats()->snapshots, 0U);
}

TEST_F(BackupTest, OnAFullDiskNothingIsLeftAndTheStoreGoesOn) {
  FaultPlatform platform;
  const absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  const Namespace ns = MustOpenNamespace(*store, "ns");
  for (int i = 0; i < 3000; ++i) {
    Put(ns, absl::StrCat(i), std::string(100, 'v'));
  }
  const std::vector<std::string> names = Names();
  for (const std::uint64_t room : {std::uint64_t{0}, std::uint64_t{300} << 10}) {
    platform.Set([&](FaultPlatform::Faults& faults) { faults.allocate_bytes_left = room; });
    EXPECT_TRUE(Says(store->Backup(copy_).status(), Code::kResourceExhausted, ""));
    EXPECT_EQ(Names(), names);
  }
  platform.Clear();
  EXPECT_TRUE(store->Backup(copy_).ok());
}

TEST_F(BackupTest, AnErrorOfTheDiskIsReported) {
  FaultPlatform platform;
  const absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  Put(MustOpenNamespace(*store, "ns"), "k", "v");
  const std::vector<std::string> names = Names();
  platform.Set([](FaultPlatform::Faults& faults) { faults.sync = absl::DataLossError("bad"); });
  EXPECT_TRUE(Says(store->Backup(copy_).status(), Code::kDataLoss, "bad"));
  platform.Clear();
  platform.Set([](FaultPlatform::Faults& faults) { faults.link = absl::DataLossError("name"); });
  EXPECT_TRUE(Says(store->Backup(copy_).status(), Code::kDataLoss, "name"));
  EXPECT_EQ(Names(), names);
}

TEST_F(BackupTest, ItIsNoFasterThanItsLimit) {
  const Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "ns");
  for (int i = 0; i < 200; ++i) {
    Put(ns, absl::StrCat(i), std::string(1000, 'v'));
  }
  const absl::Time begun = absl::Now();
  MustBackup(store, {.bytes_per_second = 2'000'000});
  EXPECT_GE(absl::Now() - begun, absl::Milliseconds(95));  // 200 kB and some more.
}

TEST_F(BackupTest, AReadOnlyHandleCanMakeOne) {
  {
    const Store store = MustOpen(QuietOptions());
    Put(MustOpenNamespace(store, "ns"), "k", "v");
  }
  Options options = QuietOptions();
  options.read_only = true;
  EXPECT_EQ(MustBackup(MustOpen(options)).keys, 1U);
}

TEST_F(BackupTest, KeysOfTheCopyAreSweptWhenTheirTimeIsOver) {
  constexpr std::int64_t kHourNs = 3'600'000'000'000;
  FaultPlatform platform;
  platform.FreezeClocks();
  {
    const absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
    ASSERT_TRUE(store.ok()) << store.status();
    for (const Order order : {Order::kHash, Order::kOrdered}) {
      const Namespace ns =
          *store->OpenNamespace(order == Order::kHash ? "hash" : "ordered", {.order = order});
      for (int i = 0; i < 300; ++i) {
        // Those that stay, and those that expire, lie in one segment or leaf, and in others.
        Put(ns, absl::StrCat(i), "v",
            i % 3 == 0 ? PutOptions() : PutOptions{.ttl = absl::Hours(i % 3)});
      }
    }
    ASSERT_TRUE(store->Backup(copy_).ok());
  }
  absl::StatusOr<Store> copy = OpenOn(platform, copy_, QuietOptions());
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(copy->Check()->records, 600U);
  const auto sweep = [&] {
    // Beats settle the clock, and sweep.
    EXPECT_TRUE(MustOpenNamespace(*copy, "hash").Put("writer", "v").ok());
    for (int i = 0; i < 20; ++i) {
      EngineOf(*copy).session.Beat();
    }
  };
  sweep();
  EXPECT_EQ(copy->Check()->records, 601U);
  platform.Advance(kHourNs);
  sweep();
  EXPECT_EQ(copy->Check()->records, 401U);
  platform.Advance(kHourNs);
  sweep();
  EXPECT_EQ(copy->Check()->records, 201U);
}

TEST_F(BackupTest, StoreTimeGoesOnInTheCopy) {
  FaultPlatform platform;
  absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  Put(MustOpenNamespace(*store, "ns"), "k", "v", {.ttl = absl::Hours(1)});
  platform.FreezeClocks();
  // The wall clock is set, and the copy is opened after that: the key lives on as before.
  platform.Set([](FaultPlatform::Faults& faults) { *faults.wall_ns += 7'200'000'000'000; });
  EngineOf(*store).session.clock().Beat();
  ASSERT_TRUE(store->Backup(copy_).ok());
  absl::StatusOr<Store> copy = OpenOn(platform, copy_, QuietOptions());
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(EngineOf(*copy).session.clock().NowNs(), EngineOf(*store).session.clock().NowNs());
  EXPECT_TRUE(MustOpenNamespace(*copy, "ns").Get("k").ok());
}

}  // namespace
}  // namespace commy::test
