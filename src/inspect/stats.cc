#include "inspect/stats.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/escaping.h"

#include "base/status.h"
#include "engine/access.h"
#include "engine/holders.h"
#include "engine/lifecycle.h"
#include "engine/quotas.h"
#include "inspect/snapshot_uses.h"

namespace commy::inspect {
namespace {

using Kind = alloc::SpanSpace::Kind;

std::string_view Describe(process::OpKind kind) {
  switch (kind) {
    case process::OpKind::kNone:
    case process::OpKind::kRead:
      return "read";
    case process::OpKind::kWrite:
      return "write";
    case process::OpKind::kScan:
      return "scan";
    case process::OpKind::kCatalog:
      return "catalog";
    case process::OpKind::kClear:
      return "clear";
    case process::OpKind::kDrop:
      return "drop";
    case process::OpKind::kSweep:
      return "sweep";
    case process::OpKind::kRecover:
      return "recover";
    case process::OpKind::kAllocate:
      return "allocate";
    case process::OpKind::kMove:
      return "move";
    case process::OpKind::kTransaction:
      return "transaction";
    case process::OpKind::kCheck:
      return "check";
  }
  return "unknown";
}

Liveness PublicLiveness(process::Liveness liveness) {
  switch (liveness) {
    case process::Liveness::kDead:
      return Liveness::kDead;
    case process::Liveness::kStalled:
      return Liveness::kStalled;
    default:
      return Liveness::kLive;
  }
}

// All fields but those that take a lane to find out.
ParticipantInfo ToPublic(const process::ParticipantInfo& found, std::int64_t now) {
  ParticipantInfo info;
  info.slot = found.slot;
  info.pid = found.pid;
  info.name = found.name;
  info.started = absl::FromUnixNanos(found.start_wall_ns);
  info.heartbeat_age = absl::Nanoseconds(std::max<std::int64_t>(0, now - found.heartbeat_wall_ns));
  info.liveness = PublicLiveness(found.liveness);
  info.read_only = found.read_only;
  info.lanes = found.lanes;
  info.operations = found.operations;
  info.doing = found.oldest_pin_epoch == 0 ? "idle" : std::string(Describe(found.doing));
  info.pinned_for = absl::Nanoseconds(found.pinned_for_ns);
  return info;
}

// Retired blocks that the present epoch keeps from reuse; 0 where no lane is left.
std::uint64_t WaitingBytes(const engine::Engine& engine) {
  const absl::StatusOr<process::Lane*> lane = engine.session.ThisLane();
  if (!lane.ok()) {
    return 0;  // As above: the rest is worth knowing.
  }
  const process::Pin pin(**lane);
  return pin.entered() ? engine.allocator.Stats().bytes_waiting : 0;
}

}  // namespace

absl::StatusOr<std::vector<ParticipantInfo>> Participants(const engine::Engine& engine) {
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  const std::int64_t now = engine.session.platform().WallNs();
  // Without it the rest is still worth knowing: that all lanes are taken, say.
  const SnapshotUses uses = UsesOfSnapshots(engine).value_or(SnapshotUses());
  std::optional<std::uint64_t> waiting_bytes;  // Looked up only if a pin holds them back.
  std::vector<ParticipantInfo> all;
  for (const process::ParticipantInfo& found : engine.session.Participants()) {
    ParticipantInfo info = ToPublic(found, now);
    if (found.pinned_for_ns != 0) {
      if (!waiting_bytes.has_value()) {
        waiting_bytes = WaitingBytes(engine);
      }
      info.held_back_bytes = *waiting_bytes;
    }
    const auto held =
        std::find_if(uses.owners.begin(), uses.owners.end(),
                     [&](const SnapshotUse& use) { return use.owner == found.owner; });
    if (held != uses.owners.end()) {
      info.snapshots = held->count;
      info.oldest_snapshot_age = absl::Nanoseconds(
          std::max<std::int64_t>(0, engine.session.clock().NowNs() - held->oldest_store_ns));
      info.snapshot_kept_bytes = held->kept_bytes;
    }
    all.push_back(std::move(info));
  }
  return all;
}

absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(platform::Platform& platform,
                                                            const std::string& path) {
  region::RegionOptions options;
  options.create_if_missing = false;
  options.role = region::RegionOptions::Role::kWatcher;
  COMMY_ASSIGN_OR_RETURN(const std::unique_ptr<region::Region> region,
                         region::Region::Open(platform, path, options));
  const process::StoreClock clock(*region, platform, /*read_only=*/true);
  std::vector<ParticipantInfo> all;
  for (const process::ParticipantInfo& found : process::ListParticipants(*region, clock)) {
    all.push_back(ToPublic(found, platform.WallNs()));
  }
  return all;
}

absl::StatusOr<SpaceUse> UseOfSpace(const engine::Engine& engine) {
  const region::Geometry& geometry = engine.region.geometry();
  SpaceUse use;
  use.header_bytes = region::kHeaderBytes;
  use.table_bytes = geometry.data_offset - use.header_bytes;
  std::map<std::uint64_t, ClassSpace> classes;
  const std::uint64_t spans =
      engine.allocator.ForEachSpan([&](std::uint64_t, const alloc::SpanSpace& span) {
        use.live_bytes += span.live_bytes;
        use.reusable_bytes += span.reusable_bytes;
        use.waiting_bytes += span.waiting_bytes;
        use.fragmented_bytes += span.fragmented_bytes;
        use.overhead_bytes += span.overhead_bytes;
        (span.kind == Kind::kHole      ? use.hole_bytes
         : span.kind == Kind::kReserve ? use.reserve_bytes
                                       : use.free_bytes) += span.unused_bytes;
        use.large_bytes += span.kind == Kind::kRun ? span.live_bytes : 0;
        if (span.blocks != 0) {
          ClassSpace& sizes = classes[span.block_bytes];
          ++sizes.spans;
          sizes.blocks += span.blocks;
          sizes.used += span.used_blocks;
          sizes.retired += span.retired_blocks;
          sizes.free_bytes += span.fragmented_bytes;
        }
      });
  for (auto& [block_bytes, sizes] : classes) {
    sizes.block_bytes = block_bytes;
    use.classes.push_back(sizes);
  }
  // After the spans: the file gets no shorter while it is open.
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, engine.region.FileBytes());
  const std::uint64_t spans_end = engine.region.SpanOffset(spans);
  use.end_bytes = std::max(file_bytes, spans_end) - spans_end;
  return use;
}

absl::StatusOr<StoreStats> Stats(const engine::OpenStore& store) {
  const engine::Engine& engine = store.engine();
  COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> namespaces,
                         engine::ListNamespaces(engine, ""));
  COMMY_ASSIGN_OR_RETURN(const SnapshotUses uses, UsesOfSnapshots(engine));
  std::vector<std::string> holders = engine::Holders(engine, engine::OwnPins::kCount);
  StoreStats stats;
  COMMY_ASSIGN_OR_RETURN(stats.path_quotas, engine.quotas.List());
  COMMY_ASSIGN_OR_RETURN(process::Lane * lane, engine.session.ThisLane());
  const process::Pin pin(*lane);
  if (!pin.entered()) {
    return engine::NotEntered(engine);
  }
  const region::RegionHeader& header = engine.region.header();
  const region::Geometry& geometry = engine.region.geometry();
  stats.path = engine.path;
  stats.uuid = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(header.uuid), sizeof(header.uuid)));
  stats.format_version = region::kFormatVersion;
  stats.max_size_bytes = geometry.max_size_bytes;
  COMMY_ASSIGN_OR_RETURN(stats.space, UseOfSpace(engine));
  stats.file_bytes = stats.space.sum();
  COMMY_ASSIGN_OR_RETURN(stats.disk_bytes, engine.region.DiskBytes());
  stats.used_bytes = stats.space.live_bytes;
  stats.retired_bytes = stats.space.reusable_bytes + stats.space.waiting_bytes;
  stats.free_bytes =
      stats.space.fragmented_bytes + stats.space.free_bytes + stats.space.reserve_bytes;
  if (stats.space.waiting_bytes != 0 || uses.all.kept_bytes != 0) {
    stats.space.held_by = std::move(holders);
  }
  stats.namespaces = namespaces.size();
  for (const NamespaceInfo& each : namespaces) {
    stats.keys += each.keys;
    stats.bytes += each.bytes;
  }
  stats.commit_clock = header.commit_clock.load(std::memory_order_acquire);
  stats.epoch = header.epoch.load(std::memory_order_acquire);
  stats.participants = engine.session.Participants().size();
  stats.snapshots = uses.all.count;
  if (uses.all.count != 0) {
    stats.oldest_snapshot_age = absl::Nanoseconds(
        std::max<std::int64_t>(0, engine.session.clock().NowNs() - uses.all.oldest_store_ns));
  }
  stats.snapshot_kept_bytes = uses.all.kept_bytes;
  stats.participants_max = geometry.participant_count;
  stats.threads_max = geometry.thread_count;
  stats.snapshots_max = geometry.snapshot_count;
  stats.stale_after = absl::Nanoseconds(geometry.stale_after_ns);
  stats.operation_timeout = absl::Nanoseconds(geometry.operation_timeout_ns);
  stats.heartbeat_interval = absl::Nanoseconds(geometry.heartbeat_interval_ns);
  stats.differences = store.differences();
  return stats;
}

absl::StatusOr<MemoryInfo> Memory(const engine::Engine& engine) {
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  const std::uint64_t data = engine.region.SpanOffset(0);
  engine.region.PopulateResident(data, engine.region.SpanOffset(engine.region.span_count()) - data);
  COMMY_ASSIGN_OR_RETURN(const platform::MappedMemory mapped, engine.region.DescribeMapped());
  return MemoryInfo{.resident_bytes = mapped.present_bytes,
                    .large_page_bytes = mapped.large_page_bytes};
}

}  // namespace commy::inspect
