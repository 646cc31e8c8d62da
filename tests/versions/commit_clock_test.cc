// The commit clock: times are drawn in order, and each once.
#include "versions/commit_clock.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/versions_fixture.h"

namespace commy::versions {
namespace {

class CommitClockTest : public test::VersionsFixture {};

TEST_F(CommitClockTest, EachTimeIsOneAboveTheLastOne) {
  const std::uint64_t before = CommitTimeNow(region());
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(DrawCommitTime(region()), before + i);
    EXPECT_EQ(CommitTimeNow(region()), before + i);
  }
}

TEST_F(CommitClockTest, NoTimeOfANewStoreIsUndecided) {
  EXPECT_TRUE(IsCommitTime(DrawCommitTime(region())));
}

TEST_F(CommitClockTest, ParticipantsShareTheClock) {
  const test::VersionsParty other(platform_, path_);
  const std::uint64_t time = DrawCommitTime(region());
  EXPECT_EQ(CommitTimeNow(other.region()), time);
  EXPECT_EQ(DrawCommitTime(other.region()), time + 1);
  EXPECT_EQ(CommitTimeNow(region()), time + 1);
}

TEST_F(CommitClockTest, ThreadsThatDrawAtOnceGetDifferentTimes) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kDraws = 2000;
  const std::uint64_t before = CommitTimeNow(region());
  std::vector<std::vector<std::uint64_t>> drawn(kThreads);
  std::vector<std::thread> threads;
  for (std::vector<std::uint64_t>& mine : drawn) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kDraws; ++i) {
        mine.push_back(DrawCommitTime(region()));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::vector<std::uint64_t> all;
  for (const std::vector<std::uint64_t>& mine : drawn) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  for (std::uint64_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i], before + i + 1);
  }
  EXPECT_EQ(CommitTimeNow(region()), before + kThreads * kDraws);
}

}  // namespace
}  // namespace commy::versions
