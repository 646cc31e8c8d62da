#include "coordination/token_bucket.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "coordination/record.h"

namespace commy::coordination {
namespace {

constexpr std::uint32_t kTag = Tag('r', 't', 'l', 1);
constexpr double kPerSecondMin = 1e-6;
constexpr double kPerSecondMax = 1e9;
constexpr std::uint64_t kBurstMax = std::uint64_t{1} << 40U;
constexpr double kNsPerSecond = 1e9;
constexpr double kWaitNsMax = 9e18;  // Below INT64_MAX.

}  // namespace

void TokenBucket::MoveTo(std::int64_t now_ns) {
  std::int64_t passed_ns = 0;
  if (__builtin_sub_overflow(now_ns, at_ns, &passed_ns) || passed_ns < -kStepBackMaxNs) {
    at_ns = now_ns;
    return;
  }
  if (passed_ns > 0) {
    tokens = std::min(static_cast<double>(limit.burst),
                      tokens + static_cast<double>(passed_ns) * limit.per_second / kNsPerSecond);
    at_ns = now_ns;
  }
}

std::int64_t TokenBucket::WaitNs(std::uint64_t n, std::int64_t now_ns) const {
  const double missing = static_cast<double>(n) - tokens;
  if (missing <= 0) {
    return 0;
  }
  const double wait_ns = std::ceil(missing / limit.per_second * kNsPerSecond);
  if (wait_ns > kWaitNsMax) {
    return INT64_MAX;
  }
  // What comes in is counted from `at_ns` on, which may be a little later.
  return static_cast<std::int64_t>(wait_ns) +
         std::clamp<std::int64_t>(at_ns - now_ns, 0, kStepBackMaxNs);
}

bool IsUsable(const RateLimit& limit) {
  return limit.per_second >= kPerSecondMin && limit.per_second <= kPerSecondMax &&
         limit.burst >= 1 && limit.burst <= kBurstMax;
}

std::string ToBytes(const TokenBucket& bucket) {
  return RecordWriter()
      .Add(kTag)
      .Add(bucket.limit.per_second)
      .Add(bucket.limit.burst)
      .Add(bucket.tokens)
      .Add(bucket.at_ns)
      .Take();
}

absl::StatusOr<TokenBucket> BucketFromBytes(std::string_view path, std::string_view bytes) {
  RecordReader reader(bytes);
  const auto tag = reader.Take<std::uint32_t>();
  TokenBucket bucket;
  bucket.limit.per_second = reader.Take<double>();
  bucket.limit.burst = reader.Take<std::uint64_t>();
  bucket.tokens = reader.Take<double>();
  bucket.at_ns = reader.Take<std::int64_t>();
  if (tag != kTag || !reader.WasWhole()) {
    return BadRecord(path, RateLimiter::kDescriptor, bytes, "its head is not that of a limiter");
  }
  if (!IsUsable(bucket.limit) || !std::isfinite(bucket.tokens) ||
      bucket.tokens > static_cast<double>(bucket.limit.burst)) {
    return BadRecord(path, RateLimiter::kDescriptor, bytes, "a number in it is out of its range");
  }
  return bucket;
}

}  // namespace commy::coordination
