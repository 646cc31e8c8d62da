// The checker of histories, on right histories and, above all, on wrong ones.
#include "support/history.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace commy::test {
namespace {

constexpr std::uint64_t kNever = 0;

Call Get(std::uint64_t begin, std::uint64_t end, std::int64_t answer) {
  return {begin, end, 0, CallKind::kGet, 0, 0, answer};
}
Call Put(std::uint64_t begin, std::uint64_t end, std::int64_t value) {
  return {begin, end, 0, CallKind::kPut, value, 0, 0};
}
Call Delete(std::uint64_t begin, std::uint64_t end, std::int64_t answer) {
  return {begin, end, 0, CallKind::kDelete, 0, 0, answer};
}
Call PutIfAbsent(std::uint64_t begin, std::uint64_t end, std::int64_t value, std::int64_t answer) {
  return {begin, end, 0, CallKind::kPutIfAbsent, value, 0, answer};
}
Call Swap(std::uint64_t begin, std::uint64_t end, std::int64_t expected, std::int64_t value,
          std::int64_t answer) {
  return {begin, end, 0, CallKind::kSwap, value, expected, answer};
}
Call Add(std::uint64_t begin, std::uint64_t end, std::int64_t value, std::int64_t answer) {
  return {begin, end, 0, CallKind::kAdd, value, 0, answer};
}
Call Clear(std::uint64_t begin, std::uint64_t end) {
  return {begin, end, 0, CallKind::kClear, 0, 0, 0};
}

TEST(HistoryTest, SequentialCallsAreRightOnlyInTheirOrder) {
  EXPECT_TRUE(IsLinearizable({}));
  EXPECT_TRUE(IsLinearizable({Put(1, 2, 7), Get(3, 4, 7), Delete(5, 6, 1), Get(7, 8, kNothing)}));
  EXPECT_TRUE(IsLinearizable({Add(1, 2, 5, 5), Swap(3, 4, 5, 9, 1), PutIfAbsent(5, 6, 1, 0),
                              Clear(7, 8), PutIfAbsent(9, 10, 1, 1), Get(11, 12, 1)}));
}

TEST(HistoryTest, OverlappingCallsMayTakeEffectInEitherOrder) {
  EXPECT_TRUE(IsLinearizable({Put(1, 9, 1), Put(2, 8, 2), Get(10, 11, 1)}));
  EXPECT_TRUE(IsLinearizable({Put(1, 9, 1), Put(2, 8, 2), Get(10, 11, 2)}));
  EXPECT_TRUE(IsLinearizable({Put(1, 9, 1), Get(2, 3, kNothing), Get(4, 5, 1)}));
  EXPECT_TRUE(IsLinearizable({Put(1, 5, 1), Get(5, 6, kNothing)}))
      << "calls that touch at one time overlap";
}

TEST(HistoryTest, AReadOfAnOldValueIsCaught) {
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Put(3, 4, 2), Get(5, 6, 1)}));
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Get(3, 4, kNothing)}));
}

TEST(HistoryTest, ReadersThatDisagreeOnTheOrderAreCaught) {
  EXPECT_FALSE(
      IsLinearizable({Put(1, 20, 1), Put(1, 20, 2), Get(2, 3, 1), Get(4, 5, 2), Get(6, 7, 1)}));
  EXPECT_FALSE(IsLinearizable({Put(1, 9, 1), Get(2, 3, 1), Get(4, 5, kNothing)}))
      << "new, then old";
}

TEST(HistoryTest, AValueThatNobodyWroteIsCaught) {
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Get(1, 2, 3)}));
}

TEST(HistoryTest, ALostUpdateIsCaught) {
  EXPECT_FALSE(IsLinearizable({Add(1, 5, 1, 1), Add(1, 5, 1, 1)}));
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 0), Swap(3, 9, 0, 1, 1), Swap(3, 9, 0, 2, 1)}));
  EXPECT_FALSE(IsLinearizable({PutIfAbsent(1, 9, 1, 1), PutIfAbsent(2, 8, 2, 1)}));
}

TEST(HistoryTest, ADeleteThatSucceedsTwiceOrIsUndoneIsCaught) {
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Delete(3, 9, 1), Delete(3, 9, 1)}));
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Delete(3, 4, 1), Get(5, 6, 1)}));
  EXPECT_FALSE(IsLinearizable({Put(1, 2, 1), Clear(3, 4), Get(5, 6, 1)}));
}

TEST(HistoryTest, ACallThatNeverReturnedMayTakeEffectOnceLateOrNever) {
  EXPECT_TRUE(IsLinearizable({Put(1, kNever, 1), Get(5, 6, kNothing), Get(7, 8, 1)}));
  EXPECT_TRUE(IsLinearizable({Put(1, kNever, 1), Get(5, 6, kNothing)}));
  EXPECT_TRUE(IsLinearizable({Add(1, kNever, 1, 0), Add(2, 3, 1, 2)}));
  EXPECT_FALSE(IsLinearizable({Put(5, kNever, 1), Get(1, 4, 1)})) << "before it began";
  EXPECT_FALSE(IsLinearizable({Add(1, kNever, 1, 0), Add(2, 3, 1, 3)})) << "twice";
  EXPECT_FALSE(
      IsLinearizable({Put(1, kNever, 1), Get(2, 3, 1), Put(4, 5, 2), Get(6, 7, 1), Get(8, 9, 2)}))
      << "the effect cannot come back";
}

TEST(HistoryTest, FindNonLinearizableNamesTheWrongKeyAmongAll) {
  std::vector<Call> calls = {Put(1, 2, 1), Get(3, 4, 1)};
  for (Call call : {Put(1, 2, 1), Get(3, 4, 2)}) {
    call.key = 42;
    calls.push_back(call);
  }
  EXPECT_NE(FindNonLinearizable(calls).find("key 42"), std::string::npos);
  calls.back().answer = 1;
  EXPECT_EQ(FindNonLinearizable(calls), "");
  calls.push_back(Clear(5, 6));
  EXPECT_EQ(FindNonLinearizable(calls), "");
  calls.push_back(Get(7, 8, 1));
  EXPECT_NE(FindNonLinearizable(calls).find("key 0"), std::string::npos);
}

// Histories made from an order: right; and the same with one answer changed to one that no order
// can give.
TEST(HistoryTest, LongHistoriesAreRightUntilOneAnswerIsWrong) {
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 200; ++round) {
    std::vector<Call> calls;
    std::int64_t value = 0;
    for (std::uint64_t moment = 100; moment < 40'000; moment += 100) {
      const std::uint64_t begin = moment - random() % 300 % moment;
      const std::uint64_t end = moment + random() % 300;
      if (random() % 2 == 0) {
        calls.push_back(Add(begin, end, 1, ++value));
      } else {
        calls.push_back(Get(begin, end, value == 0 ? kNothing : value));
      }
    }
    std::shuffle(calls.begin(), calls.end(), random);
    ASSERT_TRUE(IsLinearizable(calls));
    Call& victim = *std::find_if(calls.begin(), calls.end(), [](const Call& call) {
      return call.kind == CallKind::kGet && call.begin_ns > 20'000;
    });
    victim.answer -= 20;
    ASSERT_FALSE(IsLinearizable(calls));
  }
}

}  // namespace
}  // namespace commy::test
