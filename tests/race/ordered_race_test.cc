// Threads on one ordered namespace with tiny nodes, so that leaves split, merge and are rebuilt all
// the time: single keys keep their promises, and a scan of a range meets each stable key once, in
// order, both ways.
#include <atomic>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/threads.h"

namespace commy::test {
namespace {

constexpr int kThreads = 6;

std::string Number(std::uint64_t i) {
  std::string digits = std::to_string(i);
  return std::string(6 - digits.size(), '0') + digits;
}

class OrderedRaceTest : public OrderedFixture {
 protected:
  Store store_ = MustOpen(TinyNodes(SmallOptions()));
  Namespace ns_ = MustOpenOrdered(store_, "n");
  const std::uint64_t seed_ = Seed();
};

TEST_F(OrderedRaceTest, ExactlyOneOfRacingPutIfAbsentsAndOfRacingDeletesWins) {
  constexpr std::uint64_t kKeys = 500;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::atomic<int>> put(kKeys);
    std::vector<std::atomic<int>> deleted(kKeys);
    RunThreads(kThreads, [&](int thread) {
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        const std::uint64_t key = thread % 2 == 0 ? i : kKeys - 1 - i;
        put[key] += *ns_.PutIfAbsent(Number(key), std::to_string(thread)) ? 1 : 0;
      }
    });
    EXPECT_EQ(*ns_.Size(), kKeys);
    EXPECT_EQ(*ns_.Count(), kKeys);
    RunThreads(kThreads, [&](int thread) {
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        const std::uint64_t key = (i + static_cast<std::uint64_t>(thread) * 100) % kKeys;
        deleted[key] += *ns_.Delete(Number(key)) ? 1 : 0;
      }
    });
    for (std::size_t i = 0; i < kKeys; ++i) {
      EXPECT_EQ(put[i], 1) << i;
      EXPECT_EQ(deleted[i], 1) << i;
    }
    EXPECT_EQ(*ns_.Size(), 0U);
    EXPECT_EQ(*ns_.Count(), 0U);
  }
}

TEST_F(OrderedRaceTest, CountersAmongNeighboursThatAreAddedAndDeletedLoseNoAdds) {
  constexpr std::uint64_t kCounters = 8;
  std::array<std::atomic<std::int64_t>, kCounters> sums{};
  RunThreads(kThreads, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 3000; ++i) {
      if (i % 2 == 0) {
        const std::size_t counter = random() % kCounters;
        const std::int64_t delta = static_cast<std::int64_t>(random() % 21) - 10;
        ASSERT_TRUE(ns_.Add(Number(counter * 100), delta).ok());
        sums.at(counter) += delta;
      } else {
        const std::string key = Number(random() % 800) + "x";
        ASSERT_TRUE(random() % 2 == 0 ? ns_.Put(key, "v").ok() : ns_.Delete(key).ok());
      }
    }
  });
  for (std::size_t i = 0; i < kCounters; ++i) {
    EXPECT_EQ(*ns_.Get(Number(i * 100)), std::to_string(sums.at(i)));
  }
}

TEST_F(OrderedRaceTest, ScansSeeEachStableKeyOnceInOrder) {
  constexpr std::uint64_t kStay = 100;
  for (std::uint64_t i = 0; i < kStay; ++i) {
    ASSERT_TRUE(ns_.Put(Number(i * 10), "stays").ok());
  }
  std::atomic<int> writers{kThreads - 2};
  std::atomic<int> scans{0};
  RunThreads(kThreads, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread >= 2) {
      for (int i = 0; i < 4000; ++i) {
        std::uint64_t key = random() % (kStay * 10);
        key += key % 10 == 0 ? 1 : 0;
        ASSERT_TRUE(random() % 2 == 0 ? ns_.Put(Number(key), "goes").ok()
                                      : ns_.Delete(Number(key)).ok());
      }
      --writers;
      return;
    }
    while (writers.load() > 0 || scans.load() == 0) {
      const bool reverse = thread == 1;
      ScanRange scan = ns_.Scan({.from = Number(100), .to = Number(900), .reverse = reverse});
      std::uint64_t stayed = 0;
      std::string last;
      for (const Entry& entry : scan) {
        stayed += entry.value() == "stays" ? 1 : 0;
        ASSERT_TRUE(last.empty() || (reverse ? entry.key() < last : entry.key() > last))
            << entry.key() << " after " << last;
        last = entry.key();
      }
      ASSERT_TRUE(scan.status().ok()) << scan.status();
      ASSERT_EQ(stayed, 80U);
      ASSERT_GE(*ns_.Count(), kStay);
      ++scans;
    }
  });
  EXPECT_GT(scans.load(), 0);
}

TEST_F(OrderedRaceTest, ReadersFindStableKeysWhileTheTreeGrowsAndShrinks) {
  constexpr std::uint64_t kStay = 50;
  for (std::uint64_t i = 0; i < kStay; ++i) {
    ASSERT_TRUE(ns_.Put(Number(i * 20), Number(i)).ok());
  }
  std::atomic<bool> done{false};
  RunThreads(4, [&](int thread) {
    if (thread > 0) {
      std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
      while (!done.load()) {
        const std::uint64_t i = random() % kStay;
        ASSERT_EQ(ns_.Get(Number(i * 20)).value_or("missing"), Number(i));
      }
      return;
    }
    for (int round = 0; round < 6; ++round) {
      for (std::uint64_t i = 0; i < 1000; ++i) {
        ASSERT_TRUE(ns_.Put(Number(i) + "x", "v").ok());
      }
      for (std::uint64_t i = 0; i < 1000; ++i) {
        ASSERT_TRUE(ns_.Delete(Number(i) + "x").ok());
      }
    }
    done = true;
  });
  EXPECT_EQ(*ns_.Size(), kStay);
}

TEST_F(OrderedRaceTest, ClearsAndDropsBesideWritersAndScansLeaveASoundStore) {
  std::atomic<bool> done{false};
  RunThreads(5, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread == 0) {
      for (int i = 0; i < 60; ++i) {
        if (i % 3 == 0) {
          ASSERT_TRUE(store_.DropNamespace("n").ok());
        } else {
          const absl::Status cleared =
              store_.OpenNamespace("n", {.order = Order::kOrdered})->Clear();
          ASSERT_TRUE(cleared.ok()) << cleared;
        }
      }
      done = true;
      return;
    }
    while (!done.load()) {
      const absl::StatusOr<Namespace> ns = store_.OpenNamespace("n", {.order = Order::kOrdered});
      ASSERT_TRUE(ns.ok()) << ns.status();
      for (int i = 0; i < 50; ++i) {
        const absl::Status put = ns->Put(Number(random() % 300), "v");
        ASSERT_TRUE(put.ok() || IsNamespaceDropped(put)) << put;
      }
      const absl::Status counted = ns->Count({.reverse = thread % 2 == 0}).status();
      ASSERT_TRUE(counted.ok() || IsNamespaceDropped(counted)) << counted;
    }
  });
}

}  // namespace
}  // namespace commy::test
