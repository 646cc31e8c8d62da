// A rate limiter: its bucket at given times, and its calls.
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "coordination/token_bucket.h"
#include "support/spoil.h"
#include "support/store_fixture.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using coordination::TokenBucket;

constexpr std::int64_t kSecond = 1'000'000'000;

// --- The bucket ----------------------------------------------------------------------------------

TokenBucket Full(double per_second, std::uint64_t burst) {
  return {.limit = {.per_second = per_second, .burst = burst},
          .tokens = static_cast<double>(burst),
          .at_ns = 0};
}
bool Take(TokenBucket& bucket, std::int64_t now_ns, std::uint64_t n = 1) {
  bucket.MoveTo(now_ns);
  if (bucket.WaitNs(n, now_ns) != 0) {
    return false;
  }
  bucket.tokens -= static_cast<double>(n);
  return true;
}

TEST(TokenBucketTest, ItGivesItsBurstAndThenItsRate) {
  TokenBucket bucket = Full(10, 5);
  std::int64_t now_ns = 7 * kSecond;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Take(bucket, now_ns));
  }
  EXPECT_FALSE(Take(bucket, now_ns));
  EXPECT_EQ(bucket.WaitNs(1, now_ns), kSecond / 10);
  EXPECT_EQ(bucket.WaitNs(3, now_ns), 3 * kSecond / 10);
  EXPECT_FALSE(Take(bucket, now_ns + kSecond / 10 - 1));
  EXPECT_TRUE(Take(bucket, now_ns + kSecond / 10 + 1));
  EXPECT_FALSE(Take(bucket, now_ns + kSecond / 10 + 1));
}

TEST(TokenBucketTest, ItNeverHasMoreThanItsBurst) {
  TokenBucket bucket = Full(10, 5);
  EXPECT_TRUE(Take(bucket, kSecond, 5));
  EXPECT_TRUE(Take(bucket, 1000 * kSecond, 5));
  EXPECT_FALSE(Take(bucket, 1000 * kSecond));
  EXPECT_TRUE(Take(bucket, std::numeric_limits<std::int64_t>::max(), 5));
}

TEST(TokenBucketTest, InAnyTimeItGivesNoMoreThanRateTimesTimeAndBurst) {
  TokenBucket bucket = Full(1000, 7);
  std::uint64_t given = 0;
  constexpr std::int64_t kStepNs = 12'345;
  for (std::int64_t i = 0; i < 100'000; ++i) {
    given += Take(bucket, i * kStepNs) ? 1 : 0;
    ASSERT_LE(given, static_cast<std::uint64_t>(std::floor(i * kStepNs / 1e6 + 7 + 1e-6)));
  }
  EXPECT_GE(given, 1234U);
}

TEST(TokenBucketTest, AClockThatWentBackDoesNotStopIt) {
  TokenBucket bucket = Full(10, 1);
  EXPECT_TRUE(Take(bucket, 1000 * kSecond));
  EXPECT_FALSE(Take(bucket, 10 * kSecond));
  EXPECT_FALSE(Take(bucket, 10 * kSecond + kSecond / 20));
  EXPECT_TRUE(Take(bucket, 10 * kSecond + kSecond / 9));
  // Between processes it may step back by a little: that gives nothing twice.
  EXPECT_FALSE(Take(bucket, 10 * kSecond));
  EXPECT_GT(bucket.at_ns, 10 * kSecond);
  EXPECT_LE(bucket.WaitNs(1, 10 * kSecond), kSecond);
  // Times that are far apart.
  bucket.at_ns = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(Take(bucket, std::numeric_limits<std::int64_t>::min() + 1));
  EXPECT_TRUE(Take(bucket, 0));
}

TEST(TokenBucketTest, CenturiesAreForever) {
  TokenBucket bucket = Full(1e-6, 1);
  bucket.tokens = -1e15;
  EXPECT_EQ(bucket.WaitNs(1, 0), std::numeric_limits<std::int64_t>::max());
}

// --- The limiter ---------------------------------------------------------------------------------

class RateLimiterTest : public StoreFixture {
 protected:
  RateLimiter MustOpenLimiter(const RateLimit& limit) {
    absl::StatusOr<RateLimiter> limiter = RateLimiter::Open(store_, "limiter", limit);
    EXPECT_TRUE(limiter.ok()) << limiter.status();
    return *std::move(limiter);
  }
  Store store_ = MustOpen(SmallOptions());
};

TEST_F(RateLimiterTest, ItsBurstIsThereAtOnceAndThenNoMore) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 1e-3, .burst = 5});
  EXPECT_EQ(*limiter.ns().Type(), "rate_limiter");
  EXPECT_EQ(*limiter.Available(), 5U);
  EXPECT_TRUE(*limiter.TryAcquire(2));
  EXPECT_TRUE(limiter.Acquire(2, absl::ZeroDuration()).ok());
  EXPECT_FALSE(*limiter.TryAcquire(2));
  EXPECT_EQ(*limiter.Available(), 1U);
  EXPECT_TRUE(*MustOpenLimiter({.per_second = 1e-3, .burst = 5}).TryAcquire());
  EXPECT_FALSE(*limiter.TryAcquire());
}

TEST_F(RateLimiterTest, WhatDoesNotComeWithinTheTimeoutIsNotTaken) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 1e-3, .burst = 2});
  ASSERT_TRUE(*limiter.TryAcquire());
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), -absl::Seconds(1), -absl::InfiniteDuration(), absl::Seconds(5)}) {
    EXPECT_TRUE(Says(limiter.Acquire(2, timeout), absl::StatusCode::kDeadlineExceeded,
                     "2 permits are there in 16m"));
  }
  EXPECT_TRUE(*limiter.TryAcquire());
}

TEST_F(RateLimiterTest, AcquireSleepsUntilTheTimeHasCome) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 200, .burst = 1});
  const absl::Time begin = absl::Now();
  RunThreads(3, [&](int) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(limiter.Acquire(1, absl::InfiniteDuration()).ok());
    }
  });
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(54));  // 11 times 5 ms, less a slow clock.
}

TEST_F(RateLimiterTest, NumbersOutOfTheirRangeAreRefused) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 1, .burst = 5});
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{6}, UINT64_MAX}) {
    EXPECT_TRUE(absl::IsInvalidArgument(limiter.TryAcquire(n).status()));
    EXPECT_TRUE(Says(limiter.Acquire(n, absl::InfiniteDuration()),
                     absl::StatusCode::kInvalidArgument, "1 to the burst of 5"));
  }
  EXPECT_EQ(*limiter.Available(), 5U);
  for (const RateLimit& limit : std::vector<RateLimit>{{.per_second = 0},
                                                       {.per_second = -1},
                                                       {.per_second = 2e9},
                                                       {.per_second = std::nan("")},
                                                       {.per_second = INFINITY},
                                                       {.burst = 0},
                                                       {.burst = UINT64_MAX}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(RateLimiter::Open(store_, "bad", limit).status()));
  }
}

TEST_F(RateLimiterTest, TheLimitIsAgreedOnByAllThatCreateIt) {
  EXPECT_TRUE(absl::IsNotFound(store_.OpenShared<RateLimiter>("limiter").status()));
  EXPECT_TRUE(store_.ListNamespaces()->empty());
  const RateLimiter limiter = MustOpenLimiter({.per_second = 50, .burst = 5});
  for (const RateLimit& other :
       {RateLimit{.per_second = 50, .burst = 6}, RateLimit{.per_second = 51, .burst = 5}}) {
    EXPECT_TRUE(Says(RateLimiter::Open(store_, "limiter", other).status(),
                     absl::StatusCode::kInvalidArgument,
                     "gives 50 a second with a burst of 5, not"));
  }
  const RateLimit limit = store_.OpenShared<RateLimiter>("limiter")->Limit().value();
  EXPECT_EQ(limit.per_second, 50);
  EXPECT_EQ(limit.burst, 5U);
  ASSERT_TRUE(limiter.ns().Clear().ok());
  EXPECT_TRUE(absl::IsNotFound(limiter.TryAcquire().status()));
  EXPECT_TRUE(absl::IsNotFound(limiter.Available().status()));
}

TEST_F(RateLimiterTest, ARecordOfALaterTimeDoesNotStopIt) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 1000, .burst = 1});
  TokenBucket later = Full(1000, 1);
  later.tokens = 0;
  later.at_ns = std::numeric_limits<std::int64_t>::max();
  ASSERT_TRUE(limiter.ns().Put("", coordination::ToBytes(later)).ok());
  EXPECT_TRUE(limiter.Acquire(1, absl::Seconds(30)).ok());
}

TEST_F(RateLimiterTest, OtherBytesThanItsRecordAreDataLossAndStay) {
  const RateLimiter limiter = MustOpenLimiter({.per_second = 1, .burst = 5});
  WithSpoiledRecords(limiter.ns(), "", [&] { return limiter.TryAcquire().status(); });
  WithSpoiledRecords(limiter.ns(), "", [&] { return limiter.Available().status(); });
  for (const double tokens : {std::nan(""), double{INFINITY}, 6.0}) {
    TokenBucket bad = Full(1, 5);
    bad.tokens = tokens;
    ASSERT_TRUE(limiter.ns().Put("", coordination::ToBytes(bad)).ok());
    EXPECT_TRUE(absl::IsDataLoss(limiter.Acquire(1, absl::InfiniteDuration())));
  }
}

}  // namespace
}  // namespace commy::test
