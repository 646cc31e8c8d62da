// Offsets, growth by several participants, large pages, and slots of a mapped file.
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
    options.create.thread_count = 56;
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

TEST_F(RegionTest, EachParticipantSeesTheGrowthOfOthers) {
  const std::unique_ptr<Region> other = MustOpen();
  ASSERT_EQ(other->span_count(), 0U);
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  EXPECT_EQ(region_->span_count(), 4U) << "growth is by whole chunks";
  EXPECT_EQ(other->span_count(), 4U);
  auto* const word = region_->At<Shared64>(region_->SpanOffset(3));
  ASSERT_NE(word, nullptr);
  word->store(77, std::memory_order_release);
  ASSERT_NE(other->At<Shared64>(other->SpanOffset(3)), nullptr);
  EXPECT_EQ(other->At<Shared64>(other->SpanOffset(3))->load(std::memory_order_acquire), 77U);
}

TEST_F(RegionTest, TwoGrowthsFromTheSameSizeGrowTheFileOnce) {
  const std::unique_ptr<Region> other = MustOpen();
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  ASSERT_TRUE(other->Grow(0, 1).ok()) << "the file has already grown, which is no error";
  EXPECT_EQ(region_->span_count(), 4U);
}

TEST_F(RegionTest, ConcurrentGrowthsNeverShrinkTheFileAndEndAtMaxSize) {
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

TEST_F(RegionTest, ASlotIsLockedWhileItsParticipantIsAttached) {
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
  EXPECT_NE(MustOpen()->slot_index(), slot) << "a slot that is being recovered was given out";
}

TEST_F(RegionTest, AHeaderWithAWrongLengthLeadsNoReaderPastTheFile) {
  ASSERT_TRUE(region_->Grow(0, 1).ok());
  region_->header().size_bytes.store(UINT64_MAX, std::memory_order_release);
  EXPECT_LE(region_->span_count(), 4U);
  region_->header().size_bytes.store(1, std::memory_order_release);
  EXPECT_EQ(region_->span_count(), 0U);
  region_->header().lanes_ready.store(UINT64_MAX, std::memory_order_release);
  EXPECT_LE(region_->lanes_ready(), region_->geometry().lane_count);
}

// Sizes of a real store: chunks are large pages.
class LargeChunksTest : public testing::Test {
 protected:
  // Records the range that is advised to lie in large pages.
  struct Wishes : FaultPlatform {
    void AdviseLargePages(std::byte* address, std::uint64_t size_bytes) override {
      begin = address;
      bytes = size_bytes;
    }
    std::byte* begin = nullptr;
    std::uint64_t bytes = 0;
  };

  std::unique_ptr<Region> MustOpen() {
    RegionOptions options;
    options.create.max_size_bytes = kMaxBytes;
    auto region = Region::Open(platform_, path_, options);
    EXPECT_TRUE(region.ok()) << region.status();
    return *std::move(region);
  }
  platform::FileFacts Facts() { return *platform_.DescribePath(path_); }

  static constexpr std::uint64_t kMaxBytes = (std::uint64_t{65} << 20) + 12'345;
  test::TempDir temp_;
  const std::string path_ = temp_.File("store");
  Wishes platform_;
};

TEST_F(LargeChunksTest, DataBeginsAndTheFileEndsAtLargePages) {
  const std::unique_ptr<Region> region = MustOpen();
  const std::uint64_t data = region->SpanOffset(0);
  EXPECT_TRUE(base::IsAligned(data, platform::kLargePageBytes));
  ASSERT_TRUE(region->Grow(0, 1).ok());
  EXPECT_TRUE(base::IsAligned(Facts().size_bytes, platform::kLargePageBytes));
  EXPECT_TRUE(base::IsAligned(reinterpret_cast<std::uintptr_t>(region->At(data, 1, 1)),
                              platform::kLargePageBytes));
  EXPECT_EQ(region->span_count(), 4U) << "a piece of 256 KiB is published";
  for (std::uint64_t spans = 1; region->Grow(region->span_count(), spans).ok(); spans += 7) {
    ASSERT_TRUE(base::IsAligned(Facts().size_bytes, platform::kLargePageBytes) ||
                Facts().size_bytes == region->SpanOffset(region->geometry().span_count_max));
  }
  while (region->Grow(region->span_count(), 1).ok()) {
  }
  EXPECT_EQ(region->span_count(), region->geometry().span_count_max);
}

TEST_F(LargeChunksTest, OnlyTheDataIsAdvisedToLieInLargePages) {
  const std::unique_ptr<Region> region = MustOpen();
  EXPECT_EQ(region->OffsetOf(platform_.begin), region->SpanOffset(0));
  EXPECT_EQ(platform_.bytes, kMaxBytes - region->SpanOffset(0));
}

TEST_F(LargeChunksTest, AStoreThatMayOutgrowMemoryAsksForLargePagesInHalfOfIt) {
  static constexpr std::uint64_t kMemory = std::uint64_t{40} << 20;
  platform_.Set([](auto& faults) { faults.memory_bytes = kMemory; });
  std::unique_ptr<Region> region = MustOpen();
  EXPECT_EQ(region->SpanOffset(0) + platform_.bytes, kMemory / 2);
  platform_.Set([](auto& faults) { faults.memory_bytes = 4096; });
  platform_.bytes = 0;
  region.reset();
  region = MustOpen();
  EXPECT_EQ(platform_.bytes, 0U);
}

TEST_F(LargeChunksTest, TheNextGrowthUsesBlocksThatAKilledGrowerReserved) {
  std::unique_ptr<Region> region = MustOpen();
  ASSERT_TRUE(region->Grow(0, 32).ok());
  // As one that was killed behind growth-2, for its own chunk and for the one that it prepared.
  const std::uint64_t end = region->SpanOffset(32);
  ASSERT_TRUE(platform_
                  .Allocate(platform_.Open(path_, platform::Access::kReadWrite)->fd(), end,
                            platform::kLargePageBytes)
                  .ok());
  region->PrepareToGrow(32);
  EXPECT_EQ(region->span_count(), 32U) << "a reservation must not be published";
  const std::uint64_t disk = Facts().disk_bytes;
  region.reset();
  region = MustOpen();
  ASSERT_EQ(region->span_count(), 32U);
  ASSERT_TRUE(region->Grow(32, 64).ok());
  EXPECT_EQ(region->span_count(), 96U);
  EXPECT_EQ(Facts().size_bytes, end + 2 * platform::kLargePageBytes);
  EXPECT_LE(Facts().disk_bytes, disk + 65536) << "only span words may need new blocks";
}

TEST_F(LargeChunksTest, PrepareToGrowReservesNothingPastMaxSize) {
  const std::unique_ptr<Region> region = MustOpen();
  const std::uint64_t last = region->geometry().span_count_max;
  const std::uint64_t length = Facts().size_bytes;
  for (const std::uint64_t seen : {last - 40, last - 1, last}) {
    region->PrepareToGrow(seen);
    EXPECT_EQ(Facts().size_bytes, length) << seen;
  }
}

TEST_F(LargeChunksTest, PrepareToGrowWaitsForTheReservationOfEarlierChunks) {
  const std::unique_ptr<Region> region = MustOpen();
  ASSERT_TRUE(region->Grow(0, 32).ok());
  const std::uint64_t length = Facts().size_bytes;
  region->PrepareToGrow(32);
  EXPECT_EQ(Facts().size_bytes, length) << "the chunk from span 32 on is not reserved yet";
  region->PrepareToGrow(28);
  EXPECT_EQ(Facts().size_bytes, length + platform::kLargePageBytes);
}

TEST_F(LargeChunksTest, ALateGrowerPublishesItsEndOnlyIfItIsFarther) {
  const std::unique_ptr<Region> region = MustOpen();
  const std::unique_ptr<Region> other = MustOpen();
  ASSERT_TRUE(other->Grow(0, 1).ok());
  ASSERT_TRUE(region->Grow(0, 40).ok()) << "a size seen before the other's growth must do";
  EXPECT_EQ(region->span_count(), 40U);
  ASSERT_TRUE(other->Grow(0, 1).ok());
  EXPECT_EQ(region->span_count(), 40U) << "the region shrank";
}

TEST_F(LargeChunksTest, WhereReservingTakesMemoryOnlyAPieceOfAChunkIsReserved) {
  platform_.Set([](auto& faults) { faults.reserves_memory = true; });
  const std::unique_ptr<Region> region = MustOpen();
  for (const std::uint64_t pieces : {1, 2, 3}) {
    ASSERT_TRUE(region->Grow(region->span_count(), 1).ok());
    EXPECT_EQ(Facts().size_bytes, region->SpanOffset(4 * pieces));
  }
}

}  // namespace
}  // namespace commy::region
