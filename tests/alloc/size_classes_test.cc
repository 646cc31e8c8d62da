// Block sizes: every size has a class that is not much larger, and blocks lie where they should.
#include "alloc/size_classes.h"

#include <gtest/gtest.h>

#include "region/layout.h"

namespace commy::alloc {
namespace {

class SizeClassesTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  const std::uint64_t span_bytes_ = GetParam();
  const SizeClasses classes_{span_bytes_};
};

INSTANTIATE_TEST_SUITE_P(Spans, SizeClassesTest,
                         testing::Values(4096, 8192, 16384, 65536, 262144, 1048576));

TEST_P(SizeClassesTest, EverySizeHasTheSmallestClassThatHoldsIt) {
  for (std::uint64_t size = 1; size <= classes_.small_bytes_max(); ++size) {
    const std::uint32_t at = classes_.ClassFor(size);
    ASSERT_LT(at, classes_.count());
    ASSERT_GE(classes_.at(at).block_bytes, size);
    ASSERT_TRUE(at == 0 || classes_.at(at - 1).block_bytes < size) << size;
  }
}

TEST_P(SizeClassesTest, BlocksFillTheSpanAfterItsHeaderAndDoNotReachPastIt) {
  for (std::uint32_t at = 0; at < classes_.count(); ++at) {
    const SizeClass& size_class = classes_.at(at);
    ASSERT_GE(size_class.block_count, 2U);
    EXPECT_GE(size_class.data_start, sizeof(region::SpanHeader) + size_class.block_count);
    const std::uint64_t end =
        size_class.data_start + std::uint64_t{size_class.block_count} * size_class.block_bytes;
    EXPECT_LE(end, span_bytes_);
    EXPECT_EQ(size_class.data_start % 64, 0U);
    EXPECT_EQ(size_class.block_bytes % (size_class.block_bytes >= 1024 ? 64 : 16), 0U);
  }
}

TEST_P(SizeClassesTest, BlockIndexFindsExactlyTheStartsOfBlocks) {
  for (std::uint32_t at = 0; at < classes_.count(); ++at) {
    const SizeClass& size_class = classes_.at(at);
    std::uint32_t next = 0;
    for (std::uint64_t offset = 0; offset < span_bytes_; offset += 16) {
      const bool starts =
          next < size_class.block_count &&
          offset == size_class.data_start + std::uint64_t{next} * size_class.block_bytes;
      if (starts) {
        ASSERT_EQ(classes_.BlockIndex(size_class, offset), next++);
      } else {
        ASSERT_GE(classes_.BlockIndex(size_class, offset), size_class.block_count) << offset;
      }
    }
    ASSERT_EQ(next, size_class.block_count);
  }
}

TEST(SizeClassesOfDefaultSpansTest, WasteIsAtMostAFifthUpToTheLastFewClasses) {
  const SizeClasses classes(65536);
  for (std::uint64_t size = 257; size <= 65536 / 9; ++size) {
    const double waste =
        static_cast<double>(classes.at(classes.ClassFor(size)).block_bytes - size) /
        static_cast<double>(classes.at(classes.ClassFor(size)).block_bytes);
    ASSERT_LE(waste, 0.2) << size;
  }
}

TEST(SizeClassesOfDefaultSpansTest, HalfASpanIsTheLargestSmallBlock) {
  const SizeClasses classes(65536);
  EXPECT_GT(classes.small_bytes_max(), 65536 / 2 - 256U);
  EXPECT_LT(classes.count(), 256U);
}

}  // namespace
}  // namespace commy::alloc
