// A count that goes down to zero once, and processes that wait for that.
//
//   absl::StatusOr<commy::Latch> ready = commy::Latch::Open(*store, "jobs/ready", 3);
//   absl::Status done = ready->CountDown();            // In each of three workers.
//   absl::Status all = ready->Wait(absl::Seconds(30));  // In the others.
//
// A latch is of use once: at zero it stays open. For another round drop the namespace, or open a
// latch at another path.
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

// Cheap to copy; every method is safe from any thread; keeps the store open.
//
// MOMENTS   CountDown() and Count() are linearizable. What a process did before its CountDown() is
//           seen by one whose Wait() was ended by it.
// DEATH     A process that is killed in the middle of a CountDown() has counted or not. One that
//           dies before it never counts: the others wait on, up to their timeouts.
// ERRORS    as of Namespace, and NotFound: the latch has no count yet; DataLoss: a program wrote
//           other bytes there.
class COMMY_EXPORT Latch {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "latch";

  // Opens the latch at `path`, and creates it with `count`, 0 to 2^63 - 1, if there is none; a
  // count of 0 is open from the start. InvalidArgument: it was created with another count, and the
  // text has both; or the count is out of its range.
  static absl::StatusOr<Latch> Open(const Store& store, std::string_view path, std::uint64_t count,
                                    const SharedOptions& options = SharedOptions());
  // Opens one that is there; Store::OpenShared() calls this. Creates nothing. NotFound: there is no
  // namespace at the path, or it has no count yet.
  static absl::StatusOr<Latch> Open(const Store& store, std::string_view path,
                                    const SharedOptions& options);

  // Takes `n`, 1 or more, from the count, and ends all waits if it becomes zero. InvalidArgument:
  // `n` is zero or more than the count; nothing has changed. Cost: a read and a put, again if
  // others were faster.
  absl::Status CountDown(std::uint64_t n = 1) const;
  // Waits until the count is zero. The thread sleeps meanwhile. `timeout` may be zero or negative,
  // then it looks once, or infinite. DeadlineExceeded: the text says how many are left.
  absl::Status Wait(absl::Duration timeout) const;
  // Returns what is left of the count. Cost: a read.
  [[nodiscard]] absl::StatusOr<std::uint64_t> Count() const;

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the latch; its record is under the empty key.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit Latch(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
