// A rate that processes keep together: so many permits a second, and some more at once.
//
//   absl::StatusOr<commy::RateLimiter> calls = commy::RateLimiter::Open(
//       *store, "upstream/calls", {.per_second = 50, .burst = 10});
//   absl::Status turn = calls->Acquire(1, absl::Seconds(2));
//   if (turn.ok()) CallUpstream();
//
// A bucket of tokens: it is full at first, with `burst` permits, and gets `per_second` permits each
// second, up to `burst`. In any time of t seconds all processes together are given at most
// per_second * t + burst permits. Permits are used up, not given back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/shared_options.h"
#include "commy/store.h"

namespace commy {

struct RateLimit {
  double per_second = 1;    // 1e-6 to 1e9.
  std::uint64_t burst = 1;  // 1 to 2^40. How many may be taken at once.
};

// Cheap to copy; every method is safe from any thread; keeps the store open.
//
// TIME      is that of the store, which all processes share, and goes on while the machine sleeps.
//           If it steps back, nothing is lost but the time it stepped: a step of up to a second is
//           waited out, and after a larger one the limiter goes on from the new time.
// ORDER     Acquire() calls get their permits in the order in which they reserve them.
// DEATH     A process that dies has taken its permits or not. What a dead one had reserved is used
//           up.
// COST      of each call: a read and a put of one record, again if others were faster. Take several
//           permits at a time where that is too much.
// ERRORS    as of Namespace, and NotFound: there is no limit yet; DataLoss: a program wrote other
//           bytes there. After an error nothing was taken.
class COMMY_EXPORT RateLimiter {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "rate_limiter";

  // Opens the limiter at `path`, and creates it with this limit if there is none. InvalidArgument:
  // it has another limit, and the text has both; or the limit is out of its range.
  static absl::StatusOr<RateLimiter> Open(const Store& store, std::string_view path,
                                          const RateLimit& limit,
                                          const SharedOptions& options = SharedOptions());
  // Opens one that is there, whatever its limit; Store::OpenShared() calls this. Creates nothing.
  // NotFound: there is no namespace at the path, or it has no limit yet.
  static absl::StatusOr<RateLimiter> Open(const Store& store, std::string_view path,
                                          const SharedOptions& options);

  // Takes `n` permits, 1 to burst, if they are there. Returns whether they were. InvalidArgument:
  // `n` is out of its range.
  absl::StatusOr<bool> TryAcquire(std::uint64_t n = 1) const;
  // Reserves `n` permits, 1 to burst, and sleeps until their time has come. DeadlineExceeded: that
  // is not within `timeout`, which may be zero, negative or infinite; returned at once, nothing was
  // taken, and the text says when it would be. InvalidArgument: `n` is out of its range. Holds
  // nothing while it sleeps; closing the store does not end the sleep.
  absl::Status Acquire(std::uint64_t n, absl::Duration timeout) const;
  // Returns how many permits could be taken now. Cost: a read.
  [[nodiscard]] absl::StatusOr<std::uint64_t> Available() const;
  // Returns the limit that it was created with. Cost: a read.
  [[nodiscard]] absl::StatusOr<RateLimit> Limit() const;

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the limiter; its record is under the empty key.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit RateLimiter(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
