// A dense copy of a store, in a new file.
//
// This floor copies stores: for a backup, and for a compaction, which puts the copy in the place of
// the store. It may touch inspect/ and what is below. Begin reading here, then in backup.h and
// compact.h.
//
// The copy has what a reader can see at one moment: the namespaces with their paths, ids, orders,
// types, default times to live, value alignments and sums; and of each key the one record, with its
// bytes, commit time, expiry and alignment. It has no tombstones, no older versions, no expired
// keys. Its hash seed is that of the source, so hash namespaces are scanned in the same order; its
// uuid is new, and its commit clock goes on where the source's was. What a participant of the
// source held (leases, permits) is held by nobody in the copy, now and later: a holder's name has
// the uuid in it, and each participant entry of the copy begins above every generation that the
// source had.
//
// One thread fills it through one lane, root by root (namespaces/loader.h), so that no block is
// retired and no span but the last one of each size is partly empty. The file ends with the last
// span in use.
//
// DROPS    Neither the catalog nor sums have versions. The namespaces and sums are those at the
//          moment when CopyStore() reads the catalog, less the namespaces that are newer than the
//          moment to copy. A namespace that is dropped before its turn is over is not in the copy.
// DEATH    The file has no name until the caller gives it one: see platform/linux_create.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "versions/as_of.h"

namespace commy::packing {

// Called now and then with the keys that were copied, and how many there will be, about. False:
// stop.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// What the copy is to have in place of what the source has.
struct Limits {
  std::optional<std::uint64_t> max_size_bytes;
  std::optional<std::uint64_t> participant_count;
  std::optional<std::uint64_t> thread_count;
  std::optional<std::uint64_t> snapshot_count;
  std::optional<std::uint64_t> stale_after_ns;
  std::optional<std::uint64_t> operation_timeout_ns;
  std::optional<std::uint64_t> heartbeat_interval_ns;
};

struct CopyOptions {
  Limits limits;
  std::uint64_t bytes_per_second = 0;  // 0: as fast as it can.
  Progress progress = nullptr;
};

struct CopyReport {
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  std::uint64_t file_bytes = 0;          // Of the copy.
  std::uint64_t commit_time = 0;         // The moment that the copy shows.
  std::uint64_t uuid_words[2] = {0, 0};  // As they lie in the file.
};

// Fills the file behind `fd`, which is empty and has no name (Platform::CreateUnlinked(),
// CreateReplacement()). Then it is whole, and no process has it open. `path` is for messages.
//
// Requires: a snapshot of `as_of` is held, or no other process uses the source; the calling thread
// is in no operation.
// InvalidArgument: a limit out of its range. ResourceExhausted: the disk is full, or the copy's
// max_size is too small. Cancelled. DataLoss: the source is damaged.
absl::StatusOr<CopyReport> CopyStore(const engine::Engine& source, const versions::AsOf& as_of,
                                     int fd, const std::string& path, const CopyOptions& options);

}  // namespace commy::packing
