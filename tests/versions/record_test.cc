// Records: what is written is what is viewed, the checksum, sizes that lie, and the commit word.
#include "versions/record.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
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
    content.namespace_number = random() % kNamespaceNumberMax + 1;
    content.key = key;
    content.value = value;
    content.expiry_ns = random() % 2 == 0 ? 0 : static_cast<std::int64_t>(random() >> 1U);
    content.expiry_word = random() % 4 == 0;
    content.flags = static_cast<std::uint8_t>(random() & kRecordTombstone);
    content.align = std::uint64_t{16} << (random() % 3);
    content.commit = random();
    const RecordView view = ViewRecord(region(), Make(content));
    ASSERT_TRUE(view.valid());
    EXPECT_EQ(view.key, key);
    EXPECT_EQ(view.value, value);
    EXPECT_EQ(ValueAlignOf(view.flags), content.align);
    EXPECT_EQ(region().OffsetOf(view.value.data()) % content.align, 0U);
    EXPECT_LE(view.bytes(), RecordBytes(key.size(), value.size(), content.align,
                                        content.expiry_ns != 0 || content.expiry_word));
    EXPECT_EQ(view.tombstone(), (content.flags & kRecordTombstone) != 0);
    EXPECT_EQ(view.namespace_number(), content.namespace_number);
    EXPECT_EQ(view.expiry_ns(), content.expiry_ns);
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

// Also one of the sizes or the flags: then the record is another one, or none.
TEST_F(RecordTest, EveryFlippedBitFromTheChecksumOnIsFoundInEveryLayout) {
  const std::string long_value(600, 'v');
  for (const std::int64_t expiry_ns : {std::int64_t{0}, std::int64_t{9}}) {
    for (const std::string_view value :
         {std::string_view(), std::string_view("a value"), std::string_view(long_value)}) {
      for (const std::uint64_t align : {16, 32, 64}) {
        const RecordContent content{.namespace_number = 7,
                                    .key = "a key",
                                    .value = value,
                                    .expiry_ns = expiry_ns,
                                    .align = align};
        const std::uint64_t offset = Make(content);
        std::byte* const bytes = Bytes(offset);
        const std::uint64_t end = ViewRecord(region(), offset).bytes();
        for (std::uint64_t i = offsetof(Record, checksum); i < end; ++i) {
          for (unsigned bit = 0; bit < 8; ++bit) {
            bytes[i] ^= std::byte{1} << bit;
            const RecordView view = ViewRecord(region(), offset);
            EXPECT_FALSE(view.valid() && VerifyRecord(view))
                << "bit " << bit << " of byte " << i << ", " << value.size() << " bytes";
            bytes[i] ^= std::byte{1} << bit;
          }
        }
        EXPECT_TRUE(VerifyRecord(ViewRecord(region(), offset)));
      }
    }
  }
}

TEST_F(RecordTest, TheChecksumIsUnaffectedByTheCommitAndThePast) {
  const RecordView view = ViewRecord(region(), Make({.key = "key", .value = "v"}));
  view.record->commit.store(77, std::memory_order_relaxed);
  view.record->prev.store(0x1230 | kPrevFrozen, std::memory_order_relaxed);
  EXPECT_TRUE(VerifyRecord(view));
}

TEST_F(RecordTest, WhatABlockHeldBeforeIsNotInTheRecord) {
  const std::string key(21, 'k');
  for (const RecordContent& content : {
           RecordContent{.key = key, .value = "xyz", .align = 64},     // Key first.
           RecordContent{.key = "k", .value = "xyz", .expiry_ns = 1},  // Value first.
           RecordContent{.key = key, .value = "", .flags = kRecordTombstone},
       }) {
    const bool expires = content.expiry_ns != 0;
    const std::uint64_t bytes =
        RecordBytes(content.key.size(), content.value.size(), content.align, expires);
    std::vector<std::uint64_t> sums;
    for (const int filling : {0, 255}) {
      alignas(64) std::array<std::byte, 256> block{};
      std::memset(block.data(), filling, bytes);
      WriteRecord(block.data() + 16, content);
      const RecordView view = ViewRecordIn(block.data(), block.size(), 16);
      ASSERT_LT(content.key.size() + content.value.size() + sizeof(Record) + (expires ? 8 : 0),
                view.bytes())
          << "there is no gap";
      sums.push_back(view.record->checksum);
    }
    EXPECT_EQ(sums[0], sums[1]) << content.value.size();
  }
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
  const std::uint32_t value_size = record.value_size;
  for (std::uint64_t flags = 0; flags < 128; ++flags) {
    for (const std::uint64_t bad : {kKeyBytesMax + 1, std::uint64_t{0x1ffff}}) {
      record.packed = (bad << kRecordFlagsBits) | flags;
      EXPECT_FALSE(ViewRecord(region(), offset).valid()) << bad << ", flags " << flags;
    }
    record.packed = (std::uint64_t{3} << kRecordFlagsBits) | flags;
    for (const std::uint32_t bad :
         {std::uint32_t{kValueBytesMax}, std::uint32_t{kValueBytesMax + 1}, UINT32_MAX}) {
      record.value_size = bad;
      EXPECT_FALSE(ViewRecord(region(), offset).valid()) << bad << ", flags " << flags;
    }
    record.value_size = value_size;
    EXPECT_TRUE(ViewRecord(region(), offset).valid()) << "flags " << flags;
  }
}

// --- Layouts ------------------------------------------------------------------------------------

constexpr std::uint64_t kMostKey = 40;
constexpr std::uint64_t kMostValue = 600;

std::uint64_t Rounded(std::uint64_t bytes) {
  return base::AlignUp(bytes, region::kBlockAlignBytes);
}

// What the file format says, on its own terms.
std::uint64_t SmallerLayout(std::uint64_t key_size, std::uint64_t value_size, bool expires) {
  const std::uint64_t front = expires ? 40 : 32;
  const std::uint64_t key_first = Rounded(Rounded(front + key_size) + value_size);
  const std::uint64_t value_first = Rounded(Rounded(front) + value_size + key_size);
  return value_size > 512 ? key_first : std::min(key_first, value_first);
}

TEST(RecordLayoutTest, AKeyOfTenBytesWithAValueOfAHundredTakes144Bytes) {
  EXPECT_EQ(Rounded(RecordBytes(10, 100)), 144U);
  EXPECT_EQ(Rounded(RecordBytes(10, 100, 16, true)), 160U);
}

TEST(RecordLayoutTest, ARecordTakesTheSmallerLayout) {
  for (std::uint64_t key_size = 0; key_size <= kMostKey; ++key_size) {
    for (std::uint64_t value_size = 0; value_size <= kMostValue; ++value_size) {
      for (const bool expires : {false, true}) {
        ASSERT_EQ(Rounded(RecordBytes(key_size, value_size, 16, expires)),
                  SmallerLayout(key_size, value_size, expires))
            << key_size << ", " << value_size << ", " << expires;
      }
    }
  }
}

TEST(RecordLayoutTest, EveryKeyAndValueIsViewedAsWrittenAndAlignedAndFitsWhereverItsBlockBegins) {
  std::mt19937_64 random(test::Seed());
  constexpr std::uint64_t kRoom = 1024;
  alignas(64) std::array<std::byte, kRoom> room{};
  std::string bytes(kMostKey + kMostValue, 0);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
  const std::string_view all = bytes;
  for (std::uint64_t key_size = 0; key_size <= kMostKey; ++key_size) {
    for (std::uint64_t value_size = 0; value_size <= kMostValue; ++value_size) {
      for (const std::uint64_t align : {16, 32, 64}) {
        for (const bool expires : {false, true}) {
          const std::uint64_t block = random() % 4 * 16;
          const std::uint64_t most = RecordBytes(key_size, value_size, align, expires);
          const RecordContent content{.namespace_number = kNamespaceNumberMax,
                                      .key = all.substr(0, key_size),
                                      .value = all.substr(key_size, value_size),
                                      .expiry_ns = expires ? INT64_MAX : 0,
                                      .align = align};
          const auto filling = static_cast<std::byte>(random());
          room.fill(filling);
          WriteRecord(room.data() + block, content);
          const RecordView view = ViewRecordIn(room.data(), block + most, block);
          ASSERT_TRUE(view.valid()) << key_size << ", " << value_size << ", " << align;
          ASSERT_EQ(view.key, content.key);
          ASSERT_EQ(view.value, content.value);
          ASSERT_EQ(view.expiry_ns(), content.expiry_ns);
          ASSERT_EQ(view.namespace_number(), kNamespaceNumberMax);
          ASSERT_EQ(ValueAlignOf(view.flags), align);
          ASSERT_EQ(reinterpret_cast<std::uintptr_t>(view.value.data()) % align, 0U);
          ASSERT_TRUE(FlagsMakeSense(view.flags));
          ASSERT_TRUE(VerifyRecord(view));
          ASSERT_LE(view.bytes(), most);
          ASSERT_EQ(room[block + view.bytes()], filling) << "written behind the record";
          room[block + random() % (view.bytes() - 0x10) + 0x10] ^= std::byte{1} << random() % 8;
          const RecordView flipped = ViewRecordIn(room.data(), block + most, block);
          ASSERT_FALSE(flipped.valid() && VerifyRecord(flipped));
        }
      }
    }
  }
}

TEST(RecordLayoutTest, AReservedRecordHasItsKeyAndValueWhereItHasThemWithAnExpiry) {
  constexpr std::uint64_t kBytes = RecordBytes(3, 5, 64, true);
  alignas(64) std::array<std::byte, 256> room{};
  static_assert(kBytes <= room.size());
  std::vector<const char*> places;
  for (const std::int64_t expiry_ns : {0, 77}) {
    WriteRecord(room.data() + 16, {.namespace_number = 1,
                                   .key = "key",
                                   .value = "value",
                                   .expiry_ns = expiry_ns,
                                   .align = 64,
                                   .expiry_word = true});
    const RecordView view = ViewRecordIn(room.data(), room.size(), 16);
    ASSERT_TRUE(view.valid());
    EXPECT_EQ(view.expiry_ns(), expiry_ns);
    EXPECT_TRUE(VerifyRecord(view));
    places.insert(places.end(), {view.key.data(), view.value.data()});
  }
  EXPECT_EQ(places[0], places[2]);
  EXPECT_EQ(places[1], places[3]);
}

TEST_F(RecordTest, FlagsThatNoWriterSetsTogetherDoNotVerify) {
  for (const std::uint32_t flags : {0x18U, 0x22U, 0x24U, 0x28U, 0x30U}) {
    alignas(64) std::array<std::byte, 128> room{};
    WriteRecord(room.data(), {.namespace_number = 1, .key = "", .value = ""});
    auto& record = *reinterpret_cast<Record*>(room.data());
    record.packed |= flags;
    const RecordView view = ViewRecordIn(room.data(), room.size(), 0);
    ASSERT_TRUE(view.valid());
    const std::uint64_t sum = base::Checksum(&record.value_size, view.bytes() - 0x14);
    record.checksum = static_cast<std::uint32_t>(sum);  // Else the checksum alone would tell.
    EXPECT_FALSE(VerifyRecord(view)) << flags;
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
  std::vector<std::byte> large(std::size_t{1} << 18U);
  std::memcpy(large.data(), buffer.data() + kAt, bytes);
  auto& record = *reinterpret_cast<Record*>(large.data());
  EXPECT_TRUE(ViewRecordIn(large.data(), large.size(), 0).valid());
  record.packed += (kKeyBytesMax - 3) << kRecordFlagsBits;
  EXPECT_TRUE(ViewRecordIn(large.data(), large.size(), 0).valid());
  record.packed += std::uint64_t{1} << kRecordFlagsBits;
  EXPECT_FALSE(ViewRecordIn(large.data(), large.size(), 0).valid()) << "a key that is too long";
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
