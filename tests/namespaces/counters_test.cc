// The number of keys and their bytes: whatever changes a namespace, its counters say what a walk
// finds. Kills in between: tests/crash/, whose checks compare both.
#include "namespaces/counters.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "commy/transaction.h"
#include "index/root_layout.h"
#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/threads.h"
#include "versions/units.h"

namespace commy::test {
namespace {

// What a key takes in a namespace whose values are aligned to 16.
std::uint64_t BytesOf(std::string_view key, std::string_view value) {
  return base::AlignUp(versions::RecordBytes(key.size(), value.size()), versions::kUnitBytes);
}

class CountersTest : public OrderedFixture {
 protected:
  NamespaceInfo Info(const std::string& path = "n") {
    const absl::StatusOr<std::vector<NamespaceInfo>> listed = store_.ListNamespaces(path);
    EXPECT_TRUE(listed.ok() && listed->size() == 1) << listed.status();
    return listed->at(0);
  }
  // The bytes of what a scan finds; exact while nothing in there expires.
  static std::uint64_t Scanned(const Namespace& ns) {
    std::uint64_t bytes = 0;
    ScanRange scan = ns.Scan();
    for (const Entry& entry : scan) {
      bytes += BytesOf(entry.key(), entry.value());
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return bytes;
  }
  // The cell of this thread's lane in the only namespace.
  index::CounterCell& Cell() {
    const engine::Engine& engine = EngineOf(store_);
    const engine::NamespaceRef ns = RefOf(store_);
    auto* const root =
        engine.region.At<index::IndexRoot>(ns.object->root.load(std::memory_order_relaxed));
    const std::uint32_t lane = (*engine.session.ThisLane())->index();
    const std::uint64_t block = root->counters[lane].load(std::memory_order_relaxed);
    EXPECT_LT(lane, index::kCounterGroups);
    EXPECT_NE(block, 0U);
    return *engine.region.At<index::CounterCell>(block);
  }

  Store store_ = MustOpen(QuietOptions());
};

TEST_F(CountersTest, AKeyTakesItsNewestRecordRoundedUpToSixteen) {
  const Namespace ns = *store_.OpenNamespace("n");
  EXPECT_EQ(Info().bytes, 0U);
  std::uint64_t others = 0;
  for (const std::size_t key_size : {0, 1, 16, 17, 300}) {
    const std::string key(key_size, 'k');
    for (const std::size_t value_size : {0, 1, 16, 17, 5000, 100'000, 100'001, 3}) {
      ASSERT_TRUE(ns.Put(key, std::string(value_size, 'v')).ok());
      EXPECT_EQ(Info().bytes, others + BytesOf(key, std::string(value_size, 'v')))
          << key_size << " " << value_size;
      EXPECT_EQ(Info().bytes % 16, 0U);
    }
    others = Info().bytes;
  }
  EXPECT_EQ(store_.Stats()->bytes, others);
  EXPECT_EQ(store_.Check()->bytes, others);
  EXPECT_EQ(*ns.Delete("none"), false);
  EXPECT_EQ(Info().bytes, others);
  ASSERT_TRUE(store_.RenameNamespace("n", "m").ok());
  EXPECT_EQ(Info("m").bytes, others);
  ASSERT_TRUE(ns.Delete("").ok());
  EXPECT_EQ(Info("m").bytes, Scanned(ns));
  ASSERT_TRUE(ns.Clear().ok());
  EXPECT_EQ(Info("m").bytes, 0U);
}

TEST_F(CountersTest, ATransactionCountsWhenItIsCommittedAndAnAbortedOneNever) {
  const Namespace ns = *store_.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("a", std::string(100, 'v')).ok());
  ASSERT_TRUE(ns.Put("b", "v").ok());
  const std::uint64_t before = Info().bytes;
  absl::StatusOr<Transaction> txn = store_.Begin();
  ASSERT_TRUE(txn->Put(ns, "a", "longer than it was? no, shorter").ok());
  ASSERT_TRUE(txn->Put(ns, "b", std::string(3000, 'v')).ok());
  ASSERT_TRUE(txn->Put(ns, "c", "new").ok());
  EXPECT_EQ(Info().bytes, before);
  ASSERT_TRUE(txn->Commit().ok());
  EXPECT_EQ(Info().bytes, Scanned(ns));
  EXPECT_EQ(Info().keys, 3U);

  absl::StatusOr<Transaction> loser = store_.Begin();
  ASSERT_TRUE(loser->Put(ns, "b", std::string(30'000, 'v')).ok());
  ASSERT_TRUE(ns.Put("b", "other").ok());
  EXPECT_TRUE(absl::IsAborted(loser->Commit()));
  EXPECT_EQ(Info().bytes, Scanned(ns));

  // As many keys as before: only the bytes change.
  absl::StatusOr<Transaction> larger = store_.Begin();
  ASSERT_TRUE(larger->Put(ns, "c", std::string(500, 'v')).ok());
  ASSERT_TRUE(larger->Commit().ok());
  EXPECT_EQ(Info().bytes, Scanned(ns));
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(CountersTest, AnExpiredKeyCountsUntilItIsSwept) {
  const Namespace ns = *store_.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("k", std::string(100, 'v'), {absl::Nanoseconds(1)}).ok());
  EXPECT_FALSE(ns.Get("k").ok());
  EXPECT_GT(Info().bytes, 100U);
  EXPECT_TRUE(IsSound(store_));
  ASSERT_TRUE(ns.Put("k", "v", {absl::Nanoseconds(1)}).ok());
  EXPECT_LT(Info().bytes, 100U);
  for (int i = 0; i < 100 && Info().keys != 0; ++i) {
    EngineOf(store_).session.Beat();
  }
  EXPECT_EQ(Info().keys, 0U);
  EXPECT_EQ(Info().bytes, 0U);
}

TEST_F(CountersTest, WhateverTwoThreadsDoTheCountersSayWhatAWalkFinds) {
  const std::uint64_t seed = Seed();
  const std::vector<Namespace> all = {*store_.OpenNamespace("h"), MustOpenOrdered(store_, "o")};
  std::mt19937_64 rounds(seed);
  for (int round = 0; round < 12; ++round) {
    const bool clears = rounds() % 3 == 0;
    RunThreads(2, [&](int thread) {
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(2 * round + thread) + 1);
      const auto key = [&] {
        return std::string(random() % 40, 'k') + std::to_string(random() % 9);
      };
      const auto value = [&] {
        return std::string(random() % 7 == 0 ? random() % 9000 : random() % 90, 'v');
      };
      for (int i = 0; i < 600; ++i) {
        const Namespace& ns = all[random() % 2];
        const std::uint64_t what = random() % 100;
        if (what < 45) {
          ASSERT_TRUE(ns.Put(key(), value()).ok());
        } else if (what < 60) {
          ASSERT_TRUE(ns.Delete(key()).ok());
        } else if (what < 70) {
          ASSERT_TRUE(ns.Put(key(), value(), {absl::Nanoseconds(1 + random() % 100'000)}).ok());
        } else if (what < 75) {
          (void)ns.PutIfAbsent(key(), value());
        } else if (what == 99 && clears) {
          ASSERT_TRUE(ns.Clear().ok());
        } else if (what < 80) {
          EngineOf(store_).session.Beat();
        } else {
          absl::StatusOr<Transaction> txn = store_.Begin();
          ASSERT_TRUE(txn.ok()) << txn.status();
          for (std::uint64_t writes = 1 + random() % 5; writes != 0; --writes) {
            const Namespace& one = all[random() % 2];
            ASSERT_TRUE((random() % 3 == 0 ? txn->Delete(one, key()).status()
                                           : txn->Put(one, key(), value()))
                            .ok());
          }
          const absl::Status done = txn->Commit();
          ASSERT_TRUE(done.ok() || absl::IsAborted(done)) << done;
        }
      }
    });
    // Both counts of both namespaces are compared there: nothing is in flight.
    const absl::StatusOr<CheckReport> report = store_.Check();
    ASSERT_TRUE(IsSound(report)) << "round " << round;
    ASSERT_EQ(report->bytes, Info("h").bytes + Info("o").bytes);
    ASSERT_EQ(report->keys, Info("h").keys + Info("o").keys);
  }
  for (int i = 0; i < 100 && Info("h").bytes + Info("o").bytes != Scanned(all[0]) + Scanned(all[1]);
       ++i) {
    EngineOf(store_).session.Beat();  // Until what has expired is swept.
  }
  for (const Namespace& ns : all) {
    EXPECT_EQ(Info(ns.path()).bytes, Scanned(ns)) << ns.path();
  }
}

TEST_F(CountersTest, ACellMayCountPastItsBitsIfOthersTakeItBack) {
  const Namespace ns = *store_.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  const NamespaceInfo before = Info();
  // A lane that has put much more than it deleted, and another one that deleted it.
  constexpr std::int64_t kMuch = (std::int64_t{1} << 39U) - 1;
  const auto add = [](base::Shared64& word, std::int64_t more) {
    const std::uint64_t seen = word.load(std::memory_order_relaxed);
    word.store(index::PackCell(index::CellValue(seen) + more, index::CellSeq(seen)),
               std::memory_order_relaxed);
  };
  index::CounterCell* other = nullptr;
  RunThreads(1, [&](int) {
    ASSERT_TRUE(ns.Put("other", "v").ok());
    ASSERT_TRUE(ns.Delete("other").ok());
    other = &Cell();
  });
  ASSERT_NE(other, &Cell());
  for (int times = 0; times < 5; ++times) {
    add(Cell().keys, kMuch);
    add(Cell().units, kMuch);
    add(other->keys, -kMuch);
    add(other->units, -kMuch);
    EXPECT_EQ(Info().keys, before.keys) << times;
    EXPECT_EQ(Info().bytes, before.bytes) << times;
    ASSERT_TRUE(ns.Put("k" + std::to_string(times), "v").ok());
    ASSERT_TRUE(ns.Delete("k" + std::to_string(times)).ok());
  }
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(CountersTest, CheckFindsACellThatSaysSomethingElse) {
  const Namespace ns = *store_.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  ASSERT_TRUE(IsSound(store_));
  const std::vector<std::pair<base::Shared64*, std::string>> words = {
      {&Cell().keys, "its counters say 2 keys, and it has 1"},
      {&Cell().units, "its counters say 144 bytes, and its keys take "}};
  for (const auto& [word, fault] : words) {
    const std::uint64_t right = word->load(std::memory_order_relaxed);
    word->store(index::PackCell(fault.find("keys, and") != std::string::npos ? 2 : 9,
                                index::CellSeq(right)),
                std::memory_order_relaxed);
    const absl::StatusOr<CheckReport> report = store_.Check();
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_EQ(report->fault_count, 1U);
    EXPECT_NE(report->faults[0].find(fault), std::string::npos) << report->faults[0];
    word->store(right, std::memory_order_relaxed);
  }
}

}  // namespace
}  // namespace commy::test
