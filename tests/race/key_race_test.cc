// Threads on the same keys of one namespace: the promises of each single-key method about order and
// wholeness. Namespaces that change under their users are in namespace_race_test.cc, threads and
// stores that come and go in life_race_test.cc; the same with processes is in tests/multiprocess.
#include <atomic>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/stamp.h"
#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

constexpr int kThreads = 6;

class KeyRaceTest : public StoreFixture {
 protected:
  Store store_ = MustOpen(SmallOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
  const std::uint64_t seed_ = Seed();
};

TEST_F(KeyRaceTest, CountersEqualTheAcknowledgedAdds) {
  constexpr int kKeys = 5;
  std::array<std::atomic<std::int64_t>, kKeys> sums{};
  RunThreads(kThreads, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 4000; ++i) {
      const std::size_t key = random() % kKeys;
      const std::int64_t delta = static_cast<std::int64_t>(random() % 21) - 10;
      const absl::StatusOr<std::int64_t> now = ns_.Add(std::to_string(key), delta);
      ASSERT_TRUE(now.ok()) << now.status();
      sums.at(key) += delta;
    }
  });
  for (std::size_t key = 0; key < kKeys; ++key) {
    EXPECT_EQ(*ns_.Get(std::to_string(key)), std::to_string(sums.at(key)));
  }
  EXPECT_EQ(*ns_.Size(), static_cast<std::uint64_t>(kKeys));
}

TEST_F(KeyRaceTest, EachAddReturnsAUniqueValue) {
  std::vector<std::vector<std::int64_t>> got(kThreads);
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < 3000; ++i) {
      got[static_cast<std::size_t>(thread)].push_back(*ns_.Add("k", 1));
    }
  });
  std::set<std::int64_t> all;
  for (const auto& one : got) {
    EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
    all.insert(one.begin(), one.end());
  }
  EXPECT_EQ(all.size(), 3000U * kThreads);
  EXPECT_EQ(*all.rbegin(), 3000 * kThreads);
}

TEST_F(KeyRaceTest, CompareAndSwapAndUpdateLoseNoChange) {
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < 1500; ++i) {
      if ((thread + i) % 2 == 0) {
        ASSERT_TRUE(ns_.Update("k",
                               [](std::optional<std::string_view> now) {
                                 return Change::Put(std::to_string(
                                     now.has_value() ? std::stoll(std::string(*now)) + 1 : 1));
                               })
                        .ok());
        continue;
      }
      while (true) {
        const absl::StatusOr<std::string> now = ns_.Get("k");
        const std::string next = now.ok() ? std::to_string(std::stoll(*now) + 1) : "1";
        Swap swap;
        swap.expected = now.ok() ? std::optional<std::string_view>(*now) : std::nullopt;
        swap.desired = next;
        if (*ns_.CompareAndSwap("k", swap)) {
          break;
        }
      }
    }
  });
  EXPECT_EQ(*ns_.Get("k"), std::to_string(1500 * kThreads));
}

TEST_F(KeyRaceTest, ExactlyOneOfRacingPutIfAbsentsAndOfRacingDeletesWins) {
  constexpr int kKeys = 600;
  std::vector<std::atomic<int>> put(kKeys);
  std::vector<std::atomic<int>> deleted(kKeys);
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < kKeys; ++i) {
      put[static_cast<std::size_t>(i)] +=
          *ns_.PutIfAbsent(std::to_string(i), std::to_string(thread)) ? 1 : 0;
    }
  });
  EXPECT_EQ(*ns_.Size(), static_cast<std::uint64_t>(kKeys));
  RunThreads(kThreads, [&](int) {
    for (int i = 0; i < kKeys; ++i) {
      deleted[static_cast<std::size_t>(i)] += *ns_.Delete(std::to_string(i)) ? 1 : 0;
    }
  });
  for (std::size_t i = 0; i < kKeys; ++i) {
    EXPECT_EQ(put[i], 1) << i;
    EXPECT_EQ(deleted[i], 1) << i;
  }
  EXPECT_EQ(*ns_.Size(), 0U);
}

TEST_F(KeyRaceTest, PutsAndDeletesOfOneKeyAlternate) {
  // For one key, successful PutIfAbsents and Deletes alternate, so their counts differ by whether
  // the key is there at the end.
  std::atomic<int> there{0};
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < 4000; ++i) {
      if ((thread + i) % 2 == 0) {
        there += *ns_.PutIfAbsent("k", "v") ? 1 : 0;
      } else {
        there -= *ns_.Delete("k") ? 1 : 0;
      }
    }
  });
  EXPECT_EQ(there == 1, *ns_.Contains("k"));
  EXPECT_EQ(static_cast<std::uint64_t>(there), *ns_.Size());
}

TEST_F(KeyRaceTest, ReadersSeeWholeValuesThatNeverGoBack) {
  constexpr std::uint64_t kKeys = 24;
  constexpr int kWriters = 3;
  std::atomic<int> writing{kWriters};
  std::atomic<int> reads{0};
  RunThreads(kThreads, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread < kWriters) {
      for (std::uint64_t seq = 1; seq <= 8000; ++seq) {
        const std::string key = std::to_string(random() % kKeys);
        const std::size_t filling = random() % 50 == 0 ? random() % 20'000 : random() % 200;
        const std::string value =
            MakeStamped(key, static_cast<std::uint64_t>(thread), seq, filling);
        ASSERT_TRUE(ns_.Put(key, value).ok());
      }
      --writing;
      return;
    }
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> newest;  // By key and writer.
    while ((writing > 0 || reads == 0) && !HasFailure()) {
      const std::uint64_t number = random() % kKeys;
      const std::string key = std::to_string(number);
      const absl::Status read = ns_.ReadWith(key, [&](std::string_view value) {
        const std::optional<Stamp> stamp = ReadStamped(key, value);
        ASSERT_TRUE(stamp.has_value()) << "torn";
        std::uint64_t& seq = newest[{number, stamp->writer}];
        ASSERT_GE(stamp->seq, seq) << "went back";
        seq = stamp->seq;
      });
      ASSERT_TRUE(read.ok() || absl::IsNotFound(read)) << read;
      ++reads;
    }
  });
  EXPECT_GT(reads, 0);
}

TEST_F(KeyRaceTest, AThreadReadsItsOwnPutsOfKeysThatNobodyElseWrites) {
  RunThreads(kThreads, [&](int thread) {
    for (std::uint64_t seq = 1; seq <= 3000; ++seq) {
      const std::string key = std::to_string(thread) + "/" + std::to_string(seq % 40);
      if (seq % 7 == 0) {
        ASSERT_TRUE(ns_.Delete(key).ok());
        ASSERT_TRUE(absl::IsNotFound(ns_.Get(key).status()));
      } else {
        const std::string value = MakeStamped(key, 0, seq, seq % 100);
        ASSERT_TRUE(ns_.Put(key, value).ok());
        ASSERT_EQ(*ns_.Get(key), value);
      }
    }
  });
}

TEST_F(KeyRaceTest, AViewKeepsAReplacedValueThroughManyEpochs) {
  Store quiet = MustOpen(temp_.File("quiet"), QuietOptions());
  const Namespace ns = MustOpenNamespace(quiet, "n");
  const std::string value(100, 'v');
  ASSERT_TRUE(ns.Put("k", value).ok());
  const View view = *ns.GetView("k");
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k < 10; ++k) {
      ASSERT_TRUE(ns.Put("k", std::string(100, static_cast<char>('a' + i % 20))).ok());
    }
    (void)EngineOf(quiet).session.PushEpoch();
    ASSERT_EQ(view.value(), value) << "after " << i << " pushes";
  }
}

TEST_F(KeyRaceTest, BytesUnderAViewNeverChange) {
  constexpr std::uint64_t kKeys = 8;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    ASSERT_TRUE(ns_.Put(std::to_string(key), MakeStamped(std::to_string(key), 0, 0, 64)).ok());
  }
  std::atomic<int> viewing{2};
  RunThreads(4, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread >= 2) {
      for (std::uint64_t seq = 1; viewing > 0 && !HasFailure(); ++seq) {
        const std::string key = std::to_string(random() % kKeys);
        if (seq % 9 == 0) {
          ASSERT_TRUE(ns_.Delete(key).ok());
        }
        const absl::Status put = ns_.Put(key, MakeStamped(key, 7, seq, 64));
        ASSERT_TRUE(put.ok() || absl::IsResourceExhausted(put)) << put;
      }
      return;
    }
    for (int round = 0; round < 40; ++round) {
      std::vector<std::pair<View, std::string>> held;
      for (int i = 0; i < 30; ++i) {
        const std::string key = std::to_string(random() % kKeys);
        absl::StatusOr<View> view = ns_.GetView(key);
        if (view.ok()) {
          ASSERT_TRUE(ReadStamped(key, view->value()).has_value());
          std::string copy(view->value());
          held.emplace_back(*std::move(view), std::move(copy));
        }
      }
      // A block is reused after two epochs unless a pin holds it.
      for (int i = 0; i < 8; ++i) {
        (void)EngineOf(store_).session.PushEpoch();
        for (int k = 0; k < 20; ++k) {
          (void)ns_.Put("mine" + std::to_string(thread), std::string(64 + 24, 'm'));
        }
      }
      for (const auto& [view, copy] : held) {
        ASSERT_EQ(view.value(), copy);
      }
    }
    --viewing;
  });
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(KeyRaceTest, AScanSeesEveryStableKeyOnceWhileSegmentsSplit) {
  constexpr int kStable = 300;
  for (int i = 0; i < kStable; ++i) {
    ASSERT_TRUE(ns_.Put("stable/" + std::to_string(i), std::to_string(i)).ok());
  }
  std::atomic<int> scanning{2};
  std::atomic<std::uint64_t> grown{0};
  RunThreads(4, [&](int thread) {
    if (thread >= 2) {
      // New keys until the scans are done: splits and doublings; old ones go: rebuilds.
      for (int i = 0; scanning > 0 && !HasFailure() && i < 20'000; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i);
        ASSERT_TRUE(ns_.Put(key, "x").ok());
        if (i >= 500 && i % 2 == 0) {
          ASSERT_TRUE(ns_.Delete(std::to_string(thread) + "/" + std::to_string(i - 500)).ok());
        }
        ++grown;
      }
      return;
    }
    while (grown == 0 && !HasFailure()) {
      std::this_thread::yield();  // Until the writers have begun, or the scans would prove nothing.
    }
    for (int round = 0; round < 30; ++round) {
      std::set<std::string> seen;
      ScanRange scan = ns_.Scan();
      for (const Entry& entry : scan) {
        if (entry.key().substr(0, 7) == "stable/") {
          ASSERT_TRUE(seen.insert(entry.key()).second) << entry.key() << " twice";
          ASSERT_EQ(entry.value(), entry.key().substr(7));
        }
      }
      ASSERT_TRUE(scan.status().ok()) << scan.status();
      ASSERT_EQ(seen.size(), static_cast<std::size_t>(kStable));
    }
    --scanning;
  });
  EXPECT_GT(grown, 0U);
}

TEST_F(KeyRaceTest, SizeIsExactOnceAllWritersAreDone) {
  std::atomic<std::int64_t> keys{0};
  RunThreads(kThreads, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 5000; ++i) {
      const std::string key = std::to_string(random() % 200);
      if (random() % 2 == 0) {
        keys += *ns_.PutIfAbsent(key, "v") ? 1 : 0;
      } else {
        keys -= *ns_.Delete(key) ? 1 : 0;
      }
    }
  });
  std::int64_t scanned = 0;
  for (ScanRange scan = ns_.Scan(); const Entry& entry : scan) {
    scanned += entry.key().empty() ? 0 : 1;
  }
  EXPECT_EQ(scanned, keys);
  EXPECT_EQ(static_cast<std::int64_t>(*ns_.Size()), keys);
}

}  // namespace
}  // namespace commy::test
