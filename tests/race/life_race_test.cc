// Threads that come and go, and a store that is closed under its users.
#include <atomic>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

class LifeRaceTest : public StoreFixture {};

TEST_F(LifeRaceTest, LanesOfEndedThreadsAreReused) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  for (int round = 0; round < 100; ++round) {
    RunThreads(6, [&](int) { ASSERT_TRUE(ns.Add("k", 1).ok()); });
  }
  EXPECT_EQ(*ns.Get("k"), "600");
  EXPECT_LE(EngineOf(store).region.lanes_ready(), 16U);
  EXPECT_LE(store.Participants()->at(0).lanes, 2U);  // This thread's and the heartbeat's.
}

TEST_F(LifeRaceTest, SpansOfEndedThreadsAreReused) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const std::string value(500, 'v');
  std::uint64_t after_ten = 0;
  for (int round = 0; round < 200; ++round) {
    RunThreads(2, [&](int thread) {
      for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i);
        ASSERT_TRUE(ns.Put(key, value).ok());
        ASSERT_TRUE(ns.Delete(key).ok());
      }
    });
    if (round == 10) {
      after_ten = store.Stats()->file_bytes;
    }
  }
  EXPECT_LE(store.Stats()->file_bytes, 2 * after_ten);
  EXPECT_TRUE(IsSound(store));
}

TEST_F(LifeRaceTest, CloseEndsTheOperationsOfBusyThreadsWithoutLosingAcknowledgedWrites) {
  for (int round = 0; round < 60; ++round) {
    Store store = MustOpen(SmallOptions());
    const Namespace ns = MustOpenNamespace(store, "n");
    std::atomic<int> busy{0};
    std::atomic<std::int64_t> added{0};
    const std::int64_t before = *ns.Add("k", 0);
    RunThreads(5, [&](int thread) {
      if (thread == 0) {
        while (busy < 4 && !HasFailure()) {
          std::this_thread::yield();
        }
        ASSERT_TRUE(store.Close().ok());
        return;
      }
      ++busy;
      absl::Status status;
      for (int i = 0; status.ok(); ++i) {
        status =
            thread % 2 == 0 ? ns.Put(std::to_string(i % 30), "value") : ns.Add("k", 1).status();
        added += status.ok() && thread % 2 != 0 ? 1 : 0;
        if (status.ok()) {
          const absl::Status read = ns.Get("k").status();
          status = absl::IsNotFound(read) ? absl::OkStatus() : read;
        }
      }
      ASSERT_TRUE(Says(status, absl::StatusCode::kFailedPrecondition, "closed"));
    });
    Store again = MustOpen(QuietOptions());
    ASSERT_EQ(*MustOpenNamespace(again, "n").Add("k", 0), before + added);
    ASSERT_EQ(again.Participants()->size(), 1U);
  }
}

TEST_F(LifeRaceTest, ExactlyOneOfThreadsThatCloseAtOnceSucceeds) {
  for (int round = 0; round < 50; ++round) {
    Store store = MustOpen(SmallOptions());
    std::atomic<int> closed{0};
    RunThreads(4, [&](int) {
      const absl::Status status = store.Close();
      closed += status.ok() ? 1 : 0;
      ASSERT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    });
    ASSERT_EQ(closed, 1);
  }
}

TEST_F(LifeRaceTest, StoresMayBeOpenedAndClosedBesideOneThatStaysOpen) {
  Store stays = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(stays, "n");
  RunThreads(4, [&](int) {
    for (int i = 0; i < 60; ++i) {
      const absl::StatusOr<Store> store = Store::Open(path_, SmallOptions());
      ASSERT_TRUE(store.ok()) << store.status();
      ASSERT_TRUE(store->OpenNamespace("n")->Add("k", 1).ok());
    }
  });
  EXPECT_EQ(*ns.Get("k"), "240");
  EXPECT_EQ(stays.Participants()->size(), 1U);
}

TEST_F(LifeRaceTest, AViewMayEndInAnotherThreadAndAfterItsOwn) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  std::optional<View> kept;
  std::thread([&] { kept.emplace(*ns.GetView("k")); }).join();
  ASSERT_TRUE(ns.Put("k", "other").ok());
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(ns.Put("x", std::to_string(i)).ok());
  }
  EXPECT_EQ(kept->value(), "v");
  EXPECT_FALSE(store.Close().ok());
  std::thread([&] { kept.reset(); }).join();
  EXPECT_TRUE(store.Close().ok());
}

}  // namespace
}  // namespace commy::test
