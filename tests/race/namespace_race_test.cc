// Clear, drop, create, rename and list of namespaces while other threads use them.
#include <atomic>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/stamp.h"
#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

class NamespaceRaceTest : public StoreFixture {
 protected:
  Store store_ = MustOpen(SmallOptions());
  const std::uint64_t seed_ = Seed();
};

TEST_F(NamespaceRaceTest, AClearRemovesAllEarlierKeysAndNoLaterOnes) {
  const Namespace ns = MustOpenNamespace(store_, "n");
  constexpr int kWriters = 3;
  std::atomic<int> writing{kWriters};
  std::atomic<std::uint64_t> clears{0};
  RunThreads(kWriters + 1, [&](int thread) {
    if (thread == kWriters) {
      while ((writing > 0 || clears == 0) && !HasFailure()) {
        ASSERT_TRUE(ns.Clear().ok());
        ++clears;
      }
      return;
    }
    for (std::uint64_t i = 0; i < 4000; ++i) {
      // A clear that began after the put may have removed the key; then no later get may find it.
      const std::string key = std::to_string(thread) + "/" + std::to_string(i % 100);
      const std::string value = MakeStamped(key, 0, i, 10);
      const std::uint64_t before = clears;
      ASSERT_TRUE(ns.Put(key, value).ok());
      const absl::StatusOr<std::string> got = ns.Get(key);
      if (got.ok()) {
        ASSERT_EQ(*got, value);
      } else {
        ASSERT_TRUE(absl::IsNotFound(got.status())) << got.status();
        const std::uint64_t after = clears;
        ASSERT_LE(before, after);
        ASSERT_TRUE(absl::IsNotFound(ns.Get(key).status())) << "a cleared key came back";
      }
    }
    --writing;
  });
  EXPECT_GT(clears, 0U);
  ASSERT_TRUE(ns.Clear().ok());
  EXPECT_EQ(*ns.Size(), 0U);
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(NamespaceRaceTest, HandlesOfADroppedNamespaceSayThatItWasDroppedAndNewOnesWork) {
  std::atomic<int> working{3};
  std::atomic<std::uint64_t> told{0};
  RunThreads(5, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread >= 3) {
      while (working > 0 && !HasFailure()) {
        const absl::Status dropped = store_.DropNamespace("n" + std::to_string(random() % 3));
        ASSERT_TRUE(dropped.ok() || absl::IsNotFound(dropped)) << dropped;
      }
      return;
    }
    for (int i = 0; i < 500 || (told == 0 && !HasFailure()); ++i) {
      const absl::StatusOr<Namespace> ns = store_.OpenNamespace("n" + std::to_string(random() % 3));
      ASSERT_TRUE(ns.ok()) << ns.status();
      const std::string mine = "of " + std::to_string(thread);
      absl::Status status;
      for (int k = 0; k < 40 && status.ok(); ++k) {
        status = ns->Put(mine + std::to_string(k), mine);
        if (status.ok()) {
          const absl::StatusOr<std::string> got = ns->Get(mine + std::to_string(k));
          status = got.status();
          ASSERT_TRUE(!got.ok() || *got == mine);
        }
      }
      if (!status.ok()) {
        ASSERT_TRUE(IsNamespaceDropped(status)) << status;
        ++told;
      }
    }
    --working;
  });
  EXPECT_GT(told, 0U);
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(NamespaceRaceTest, ThreadsThatRaceToCreateANamespaceGetTheSameOne) {
  for (int round = 0; round < 150; ++round) {
    const std::string path = "round/" + std::to_string(round);
    RunThreads(4, [&](int) {
      const absl::StatusOr<Namespace> ns = store_.OpenNamespace(path);
      ASSERT_TRUE(ns.ok()) << ns.status();
      ASSERT_TRUE(ns->Add("openers", 1).ok());
    });
    ASSERT_EQ(*store_.OpenNamespace(path)->Get("openers"), "4");
  }
  EXPECT_EQ(store_.ListNamespaces("round/")->size(), 150U);
}

TEST_F(NamespaceRaceTest, ANamespaceKeepsAllItsKeysUnderConcurrentRenames) {
  const Namespace ns = MustOpenNamespace(store_, "at/0");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  std::atomic<bool> renaming{true};
  RunThreads(3, [&](int thread) {
    if (thread == 0) {
      for (int i = 0; i < 1500; ++i) {
        ASSERT_TRUE(
            store_
                .RenameNamespace("at/" + std::to_string(i % 3), "at/" + std::to_string((i + 1) % 3))
                .ok());
      }
      renaming = false;
      return;
    }
    while (renaming && !HasFailure()) {
      const auto listed = store_.ListNamespaces("at/");
      ASSERT_TRUE(listed.ok()) << listed.status();
      ASSERT_EQ(listed->size(), 1U);
      ASSERT_EQ(*ns.Get("k"), "v");
      ASSERT_TRUE(ns.Add("n", 1).ok());
    }
  });
}

TEST_F(NamespaceRaceTest, ExactlyOneOfRacingRenamesToOnePathWins) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 150; ++round) {
    const std::string to = "to/" + std::to_string(round);
    for (int i = 0; i < kThreads; ++i) {
      MustOpenNamespace(store_, "from/" + std::to_string(i));
    }
    std::atomic<int> won{0};
    RunThreads(kThreads, [&](int thread) {
      const absl::Status status = store_.RenameNamespace("from/" + std::to_string(thread), to);
      ASSERT_TRUE(status.ok() || absl::IsAlreadyExists(status)) << status;
      won += status.ok() ? 1 : 0;
    });
    ASSERT_EQ(won, 1);
  }
}

TEST_F(NamespaceRaceTest, ScansDuringClearsEndAndSeeNoTornEntry) {
  const Namespace ns = MustOpenNamespace(store_, "n");
  std::atomic<int> scanning{1};
  RunThreads(3, [&](int thread) {
    if (thread == 0) {
      for (int round = 0; round < 200; ++round) {
        ScanRange scan = ns.Scan();
        for (const Entry& entry : scan) {
          ASSERT_TRUE(ReadStamped(entry.key(), entry.value()).has_value());
        }
        ASSERT_TRUE(scan.status().ok()) << scan.status();
      }
      scanning = 0;
      return;
    }
    for (std::uint64_t i = 0; scanning > 0 && !HasFailure(); ++i) {
      const std::string key = std::to_string(i % 500);
      ASSERT_TRUE(ns.Put(key, MakeStamped(key, 0, i, 20)).ok());
      if (thread == 1 && i % 700 == 0) {
        ASSERT_TRUE(ns.Clear().ok());
      }
    }
  });
}

}  // namespace
}  // namespace commy::test
