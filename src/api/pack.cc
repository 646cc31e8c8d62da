// Dense copies of stores: Store::Backup() and Compact().
#include "commy/backup.h"
#include "commy/compact.h"
#include "commy/store.h"
#include "engine/open_store.h"
#include "packing/backup.h"
#include "packing/compact.h"
#include "platform/platform.h"

namespace commy {
namespace {

std::optional<std::uint64_t> Ns(const std::optional<absl::Duration>& duration) {
  if (!duration.has_value()) {
    return std::nullopt;
  }
  const std::int64_t ns = absl::ToInt64Nanoseconds(*duration);
  return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

}  // namespace

absl::StatusOr<BackupReport> Store::Backup(const std::string& destination,
                                           const BackupOptions& options) const {
  packing::BackupOptions wanted;
  wanted.overwrite = options.overwrite;
  wanted.copy.bytes_per_second = options.bytes_per_second;
  wanted.copy.progress = options.progress;
  COMMY_ASSIGN_OR_RETURN(const packing::PackReport made,
                         packing::Backup(state_->engine(), destination, wanted));
  return BackupReport{.source_bytes = made.source_bytes,
                      .destination_bytes = made.destination_bytes,
                      .namespaces = made.copy.namespaces,
                      .keys = made.copy.keys,
                      .commit_time = made.copy.commit_time};
}

absl::StatusOr<CompactReport> Compact(const std::string& path, const CompactOptions& options) {
  packing::CompactOptions wanted;
  wanted.destination = options.destination;
  wanted.copy.progress = options.progress;
  wanted.copy.limits = {.max_size_bytes = options.max_size,
                        .participant_count = options.participants,
                        .thread_count = options.threads,
                        .snapshot_count = options.snapshots,
                        .stale_after_ns = Ns(options.stale_after),
                        .operation_timeout_ns = Ns(options.operation_timeout),
                        .heartbeat_interval_ns = Ns(options.heartbeat_interval)};
  COMMY_ASSIGN_OR_RETURN(const packing::PackReport made,
                         packing::Compact(platform::Platform::Real(), path, wanted));
  return CompactReport{.bytes_before = made.source_bytes,
                       .bytes_after = made.destination_bytes,
                       .namespaces = made.copy.namespaces,
                       .keys = made.copy.keys};
}

}  // namespace commy
