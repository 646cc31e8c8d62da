// Slots: their words, a reader's and a writer's look through them, and the words of a root.
#include "index/slots.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "index/hash/layout.h"
#include "support/store_fixture.h"
#include "support/versions_fixture.h"

namespace commy::index {
namespace {

// --- Words -------------------------------------------------------------------------------------

TEST(SlotWordTest, SlotWordsHoldAnyOffsetAndAnyPrefix) {
  for (const std::uint64_t offset : {std::uint64_t{16}, region::kMaxSizeLimitBytes - 16}) {
    for (const std::uint64_t hash :
         {std::uint64_t{0}, std::uint64_t{UINT64_MAX}, std::uint64_t{0x123456789abcdef}}) {
      const std::uint64_t word = PackSlot(hash, offset);
      EXPECT_EQ(SlotOffset(word), offset);
      EXPECT_TRUE(SlotHasPrefix(word, hash));
      EXPECT_FALSE(SlotHasPrefix(word, hash ^ (std::uint64_t{1} << 63)));
      EXPECT_FALSE(SlotHasPrefix(word, hash ^ (std::uint64_t{1} << 38)));
      EXPECT_TRUE(SlotHasPrefix(word, hash ^ (std::uint64_t{1} << 37)));
      EXPECT_FALSE(SlotIsClosed(word));
      EXPECT_FALSE(SlotIsFrozen(word));
      EXPECT_FALSE(SlotIsEmpty(word));
      EXPECT_EQ(SlotOffset(word | kSlotFrozen), offset);
      EXPECT_TRUE(SlotHasPrefix(word | kSlotFrozen, hash));
      for (std::uint64_t depth = 0; depth <= kDepthMax; ++depth) {
        EXPECT_EQ(SplitSide(word, depth), (hash >> (63U - depth)) & 1U);
      }
    }
  }
}

TEST(SlotWordTest, AFrozenSlotMayBeEmptyAndAClosedOneIsNot) {
  EXPECT_TRUE(SlotIsEmpty(0));
  EXPECT_TRUE(SlotIsEmpty(kSlotFrozen));
  EXPECT_FALSE(SlotIsEmpty(kSlotClosed));
  EXPECT_TRUE(SlotIsClosed(kSlotClosed | kSlotFrozen));
  EXPECT_TRUE(SlotIsFrozen(kSlotClosed | kSlotFrozen));
}

TEST(RootWordTest, CounterCellsHoldNegativeNumbers) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
                                   (std::int64_t{1} << 39) - 1, -(std::int64_t{1} << 39)}) {
    for (const std::uint64_t seq : {std::uint64_t{0}, std::uint64_t{0xffffff}}) {
      EXPECT_EQ(CellValue(PackCell(value, seq)), value);
      EXPECT_EQ(CellSeq(PackCell(value, seq)), seq);
    }
  }
}

// --- Looks -------------------------------------------------------------------------------------

class SlotsTest : public test::VersionsFixture {
 protected:
  // A slot with a record of the key that has a hash of our choice.
  std::uint64_t Slot(std::string_view key, std::uint64_t hash,
                     std::uint64_t commit = versions::kUndecided) {
    return PackSlot(hash, party_.MakeRecord({.key = key, .value = "", .commit = commit}));
  }
  void Set(std::size_t index, std::uint64_t word) {
    slots_.at(index).store(word, std::memory_order_relaxed);
  }
  absl::StatusOr<Found> Read(std::string_view key, std::uint64_t hash) {
    view_ = versions::RecordView();
    return ReadSlots(region(), slots_.data(), slots_.size(), key, hash, &view_);
  }
  absl::StatusOr<Found> Walk(std::string_view key, std::uint64_t hash) {
    return WalkSlots(region(), party_.allocator(), slots_.data(), slots_.size(), key, hash, &at_);
  }

  static constexpr std::uint64_t kHash = 0x123456789abcdef0;
  static constexpr std::uint64_t kOtherHash = ~kHash;
  std::array<Shared64, 4> slots_{};
  versions::RecordView view_;
  Position at_;
};

TEST_F(SlotsTest, AKeyIsFoundWithItsRecordWhichIsSettled) {
  SetClock(41);
  Set(0, Slot("a", kHash));
  Set(1, Slot("b", kHash));
  ASSERT_EQ(*Read("b", kHash), Found::kKey);
  EXPECT_EQ(view_.key, "b");
  EXPECT_EQ(view_.record->commit.load(std::memory_order_relaxed), 42U);
  ASSERT_EQ(*Walk("a", kHash), Found::kKey);
  EXPECT_EQ(at_.slot, &slots_[0]);
  EXPECT_EQ(at_.word, slots_[0].load(std::memory_order_relaxed));
  EXPECT_EQ(at_.head.key, "a");
  EXPECT_EQ(at_.head.record->commit.load(std::memory_order_relaxed), 43U);
}

TEST_F(SlotsTest, TheFirstEmptySlotEndsALook) {
  Set(0, Slot("a", kHash));
  Set(2, Slot("b", kHash));
  EXPECT_EQ(*Read("b", kHash), Found::kRoom);
  EXPECT_FALSE(view_.valid());
  ASSERT_EQ(*Walk("b", kHash), Found::kRoom);
  EXPECT_EQ(at_.slot, &slots_[1]);
  EXPECT_EQ(at_.word, 0U);
  EXPECT_FALSE(at_.head.valid());
}

TEST_F(SlotsTest, FullSlotsWithoutTheKeyHaveNoRoom) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Set(i, Slot("a" + std::to_string(i), kHash));
  }
  EXPECT_EQ(*Read("b", kHash), Found::kNoKey);
  EXPECT_EQ(*Walk("b", kHash), Found::kNoKey);
  EXPECT_EQ(at_.slot, nullptr);
  EXPECT_FALSE(at_.head.valid());
}

TEST_F(SlotsTest, AClosedSlotIsPassedByAndNotUsedAgain) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Set(i, Slot("a" + std::to_string(i), kHash));
  }
  Set(1, slots_[1].load(std::memory_order_relaxed) | kSlotClosed);
  EXPECT_EQ(*Read("a1", kHash), Found::kNoKey);
  EXPECT_EQ(*Walk("a1", kHash), Found::kNoKey);
  EXPECT_EQ(*Read("a3", kHash), Found::kKey);
  EXPECT_EQ(*Walk("a3", kHash), Found::kKey);
}

TEST_F(SlotsTest, AReaderPassesFrozenSlotsAndAWriterStopsThere) {
  Set(0, Slot("a", kHash));
  Set(1, Slot("b", kHash) | kSlotFrozen);
  Set(2, kSlotFrozen);
  EXPECT_EQ(*Read("b", kHash), Found::kKey);
  EXPECT_EQ(*Read("c", kHash), Found::kRoom);
  EXPECT_EQ(*Walk("a", kHash), Found::kKey);
  EXPECT_EQ(*Walk("b", kHash), Found::kFrozen);
  EXPECT_EQ(at_.slot, nullptr);
  EXPECT_EQ(*Walk("c", kHash), Found::kFrozen);
  Set(1, kSlotFrozen);
  EXPECT_EQ(*Walk("c", kHash), Found::kFrozen);
}

TEST_F(SlotsTest, ARecordWithAnotherPrefixIsNotLookedAt) {
  Set(0, PackSlot(kOtherHash, std::uint64_t{1} << 39U));  // It would be damage.
  Set(1, Slot("a", kHash));
  EXPECT_EQ(*Read("a", kHash), Found::kKey);
  EXPECT_EQ(*Walk("a", kHash), Found::kKey);
  Set(1, Slot("a", kOtherHash));
  EXPECT_EQ(*Read("a", kHash), Found::kRoom);
}

TEST_F(SlotsTest, ASlotThatNamesNoRecordIsDataLossWithItsOffset) {
  Set(0, PackSlot(kHash, std::uint64_t{1} << 39U));
  for (const absl::Status& status : {Read("a", kHash).status(), Walk("a", kHash).status()}) {
    EXPECT_TRUE(test::Says(status, absl::StatusCode::kDataLoss, "a record at 0x8000000000"));
  }
}

TEST_F(SlotsTest, AnIntentIsFoundAndLeftToTheCaller) {
  const std::uint64_t intent = versions::IntentOf(0x40);
  Set(0, Slot("a", kHash, intent));
  ASSERT_EQ(*Read("a", kHash), Found::kKey);
  EXPECT_EQ(view_.record->commit.load(std::memory_order_relaxed), intent);
  ASSERT_EQ(*Walk("a", kHash), Found::kKey);
  EXPECT_EQ(at_.head.record->commit.load(std::memory_order_relaxed), intent);
}

}  // namespace
}  // namespace commy::index
