// What an exact copy of a store keeps, and the public interface has no words for: when a key
// expires, and how values are aligned. For the dump and load of the command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/namespace.h"
#include "commy/snapshot.h"

namespace commy::api {

// Two readings of store time; see process/store_clock.h.
struct StoreTime {
  std::int64_t now_ns = 0;
  std::int64_t ahead_ns = 0;  // Of the wall clock; see StoreClock::AheadNs().
};
// FailedPrecondition: the store was closed.
absl::StatusOr<StoreTime> ReadStoreTime(const Namespace& ns);

// When the snapshot was taken, in store time. The time to live that a scan of the snapshot tells is
// counted from then, so both together are exactly when the key expires.
absl::StatusOr<std::int64_t> MomentOf(const Snapshot& snapshot, const Namespace& ns);

// Namespace::Put() of a key that expires at that store time.
absl::Status PutUntil(const Namespace& ns, std::string_view key, std::string_view value,
                      std::int64_t expiry_ns);

// The alignment of values that are put now.
std::uint64_t ValueAlignOf(const Namespace& ns);
// Values that are put from now on are aligned to `align` or more. InvalidArgument: the engine has
// no such alignment.
absl::Status AlignValues(const Namespace& ns, std::uint64_t align);

}  // namespace commy::api
