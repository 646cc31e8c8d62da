// Shrinking a store: what is there stays, the space comes back, and others go on meanwhile.
#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "commy/shared_vec.h"
#include "support/seed.h"
#include "support/small_disk.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

// Spans of the usual size and few keys a segment: sparse spans soon.
Options UsualSpans() {
  Options options;
  options.max_size = std::uint64_t{1} << 30;
  options.testing.background = false;
  options.testing.segment_buckets = 3;
  return options;
}

std::string KeyOf(int i) {
  return absl::StrCat("key", i);
}
std::string ValueOf(int i, std::size_t size) {
  std::string value = absl::StrCat(i, ":");
  while (value.size() < size) {
    value += value;
  }
  value.resize(size);
  return value;
}

class ShrinkTest : public StoreFixture, public testing::WithParamInterface<Order> {
 protected:
  ShrinkTest() { quiet_reopen_ = UsualSpans(); }

  Namespace MustOpenOrdered(const Store& store, const std::string& path, Order order) {
    absl::StatusOr<Namespace> ns = store.OpenNamespace(path, {.order = order});
    EXPECT_TRUE(ns.ok()) << ns.status();
    return *std::move(ns);
  }
  static ShrinkReport MustShrink(const Store& store, const ShrinkOptions& options = {}) {
    absl::StatusOr<ShrinkReport> report = store.ShrinkToUsage(options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(ShrinkReport());
  }
};

INSTANTIATE_TEST_SUITE_P(Orders, ShrinkTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

TEST_P(ShrinkTest, AfterNineOfTenKeysAreDeletedTheDiskUseFollows) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  constexpr int kKeys = 150'000;
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
  }
  const std::uint64_t full = store.Stats()->disk_bytes;
  for (int i = 0; i < kKeys; ++i) {
    if (i % 10 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  const ShrinkReport report = MustShrink(store);
  EXPECT_TRUE(report.done);
  EXPECT_EQ(report.disk_bytes_after, store.Stats()->disk_bytes);
  // Disk blocks are given back by large pages of 2 MiB: a few are in use only in part, and in an
  // ordered namespace separators never move.
  EXPECT_LT(report.disk_bytes_after,
            full / 10 + (GetParam() == Order::kHash ? 6'000'000 : 10'000'000));
  EXPECT_TRUE(IsSound(store));
  for (int i = 0; i < kKeys; ++i) {
    const absl::StatusOr<std::string> value = ns.Get(KeyOf(i));
    ASSERT_EQ(value.ok(), i % 10 == 0) << i;
    if (value.ok()) {
      ASSERT_EQ(*value, ValueOf(i, 100));
    }
  }
}

TEST_P(ShrinkTest, LeavesOfWhichLittleIsLeftAreMerged) {
  Store store = MustOpen(UsualSpans());
  if (GetParam() == Order::kHash) {
    GTEST_SKIP() << "a hash namespace has no leaves";
  }
  const Namespace ns = MustOpenOrdered(store, "a", Order::kOrdered);
  constexpr int kKeys = 50'000;
  std::mt19937_64 random(Seed());
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 8)).ok());
  }
  for (int i = 0; i < kKeys; ++i) {
    if (random() % 3 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  const auto bytes_a_key = [&] {
    return static_cast<double>(store.Stats()->used_bytes - store.Stats()->bytes) /
           static_cast<double>(*ns.Size());
  };
  const double before = bytes_a_key();  // Of the index.
  MustShrink(store);
  std::printf("%.1f bytes a key before, %.1f after\n", before, bytes_a_key());
  EXPECT_LT(bytes_a_key(), before * 0.75);
}

TEST_P(ShrinkTest, WhileAReaderHoldsMemoryBackTheFileDoesNotGrow) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
  }
  std::promise<void> reads;
  std::promise<void> end;
  std::thread reader([&] {
    EXPECT_TRUE(ns.ReadWith(KeyOf(0), [&](std::string_view /*value*/) {
                    reads.set_value();
                    end.get_future().wait();
                  }).ok());
  });
  reads.get_future().wait();
  for (int i = 0; i < 20'000; ++i) {
    if (i % 10 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  const std::uint64_t before = store.Stats()->disk_bytes;
  for (int i = 0; i < 3; ++i) {
    const ShrinkReport report = MustShrink(store);
    EXPECT_TRUE(report.done);
    EXPECT_LE(report.disk_bytes_after, before);
    EXPECT_GT(report.waiting_bytes, 1'000'000);
  }
  end.set_value();
  reader.join();
  EXPECT_LT(MustShrink(store).disk_bytes_after, before);
  EXPECT_TRUE(IsSound(store));
}

TEST_P(ShrinkTest, ASecondShrinkFindsNothingToDo) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 64)).ok());
  }
  for (int i = 0; i < 20'000; i += 2) {
    ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
  }
  MustShrink(store);
  const ShrinkReport again = MustShrink(store);
  EXPECT_TRUE(again.done);
  EXPECT_EQ(again.moved_bytes, 0);
  EXPECT_EQ(again.disk_bytes_after, again.disk_bytes_before);
}

TEST_P(ShrinkTest, WhatASnapshotSeesStays) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 80)).ok());
  }
  absl::StatusOr<Snapshot> snapshot = store.TakeSnapshot();
  ASSERT_TRUE(snapshot.ok());
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(i % 3 == 0 ? ns.Put(KeyOf(i), "new").ok() : ns.Delete(KeyOf(i)).ok());
  }
  const ShrinkReport held = MustShrink(store);
  EXPECT_TRUE(held.done);
  for (int i = 0; i < 10'000; ++i) {
    const absl::StatusOr<std::string> then = ns.Get(KeyOf(i), {.snapshot = &*snapshot});
    ASSERT_TRUE(then.ok()) << i << then.status();
    ASSERT_EQ(*then, ValueOf(i, 80));
    ASSERT_EQ(ns.Get(KeyOf(i)).ok(), i % 3 == 0);
  }
  EXPECT_TRUE(IsSound(store));
  snapshot = absl::CancelledError();  // Released.
  const ShrinkReport free = MustShrink(store);
  EXPECT_LT(free.disk_bytes_after + (std::uint64_t{1} << 20), held.disk_bytes_after);
  EXPECT_EQ(free.stuck_for_snapshots, 0);
}

TEST_P(ShrinkTest, LargeValuesMoveToTheFrontAndTheEndIsCutWhenTheStoreIsClosed) {
  std::uint64_t before = 0;
  {
    Store store = MustOpen(UsualSpans());
    const Namespace ns = MustOpenOrdered(store, "a", GetParam());
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 300'000)).ok());
    }
    for (int i = 0; i < 90; ++i) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
    before = store.Stats()->file_bytes;
    const ShrinkReport report = MustShrink(store);
    EXPECT_GT(report.end_bytes, before / 2);
    ASSERT_TRUE(store.Close().ok());
  }
  Store store = MustOpen(UsualSpans());
  const StoreStats after = *store.Stats();
  EXPECT_LT(after.file_bytes, before / 2);
  EXPECT_LT(after.disk_bytes, std::uint64_t{8} << 20);
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 90; i < 100; ++i) {
    EXPECT_EQ(*ns.Get(KeyOf(i)), ValueOf(i, 300'000));
  }
  // And it grows again, over what was cut.
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i + 1, 300'000)).ok());
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(*ns.Get(KeyOf(i)), ValueOf(i + 1, 300'000));
  }
}

TEST_P(ShrinkTest, ALimitEndsItEarlyAndTheNextCallGoesOn) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 80'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
  }
  for (int i = 0; i < 80'000; ++i) {
    if (i % 5 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  const std::uint64_t disk = store.Stats()->disk_bytes;
  int calls = 0;
  bool done = false;
  while (!done && calls < 10'000) {
    const ShrinkReport report = MustShrink(store, {.bytes_limit = 100'000});
    done = report.done;
    // A piece that is begun is ended: a segment with its records.
    EXPECT_LT(report.moved_bytes, 2'000'000);
    ++calls;
  }
  EXPECT_TRUE(done);
  EXPECT_GT(calls, 3);
  EXPECT_LT(store.Stats()->disk_bytes, disk / 2);
  for (int i = 0; i < 80'000; ++i) {
    ASSERT_EQ(ns.Get(KeyOf(i)).ok(), i % 5 == 0);
  }
}

TEST_P(ShrinkTest, AProgressCallbackThatSaysNoEndsIt) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 30'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
    if (i % 5 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  int calls = 0;
  const ShrinkReport report =
      MustShrink(store, {.progress = [&calls](const ShrinkProgress&) { return ++calls < 2; }});
  EXPECT_FALSE(report.done);
  EXPECT_EQ(calls, 2);
}

TEST_P(ShrinkTest, ReadersAndWritersOfOtherThreadsSeeWhatTheyWrote) {
  const std::uint64_t seed = Seed();
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  constexpr int kKeys = 20'000;
  constexpr int kThreads = 3;
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 50)).ok());
  }
  std::atomic<bool> stop{false};
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  std::vector<std::string> faults(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // Each has keys of its own, and knows what is there.
      std::map<int, std::string> mine;
      for (int i = t; i < kKeys; i += kThreads) {
        mine[i] = ValueOf(i, 50);
      }
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(t));
      std::uint64_t rounds = 0;
      while (faults[t].empty() && !stop.load()) {
        const int i = static_cast<int>(random() % (kKeys / kThreads)) * kThreads + t;
        const std::string key = KeyOf(i);
        const absl::StatusOr<std::string> got = ns.Get(key);
        const auto known = mine.find(i);
        if (got.ok() != (known != mine.end()) || (got.ok() && *got != known->second)) {
          faults[t] = absl::StrCat(key, " is not what was written");
        }
        const std::uint64_t dice = random() % 8;
        if (dice == 0) {
          const std::string value = ValueOf(i, random() % 300);
          faults[t] += ns.Put(key, value).ok() ? "" : "a put failed";
          mine[i] = value;
        } else if (dice < 4) {
          const absl::StatusOr<bool> deleted = ns.Delete(key);
          faults[t] += deleted.ok() && *deleted == mine.contains(i) ? "" : "a delete failed";
          mine.erase(i);
        } else if (dice == 4) {
          const absl::Status done = store.Transact([&](Transaction& transaction) {
            return transaction.Put(ns, key, "in a transaction");
          });
          faults[t] += done.ok() ? "" : "a transaction failed";
          mine[i] = "in a transaction";
        }
        ready += rounds++ == 1000 ? 1 : 0;
      }
    });
  }
  while (ready.load() < kThreads) {
    std::this_thread::yield();
  }
  for (int round = 0; round < 10; ++round) {
    MustShrink(store, {.fill = 0.95});
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::string& fault : faults) {
    EXPECT_EQ(fault, "");
  }
  EXPECT_TRUE(IsSound(store));
}

TEST_P(ShrinkTest, ASerializableTransactionDoesNotTakeAMoveForAChange) {
  Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenOrdered(store, "a", GetParam());
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
  }
  for (int i = 0; i < 5'000; ++i) {
    if (i % 10 != 0) {
      ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
    }
  }
  absl::StatusOr<Transaction> transaction = store.Begin({.isolation = Isolation::kSerializable});
  ASSERT_TRUE(transaction.ok());
  std::uint64_t seen = 0;
  for (int i = 0; i < 5'000; i += 10) {
    seen += transaction->Get(ns, KeyOf(i)).ok() ? 1 : 0;
  }
  EXPECT_EQ(seen, 500);
  ASSERT_TRUE(transaction->Put(ns, "sum", absl::StrCat(seen)).ok());
  const ShrinkReport report = MustShrink(store);
  EXPECT_GT(report.moved_blocks, 400);
  EXPECT_TRUE(transaction->Commit().ok());
}

TEST_F(ShrinkTest, ElementsOfAVectorStayInTheirPlaces) {
  Store store = MustOpen(UsualSpans());
  absl::StatusOr<SharedVec<double>> vec = store.OpenShared<SharedVec<double>>("v");
  ASSERT_TRUE(vec.ok());
  ASSERT_TRUE(vec->Append(std::vector<double>(200'000, 1.5)).ok());
  ASSERT_TRUE(vec->Set(7, 8.5).ok());
  ASSERT_TRUE(vec->EraseRange(1000, 150'000).ok());
  MustShrink(store);
  EXPECT_EQ(*vec->Size(), 50'000);
  EXPECT_EQ(*vec->At(7), 8.5);
  EXPECT_EQ(*vec->At(49'999), 1.5);
}

TEST_F(ShrinkTest, AStoreOpenedReadOnlyIsNotShrunk) {
  { MustOpen(UsualSpans()); }
  Options options = UsualSpans();
  options.read_only = true;
  const Store store = MustOpen(options);
  EXPECT_TRUE(
      Says(store.ShrinkToUsage().status(), absl::StatusCode::kFailedPrecondition, "read-only"));
}

TEST_F(ShrinkTest, OptionsOutOfRangeAreRefused) {
  const Store store = MustOpen(UsualSpans());
  EXPECT_TRUE(
      Says(store.ShrinkToUsage({.fill = 1.5}).status(), absl::StatusCode::kInvalidArgument, "1.5"));
  EXPECT_TRUE(Says(store.ShrinkToUsage({.time_limit = -absl::Seconds(1)}).status(),
                   absl::StatusCode::kInvalidArgument, "time_limit"));
}

TEST_F(ShrinkTest, InsideACallbackItIsRefused) {
  const Store store = MustOpen(UsualSpans());
  const Namespace ns = MustOpenNamespace(store, "a");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  absl::Status inside;
  ASSERT_TRUE(
      ns.ReadWith("k", [&](std::string_view) { inside = store.ShrinkToUsage().status(); }).ok());
  EXPECT_TRUE(Says(inside, absl::StatusCode::kFailedPrecondition, "callback"));
}

TEST_F(ShrinkTest, AViewHoldsSpaceBackAndIsNamed) {
  Store store = MustOpen(UsualSpans());
  Store other = MustOpen(UsualSpans());
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 100)).ok());
  }
  absl::StatusOr<View> view = MustOpenNamespace(other, "a").GetView(KeyOf(0));
  ASSERT_TRUE(view.ok());
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(ns.Delete(KeyOf(i)).ok());
  }
  const ShrinkReport held = MustShrink(store);
  EXPECT_GT(held.waiting_bytes, 1'000'000);
  EXPECT_EQ(view->value(), ValueOf(0, 100));
  view = absl::CancelledError();
  const ShrinkReport free = MustShrink(store);
  EXPECT_LT(free.disk_bytes_after, held.disk_bytes_after);
}

}  // namespace
}  // namespace commy::test
