// Writing a store anew, without the room that it does not need.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"

namespace commy {

struct CompactOptions {
  // A new store file; the store itself then stays as it is. Empty: the compacted store takes the
  // place of the store.
  std::string destination = std::string();
  // Options that are fixed at creation, see Options. What is not given stays as it is.
  std::optional<std::uint64_t> max_size = std::nullopt;
  std::optional<std::uint64_t> participants = std::nullopt;
  std::optional<std::uint64_t> threads = std::nullopt;
  std::optional<std::uint64_t> snapshots = std::nullopt;
  std::optional<absl::Duration> stale_after = std::nullopt;
  std::optional<absl::Duration> operation_timeout = std::nullopt;
  std::optional<absl::Duration> heartbeat_interval = std::nullopt;
  // Called now and then, by the calling thread, with the keys that were copied and how many there
  // are, about. If it returns false, Compact() stops with Cancelled. May be empty.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress = nullptr;
};

struct CompactReport {
  std::uint64_t bytes_before = 0;  // On disk.
  std::uint64_t bytes_after = 0;   // On disk.
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
};

// Copies the store at `path`, which no process may have open, into a dense file that then takes its
// place. Records lie in key order there (of a hash namespace: in the order of a scan), without
// free room between them, old versions, or keys that have expired.
//
//   absl::StatusOr<commy::CompactReport> report =
//       commy::Compact("fleet.commy", {.max_size = std::uint64_t{256} << 30});
//
// The store keeps its namespaces with their order, type, default time to live and id; its keys with
// value, alignment, end of life and version; and the sums of its counters. Leases, permits and the
// like of participants that had the store open before are held by nobody. It gets another uuid, and
// its file is another one, with the mode and the owner of the old one.
//
// The call may be killed, and the machine may go down, at any moment: at `path` is the old file or
// the new one, whole. A process that opens the store meanwhile is told that it is in exclusive use
// (FailedPrecondition), or gets the new one. A kill may leave a file ".commy-<digits>" beside the
// store, which may be removed.
//
// Errors:
//   NotFound            there is no store
//   AlreadyExists       there is a file at the destination
//   FailedPrecondition  a process has the store open; the message says which. Or the file has
//                       several names (hard links), or belongs to a user to whom this process may
//                       not give a file
//   InvalidArgument     not a store, or an option out of its range
//   ResourceExhausted   there is no space for the copy beside the store; or max_size is too small
//                       for what it holds. Nothing has changed
//   DataLoss            the store is damaged; see Recover()
//   Cancelled           `progress` returned false
//
// Cost: reads the keys once and writes them once. Needs disk space for the copy until it is done.
COMMY_EXPORT absl::StatusOr<CompactReport> Compact(
    const std::string& path, const CompactOptions& options = CompactOptions());

}  // namespace commy
