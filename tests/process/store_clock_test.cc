// Store time: the same for all participants, whatever happens to the wall clock.
#include "process/store_clock.h"

#include <cstdlib>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "region/region.h"
#include "support/fault_platform.h"
#include "support/temp_dir.h"

namespace commy::process {
namespace {

using test::FaultPlatform;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kHourNs = 3600 * kSecondNs;

class StoreClockTest : public testing::Test {
 protected:
  StoreClockTest() {
    platform_.FreezeClocks();
    region::RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{1} << 20;
    options.create.span_bytes = 4096;
    options.create.chunk_bytes = 16384;
    options.create.participant_count = 6;
    options.create.thread_count = 28;
    auto region = region::Region::Open(platform_, temp_.File("store"), options);
    EXPECT_TRUE(region.ok()) << region.status();
    region_ = *std::move(region);
  }

  std::unique_ptr<StoreClock> Start(bool read_only = false) {
    return std::make_unique<StoreClock>(*region_, platform_, read_only);
  }
  std::unique_ptr<StoreClock> StartSettled() {
    auto clock = Start();
    clock->Beat();
    clock->Beat();
    return clock;
  }
  void SetBoot(const platform::BootId& id) {
    platform_.Set([&](FaultPlatform::Faults& faults) { faults.boot_id = id; });
  }
  // Reboots; the machine is off for `off_ns`.
  void Reboot(std::int64_t off_ns) {
    platform_.Set([&](FaultPlatform::Faults& faults) {
      faults.boot_id = platform::BootId{++boots_};
      faults.boot_ns = kSecondNs;
      *faults.wall_ns += off_ns;
    });
  }
  void SetWall(std::int64_t step_ns) {
    platform_.Set([&](FaultPlatform::Faults& faults) { *faults.wall_ns += step_ns; });
  }

  test::TempDir temp_;
  FaultPlatform platform_;
  std::uint8_t boots_ = 100;
  std::unique_ptr<region::Region> region_;
};

TEST_F(StoreClockTest, StoreTimeBeginsWithTheWallClock) {
  const auto clock = Start();
  EXPECT_EQ(clock->NowNs(), platform_.WallNs());
  platform_.Advance(kHourNs);
  EXPECT_EQ(clock->NowNs(), platform_.WallNs());
  EXPECT_EQ(clock->ToWallNs(clock->NowNs() - 5), platform_.WallNs() - 5);
}

TEST_F(StoreClockTest, WithoutABootIdTheClockIsSettledAtTheSecondBeat) {
  SetBoot({});
  const auto clock = Start();
  EXPECT_FALSE(clock->settled());
  clock->Beat();
  EXPECT_FALSE(clock->settled());
  clock->Beat();
  EXPECT_TRUE(clock->settled());
}

TEST_F(StoreClockTest, WithABootIdTheClockIsSettledAtOnce) {
  EXPECT_TRUE(Start()->settled());
  EXPECT_TRUE(Start()->settled());
  SetBoot({7});
  EXPECT_TRUE(Start()->settled());
  EXPECT_TRUE(Start()->settled());
}

TEST_F(StoreClockTest, SettingTheWallClockWhileTheStoreIsClosedDoesNotChangeStoreTime) {
  for (const std::int64_t step : {kHourNs, -5 * kHourNs, 40 * kSecondNs}) {
    const std::int64_t before = Start()->NowNs();
    SetWall(step);
    platform_.Advance(kSecondNs);
    const auto late = Start();
    EXPECT_TRUE(late->settled());
    EXPECT_EQ(late->NowNs(), before + kSecondNs);
    // Also in the next boot, though no participant has lived for a beat.
    Reboot(kSecondNs);
    EXPECT_EQ(Start()->NowNs(), before + 2 * kSecondNs);
  }
}

TEST_F(StoreClockTest, WithoutABootIdAClockStartedAfterTheWallClockWasSetIsCorrectedAtABeat) {
  SetBoot({});
  const auto clock = StartSettled();
  for (const std::int64_t step : {kHourNs, -3 * kHourNs}) {
    const std::int64_t before = clock->NowNs();
    SetWall(step);
    const auto late = Start();
    late->Beat();
    clock->Beat();
    late->Beat();
    EXPECT_TRUE(late->settled());
    EXPECT_EQ(late->NowNs(), before);
    EXPECT_EQ(clock->NowNs(), before);
  }
}

TEST_F(StoreClockTest, TwoClocksThatStartABootTogetherAgreeAfterABeat) {
  region::RegionHeader& header = region_->header();
  const auto first = Start();
  header.clock_boot.store(0, std::memory_order_relaxed);  // The second clock must not see it yet.
  header.clock_seal.store(0, std::memory_order_relaxed);
  SetWall(3'000'000);
  const auto second = Start();
  EXPECT_NE(first->NowNs(), second->NowNs());
  first->Beat();
  second->Beat();
  EXPECT_EQ(first->NowNs(), second->NowNs());
  EXPECT_EQ(Start()->NowNs(), second->NowNs());
}

TEST_F(StoreClockTest, AHalfPublishedClockIsIgnoredAndPublishedAgain) {
  region::RegionHeader& header = region_->header();
  const std::int64_t now = Start()->NowNs();
  for (const std::uint64_t seal : {std::uint64_t{0}, UINT64_MAX}) {
    for (const std::uint64_t base : {std::uint64_t{0}, UINT64_MAX, std::uint64_t{1} << 63U}) {
      header.clock_base_ns.store(base, std::memory_order_relaxed);
      header.clock_seal.store(seal, std::memory_order_relaxed);
      const auto clock = Start();
      EXPECT_FALSE(clock->settled());
      EXPECT_EQ(clock->NowNs(), now);
      EXPECT_TRUE(Start()->settled());
      clock->Beat();
      clock->Beat();
      EXPECT_TRUE(clock->settled());
      EXPECT_EQ(Start()->NowNs(), now);
    }
  }
}

TEST_F(StoreClockTest, ALiveClockRepublishesADestroyedSeal) {
  const auto clock = Start();
  region_->header().clock_seal.store(0, std::memory_order_relaxed);
  clock->Beat();
  SetWall(kHourNs);
  EXPECT_EQ(Start()->NowNs(), clock->NowNs());
}

TEST_F(StoreClockTest, StoreTimeIsUnaffectedBySettingTheWallClock) {
  const auto clock = StartSettled();
  const auto other = StartSettled();
  for (const std::int64_t step : {kHourNs, -5 * kHourNs, 40 * kSecondNs}) {
    const std::int64_t before = clock->NowNs();
    SetWall(step);
    EXPECT_EQ(clock->NowNs(), before);
    clock->Beat();
    other->Beat();
    EXPECT_EQ(clock->NowNs(), before);
    EXPECT_EQ(other->NowNs(), before);
    EXPECT_EQ(Start()->NowNs(), before);
    EXPECT_EQ(clock->ToWallNs(before), platform_.WallNs());
  }
}

TEST_F(StoreClockTest, StoreTimeFollowsSmallStepsOfTheWallClock) {
  const auto clock = StartSettled();
  for (int i = 0; i < 100; ++i) {
    SetWall(1'000'000);
    clock->Beat();
    EXPECT_LE(platform_.WallNs() - clock->NowNs(), 21'000'000);
    EXPECT_LE(std::abs(Start()->NowNs() - clock->NowNs()), 21'000'000);
  }
}

TEST_F(StoreClockTest, AClockStartedAfterTheWallClockWasSetAgreesWithTheOthersAfterABeat) {
  const auto clock = StartSettled();
  for (const std::int64_t step : {kHourNs, -3 * kHourNs}) {
    const std::int64_t before = clock->NowNs();
    SetWall(step);
    const auto late = Start();
    late->Beat();
    clock->Beat();
    late->Beat();
    EXPECT_TRUE(late->settled());
    EXPECT_EQ(late->NowNs(), before);
    EXPECT_EQ(clock->NowNs(), before);
    late->Beat();
    clock->Beat();
    EXPECT_EQ(late->NowNs(), before);
    EXPECT_EQ(clock->NowNs(), before);
  }
}

TEST_F(StoreClockTest, StoreTimeNeverGoesBackBetweenUses) {
  std::int64_t last = 0;
  {
    const auto clock = StartSettled();
    platform_.Advance(kHourNs);
    clock->Beat();
    last = clock->NowNs();
  }
  // A reboot of a machine whose wall clock has no battery.
  platform_.Set([](FaultPlatform::Faults& faults) {
    faults.boot_ns = kSecondNs;
    faults.wall_ns = 0;
  });
  const auto clock = Start();
  EXPECT_EQ(clock->NowNs(), last);
  clock->Beat();
  clock->Beat();
  EXPECT_EQ(clock->NowNs(), last);
  EXPECT_EQ(Start()->NowNs(), last);
  platform_.Advance(kSecondNs);
  EXPECT_EQ(clock->NowNs(), last + kSecondNs);
  EXPECT_EQ(Start()->NowNs(), last + kSecondNs);
}

TEST_F(StoreClockTest, StoreTimeCountsTheTimeWhileTheStoreIsClosed) {
  const std::int64_t last = StartSettled()->NowNs();
  platform_.Set([](FaultPlatform::Faults& faults) {
    faults.boot_ns = kSecondNs;  // A reboot.
    *faults.wall_ns += kHourNs;
  });
  EXPECT_EQ(Start()->NowNs(), last + kHourNs);
}

TEST_F(StoreClockTest, ImplausibleClockWordsAreIgnored) {
  region::RegionHeader& header = region_->header();
  for (const std::uint64_t word :
       {UINT64_MAX, std::uint64_t{1} << 63U, (std::uint64_t{1} << 63U) - 1}) {
    header.clock_skew_ns.store(word, std::memory_order_relaxed);
    header.clock_seen_ns.store(word, std::memory_order_relaxed);
    const auto clock = StartSettled();
    EXPECT_LE(std::abs(clock->NowNs() - platform_.WallNs()), 1);
    clock->Beat();
    EXPECT_EQ(header.clock_seen_ns.load(std::memory_order_relaxed),
              static_cast<std::uint64_t>(clock->NowNs()));
  }
}

TEST_F(StoreClockTest, AReadOnlyClockWritesNothing) {
  const auto reader = Start(true);
  const region::RegionHeader& header = region_->header();
  for (int i = 0; i < 4; ++i) {
    SetWall(kHourNs);
    reader->Beat();
  }
  EXPECT_EQ(header.clock_skew_ns.load(std::memory_order_relaxed), 0U);
  EXPECT_EQ(header.clock_seen_ns.load(std::memory_order_relaxed), 0U);
  EXPECT_EQ(header.clock_boot.load(std::memory_order_relaxed), 0U);
  EXPECT_EQ(header.clock_seal.load(std::memory_order_relaxed), 0U);
}

}  // namespace
}  // namespace commy::process
