// Sizes, durations and counts as people write and read them.
#include "units.h"

#include "gtest/gtest.h"

namespace commy::tools {
namespace {

TEST(ParseSizeTest, ParseSizeUnderstandsBinaryAndDecimalUnits) {
  EXPECT_EQ(*ParseSize("0"), 0U);
  EXPECT_EQ(*ParseSize("4096"), 4096U);
  EXPECT_EQ(*ParseSize("4096B"), 4096U);
  EXPECT_EQ(*ParseSize("64GiB"), std::uint64_t{64} << 30U);
  EXPECT_EQ(*ParseSize("64 gib"), std::uint64_t{64} << 30U);
  EXPECT_EQ(*ParseSize("2k"), 2048U);
  EXPECT_EQ(*ParseSize("2kB"), 2000U);
  EXPECT_EQ(*ParseSize("1.5MiB"), 1'572'864U);
  EXPECT_EQ(*ParseSize("1TiB"), std::uint64_t{1} << 40U);
  EXPECT_EQ(*ParseSize("9223372036854775807"), std::uint64_t{INT64_MAX});
}

TEST(ParseSizeTest, ParseSizeRefusesOtherText) {
  for (const char* const text :
       {"", " ", "GiB", "-1", "+1", "1x", "1 GiBs", "1..5MiB", "0x10", "1.5", "9223372036854775808",
        "8388608TiB", "1e3", "nan", "inf", "1 1"}) {
    EXPECT_EQ(ParseSize(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseDurationTest, ParseDurationAcceptsOnlyPositiveDurations) {
  EXPECT_EQ(*ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  for (const char* const text : {"", "0", "5", "-5s", "s", "5 s", "1d"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ShowTest, ShownNumbersHaveThreeDigits) {
  EXPECT_EQ(ShowSize(0), "0 bytes");
  EXPECT_EQ(ShowSize(1023), "1023 bytes");
  EXPECT_EQ(ShowSize(1024), "1.00 KiB");
  EXPECT_EQ(ShowSize(std::uint64_t{64} << 30U), "64.0 GiB");
  EXPECT_EQ(ShowSize((std::uint64_t{1} << 20U) - 1), "1.00 MiB");
  EXPECT_EQ(ShowSize(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(ShowCount(0), "0");
  EXPECT_EQ(ShowCount(999), "999");
  EXPECT_EQ(ShowCount(139'258), "139,258");
  EXPECT_EQ(ShowCount(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(ShowDuration(absl::Nanoseconds(850)), "850 ns");
  EXPECT_EQ(ShowDuration(absl::Microseconds(1)), "1.00 us");
  EXPECT_EQ(ShowDuration(absl::Microseconds(17'300)), "17.3 ms");
  EXPECT_EQ(ShowDuration(absl::Seconds(120)), "120 s");
}

}  // namespace
}  // namespace commy::tools
