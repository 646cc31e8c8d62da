// The sum of a counter: no add is lost or counted twice, whatever resets and drops it meanwhile.
#include "namespaces/sums.h"

#include <atomic>
#include <cstdint>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "commy/shared_counter.h"
#include "support/child_process.h"
#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/threads.h"

namespace commy::test {
namespace {

using base::Outcome;
using base::Result;
using process::Operation;
using process::OpKind;

class SumsTest : public OrderedFixture {
 protected:
  const namespaces::Sums& sums() { return EngineOf(store_).map.sums(); }
  process::Lane& lane() { return **EngineOf(store_).session.ThisLane(); }
  std::uint64_t BlocksUsed() {
    for (int i = 0; i < 8; ++i) {
      EngineOf(store_).session.Beat();
    }
    const absl::StatusOr<CheckReport> report = store_.Check();
    EXPECT_TRUE(IsSound(report));
    return report->blocks_used;
  }

  Store store_ = MustOpen(QuietOptions());
};

TEST_F(SumsTest, AllResetsAndTheValueAreAllAddsTogether) {
  const SharedCounter counter = *store_.OpenShared<SharedCounter>("n");
  const std::uint64_t seed = Seed();
  std::atomic<std::int64_t> added{0};
  std::atomic<std::int64_t> taken{0};
  std::atomic<int> adding{3};
  RunThreads(5, [&](int thread) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(thread));
    if (thread < 3) {
      std::int64_t mine = 0;
      for (int i = 0; i < 20'000; ++i) {
        const auto delta = static_cast<std::int64_t>(random() % 2001) - 900;
        ASSERT_TRUE(counter.Add(delta).ok());
        mine += delta;
      }
      added += mine;
      --adding;
      return;
    }
    do {
      const absl::StatusOr<std::int64_t> part = counter.Reset();
      ASSERT_TRUE(part.ok()) << part.status();
      taken += *part;
    } while (adding.load() != 0);
  });
  EXPECT_EQ(taken + *counter.Value(), added);
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(SumsTest, AValueHasAllAddsThatHaveReturnedAndNoneTwice) {
  const SharedCounter counter = *store_.OpenShared<SharedCounter>("n");
  std::atomic<std::int64_t> returned{0};
  std::atomic<std::int64_t> begun{0};
  std::atomic<int> adding{2};
  RunThreads(3, [&](int thread) {
    if (thread < 2) {
      for (int i = 0; i < 20'000; ++i) {
        ++begun;
        ASSERT_TRUE(counter.Add(1).ok());
        ++returned;
      }
      --adding;
      return;
    }
    do {
      const std::int64_t low = returned.load();
      const std::int64_t value = *counter.Value();
      ASSERT_GE(value, low);
      ASSERT_LE(value, begun.load());
    } while (adding.load() != 0);
  });
  EXPECT_EQ(*counter.Value(), 40'000);
}

// One thread after the other uses the same lanes.
TEST_F(SumsTest, TheNextOwnerOfALaneGoesOnFromItsSum) {
  const SharedCounter counter = *store_.OpenShared<SharedCounter>("n");
  for (int round = 0; round < 20; ++round) {
    RunThreads(4, [&](int) { EXPECT_TRUE(counter.Add(1).ok()); });
  }
  EXPECT_EQ(*counter.Value(), 80);
  std::set<std::uint64_t> lines;
  const process::Pin pin(lane());
  for (std::uint32_t i = 0; i < 120; ++i) {
    const base::Shared64* const cell = sums().FindCell(RefOf(store_), i);
    if (cell != nullptr) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(cell) % 64, 0U);
      EXPECT_TRUE(lines.insert(reinterpret_cast<std::uintptr_t>(cell)).second);
    }
  }
  EXPECT_GE(lines.size(), 1U);
  EXPECT_LE(lines.size(), 20U);
}

// More lanes than groups: several lanes share a block of cells.
TEST_F(SumsTest, LanesThatShareABlockHaveCellsOfTheirOwn) {
  Options options = QuietOptions();
  options.threads = 400;
  path_ = temp_.File("many");
  store_ = MustOpen(options);
  const SharedCounter counter = *store_.OpenShared<SharedCounter>("n");
  RunThreads(300, [&](int thread) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(counter.Add(thread).ok());
    }
  });
  EXPECT_EQ(*counter.Value(), 10 * 300 * 299 / 2);
  EXPECT_EQ(*counter.Reset(), 10 * 300 * 299 / 2);
  EXPECT_EQ(*counter.Value(), 0);
  ASSERT_TRUE(counter.Add(1).ok());
  EXPECT_EQ(*counter.Value(), 1);
}

TEST_F(SumsTest, AReclaimBesideTheMakingOfCellsLeavesNone) {
  for (int round = 0; round < 10; ++round) {
    path_ = temp_.File("round" + std::to_string(round));
    store_ = MustOpen(QuietOptions());
    // How many blocks there are without the counter's own.
    MustOpenNamespace(store_, "n");
    const std::uint64_t before = BlocksUsed();
    ASSERT_TRUE(store_.DropNamespace("n").ok());
    ASSERT_TRUE(store_.OpenShared<SharedCounter>("n").ok());
    std::atomic<int> dropped{0};
    RunThreads(5, [&](int thread) {
      if (thread == 0) {
        Operation op(lane(), OpKind::kCatalog, 0);
        sums().Reclaim(op, RefOf(store_));
        sums().Reclaim(op, RefOf(store_));
        return;
      }
      for (bool gone = false; !gone;) {
        Operation op(lane(), OpKind::kWrite, 0);
        base::Shared64* cell = nullptr;
        const Result made = sums().MakeCell(op, RefOf(store_), &cell);
        gone = made.is(Outcome::kDropped);
        ASSERT_TRUE(gone || made.done());
        if (made.done()) {
          namespaces::Sums::Add(*cell, 1);
        }
      }
      ++dropped;
    });
    EXPECT_EQ(dropped, 4);
    std::uint64_t value = 0;
    {
      const process::Pin pin(lane());
      EXPECT_TRUE(sums().Value(RefOf(store_), &value).is(Outcome::kDropped));
      EXPECT_TRUE(sums().Reset(RefOf(store_), &value).is(Outcome::kDropped));
      EXPECT_EQ(sums().FindCell(RefOf(store_), 0), nullptr);
    }
    EXPECT_EQ(BlocksUsed(), before + 1) << "all but the text of the type";
  }
}

TEST_F(SumsTest, ANamespaceOfKeysHasNoSum) {
  MustOpenNamespace(store_, "n");
  std::uint64_t value = 0;
  base::Shared64* cell = nullptr;
  Operation op(lane(), OpKind::kWrite, 0);
  EXPECT_TRUE(sums().Value(RefOf(store_), &value).is(Outcome::kConflict));
  EXPECT_TRUE(sums().Reset(RefOf(store_), &value).is(Outcome::kConflict));
  EXPECT_TRUE(sums().MakeCell(op, RefOf(store_), &cell).is(Outcome::kConflict));
  EXPECT_EQ(sums().FindCell(RefOf(store_), 0), nullptr);
}

TEST_F(SumsTest, WhatKilledProcessesHaveAddedStays) {
  const SharedCounter counter = *store_.OpenShared<SharedCounter>("n");
  for (int i = 1; i <= 5; ++i) {
    ChildProcess child([&](ChildSide& parent) {
      const absl::StatusOr<Store> store = Store::Open(path_, QuietOptions());
      const auto mine = store->OpenShared<SharedCounter>("n");
      for (int n = 0; n < 100; ++n) {
        if (!mine->Add(1).ok()) {
          return 1;
        }
      }
      parent.Send("added");
      while (mine->Add(0).ok()) {
      }
      return 2;
    });
    ASSERT_EQ(child.Receive(), "added");
    EXPECT_EQ(*counter.Value(), 100 * i);
    ASSERT_TRUE(child.KillAndWait());
    EXPECT_EQ(*counter.Value(), 100 * i);
    ASSERT_TRUE(counter.Add(0).ok());
  }
}

}  // namespace
}  // namespace commy::test
