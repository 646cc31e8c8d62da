// A semaphore: permits and their number, the queue, and what ends a hold.
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "coordination/semaphore_state.h"
#include "support/spoil.h"
#include "support/store_fixture.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using coordination::HolderId;
using coordination::SemaphoreState;

// --- The state -----------------------------------------------------------------------------------

HolderId Named(std::uint64_t number) {
  return {.store = 1, .owner = 1, .number = number};
}

TEST(SemaphoreStateTest, PermitsGoToTheFirstOfTheQueueAndNobodyPassesIt) {
  SemaphoreState state{.permits = 4, .holds = {{.id = Named(1), .count = 2}}, .waiters = {}};
  state.waiters = {{.id = Named(2), .count = 3}, {.id = Named(3), .count = 1}};
  state.Grant();
  EXPECT_FALSE(state.Holds(Named(2)));
  EXPECT_FALSE(state.Holds(Named(3)));
  EXPECT_EQ(state.Free(), 2U);
  EXPECT_TRUE(state.Remove(Named(1)));
  state.Grant();
  EXPECT_TRUE(state.Holds(Named(2)));
  EXPECT_TRUE(state.Holds(Named(3)));
  EXPECT_EQ(state.Free(), 0U);
  EXPECT_TRUE(state.waiters.empty());
}

TEST(SemaphoreStateTest, APlaceThatCanNeverBeServedHoldsUpNobody) {
  SemaphoreState state{.permits = 2, .holds = {}, .waiters = {}};
  state.waiters = {{.id = Named(1), .count = 3}, {.id = Named(2), .count = 2}};
  state.Grant();
  EXPECT_TRUE(state.Waits(Named(1)));
  EXPECT_TRUE(state.Holds(Named(2)));
}

TEST(SemaphoreStateTest, WhatIsGoneLosesHoldsAndPlaces) {
  SemaphoreState state{.permits = 2, .holds = {{.id = Named(1), .count = 2}}, .waiters = {}};
  state.waiters = {{.id = Named(2), .count = 2}, {.id = Named(3), .count = 1}};
  const auto fails = [](const HolderId&) { return absl::InternalError("x"); };
  EXPECT_FALSE(state.DropGone(fails).ok());
  EXPECT_TRUE(state.Holds(Named(1)));
  const auto gone = [](const HolderId& id) -> absl::StatusOr<bool> { return id.number < 3; };
  ASSERT_TRUE(state.DropGone(gone).ok());
  state.Grant();
  EXPECT_TRUE(state.Holds(Named(3)));
  EXPECT_EQ(state.Free(), 1U);
}

TEST(SemaphoreStateTest, MoreHeldThanThereAreLeavesNoneFree) {
  const SemaphoreState state{.permits = 2, .holds = {{.id = Named(1), .count = 5}}, .waiters = {}};
  EXPECT_EQ(state.Free(), 0U);
}

TEST(SemaphoreStateTest, NumbersOutOfTheirRangeAreDataLoss) {
  const auto decoded = [](const SemaphoreState& state) {
    return coordination::SemaphoreFromBytes("s", coordination::ToBytes(state)).status();
  };
  const std::uint64_t max = Semaphore::kPermitsMax;
  EXPECT_TRUE(decoded({.permits = max, .holds = {{Named(1), max}}, .waiters = {}}).ok());
  for (const SemaphoreState& bad :
       std::vector<SemaphoreState>{{.permits = 0},
                                   {.permits = max + 1},
                                   {.permits = 1, .holds = {{Named(1), 0}}, .waiters = {}},
                                   {.permits = 1, .holds = {}, .waiters = {{Named(1), max + 1}}}}) {
    EXPECT_TRUE(absl::IsDataLoss(decoded(bad)));
  }
}

// --- The semaphore -------------------------------------------------------------------------------

class SemaphoreTest : public StoreFixture {
 protected:
  static Semaphore MustOpenSemaphore(const Store& store, std::uint64_t permits) {
    absl::StatusOr<Semaphore> semaphore = Semaphore::Open(store, "semaphore", permits);
    EXPECT_TRUE(semaphore.ok()) << semaphore.status();
    return *std::move(semaphore);
  }
  static Permits MustAcquire(const Semaphore& semaphore, std::uint64_t n = 1) {
    absl::StatusOr<Permits> permits = semaphore.Acquire(n, absl::Seconds(30));
    EXPECT_TRUE(permits.ok()) << permits.status();
    return *std::move(permits);
  }
  // Whether `count` calls stand in the queue, within the deadline.
  static bool Queued(const Semaphore& semaphore, std::size_t count) {
    return WaitFor([&] {
      return coordination::SemaphoreFromBytes("s", *semaphore.ns().Get(""))->waiters.size() ==
             count;
    });
  }

  Store store_ = MustOpen(SmallOptions());
};

TEST_F(SemaphoreTest, PermitsAreTakenAndComeBack) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  EXPECT_EQ(*semaphore.ns().Type(), "semaphore");
  EXPECT_EQ(*semaphore.Available(), 3U);
  Permits two = MustAcquire(semaphore, 2);
  EXPECT_EQ(two.count(), 2U);
  {
    const Permits one = MustAcquire(MustOpenSemaphore(store_, 3));  // By another handle.
    EXPECT_EQ(*semaphore.Available(), 0U);
    EXPECT_FALSE(semaphore.TryAcquire()->has_value());
  }
  EXPECT_EQ(*semaphore.Available(), 1U);
  EXPECT_FALSE(semaphore.TryAcquire(2)->has_value());
  EXPECT_TRUE(two.Release().ok());
  EXPECT_EQ(two.count(), 0U);
  EXPECT_TRUE(absl::IsFailedPrecondition(two.Release()));
  EXPECT_EQ(*semaphore.Available(), 3U);
  EXPECT_TRUE(semaphore.TryAcquire(3)->has_value());
}

TEST_F(SemaphoreTest, PermitsThatAreMovedComeBackOnce) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  Permits first = MustAcquire(semaphore);
  Permits second = std::move(first);
  EXPECT_EQ(first.count(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(absl::IsFailedPrecondition(first.Release()));
  second = MustAcquire(semaphore, 2);
  EXPECT_EQ(*semaphore.Available(), 1U);
}

TEST_F(SemaphoreTest, TheNumberIsAgreedOnByAllThatCreateIt) {
  EXPECT_TRUE(absl::IsNotFound(store_.OpenShared<Semaphore>("semaphore").status()));
  EXPECT_TRUE(store_.ListNamespaces()->empty());
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  EXPECT_TRUE(Says(Semaphore::Open(store_, "semaphore", 4).status(),
                   absl::StatusCode::kInvalidArgument, "has 3 permits, not 4"));
  EXPECT_TRUE(absl::IsInvalidArgument(Semaphore::Open(store_, "s", 0).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Semaphore::Open(store_, "s", Semaphore::kPermitsMax + 1).status()));
  EXPECT_EQ(*store_.OpenShared<Semaphore>("semaphore")->Available(), 3U);
  ASSERT_TRUE(semaphore.ns().Clear().ok());
  EXPECT_TRUE(Says(store_.OpenShared<Semaphore>("semaphore").status(), absl::StatusCode::kNotFound,
                   "has no number of permits"));
  EXPECT_TRUE(absl::IsNotFound(semaphore.Acquire().status()));
  EXPECT_TRUE(absl::IsNotFound(semaphore.Available().status()));
}

TEST_F(SemaphoreTest, MoreThanThereAreCannotBeAcquired) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  EXPECT_TRUE(Says(semaphore.Acquire(4, absl::InfiniteDuration()).status(),
                   absl::StatusCode::kInvalidArgument, "4 cannot be acquired of 3"));
  EXPECT_TRUE(absl::IsInvalidArgument(semaphore.Acquire(0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(semaphore.TryAcquire(0).status()));
  EXPECT_EQ(*semaphore.Available(), 3U);
  EXPECT_TRUE(Queued(semaphore, 0));
}

TEST_F(SemaphoreTest, ATimeoutLeavesTheQueueAndTellsOfTheOthers) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  const Permits two = MustAcquire(semaphore, 2);
  const std::string before = *semaphore.ns().Get("");
  for (const absl::Duration timeout : {absl::ZeroDuration(), -absl::Seconds(1),
                                       -absl::InfiniteDuration(), absl::Milliseconds(2)}) {
    EXPECT_TRUE(Says(semaphore.Acquire(2, timeout).status(), absl::StatusCode::kDeadlineExceeded,
                     "2 of 3 permits are held"));
    EXPECT_EQ(*semaphore.ns().Get(""), before);
  }
  EXPECT_TRUE(semaphore.Acquire(1, absl::ZeroDuration()).ok());
}

TEST_F(SemaphoreTest, ACallForManyIsNotPassedByLaterOnesForFew) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  std::optional<Permits> one = MustAcquire(semaphore);
  std::atomic<bool> acquired{false};
  std::thread many([&] {
    const Permits all = MustAcquire(semaphore, 3);
    acquired = true;
  });
  ASSERT_TRUE(Queued(semaphore, 1));
  // Two are free, but not for those that come later.
  EXPECT_FALSE(semaphore.TryAcquire()->has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(semaphore.Acquire(1, absl::Milliseconds(2)).status()));
  std::thread few([&] { const Permits later = MustAcquire(semaphore); });
  ASSERT_TRUE(Queued(semaphore, 2));
  EXPECT_FALSE(acquired);
  one.reset();
  many.join();
  few.join();
  EXPECT_TRUE(acquired);
  EXPECT_EQ(*semaphore.Available(), 3U);
}

TEST_F(SemaphoreTest, NoMoreThanThereAreAreHeldAtOnce) {
  constexpr std::uint64_t kPermits = 3;
  const Semaphore semaphore = MustOpenSemaphore(store_, kPermits);
  std::atomic<std::uint64_t> held{0};
  RunThreads(6, [&](int index) {
    const std::uint64_t n = 1 + static_cast<std::uint64_t>(index) % kPermits;
    for (int i = 0; i < 30; ++i) {
      const Permits permits = MustAcquire(semaphore, n);
      EXPECT_LE(held.fetch_add(n) + n, kPermits);
      held -= n;
    }
  });
  EXPECT_EQ(*semaphore.Available(), kPermits);
}

TEST_F(SemaphoreTest, WhatAClosedOpeningHeldComesBack) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  Store other = MustOpen(SmallOptions());
  const Semaphore there = MustOpenSemaphore(other, 3);
  Permits all = MustAcquire(there, 3);
  EXPECT_EQ(*semaphore.Available(), 0U);
  std::thread waiter([&] { const Permits mine = MustAcquire(semaphore, 2); });
  ASSERT_TRUE(Queued(semaphore, 1));
  ASSERT_TRUE(other.Close().ok());
  waiter.join();
  EXPECT_EQ(*semaphore.Available(), 3U);
  EXPECT_TRUE(absl::IsFailedPrecondition(all.Release()));
}

TEST_F(SemaphoreTest, TheNumberCanBeRaisedAndLowered) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 2);
  Permits two = MustAcquire(semaphore, 2);
  std::thread waiter([&] { const Permits more = MustAcquire(semaphore, 2); });
  ASSERT_TRUE(Queued(semaphore, 1));
  EXPECT_TRUE(semaphore.SetPermits(4).ok());
  waiter.join();
  EXPECT_TRUE(semaphore.SetPermits(1).ok());
  EXPECT_EQ(*semaphore.Available(), 0U);
  EXPECT_TRUE(two.Release().ok());
  EXPECT_EQ(*semaphore.Available(), 1U);
  EXPECT_TRUE(absl::IsInvalidArgument(semaphore.SetPermits(0)));
  EXPECT_TRUE(absl::IsInvalidArgument(semaphore.SetPermits(UINT64_MAX)));
  EXPECT_TRUE(Semaphore::Open(store_, "semaphore", 1).ok());
}

TEST_F(SemaphoreTest, AWaitForMoreThanAreLeftEndsWhenTheNumberIsLowered) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  const Permits one = MustAcquire(semaphore);
  absl::Status status;
  std::thread waiter([&] { status = semaphore.Acquire(3).status(); });
  ASSERT_TRUE(Queued(semaphore, 1));
  EXPECT_TRUE(semaphore.SetPermits(2).ok());
  waiter.join();
  EXPECT_TRUE(Says(status, absl::StatusCode::kInvalidArgument, "3 cannot be acquired of 2"));
  EXPECT_TRUE(Queued(semaphore, 0));
}

TEST_F(SemaphoreTest, OtherBytesThanItsRecordAreDataLossAndStay) {
  const Semaphore semaphore = MustOpenSemaphore(store_, 3);
  std::optional<Permits> one = MustAcquire(semaphore);
  WithSpoiledRecords(semaphore.ns(), "", [&] { return semaphore.TryAcquire().status(); });
  WithSpoiledRecords(semaphore.ns(), "", [&] { return semaphore.Available().status(); });
  WithSpoiledRecords(semaphore.ns(), "",
                     [&] { return Semaphore::Open(store_, "semaphore", 3).status(); });
  one.reset();
  EXPECT_EQ(*semaphore.Available(), 3U);
}

}  // namespace
}  // namespace commy::test
