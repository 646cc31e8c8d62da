// Arithmetic on sizes, and sizes as people read them.
#include "base/bytes.h"

#include <array>
#include <cstdint>

#include <gtest/gtest.h>

namespace commy::base {
namespace {

TEST(BytesTest, AlignUpReachesTheNextMultipleAndLeavesMultiplesAlone) {
  EXPECT_EQ(AlignUp(0, 8), 0U);
  EXPECT_EQ(AlignUp(1, 8), 8U);
  EXPECT_EQ(AlignUp(8, 8), 8U);
  EXPECT_EQ(AlignUp(9, 8), 16U);
  EXPECT_EQ(AlignUp(5, 1), 5U);
  EXPECT_EQ(AlignUp((1ULL << 62U) + 1, 4096), (1ULL << 62U) + 4096);
}

TEST(BytesTest, AlignUpGivesTheSmallestAlignedValueNotBelow) {
  for (std::uint64_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (std::uint64_t value = 0; value < 3 * alignment && value < 5000; ++value) {
      const std::uint64_t aligned = AlignUp(value, alignment);
      ASSERT_TRUE(IsAligned(aligned, alignment));
      ASSERT_GE(aligned, value);
      ASSERT_LT(aligned - value, alignment);
    }
  }
}

TEST(BytesTest, RoundUpReachesTheNextMultipleOfAnyUnit) {
  for (const std::uint64_t unit : {1U, 3U, 48U, 64U, 196608U}) {
    for (std::uint64_t multiple = 0; multiple < 5 * unit; multiple += unit) {
      EXPECT_EQ(RoundUp(multiple, unit), multiple) << unit;
      EXPECT_EQ(RoundUp(multiple + 1, unit), multiple + unit) << unit;
      EXPECT_EQ(RoundUp(multiple + unit, unit), multiple + unit) << unit;
    }
  }
}

TEST(BytesTest, IsAlignedChecksAllLowBits) {
  EXPECT_TRUE(IsAligned(0, 16));
  EXPECT_TRUE(IsAligned(48, 16));
  for (std::uint64_t low = 1; low < 16; ++low) {
    EXPECT_FALSE(IsAligned(48 + low, 16)) << low;
  }
}

TEST(BytesTest, PowersOfTwoAreExactlyTheSingleBits) {
  EXPECT_FALSE(IsPowerOfTwo(0));
  for (unsigned bit = 0; bit < 64; ++bit) {
    EXPECT_TRUE(IsPowerOfTwo(1ULL << bit)) << bit;
  }
  for (const std::uint64_t value : {3ULL, 6ULL, 4097ULL, ~0ULL}) {
    EXPECT_FALSE(IsPowerOfTwo(value)) << value;
  }
}

TEST(BytesTest, HumanBytesChoosesTheLargestUnitThatFits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(312), "312 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(3 * 512 * 1024), "1.5 MiB");
  EXPECT_EQ(HumanBytes(64ULL << 30U), "64.0 GiB");
  EXPECT_EQ(HumanBytes(1ULL << 52U), "4096.0 TiB");
}

TEST(BytesTest, CopyInAndZeroInTouchExactlyTheirRange) {
  std::array<std::uint8_t, 8> bytes{9, 9, 9, 9, 9, 9, 9, 9};
  const std::array<std::uint8_t, 3> source{1, 2, 3};
  CopyIn(&bytes[2], source.data(), source.size());
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 8>{9, 9, 1, 2, 3, 9, 9, 9}));
  ZeroIn(&bytes[3], 2);
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 8>{9, 9, 1, 0, 0, 9, 9, 9}));
  CopyIn(&bytes[0], nullptr, 0);
  EXPECT_EQ(bytes[0], 9);
}

}  // namespace
}  // namespace commy::base
