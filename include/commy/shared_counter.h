// A number that many processes add to at once, each without waiting for the others.
//
//   absl::StatusOr<commy::SharedCounter> hits =
//       store->OpenShared<commy::SharedCounter>("metrics/hits");
//   absl::Status done = hits->Add(1);
//   absl::StatusOr<std::int64_t> so_far = hits->Value();
//
// For statistics. Namespace::Add() changes a value that has versions, is part of snapshots and
// transactions, and is exact at every moment; this one is a sum over the threads of all processes,
// each of which has a cell of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/export.h"
#include "commy/shared_options.h"
#include "commy/store.h"

namespace commy {

// Cheap to copy; every method is safe from any thread; keeps the store open.
//
// SUM       An Add() that has returned is in every Value() that begins afterwards; one that runs at
//           the same time may be in it or not. Sums go on modulo 2^64.
// DEATH     A process that is killed in the middle of an Add() has added or not; nothing else is
//           possible. What it has added stays.
// SNAPSHOTS see nothing of a counter, and transactions do not take part: it has one value, now.
// ERRORS    as of Namespace.
class COMMY_EXPORT SharedCounter {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "counter";

  // What Store::OpenShared() calls.
  static absl::StatusOr<SharedCounter> Open(const Store& store, std::string_view path,
                                            const SharedOptions& options);

  // Adds `delta`, which may be negative. Cost: a store to a cache line that no other thread writes;
  // the first one of a thread may allocate (ResourceExhausted).
  absl::Status Add(std::int64_t delta) const;
  // Returns the sum since the last Reset(). Cost: a load for each thread that ever added, at most
  // Options::threads.
  [[nodiscard]] absl::StatusOr<std::int64_t> Value() const;
  // Sets the sum to 0 and returns what it was. Of the Adds that run at the same time each counts
  // either before or after it. Two Resets at once share the sum between them.
  absl::StatusOr<std::int64_t> Reset() const;

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the counter.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit SharedCounter(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
