// The words by which segments, leaves and roots say that there is something to sweep, or that
// something expires.
#include "index/marks.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace commy::index {
namespace {

std::uint64_t Marked(std::uint64_t before, std::uint64_t mark) {
  Shared64 word{before};
  SetMark(word, mark);
  return word.load(std::memory_order_relaxed);
}

TEST(SetMarkTest, WorkThatIsNeededAtOnceReplacesEveryMark) {
  for (const std::uint64_t before :
       {std::uint64_t{0}, kSweepNeeded, kSweepRunning, kSweepAfterSnapshot}) {
    EXPECT_EQ(Marked(before, kSweepNeeded), kSweepNeeded) << before;
    // A sweep that runs elsewhere says nothing of this place.
    EXPECT_EQ(Marked(before, kSweepRunning), kSweepNeeded) << before;
  }
}

TEST(SetMarkTest, WorkForASnapshotsEndGivesWayToWorkThatIsNeededAtOnce) {
  EXPECT_EQ(Marked(0, kSweepAfterSnapshot), kSweepAfterSnapshot);
  EXPECT_EQ(Marked(kSweepNeeded, kSweepAfterSnapshot), kSweepNeeded);
  EXPECT_EQ(Marked(kSweepAfterSnapshot, kSweepAfterSnapshot), kSweepAfterSnapshot);
}

TEST(SetMarkTest, AMarkOutlastsTheSweepThatRuns) {
  Shared64 word{kSweepRunning};
  SetMark(word, kSweepAfterSnapshot);
  EXPECT_FALSE(word.CompareAndSet(kSweepRunning, 0, std::memory_order_seq_cst));
  EXPECT_EQ(word.load(std::memory_order_relaxed), kSweepAfterSnapshot);
}

std::uint64_t Lowered(std::uint64_t before, std::uint64_t due) {
  Shared64 word{before};
  LowerDue(word, due);
  return word.load(std::memory_order_relaxed);
}

TEST(LowerDueTest, TheEarlierTimeStays) {
  EXPECT_EQ(Lowered(0, 50), 50U);
  EXPECT_EQ(Lowered(60, 50), 50U);
  EXPECT_EQ(Lowered(50, 50), 50U);
  EXPECT_EQ(Lowered(40, 50), 40U);
  EXPECT_EQ(Lowered(kDueAtOnce, 50), kDueAtOnce);
}

TEST(LowerDueTest, APlaceThatIsBeingSweptIsDueAtOnceAgain) {
  EXPECT_EQ(Lowered(kDueClaim | 7, 50), kDueAtOnce);
}

TEST(LowerDueTest, OfManyTimesAtOnceTheEarliestStays) {
  for (int round = 0; round < 50; ++round) {
    Shared64 word{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
      threads.emplace_back([&word, i] {
        for (std::uint64_t due = 200; due > 100; --due) {
          LowerDue(word, due + i);
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(word.load(std::memory_order_relaxed), 101U);
  }
}

std::uint64_t Passed(std::uint64_t from, std::uint64_t to) {
  const Shared64 source{from};
  Shared64 target{to};
  PassDueOn(source, target);
  return target.load(std::memory_order_relaxed);
}

TEST(PassDueOnTest, TheTargetIsDueWhenEitherIs) {
  EXPECT_EQ(Passed(0, 0), 0U);
  EXPECT_EQ(Passed(0, 50), 50U);
  EXPECT_EQ(Passed(50, 0), 50U);
  EXPECT_EQ(Passed(50, 60), 50U);
  EXPECT_EQ(Passed(60, 50), 50U);
}

TEST(PassDueOnTest, AClaimIsPassedOnAsDueAtOnce) {
  EXPECT_EQ(Passed(kDueClaim | 7, 0), kDueAtOnce);
  EXPECT_EQ(Passed(kDueClaim | 7, 50), kDueAtOnce);
}

TEST(ClaimDueTest, AWordIsClaimedFromItsTimeOn) {
  constexpr std::uint64_t kClaim = kDueClaim | 3;
  struct Case {
    std::uint64_t due;
    std::int64_t now;
    bool claimed;
  };
  for (const auto& [due, now, claimed] :
       {Case{0, 100, false}, Case{101, 100, false}, Case{100, 100, true},
        Case{kDueAtOnce, 100, true}, Case{kDueClaim | 9, 100, true}}) {
    Shared64 word{due};
    EXPECT_EQ(ClaimDue(word, now, kClaim), claimed) << due;
    EXPECT_EQ(word.load(std::memory_order_relaxed), claimed ? kClaim : due);
  }
}

TEST(ClaimDueTest, ANewTimeInAClaimedWordEndsTheClaim) {
  constexpr std::uint64_t kClaim = kDueClaim | 3;
  Shared64 word{50};
  ASSERT_TRUE(ClaimDue(word, 100, kClaim));
  LowerDue(word, 70);
  EXPECT_FALSE(word.CompareAndSet(kClaim, 0, std::memory_order_seq_cst));
  EXPECT_TRUE(IsDue(word.load(std::memory_order_relaxed), 2));
}

}  // namespace
}  // namespace commy::index
