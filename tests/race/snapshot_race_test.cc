// Threads that write while others read by snapshots: a snapshot never changes, it never has the
// second of two writes without the first, and a clear is seen whole. In the end no superseded
// version is kept.
#include <atomic>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kWriters = 2;
constexpr int kReaders = 2;

class SnapshotRaceTest : public OrderedFixture {
 protected:
  // The number that a key holds; 0 if the key is absent.
  static std::uint64_t Number(const Namespace& ns, const std::string& key,
                              const Snapshot& snapshot) {
    const absl::StatusOr<std::string> got = ns.Get(key, {.snapshot = &snapshot});
    EXPECT_TRUE(got.ok() || absl::IsNotFound(got.status())) << got.status();
    return got.ok() ? std::stoull(*got) : 0;
  }
  static std::vector<std::string> Scanned(const Namespace& ns, const Snapshot& snapshot) {
    std::vector<std::string> seen;
    ScanRange scan = ns.Scan({.snapshot = &snapshot});
    for (const Entry& entry : scan) {
      seen.push_back(entry.key() + "=" + entry.value());
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return seen;
  }
  void ExpectNothingKept() {
    EXPECT_TRUE(WaitFor([&] {
      const absl::StatusOr<CheckReport> report = store_.Check();
      return report.ok() && report->records == report->keys;
    })) << store_.Check()->records
        << " records, " << store_.Check()->keys << " keys";
  }

  Store store_ = MustOpen(TinyNodes(SmallOptions()));
  const std::uint64_t seed_ = Seed();
};

TEST_F(SnapshotRaceTest, TheSecondOfTwoWritesIsNeverSeenWithoutTheFirst) {
  const Namespace first = MustOpenNamespace(store_, "first");
  const Namespace second = MustOpenOrdered(store_, "second");
  std::atomic<int> writers{kWriters};
  std::atomic<int> looks{0};
  RunThreads(kWriters + kReaders, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread < kWriters) {
      for (std::uint64_t i = 1; i <= 3000; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i % 3);
        ASSERT_TRUE(first.Put(key, std::to_string(i)).ok());
        ASSERT_TRUE(second.Put(key, std::to_string(i)).ok());
        const std::string other = std::to_string(random() % 50);
        ASSERT_TRUE(random() % 2 == 0 ? second.Put(other, "1").ok() : second.Delete(other).ok());
      }
      --writers;
      return;
    }
    while (writers.load() > 0 || looks.load() == 0) {
      absl::StatusOr<Snapshot> then = store_.TakeSnapshot();
      ASSERT_TRUE(then.ok()) << then.status();
      const std::vector<std::string> all = Scanned(second, *then);
      for (int writer = 0; writer < kWriters; ++writer) {
        for (int k = 0; k < 3; ++k) {
          const std::string key = std::to_string(writer) + "/" + std::to_string(k);
          const std::uint64_t late = Number(second, key, *then);
          const std::uint64_t early = Number(first, key, *then);
          ASSERT_GE(early, late) << key;
          ASSERT_LE(early, late + 3) << key;
          ASSERT_EQ(Number(second, key, *then), late);
        }
      }
      ASSERT_EQ(Scanned(second, *then), all);
      ASSERT_EQ(*second.Count({.snapshot = &*then}), all.size());
      ++looks;
    }
  });
  EXPECT_GT(looks.load(), 0);
  ExpectNothingKept();
}

TEST_F(SnapshotRaceTest, SnapshotsSeeAClearWholeOrNotAtAll) {
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    const Namespace ns =
        *store_.OpenNamespace(std::to_string(static_cast<int>(order)), {.order = order});
    std::atomic<bool> done{false};
    RunThreads(1 + kReaders, [&](int thread) {
      if (thread == 0) {
        for (int round = 1; round <= 300; ++round) {
          for (int i = 0; i < 8; ++i) {
            ASSERT_TRUE(ns.Put(std::to_string(i), std::to_string(round)).ok());
          }
          ASSERT_TRUE(ns.Clear().ok());
        }
        done = true;
        return;
      }
      while (!done.load()) {
        absl::StatusOr<Snapshot> then = store_.TakeSnapshot();
        ASSERT_TRUE(then.ok()) << then.status();
        // The keys of one round, in the order in which they came, and no other.
        std::uint64_t round = 0;
        bool over = false;
        for (int i = 0; i < 8; ++i) {
          const std::uint64_t seen = Number(ns, std::to_string(i), *then);
          ASSERT_FALSE(over && seen != 0) << i;
          ASSERT_TRUE(i == 0 || seen == 0 || seen == round) << i;
          over = seen == 0;
          round = seen;
        }
      }
    });
  }
  ExpectNothingKept();
}

TEST_F(SnapshotRaceTest, SnapshotsTakenDuringWritesHaveEveryAcknowledgedWrite) {
  const Namespace ns = MustOpenNamespace(store_, "n");
  ASSERT_TRUE(ns.Put("k", "0").ok());
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> done{false};
  RunThreads(5, [&](int thread) {
    if (thread == 0) {
      for (std::uint64_t i = 1; i <= 10'000; ++i) {
        ASSERT_TRUE(ns.Put("k", std::to_string(i)).ok());
        acknowledged.store(i);
      }
      done = true;
      return;
    }
    std::vector<std::pair<Snapshot, std::uint64_t>> held;
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    while (!done.load()) {
      const std::uint64_t before = acknowledged.load();
      absl::StatusOr<Snapshot> then = store_.TakeSnapshot();
      ASSERT_TRUE(then.ok()) << then.status();
      const std::uint64_t seen = Number(ns, "k", *then);
      ASSERT_GE(seen, before) << "acknowledged before the snapshot, but not in it";
      held.emplace_back(*std::move(then), seen);
      for (const auto& [snapshot, value] : held) {
        ASSERT_EQ(Number(ns, "k", snapshot), value);
      }
      if (held.size() > 4) {
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % held.size()));
      }
    }
  });
  ExpectNothingKept();
}

}  // namespace
}  // namespace commy::test
