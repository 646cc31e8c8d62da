// The demo's readers detect wrong, torn and stale values.
#include <cctype>
#include <string>

#include "gtest/gtest.h"

#include "demo/freshness.h"
#include "demo/stamped_value.h"

namespace commy::tools::demo {
namespace {

std::string Value(std::string_view key, std::string_view text, Stamp stamp) {
  std::string value;
  MakeValue(key, text, stamp, value);
  return value;
}

TEST(StampedValueTest, AStampedValueHoldsItsRoundAndWriter) {
  const absl::StatusOr<Stamp> stamp =
      VerifyValue("1F600", "GRINNING FACE (So)", Value("1F600", "GRINNING FACE (So)", {7, 2}));
  ASSERT_TRUE(stamp.ok()) << stamp.status();
  EXPECT_EQ(stamp->round, 7U);
  EXPECT_EQ(stamp->writer, 2U);
}

TEST(StampedValueTest, AnyChangedBitAndAnyCutIsDetected) {
  const std::string good = Value("key", "text", {12, 1});
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
      // Hexadecimal digits of either case mean the same number.
      const bool same = std::isalpha(good[i]) != 0 && bit == 5 && i + 16 >= good.size();
      EXPECT_EQ(VerifyValue("key", "text", bad).ok(), same) << bad;
    }
    EXPECT_FALSE(VerifyValue("key", "text", good.substr(0, i)).ok());
  }
  EXPECT_FALSE(VerifyValue("key", "text", good + " ").ok());
}

TEST(StampedValueTest, AValueOfAnotherKeyOrTextIsDetected) {
  EXPECT_FALSE(VerifyValue("key", "text", Value("other", "text", {1, 1})).ok());
  EXPECT_FALSE(VerifyValue("key", "text", Value("key", "other", {1, 1})).ok());
  EXPECT_FALSE(VerifyValue("key", "text", Value("key", "text2", {1, 1})).ok());
}

TEST(StampedValueTest, AMixtureOfTwoWritesIsDetected) {
  const std::string one = Value("key", "text", {1, 1});
  const std::string two = Value("key", "text", {2, 1});
  ASSERT_EQ(one.size(), two.size());
  EXPECT_FALSE(VerifyValue("key", "text", one.substr(0, 13) + two.substr(13)).ok());
}

TEST(FreshnessTest, AnAcknowledgedRoundMayNotBeLost) {
  // Keys 0 to 9 of round 5 are acknowledged.
  EXPECT_TRUE(CheckFresh("k", {5, 1}, 9, {5, 10}, {5, 10}).ok());
  EXPECT_FALSE(CheckFresh("k", {4, 1}, 9, {5, 10}, {5, 10}).ok());
  EXPECT_TRUE(CheckFresh("k", {4, 1}, 10, {5, 10}, {5, 10}).ok());
  EXPECT_FALSE(CheckFresh("k", {3, 1}, 10, {5, 10}, {5, 10}).ok());
}

TEST(FreshnessTest, AValueOfALaterRoundIsWrong) {
  EXPECT_TRUE(CheckFresh("k", {6, 1}, 3, {5, 10}, {6, 1}).ok());
  EXPECT_FALSE(CheckFresh("k", {6, 1}, 3, {5, 10}, {5, 99}).ok());
}

}  // namespace
}  // namespace commy::tools::demo
