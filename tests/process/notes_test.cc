// Notes, op words, pins and owner words: fields survive packing and unpacking, at their limits.
#include "process/notes.h"

#include <gtest/gtest.h>

#include "process/lanes.h"
#include "process/op_word.h"
#include "process/owner.h"

namespace commy::process {
namespace {

TEST(NotesTest, BlockNotesHoldAnyOffsetOfTheLargestStore) {
  for (const BlockKind kind : {BlockKind::kRaw, BlockKind::kRecord, BlockKind::kCatalogNode}) {
    for (const std::uint64_t offset :
         {std::uint64_t{16}, std::uint64_t{4096}, region::kMaxSizeLimitBytes - 16}) {
      const Note note = ReadNote(BlockNote(kind, offset));
      EXPECT_EQ(note.kind, kind);
      EXPECT_EQ(note.offset_bytes, offset);
      EXPECT_EQ(note.span_count, 0U);
    }
  }
  EXPECT_EQ(ReadNote(0).kind, BlockKind::kNone);
  EXPECT_EQ(ReadNote(0).offset_bytes, 0U);
}

TEST(NotesTest, RunNotesHoldAnySpan) {
  for (const BlockKind kind : {BlockKind::kRunClaim, BlockKind::kRunFree}) {
    for (const std::uint64_t number :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffffff}}) {
      const Note note = ReadNote(RunNote(kind, number, 0xffffff - number));
      EXPECT_EQ(note.kind, kind);
      EXPECT_EQ(note.first_span, number);
      EXPECT_EQ(note.span_count, 0xffffff - number);
      EXPECT_EQ(note.offset_bytes, 0U);
    }
  }
}

TEST(OpWordTest, PacksAndUnpacksEveryField) {
  for (const bool armed : {false, true}) {
    for (const int delta : {-1, 0, 1}) {
      for (int kind = 0; kind <= 10; ++kind) {
        for (const std::uint64_t seq : {std::uint64_t{0}, std::uint64_t{1}, kOpSeqMask}) {
          for (const std::int64_t units : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1},
                                           std::int64_t{INT32_MAX}, std::int64_t{INT32_MIN}}) {
            const OpWord back =
                UnpackOp(PackOp({armed, delta, static_cast<OpKind>(kind), seq, units}));
            ASSERT_EQ(back.armed, armed);
            ASSERT_EQ(back.delta, delta);
            ASSERT_EQ(static_cast<int>(back.kind), kind);
            ASSERT_EQ(back.seq, seq);
            ASSERT_EQ(back.units, units);
          }
        }
      }
    }
  }
  EXPECT_EQ(UnpackOp(PackOp({false, 0, OpKind::kNone, kOpSeqMask + 5})).seq, 4U);
}

TEST(PinWordTest, APinWordIsNeverZeroAndHoldsItsEpoch) {
  for (const std::uint64_t epoch : {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{1} << 61}) {
    EXPECT_NE(PinWord(epoch), 0U);
    EXPECT_EQ(PinEpoch(PinWord(epoch)), epoch);
  }
}

TEST(OwnerTest, AnOwnerWordIsNeverZeroAndDiffersByGeneration) {
  EXPECT_NE(PackOwner(0, 0), 0U);
  EXPECT_EQ(OwnerSlot(PackOwner(65533, 1)), 65533U);
  EXPECT_EQ(OwnerSlot(PackOwner(3, (std::uint64_t{1} << 48) - 1)), 3U);
  EXPECT_NE(PackOwner(3, 1), PackOwner(3, 2));
}

}  // namespace
}  // namespace commy::process
