// The parts of commy bench that need no store: values, times, rates, and the room that it needs.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "bench/bench_namespace.h"
#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/report.h"

namespace commy::tools::bench {
namespace {

TEST(BenchLoadTest, BenchKeysAreUniqueAndOfOneSize) {
  std::set<std::string> keys;
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    const Key key(number);
    EXPECT_EQ(key.bytes().size(), kKeyBytes);
    keys.emplace(key.bytes());
  }
  EXPECT_EQ(keys.size(), 10'000U);
}

TEST(BenchLoadTest, ABenchValueBelongsToOneKeyOnly) {
  for (const std::uint64_t bytes : {16U, 17U, 23U, 24U, 100U, 1000U}) {
    ValueMaker maker(bytes);
    const std::string value(maker.For(7, 1234));
    EXPECT_EQ(value.size(), bytes);
    EXPECT_TRUE(maker.IsOf(7, value));
    EXPECT_FALSE(maker.IsOf(8, value));
    EXPECT_FALSE(maker.IsOf(7, value + "x"));
    EXPECT_FALSE(maker.IsOf(7, ""));
    EXPECT_NE(maker.For(7, 1235), value);
  }
}

TEST(BenchLoadTest, EveryByteOfABenchValueIsChecked) {
  ValueMaker maker(101);
  const std::string value(maker.For(7, 1234));
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::string wrong = value;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_FALSE(maker.IsOf(7, wrong)) << i;
  }
}

TEST(BenchHistogramTest, QuantilesAreExactToThreePercent) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 100'000; ++i) {
    histogram.Add(i * 10);
  }
  EXPECT_EQ(histogram.samples(), 100'000U);
  EXPECT_NEAR(static_cast<double>(*histogram.Quantile(0.5)), 500'000, 0.033 * 500'000);
  EXPECT_NEAR(static_cast<double>(*histogram.Quantile(0.99)), 990'000, 0.033 * 990'000);
  EXPECT_NEAR(static_cast<double>(*histogram.Quantile(0.999)), 999'000, 0.033 * 999'000);
}

TEST(BenchHistogramTest, SmallAndHugeTimesAreCounted) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{31}, std::uint64_t{32},
                                    std::uint64_t{63}, std::uint64_t{64}, UINT64_MAX}) {
    Histogram histogram;
    for (int i = 0; i < 10; ++i) {
      histogram.Add(value);
    }
    const auto found = static_cast<double>(*histogram.Quantile(0.5));
    EXPECT_NEAR(found, static_cast<double>(value), 0.033 * static_cast<double>(value));
  }
}

TEST(BenchHistogramTest, AQuantileOfTooFewTimesIsNotReported) {
  Histogram histogram;
  for (int i = 0; i < 299; ++i) {
    histogram.Add(100);
  }
  EXPECT_EQ(histogram.Quantile(0.99), std::nullopt);
  histogram.Add(100);
  histogram.Add(100);
  EXPECT_NE(histogram.Quantile(0.99), std::nullopt);
  EXPECT_EQ(histogram.Quantile(0.999), std::nullopt);
}

RowResult Result(std::uint64_t operations, std::int64_t start_ns, std::int64_t end_ns) {
  RowResult result;
  result.operations = operations;
  result.start_ns = start_ns;
  result.end_ns = end_ns;
  return result;
}

TEST(BenchReportTest, ARateIsOfAllProcessesFromTheFirstBeginToTheLastEnd) {
  RowReport row;
  row.AddRound({Result(100, 0, 1'000'000'000), Result(200, 500'000'000, 2'000'000'000)});
  EXPECT_EQ(row.Median(), 150);
  EXPECT_EQ(row.operations, 300U);
  row.AddRound({Result(100, 0, 1'000'000'000)});
  row.AddRound({Result(1000, 0, 1'000'000'000)});
  EXPECT_EQ(row.Median(), 150);
  EXPECT_EQ(row.Least(), 100);
  EXPECT_EQ(row.Most(), 1000);
}

TEST(BenchNamespaceTest, RoomIsFreeSpacePlusPossibleGrowth) {
  StoreStats stats;
  stats.free_bytes = 10;
  stats.file_bytes = 100;
  stats.max_size_bytes = 150;
  EXPECT_EQ(RoomBytes(stats, 1000), 60U);
  EXPECT_EQ(RoomBytes(stats, 20), 30U);
  stats.file_bytes = 200;
  EXPECT_EQ(RoomBytes(stats, 1000), 10U);
}

TEST(BenchNamespaceTest, ABenchmarkNeedsTwiceTheSpaceOfItsKeys) {
  Plan plan;
  plan.keys = 1'000'000;
  plan.value_bytes = 100;
  EXPECT_GE(NeededBytes(plan), 2 * plan.keys * (32 + 16 + 100));
  EXPECT_LE(NeededBytes(plan), 3 * plan.keys * (32 + 16 + 100));
  plan.value_bytes = 100'000;
  EXPECT_GE(NeededBytes(plan), 2 * plan.keys * 131'072);
}

}  // namespace
}  // namespace commy::tools::bench
