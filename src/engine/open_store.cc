#include "engine/open_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/recovery.h"
#include "versions/snapshots.h"

namespace commy::engine {
namespace {

using process::Operation;

std::uint64_t Ns(absl::Duration duration) {
  const std::int64_t ns = absl::ToInt64Nanoseconds(duration);
  return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

region::CreateOptions CreateOptionsOf(const Options& options) {
  region::CreateOptions create;
  create.max_size_bytes = options.max_size;
  create.chunk_bytes = options.testing.chunk_bytes;
  create.span_bytes = options.testing.span_bytes;
  create.segment_buckets = options.testing.segment_buckets;
  create.participant_count = options.participants;
  create.thread_count = options.threads;
  create.snapshot_count = options.snapshots;
  create.stale_after_ns = Ns(options.stale_after);
  create.operation_timeout_ns = Ns(options.operation_timeout);
  create.heartbeat_interval_ns = Ns(options.heartbeat_interval);
  return create;
}

std::vector<std::string> Differences(const region::CreateOptions& asked,
                                     const region::Geometry& found) {
  std::vector<std::string> differences;
  const auto compare = [&](const char* name, std::uint64_t want, std::uint64_t have) {
    if (want != have) {
      differences.push_back(
          absl::StrCat(name, ": ", want, " was asked for, the store was created with ", have));
    }
  };
  const auto compare_time = [&](const char* name, std::uint64_t want_ns, std::uint64_t have_ns) {
    if (want_ns != have_ns) {
      differences.push_back(absl::StrCat(name, ": ",
                                         absl::FormatDuration(absl::Nanoseconds(want_ns)),
                                         " was asked for, the store was created with ",
                                         absl::FormatDuration(absl::Nanoseconds(have_ns))));
    }
  };
  compare("max_size", asked.max_size_bytes, found.max_size_bytes);
  compare("participants", asked.participant_count, found.participant_count);
  compare("threads", asked.thread_count, found.thread_count);
  compare("snapshots", asked.snapshot_count, found.snapshot_count);
  compare_time("stale_after", asked.stale_after_ns, found.stale_after_ns);
  compare_time("operation_timeout", asked.operation_timeout_ns, found.operation_timeout_ns);
  compare_time("heartbeat_interval", asked.heartbeat_interval_ns, found.heartbeat_interval_ns);
  return differences;
}

}  // namespace

absl::StatusOr<std::shared_ptr<OpenStore>> OpenStore::Open(platform::Platform& platform,
                                                           const std::string& path,
                                                           const Options& options,
                                                           UpperHooks upper) {
  region::RegionOptions region_options;
  region_options.create_if_missing = options.create_if_missing;
  region_options.error_if_exists = options.error_if_exists;
  region_options.role = options.read_only ? region::RegionOptions::Role::kReader
                                          : region::RegionOptions::Role::kWriter;
  region_options.create = CreateOptionsOf(options);
  COMMY_ASSIGN_OR_RETURN(std::unique_ptr<region::Region> region,
                         region::Region::Open(platform, path, region_options));
  return OpenIn(std::move(region), options, std::move(upper));
}

absl::StatusOr<std::shared_ptr<OpenStore>> OpenStore::OpenAlone(platform::Platform& platform,
                                                                const std::string& path,
                                                                const Options& options,
                                                                UpperHooks upper) {
  region::RegionOptions region_options;
  region_options.create_if_missing = false;
  region_options.role = region::RegionOptions::Role::kAlone;
  COMMY_ASSIGN_OR_RETURN(std::unique_ptr<region::Region> region,
                         region::Region::Open(platform, path, region_options));
  return OpenIn(std::move(region), options, std::move(upper));
}

absl::StatusOr<std::shared_ptr<OpenStore>> OpenStore::OpenIn(std::unique_ptr<region::Region> region,
                                                             const Options& options,
                                                             UpperHooks upper) {
  const std::string path = region->path();
  process::SessionOptions session_options;
  session_options.process_name = options.process_name;
  session_options.read_only = options.read_only;
  session_options.background = options.testing.background;
  auto session = std::make_shared<process::Session>(std::move(region), session_options);
  std::shared_ptr<OpenStore> store(new OpenStore(session, path, options));
  const Engine& engine = store->engine_;
  process::Session::Hooks hooks;
  versions::AddSnapshotHooks(engine.region, &hooks);
  COMMY_DCHECK(hooks.recover_lane.empty());  // The order of these four is that of recovery.
  COMMY_DCHECK(upper.recover_lane != nullptr && upper.stalled != nullptr);
  hooks.recover_lane.emplace_back([&engine](Operation& own, region::LaneLayout& dead) {
    return FinishOperation(engine, own, dead);
  });
  hooks.recover_lane.emplace_back(
      [&engine, recover = std::move(upper.recover_lane)](Operation& own, region::LaneLayout& dead) {
        return recover(engine, own, dead);
      });
  hooks.recover_lane.emplace_back([&engine](Operation& own, region::LaneLayout& dead) {
    return ReclaimNotes(engine, own, dead);
  });
  hooks.recover_lane.emplace_back([&engine](Operation& own, region::LaneLayout& dead) {
    return engine.allocator.RecoverLane(own, dead);
  });
  hooks.stalled = [&engine, stalled = std::move(upper.stalled)](std::uint32_t slot) {
    stalled(engine, slot);
  };
  hooks.urgent.emplace_back([&engine] { engine.allocator.KeepRoom(); });
  hooks.background.emplace_back([&engine] { return engine.maintenance.Background(); });
  if (options.background_shrink) {
    hooks.background.emplace_back([shrinker = &store->shrinker_] {
      shrinker->Background();
      return false;
    });
  }
  hooks.go_on.emplace_back([&engine] { return engine.maintenance.GoOn(); });
  COMMY_RETURN_IF_ERROR(session->Start(std::move(hooks)));
  return store;
}

OpenStore::OpenStore(std::shared_ptr<process::Session> session, std::string path,
                     const Options& options)
    : path_(std::move(path)),
      background_(options.testing.background),
      session_(std::move(session)),
      allocator_(*session_),
      map_(*session_, allocator_,
           {options.testing.leaf_keys, options.testing.leaf_append, options.testing.node_children}),
      catalog_(session_->region(), allocator_, map_.publisher()),
      engine_{path_, *session_, session_->region(), allocator_,
              map_,  catalog_,  maintenance_,       quotas_},
      maintenance_(engine_),
      shrinker_(engine_),
      quotas_(engine_),
      differences_(Differences(CreateOptionsOf(options), session_->region().geometry())) {
  map_.UseQuotas(&quotas_);
}

absl::Status OpenStore::Close() {
  if (background_) {
    maintenance_.BeforeTheEnd();
  }
  return session_->Close();
}

OpenStore::~OpenStore() {
  if (background_) {
    maintenance_.BeforeTheEnd();
  }
  // The heartbeat calls into this object, so the session ends first.
  session_->End();
}

}  // namespace commy::engine
