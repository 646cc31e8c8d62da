// Words over mapped bytes. Their ordering among threads is tested in tests/race.
#include "base/shared_atomic.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

namespace commy::base {
namespace {

static_assert(sizeof(Shared64) == 8 && alignof(Shared64) == 8);
static_assert(sizeof(Shared32) == 4 && alignof(Shared32) == 4);
static_assert(sizeof(Shared8) == 1 && alignof(Shared8) == 1);
static_assert(std::is_trivially_copyable_v<Shared64> && std::is_trivial_v<Shared64>);
static_assert(std::has_unique_object_representations_v<Shared64>);

struct TwoWords {
  Shared32 first;
  Shared64 second;
};
static_assert(offsetof(TwoWords, second) == 8);

TEST(SharedAtomicTest, ASharedAtomicIsTheLittleEndianWordOfItsBytes) {
  alignas(8) std::array<std::uint8_t, 8> bytes{1, 2, 3, 4, 5, 6, 7, 8};
  auto* word = reinterpret_cast<Shared64*>(bytes.data());
  EXPECT_EQ(word->load(std::memory_order_relaxed), 0x0807060504030201U);
  word->store(0x1112131415161718U, std::memory_order_release);
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 8>{0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11}));
}

TEST(SharedAtomicTest, ReadModifyWritesReturnTheOldValue) {
  Shared32 word{5};
  EXPECT_EQ(word.exchange(6, std::memory_order_acq_rel), 5U);
  EXPECT_EQ(word.fetch_add(10, std::memory_order_acq_rel), 6U);
  EXPECT_EQ(word.fetch_or(1, std::memory_order_acq_rel), 16U);
  EXPECT_EQ(word.load(std::memory_order_acquire), 17U);
}

TEST(SharedAtomicTest, AFailedExchangeReturnsTheFoundValueAndChangesNothing) {
  Shared64 word{7};
  std::uint64_t expected = 8;
  EXPECT_FALSE(word.compare_exchange(expected, 9, std::memory_order_acq_rel));
  EXPECT_EQ(expected, 7U);
  EXPECT_FALSE(word.CompareAndSet(8, 9, std::memory_order_acq_rel));
  EXPECT_EQ(word.raw, 7U);
  EXPECT_TRUE(word.compare_exchange(expected, 9, std::memory_order_acq_rel));
  EXPECT_TRUE(word.CompareAndSet(9, 10, std::memory_order_acq_rel));
  EXPECT_EQ(word.raw, 10U);
}

TEST(SharedAtomicTest, NoIncrementOfTwoThreadsIsLost) {
  constexpr std::uint64_t kEach = 50'000;
  Shared64 word{0};
  const auto add = [&] {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      word.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(word.load(std::memory_order_relaxed), 2 * kEach);
}

TEST(SharedAtomicTest, FullFenceForbidsThatTwoThreadsMissEachOthersStores) {
  constexpr int kRounds = 20'000;
  Shared32 x{0};
  Shared32 y{0};
  Shared32 round_a{0};
  Shared32 round_b{0};
  std::array<std::uint32_t, kRounds> seen_by_a{};
  std::array<std::uint32_t, kRounds> seen_by_b{};
  const auto run = [](Shared32& mine, Shared32& theirs, Shared32& my_round, Shared32& their_round,
                      std::array<std::uint32_t, kRounds>& seen) {
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
      my_round.store(round, std::memory_order_release);
      while (their_round.load(std::memory_order_acquire) < round) {
        std::this_thread::yield();
      }
      mine.store(round, std::memory_order_relaxed);
      FullFence();
      seen.at(round - 1) = theirs.load(std::memory_order_relaxed);
    }
  };
  std::thread other([&] { run(y, x, round_b, round_a, seen_by_b); });
  run(x, y, round_a, round_b, seen_by_a);
  other.join();
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    ASSERT_TRUE(seen_by_a.at(round - 1) >= round || seen_by_b.at(round - 1) >= round) << round;
  }
}

}  // namespace
}  // namespace commy::base
