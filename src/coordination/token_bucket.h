// The bucket of a rate limiter: pure, of a record and a time.
//
//   tag u32, per_second f64, burst u64, tokens f64, at_ns i64
//
// There were `tokens` at the store time `at_ns`. Below zero: what is reserved for later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/rate_limiter.h"

namespace commy::coordination {

// A clock that shows an earlier time by no more than this is waited for. By more: it was set back.
inline constexpr std::int64_t kStepBackMaxNs = 1'000'000'000;

struct TokenBucket {
  RateLimit limit;
  double tokens = 0;
  std::int64_t at_ns = 0;

  // Adds what has come in until `now_ns`.
  void MoveTo(std::int64_t now_ns);
  // How long until `n` are there, at least; 0: they are. INT64_MAX: centuries.
  [[nodiscard]] std::int64_t WaitNs(std::uint64_t n, std::int64_t now_ns) const;
};

// Whether the limit is in its range.
bool IsUsable(const RateLimit& limit);

std::string ToBytes(const TokenBucket& bucket);
// DataLoss names the namespace.
absl::StatusOr<TokenBucket> BucketFromBytes(std::string_view path, std::string_view bytes);

}  // namespace commy::coordination
