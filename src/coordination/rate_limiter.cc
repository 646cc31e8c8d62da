// RateLimiter: steps of token_bucket.h on the record under the empty key.
#include "commy/rate_limiter.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "api/handle_access.h"
#include "base/status.h"
#include "coordination/only_record.h"
#include "coordination/record.h"
#include "coordination/token_bucket.h"
#include "coordination/wait.h"

namespace commy {
namespace {

using coordination::BucketFromBytes;
using coordination::TokenBucket;

constexpr std::string_view kLacks = "limit";
constexpr std::int64_t kSleepMaxNs = std::int64_t{3600} * 1'000'000'000;

std::int64_t StoreNowNs(const Namespace& ns) {
  return api::HandleAccess::StateOf(ns)->engine().session.clock().NowNs();
}

std::string Text(const RateLimit& limit) {
  return absl::StrCat(limit.per_second, " a second with a burst of ", limit.burst);
}

absl::StatusOr<TokenBucket> Read(const Namespace& ns) {
  const absl::StatusOr<std::string> bytes = ns.Get("");
  if (absl::IsNotFound(bytes.status())) {
    return coordination::NoRecord(ns.path(), RateLimiter::kDescriptor, kLacks);
  }
  COMMY_RETURN_IF_ERROR(bytes.status());
  return BucketFromBytes(ns.path(), *bytes);
}

// Takes `n` permits if their time comes within `wait_max_ns`. Returns how long that is; if it is
// more than `wait_max_ns`, nothing was taken.
absl::StatusOr<std::int64_t> Reserve(const Namespace& ns, std::uint64_t n,
                                     std::int64_t wait_max_ns) {
  std::int64_t wait_ns = 0;
  COMMY_RETURN_IF_ERROR(coordination::UpdateRecord(
      ns, "", [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        if (!present.has_value()) {
          return coordination::NoRecord(ns.path(), RateLimiter::kDescriptor, kLacks);
        }
        COMMY_ASSIGN_OR_RETURN(TokenBucket bucket, BucketFromBytes(ns.path(), *present));
        if (n == 0 || n > bucket.limit.burst) {
          return base::InvalidArgument("rate limiter \"", ns.path(), "\": ", n, " permits at once ",
                                       "are out of their range, 1 to the burst of ",
                                       bucket.limit.burst);
        }
        // After the record was read: no process has written a later time into it.
        const std::int64_t now_ns = StoreNowNs(ns);
        bucket.MoveTo(now_ns);
        wait_ns = bucket.WaitNs(n, now_ns);
        if (wait_ns > wait_max_ns) {
          return Change::Keep();
        }
        bucket.tokens -= static_cast<double>(n);
        return coordination::PutRecord(ToBytes(bucket));
      }));
  return wait_ns;
}

}  // namespace

absl::StatusOr<RateLimiter> RateLimiter::Open(const Store& store, std::string_view path,
                                              const RateLimit& limit,
                                              const SharedOptions& options) {
  if (!coordination::IsUsable(limit)) {
    return base::InvalidArgument("rate limiter \"", base::ToAbsl(path), "\": ", Text(limit),
                                 " is out of its range: 1e-6 to 1e9 a second, and a burst of 1 to ",
                                 "2^40");
  }
  const auto agrees = [&](std::string_view bytes) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const TokenBucket bucket, BucketFromBytes(path, bytes));
    return bucket.limit.per_second == limit.per_second && bucket.limit.burst == limit.burst
               ? absl::OkStatus()
               : base::InvalidArgument("rate limiter \"", base::ToAbsl(path), "\" gives ",
                                       Text(bucket.limit), ", not ", Text(limit));
  };
  // Full since ever: the first step moves it to the present.
  const TokenBucket full{.limit = limit, .tokens = static_cast<double>(limit.burst), .at_ns = 0};
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns,
      coordination::OpenOnlyRecord(
          store, {.path = path, .kind = kDescriptor, .lacks = kLacks, .initial = ToBytes(full)},
          options, agrees));
  return RateLimiter(std::move(ns));
}

absl::StatusOr<RateLimiter> RateLimiter::Open(const Store& store, std::string_view path,
                                              const SharedOptions& options) {
  const auto agrees = [path](std::string_view bytes) {
    return BucketFromBytes(path, bytes).status();
  };
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns,
      coordination::OpenOnlyRecord(
          store, {.path = path, .kind = kDescriptor, .lacks = kLacks, .initial = std::nullopt},
          options, agrees));
  return RateLimiter(std::move(ns));
}

absl::StatusOr<bool> RateLimiter::TryAcquire(std::uint64_t n) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t wait_ns, Reserve(ns_, n, 0));
  return wait_ns == 0;
}

absl::Status RateLimiter::Acquire(std::uint64_t n, absl::Duration timeout) const {
  const std::int64_t wait_max_ns = coordination::DeadlineOf(0, timeout);
  COMMY_ASSIGN_OR_RETURN(const std::int64_t wait_ns, Reserve(ns_, n, wait_max_ns));
  if (wait_ns > wait_max_ns) {
    return absl::DeadlineExceededError(
        absl::StrCat("rate limiter \"", path(), "\": ", n, " permits are there in ",
                     absl::FormatDuration(absl::Nanoseconds(wait_ns)), ", not within ",
                     absl::FormatDuration(absl::Nanoseconds(wait_max_ns))));
  }
  const std::int64_t until_ns =
      coordination::DeadlineOf(coordination::MonotonicNs(ns_), absl::Nanoseconds(wait_ns));
  for (std::int64_t left_ns = wait_ns; left_ns > 0;
       left_ns = until_ns - coordination::MonotonicNs(ns_)) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left_ns, kSleepMaxNs)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> RateLimiter::Available() const {
  COMMY_ASSIGN_OR_RETURN(TokenBucket bucket, Read(ns_));
  bucket.MoveTo(StoreNowNs(ns_));
  return bucket.tokens > 0 ? static_cast<std::uint64_t>(bucket.tokens) : 0;
}

absl::StatusOr<RateLimit> RateLimiter::Limit() const {
  COMMY_ASSIGN_OR_RETURN(const TokenBucket bucket, Read(ns_));
  return bucket.limit;
}

}  // namespace commy
