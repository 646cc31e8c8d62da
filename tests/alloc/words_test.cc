// The words of this floor: state bytes, epoch tags and span words.
#include <gtest/gtest.h>

#include "alloc/block_state.h"
#include "alloc/span_word.h"

namespace commy::alloc {
namespace {

TEST(BlockStateTest, ATagIsReusableFromTwoEpochsOnAndNeverBefore) {
  for (std::uint64_t epoch = 2; epoch < 600; ++epoch) {
    const BlockState state = RetiredAt(epoch);
    ASSERT_TRUE(IsRetired(state));
    ASSERT_FALSE(IsReusable(state, epoch));
    ASSERT_FALSE(IsReusable(state, epoch + 1));
    // A reader whose epoch is one behind the tag, which a late retire may write.
    ASSERT_FALSE(IsReusable(state, epoch - 1));
    for (std::uint64_t age = 2; age <= kTagCount - 2; ++age) {
      ASSERT_TRUE(IsReusable(state, epoch + age)) << age;
    }
  }
}

TEST(BlockStateTest, OnlyFreeAndOldRetiredBlocksAreReusable) {
  for (const BlockState state : {kNotABlock, kUsed, kEvacuated, BlockState{130}, BlockState{255}}) {
    for (std::uint64_t epoch = 2; epoch < 300; ++epoch) {
      ASSERT_FALSE(IsReusable(state, epoch)) << int{state};
    }
  }
  EXPECT_TRUE(IsReusable(kFree, 2));
}

TEST(SpanWordTest, PacksAndUnpacksEveryFieldAtItsLimits) {
  for (int kind = 0; kind <= 6; ++kind) {
    for (const int size_class : {0, 1, 255}) {
      for (const int lane : {0, 1, 65535}) {
        for (const std::uint32_t number : {0U, 1U, 0xffffffU}) {
          const SpanWord word{static_cast<SpanKind>(kind), static_cast<std::uint8_t>(size_class),
                              static_cast<std::uint16_t>(lane), number};
          const SpanWord back = Unpack(Pack(word));
          ASSERT_EQ(back.kind, word.kind);
          ASSERT_EQ(back.size_class, word.size_class);
          ASSERT_EQ(back.lane, word.lane);
          ASSERT_EQ(back.number, word.number);
        }
      }
    }
  }
  EXPECT_EQ(Pack({}), 0U) << "free is zero";
}

}  // namespace
}  // namespace commy::alloc
