// The words of a transaction block: statuses, ages, the sum over its list, and where its pages
// begin.
#include "versions/transaction_layout.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace commy::versions {
namespace {

// --- Statuses ----------------------------------------------------------------------------------

TEST(TransactionStatusTest, OpenStatusesAreNoCommitAndFinalOnesAre) {
  for (const std::uint64_t open :
       {kStatusActive, kStatusCommitting, kStatusPrepared | 1U, kStatusPrepared | 12'345U}) {
    EXPECT_NE(open & kStatusOpen, 0U);
    EXPECT_FALSE(IsCommitTime(open));
  }
  EXPECT_EQ(kCommitAborted & kStatusOpen, 0U);
  EXPECT_EQ(kCommitTimeMax & kStatusOpen, 0U);
}

TEST(TransactionStatusTest, OnlyAPreparedOneHasATimeAndKeepsIt) {
  EXPECT_FALSE(IsPrepared(kStatusActive));
  EXPECT_FALSE(IsPrepared(kStatusCommitting));
  EXPECT_FALSE(IsPrepared(kCommitAborted));
  EXPECT_FALSE(IsPrepared(12'345));
  for (const std::uint64_t time :
       {std::uint64_t{1}, std::uint64_t{2}, (std::uint64_t{1} << 62U) - 1}) {
    EXPECT_TRUE(IsPrepared(kStatusPrepared | time));
    EXPECT_EQ(PreparedTime(kStatusPrepared | time), time);
  }
}

TEST(TransactionStatusTest, OfTwoTransactionsExactlyOneIsOlder) {
  const auto make = [](std::uint64_t age, std::uint32_t lane) {
    TransactionHead head{};
    head.age = age;
    head.lane = lane;
    return head;
  };
  EXPECT_TRUE(IsOlder(make(1, 9), make(2, 3)));
  EXPECT_FALSE(IsOlder(make(2, 3), make(1, 9)));
  EXPECT_TRUE(IsOlder(make(2, 3), make(2, 9)));
  EXPECT_FALSE(IsOlder(make(2, 9), make(2, 3)));
}

// --- The sum -----------------------------------------------------------------------------------

struct Item {
  TransactionEntry entry;
  std::uint64_t checksum;
};

std::uint64_t SumOf(std::uint64_t head, std::uint64_t isolation, const std::vector<Item>& items) {
  ListSum sum(head, isolation);
  for (const Item& item : items) {
    sum.Add(item.entry, item.checksum);
  }
  return sum.value();
}

TEST(ListSumTest, EveryWordOfTheListAndItsOrderCount) {
  const std::vector<Item> items = {{{0x100, 0x40}, 7}, {{0x200, 0x40}, 8}, {{0x300, 0x80}, 9}};
  const std::uint64_t right = SumOf(0x1000, kSnapshotIsolation, items);
  EXPECT_EQ(SumOf(0x1000, kSnapshotIsolation, items), right);
  EXPECT_NE(SumOf(0x1010, kSnapshotIsolation, items), right);
  EXPECT_NE(SumOf(0x1000, kSerializable, items), right);
  EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, {items[0], items[1]}), right);
  EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, {items[1], items[0], items[2]}), right);
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (unsigned bit = 0; bit < 64; ++bit) {
      const std::uint64_t flip = std::uint64_t{1} << bit;
      std::vector<Item> bad = items;
      bad[i].entry.record ^= flip;
      EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, bad), right) << i << ", bit " << bit;
      bad = items;
      bad[i].entry.object ^= flip;
      EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, bad), right) << i << ", bit " << bit;
      bad = items;
      bad[i].checksum ^= flip;
      EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, bad), right) << i << ", bit " << bit;
    }
  }
}

TEST(ListSumTest, AnEmptyListHasASumThatIsNotNone) {
  EXPECT_NE(SumOf(0x1000, kSnapshotIsolation, {}), 0U);
  // The mixing maps 0 to 0, so this head leaves 0, which would read as "no list".
  EXPECT_EQ(SumOf(kTransactionMagic, 0, {}), 1U);
}

// --- Sizes -------------------------------------------------------------------------------------

TEST(TransactionLayoutTest, TheFirstPageIsAlignedAndBehindTheTotals) {
  for (std::uint64_t totals = 0; totals < 20; ++totals) {
    const std::uint64_t start = FirstPageStart(totals);
    EXPECT_EQ(start % 16, 0U);
    EXPECT_GE(start, sizeof(TransactionHead) + totals * sizeof(TransactionTotal));
    EXPECT_LT(start, sizeof(TransactionHead) + totals * sizeof(TransactionTotal) + 16);
  }
  EXPECT_EQ(PageBytes(0), sizeof(TransactionPage));
  EXPECT_EQ(PageBytes(3), sizeof(TransactionPage) + 3 * sizeof(TransactionEntry));
}

}  // namespace
}  // namespace commy::versions
