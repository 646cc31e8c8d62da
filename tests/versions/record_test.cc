// Records: what is written is what is viewed, the checksum, sizes that lie, and the commit word.
#include "versions/record.h"

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/versions_fixture.h"

namespace commy::versions {
namespace {

class RecordTest : public test::VersionsFixture {
 protected:
  std::uint64_t Make(const RecordContent& content) { return party_.MakeRecord(content); }
  std::byte* Bytes(std::uint64_t offset) { return region().At(offset, sizeof(Record), 16); }
};

TEST_F(RecordTest, AViewHasWhatWasWritten) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 300; ++i) {
    const std::string key(random() % 40, static_cast<char>(random()));
    const std::string value(random() % 10 == 0 ? random() % 20'000 : random() % 70,
                            static_cast<char>(random()));
    RecordContent content;
    content.namespace_id = random();
    content.key = key;
    content.value = value;
    content.expiry_ns = static_cast<std::int64_t>(random() >> 1U);
    content.flags = static_cast<std::uint8_t>(random() & kRecordTombstone);
    content.align = std::uint64_t{16} << (random() % 3);
    content.commit = random();
    const RecordView view = ViewRecord(region(), Make(content));
    ASSERT_TRUE(view.valid());
    EXPECT_EQ(view.key, key);
    EXPECT_EQ(view.value, value);
    EXPECT_EQ(ValueAlignOf(view.flags), content.align);
    EXPECT_EQ(region().OffsetOf(view.value.data()) % content.align, 0U);
    EXPECT_LE(view.bytes(), RecordBytes(key.size(), value.size(), content.align));
    EXPECT_EQ(view.tombstone(), (content.flags & kRecordTombstone) != 0);
    EXPECT_EQ(view.record->namespace_id, content.namespace_id);
    EXPECT_EQ(view.record->expiry_ns, content.expiry_ns);
    EXPECT_EQ(view.record->commit.load(std::memory_order_relaxed), content.commit);
    EXPECT_EQ(view.record->prev.load(std::memory_order_relaxed), 0U);
    EXPECT_EQ(region().OffsetOf(view.value.data()) % 16, 0U);
    EXPECT_TRUE(VerifyRecord(view));
  }
}

TEST_F(RecordTest, TheLongestKeyHasAView) {
  const std::string key(kKeyBytesMax, 'k');
  const RecordView view = ViewRecord(region(), Make({.key = key, .value = "v"}));
  ASSERT_TRUE(view.valid());
  EXPECT_EQ(view.key.size(), kKeyBytesMax);
  EXPECT_TRUE(VerifyRecord(view));
}

TEST_F(RecordTest, TheChecksumFindsEveryFlippedBitBehindIt) {
  const std::uint64_t offset =
      Make({.namespace_id = 7, .key = "key", .value = "a value", .expiry_ns = 9});
  const RecordView view = ViewRecord(region(), offset);
  std::byte* const bytes = Bytes(offset);
  for (std::uint64_t i = offsetof(Record, checksum); i < RecordBytes(3, 7); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte{1} << bit;
      EXPECT_FALSE(VerifyRecord(view)) << "bit " << bit << " of byte " << i;
      bytes[i] ^= std::byte{1} << bit;
    }
  }
  EXPECT_TRUE(VerifyRecord(view));
}

TEST_F(RecordTest, TheChecksumIsUnaffectedByTheCommitAndThePast) {
  const RecordView view = ViewRecord(region(), Make({.key = "key", .value = "v"}));
  view.record->commit.store(77, std::memory_order_relaxed);
  view.record->prev.store(0x1230 | kPrevFrozen, std::memory_order_relaxed);
  EXPECT_TRUE(VerifyRecord(view));
}

TEST_F(RecordTest, WhatABlockHeldBeforeIsNotInTheRecord) {
  const std::uint64_t bytes = RecordBytes(5, 3);
  std::vector<std::uint64_t> sums;
  for (const int filling : {0, 255}) {
    const std::uint64_t offset = party_.Allocate(region::BlockKind::kRaw, bytes);
    std::memset(region().At(offset, bytes, 16), filling, bytes);
    WriteRecord(region().At(offset, bytes, 16), {.key = "abcde", .value = "xyz"});
    sums.push_back(party_.RecordAt(offset).checksum);
  }
  EXPECT_EQ(sums[0], sums[1]);
}

TEST_F(RecordTest, AnOffsetThatIsNoPlaceForARecordHasNoView) {
  const std::uint64_t good = Make({.key = "key", .value = "v"});
  const std::uint64_t end =
      region().geometry().data_offset + region().span_count() * region().geometry().span_bytes;
  for (const std::uint64_t offset :
       {std::uint64_t{0}, good + 1, good + 4, std::uint64_t{UINT64_MAX}, UINT64_MAX - 15,
        end + (std::uint64_t{1} << 40U)}) {
    EXPECT_FALSE(ViewRecord(region(), offset).valid()) << offset;
  }
  EXPECT_TRUE(ViewRecord(region(), good).valid());
}

TEST_F(RecordTest, SizesThatAreTooLargeOrLeaveTheFileHaveNoView) {
  const std::uint64_t offset = Make({.key = "key", .value = "v"});
  Record& record = party_.RecordAt(offset);
  const std::uint32_t key_size = record.key_size_and_flags;
  for (const std::uint32_t bad : {std::uint32_t{kKeyBytesMax + 1}, std::uint32_t{0xffffff}}) {
    record.key_size_and_flags = bad;
    EXPECT_FALSE(ViewRecord(region(), offset).valid()) << bad;
  }
  record.key_size_and_flags = key_size;
  for (const std::uint32_t bad :
       {std::uint32_t{kValueBytesMax}, std::uint32_t{kValueBytesMax + 1}, UINT32_MAX}) {
    record.value_size = bad;
    EXPECT_FALSE(ViewRecord(region(), offset).valid()) << bad;
  }
}

TEST(RecordBytesTest, ARecordOutsideARegionIsViewedOnlyWhereItLiesWhollyInTheBytes) {
  const std::uint64_t bytes = RecordBytes(3, 5);
  constexpr std::uint64_t kAt = 32;
  alignas(16) std::array<std::byte, 256> buffer{};
  WriteRecord(buffer.data() + kAt, {.key = "key", .value = "value", .flags = kRecordTombstone});
  for (std::uint64_t length = 0; length <= buffer.size(); ++length) {
    const RecordView view = ViewRecordIn(buffer.data(), length, kAt);
    ASSERT_EQ(view.valid(), length >= kAt + bytes) << length;
    if (view.valid()) {
      EXPECT_EQ(view.offset, kAt);
      EXPECT_EQ(view.key, "key");
      EXPECT_EQ(view.value, "value");
      EXPECT_TRUE(view.tombstone());
      EXPECT_TRUE(VerifyRecord(view));
    }
  }
  for (const std::uint64_t offset :
       {kAt + 1, std::uint64_t{240}, std::uint64_t{256}, UINT64_MAX - 15}) {
    EXPECT_FALSE(ViewRecordIn(buffer.data(), buffer.size(), offset).valid()) << offset;
  }
}

// --- The commit word ---------------------------------------------------------------------------

TEST(CommitWordTest, IntentsAndAbortedOnesAreAboveEveryTime) {
  EXPECT_TRUE(IsCommitTime(1));
  EXPECT_TRUE(IsCommitTime(kCommitTimeMax));
  EXPECT_FALSE(IsCommitTime(kUndecided));
  EXPECT_FALSE(IsCommitTime(kCommitAborted));
  EXPECT_FALSE(IsIntent(kCommitAborted));
  EXPECT_GT(kCommitAborted, kCommitTimeMax);
  EXPECT_FALSE(IsCommitTime(IntentOf(16)));
  EXPECT_GT(IntentOf(16), kCommitAborted);
}

TEST(CommitWordTest, AnIntentNamesAnyBlock) {
  for (const std::uint64_t offset :
       {std::uint64_t{16}, std::uint64_t{0x12340}, region::kMaxSizeLimitBytes - 16}) {
    EXPECT_TRUE(IsIntent(IntentOf(offset)));
    EXPECT_EQ(TransactionOffset(IntentOf(offset)), offset);
  }
}

TEST_F(RecordTest, AnUndecidedCommitGetsTheNextTimeOnceAndStays) {
  Record& record = party_.RecordAt(Make({.key = "key", .value = ""}));
  SetClock(41);
  EXPECT_EQ(ResolveCommit(region(), record.commit), 42U);
  EXPECT_EQ(ResolveCommit(region(), record.commit), 42U);
  EXPECT_EQ(CommitTimeNow(region()), 42U);
  for (const std::uint64_t word : {std::uint64_t{7}, kCommitAborted, IntentOf(0x40)}) {
    record.commit.store(word, std::memory_order_relaxed);
    EXPECT_EQ(ResolveCommit(region(), record.commit), word);
  }
  EXPECT_EQ(CommitTimeNow(region()), 42U);
}

TEST_F(RecordTest, AllWhoSettleOneCommitAtOnceSeeTheSameTime) {
  for (int round = 0; round < 50; ++round) {
    Record& record = party_.RecordAt(Make({.key = "key", .value = ""}));
    std::array<std::uint64_t, 4> seen{};
    std::vector<std::thread> threads;
    for (std::uint64_t& mine : seen) {
      threads.emplace_back([&] { mine = ResolveCommit(region(), record.commit); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const std::uint64_t time : seen) {
      EXPECT_EQ(time, record.commit.load(std::memory_order_relaxed));
    }
  }
}

TEST(ExpiryTest, ATimeToLiveThatEndsBehindAllTimeNeverEnds) {
  EXPECT_EQ(ExpiryIn(5, 10), 15);
  EXPECT_EQ(ExpiryIn(INT64_MAX, 1), INT64_MAX);
  EXPECT_EQ(ExpiryIn(INT64_MAX - 1, 1), INT64_MAX);
}

TEST_F(RecordTest, ADamagedBlockIsNamedByFileAndOffset) {
  const absl::Status status = Damaged(region(), "a record", 0x1f40);
  EXPECT_TRUE(test::Says(status, absl::StatusCode::kDataLoss, "a record at 0x1f40")) << status;
  EXPECT_TRUE(test::Says(status, absl::StatusCode::kDataLoss, path_)) << status;
}

}  // namespace
}  // namespace commy::versions
