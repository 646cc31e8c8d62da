// The places of the parts of a file, and the limits of the options.
#include "region/geometry.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace commy::region {
namespace {

CreateOptions Small() {
  CreateOptions options;
  options.max_size_bytes = std::uint64_t{16} << 20;
  options.chunk_bytes = std::uint64_t{64} << 10;
  options.span_bytes = std::uint64_t{4} << 10;
  options.participant_count = 8;
  options.thread_count = 14;
  return options;
}

absl::StatusOr<Geometry> GeometryOf(const CreateOptions& options) {
  RegionHeader header{};
  const absl::Status made = MakeHeader(options, header);
  if (!made.ok()) {
    return made;
  }
  header.size_bytes.raw = header.data_offset;
  return ReadHeader(header, header.data_offset);
}

TEST(GeometryTest, PartsOfTheFileAreInOrderAndLargeEnough) {
  for (const CreateOptions& options : {CreateOptions(), Small()}) {
    const absl::StatusOr<Geometry> geometry = GeometryOf(options);
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    EXPECT_GE(geometry->participants_offset,
              kKeyWaitWordsOffset + kKeyWaitWordCount * sizeof(Shared32));
    EXPECT_GE(geometry->lanes_offset, geometry->participants_offset +
                                          geometry->participant_count * sizeof(ParticipantEntry));
    EXPECT_GE(geometry->snapshots_offset,
              geometry->lanes_offset + geometry->lane_count * sizeof(LaneLayout));
    EXPECT_GE(geometry->span_words_offset,
              geometry->snapshots_offset + geometry->snapshot_count * sizeof(SnapshotEntry));
    EXPECT_GE(geometry->data_offset, geometry->span_words_offset + geometry->span_count_max * 8);
    EXPECT_TRUE(base::IsAligned(geometry->data_offset, geometry->span_bytes));
    EXPECT_EQ(std::uint64_t{1} << geometry->span_shift, geometry->span_bytes);
    EXPECT_LE(geometry->data_offset + geometry->span_count_max * geometry->span_bytes,
              geometry->max_size_bytes);
  }
}

TEST(GeometryTest, DataBeginsAtALargePageIfChunksAreLargePages) {
  CreateOptions options;
  for (const std::uint64_t chunk_mebibytes : {2, 4, 6}) {
    options.chunk_bytes = chunk_mebibytes << 20;
    EXPECT_TRUE(base::IsAligned(GeometryOf(options)->data_offset, std::uint64_t{2} << 20));
  }
  options.chunk_bytes = std::uint64_t{64} << 10;
  EXPECT_LT(GeometryOf(options)->data_offset, std::uint64_t{13} << 20)
      << "a small store needs no large front part";
}

TEST(GeometryTest, OptionsAtTheirLimitsAreAllowedAndBeyondThemRefused) {
  struct Case {
    const char* name;
    std::uint64_t low;
    std::uint64_t high;
    void (*set)(CreateOptions&, std::uint64_t);
  };
  const Case cases[] = {
      {"participants", 1, 65534, [](auto& o, std::uint64_t v) { o.participant_count = v; }},
      {"threads", 4, 65526, [](auto& o, std::uint64_t v) { o.thread_count = v; }},
      {"snapshots", 1, 1U << 20U, [](auto& o, std::uint64_t v) { o.snapshot_count = v; }},
      {"segment_buckets", 1, 255,
       [](auto& o, std::uint64_t v) { o.segment_buckets = static_cast<std::uint32_t>(v); }},
      {"stale_after", 1'000'000, 86'400'000'000'000,
       [](auto& o, std::uint64_t v) { o.stale_after_ns = v; }},
      {"operation_timeout", 1'000'000, 86'400'000'000'000,
       [](auto& o, std::uint64_t v) { o.operation_timeout_ns = v; }},
      {"heartbeat_interval", 1'000'000, 86'400'000'000'000,
       [](auto& o, std::uint64_t v) { o.heartbeat_interval_ns = v; }},
  };
  for (const Case& each : cases) {
    for (const bool inside : {true, false}) {
      for (const std::uint64_t value :
           {inside ? each.low : each.low - 1, inside ? each.high : each.high + 1}) {
        CreateOptions options;
        each.set(options, value);
        const absl::Status status = GeometryOf(options).status();
        EXPECT_EQ(status.ok(), inside) << each.name << " " << value << ": " << status;
        EXPECT_TRUE(inside || status.ToString().find(each.name) != std::string::npos) << status;
      }
    }
  }
}

TEST(GeometryTest, CountsBeyond32BitsAreRefusedAndNotCut) {
  const std::uint64_t beyond = (std::uint64_t{1} << 32) + 16;
  for (std::uint64_t CreateOptions::*const count :
       {&CreateOptions::participant_count, &CreateOptions::thread_count,
        &CreateOptions::snapshot_count}) {
    CreateOptions options;
    options.*count = beyond;
    const absl::Status status = GeometryOf(options).status();
    EXPECT_NE(status.ToString().find(std::to_string(beyond)), std::string::npos) << status;
  }
}

TEST(GeometryTest, AllThreadsGetALaneBesideThoseKeptForRecovery) {
  for (std::uint64_t threads = 4; threads <= 65526; threads += threads < 200 ? 1 : 311) {
    CreateOptions options;
    options.thread_count = threads;
    const absl::StatusOr<Geometry> geometry = GeometryOf(options);
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    ASSERT_EQ(geometry->thread_count, threads);
    ASSERT_GE(geometry->lane_count - threads, std::min<std::uint64_t>(threads / 8, 8)) << threads;
  }
}

TEST(GeometryTest, TheSmallestStoreHasRoomForTwoChunks) {
  CreateOptions options = Small();
  options.max_size_bytes = 1;
  const std::string said = GeometryOf(options).status().ToString();
  const std::size_t at = said.find("at least ");
  ASSERT_NE(at, std::string::npos) << said;
  // The places depend on the size, so the reported minimum may need another round.
  options.max_size_bytes = std::stoull(said.substr(at + 9));
  while (!GeometryOf(options).ok()) {
    options.max_size_bytes += options.span_bytes;
  }
  EXPECT_GE(GeometryOf(options)->span_count_max * options.span_bytes, 2 * options.chunk_bytes);
  EXPECT_LT(options.max_size_bytes, std::uint64_t{1} << 20);
}

TEST(GeometryTest, TheDefaultsFitIntoSixMebibytes) {
  CreateOptions options;
  options.max_size_bytes = std::uint64_t{10} << 20;
  EXPECT_TRUE(GeometryOf(options).ok()) << GeometryOf(options).status();
  options.max_size_bytes = kMaxSizeLimitBytes;
  EXPECT_TRUE(GeometryOf(options).ok()) << GeometryOf(options).status();
  options.max_size_bytes = kMaxSizeLimitBytes + 1;
  EXPECT_FALSE(GeometryOf(options).ok());
}

TEST(GeometryTest, MoreSpansThanSpanNumbersAreRefused) {
  CreateOptions options;
  options.span_bytes = 4096;
  options.max_size_bytes = kSpanCountLimit * 4096;
  EXPECT_TRUE(GeometryOf(options).ok()) << GeometryOf(options).status();
  options.max_size_bytes += 4096;
  EXPECT_FALSE(GeometryOf(options).ok());
}

TEST(GeometryTest, SpanBytesMustBePowersOfTwoAndChunksWholeSpans) {
  CreateOptions options = Small();
  options.span_bytes = 2048;
  EXPECT_FALSE(GeometryOf(options).ok());
  options.span_bytes = 12288;
  EXPECT_FALSE(GeometryOf(options).ok());
  options = Small();
  options.chunk_bytes = options.span_bytes * 3;
  EXPECT_TRUE(GeometryOf(options).ok());
  options.chunk_bytes += 1;
  EXPECT_FALSE(GeometryOf(options).ok());
}

}  // namespace
}  // namespace commy::region
