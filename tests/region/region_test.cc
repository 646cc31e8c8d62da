// Offsets, growth by several participants, and slots of a mapped file.
#include "region/region.h"

#include <gtest/gtest.h>

#include "support/fault_platform.h"
#include "support/temp_dir.h"
#include "support/threads.h"

namespace commy::region {
namespace {

using test::FaultPlatform;

class RegionTest : public testing::Test {
 protected:
  std::unique_ptr<Region> MustOpen() {
    RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{1} << 20;
    options.create.span_bytes = 4096;
    options.create.chunk_bytes = 16384;
    options.create.participant_count = 4;
    options.create.lane_count = 64;
    auto region = Region::Open(platform_, temp_.File("store"), options);
    EXPECT_TRUE(region.ok()) << region.status();
    return region.ok() ? *std::move(region) : nullptr;
  }

  test::TempDir temp_;
  FaultPlatform platform_;
  std::unique_ptr<Region> region_ = MustOpen();
};

TEST_F(RegionTest, OffsetsOutsideTheFileOrMisalignedAreNull) {
  const std::uint64_t length = region_->length_bytes();
  EXPECT_EQ(region_->At(0, 1, 1), nullptr);
  EXPECT_NE(region_->At(1, 1, 1), nullptr);
  EXPECT_EQ(region_->At(1, 8, 8), nullptr);
  EXPECT_NE(region_->At(length - 8, 8, 8), nullptr);
  EXPECT_EQ(region_->At(length - 8, 9, 8), nullptr);
  EXPECT_EQ(region_->At(length, 1, 1), nullptr);
  EXPECT_EQ(region_->At(UINT64_MAX, 1, 1), nullptr);
  EXPECT_EQ(region_->At(8, UINT64_MAX, 8), nullptr);
  EXPECT_EQ(region_->At(UINT64_MAX - 7, 16, 8), nullptr);
  EXPECT_EQ(region_->At<Shared64>(std::uint64_t{1} << 62), nullptr);
}

TEST_F(RegionTest, AnotherParticipantSeesWhatOneHasGrown) {
  const std::unique_ptr<Region> other = MustOpen();
  ASSERT_EQ(other->span_count(), 0U);
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  EXPECT_EQ(region_->span_count(), 4U) << "a chunk";
  EXPECT_EQ(other->span_count(), 4U);
  auto* const word = region_->At<Shared64>(region_->SpanOffset(3));
  ASSERT_NE(word, nullptr);
  word->store(77, std::memory_order_release);
  ASSERT_NE(other->At<Shared64>(other->SpanOffset(3)), nullptr);
  EXPECT_EQ(other->At<Shared64>(other->SpanOffset(3))->load(std::memory_order_acquire), 77U);
}

TEST_F(RegionTest, OfTwoWhoGrowFromTheSameSizeOneDoes) {
  const std::unique_ptr<Region> other = MustOpen();
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  ASSERT_TRUE(other->Grow(0, 1).ok()) << "that it has grown already is fine";
  EXPECT_EQ(region_->span_count(), 4U);
}

TEST_F(RegionTest, ManyWhoGrowAtOnceNeverShrinkItAndEndAtTheLimit) {
  const std::unique_ptr<Region> other = MustOpen();
  test::RunThreads(4, [&](int thread) {
    Region& mine = thread % 2 == 0 ? *region_ : *other;
    std::uint64_t last = 0;
    absl::Status status;
    while (status.ok()) {
      const std::uint64_t seen = mine.span_count();
      ASSERT_GE(seen, last);
      last = seen;
      status = mine.Grow(seen, 1);
    }
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_NE(status.ToString().find("max_size"), std::string::npos);
  });
  EXPECT_EQ(region_->span_count(), region_->geometry().span_count_max);
  for (std::uint64_t span = 0; span < region_->span_count(); ++span) {
    ASSERT_NE(region_->At(region_->SpanOffset(span), 4096, 4096), nullptr);
    ASSERT_EQ(region_->span_word(span).load(std::memory_order_relaxed), 0U);
  }
}

TEST_F(RegionTest, AFullDiskAtAnyStepOfGrowthChangesNothing) {
  for (const bool populate : {false, true}) {
    for (const std::uint64_t left : {0, 4096, 8192, 16384}) {
      platform_.Set([&](auto& faults) {
        (populate ? faults.populate_bytes_left : faults.allocate_bytes_left) = left;
      });
      const absl::Status status = region_->Grow(0, 1);
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      EXPECT_NE(status.ToString().find(region_->path()), std::string::npos);
      EXPECT_EQ(region_->span_count(), 0U);
      platform_.Clear();
    }
  }
  EXPECT_TRUE(region_->Grow(0, 1).ok());
  EXPECT_EQ(region_->span_count(), 4U);
}

TEST_F(RegionTest, LanesGrowAndOnlyGrow) {
  EXPECT_EQ(region_->lanes_ready(), 16U);
  ASSERT_TRUE(region_->GrowLanes(40).ok());
  EXPECT_EQ(region_->lanes_ready(), 40U);
  ASSERT_TRUE(region_->GrowLanes(20).ok());
  EXPECT_EQ(region_->lanes_ready(), 40U);
  platform_.Set([](auto& faults) { faults.allocate_bytes_left = 0; });
  EXPECT_TRUE(absl::IsResourceExhausted(region_->GrowLanes(64)));
  EXPECT_EQ(region_->lanes_ready(), 40U);
}

TEST_F(RegionTest, ASlotIsLockedWhileItsParticipantIsThere) {
  std::unique_ptr<Region> other = MustOpen();
  const std::uint32_t slot = other->slot_index();
  EXPECT_NE(slot, region_->slot_index());
  EXPECT_TRUE(*region_->IsSlotLocked(slot));
  EXPECT_FALSE(region_->LockSlot(slot)->valid());
  EXPECT_FALSE(*region_->IsSlotLocked(3));
  other.reset();
  EXPECT_FALSE(*region_->IsSlotLocked(slot));
  const platform::Descriptor held = *region_->LockSlot(slot);
  EXPECT_TRUE(held.valid());
  EXPECT_NE(MustOpen()->slot_index(), slot) << "a slot that is being recovered is taken";
}

TEST_F(RegionTest, AHeaderThatLiesAboutItsLengthLeadsNobodyPastTheFile) {
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  region_->header().size_bytes.store(UINT64_MAX, std::memory_order_release);
  EXPECT_LE(region_->span_count(), 4U);
  region_->header().size_bytes.store(1, std::memory_order_release);
  EXPECT_EQ(region_->span_count(), 0U);
  region_->header().lanes_ready.store(UINT64_MAX, std::memory_order_release);
  EXPECT_LE(region_->lanes_ready(), region_->geometry().lane_count);
}

}  // namespace
}  // namespace commy::region
