// An open store: its parts, made in order, and ended in order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "engine/maintenance.h"
#include "engine/quotas.h"
#include "engine/shrinker.h"

namespace commy::engine {

// The hooks by which the floors above take part in the recovery of the dead and in the heartbeat.
struct UpperHooks {
  // Recovers what a dead lane was publishing: after FinishOperation, before ReclaimNotes.
  std::function<absl::Status(const Engine&, process::Operation& own, region::LaneLayout& dead)>
      recover_lane;
  // For a participant that has been silent for operation_timeout.
  std::function<void(const Engine&, std::uint32_t slot)> stalled;
};

class OpenStore {
 public:
  static absl::StatusOr<std::shared_ptr<OpenStore>> Open(platform::Platform& platform,
                                                         const std::string& path,
                                                         const Options& options, UpperHooks upper);
  // The same of a store that is there, and that no other process has open, nor opens meanwhile.
  // FailedPrecondition: one has it open.
  static absl::StatusOr<std::shared_ptr<OpenStore>> OpenAlone(platform::Platform& platform,
                                                              const std::string& path,
                                                              const Options& options,
                                                              UpperHooks upper);
  // The same of a region that is open already.
  static absl::StatusOr<std::shared_ptr<OpenStore>> OpenIn(std::unique_ptr<region::Region> region,
                                                           const Options& options,
                                                           UpperHooks upper);
  OpenStore(const OpenStore&) = delete;
  OpenStore& operator=(const OpenStore&) = delete;
  ~OpenStore();

  absl::Status Close();

  [[nodiscard]] const Engine& engine() const { return engine_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Shrinker& shrinker() { return shrinker_; }
  // The options that were asked for at Open() and differ in the store, as sentences.
  [[nodiscard]] const std::vector<std::string>& differences() const { return differences_; }

 private:
  OpenStore(std::shared_ptr<process::Session> session, std::string path, const Options& options);

  const std::string path_;
  const bool background_;
  std::shared_ptr<process::Session> session_;
  alloc::Allocator allocator_;
  namespaces::Map map_;
  namespaces::Catalog catalog_;
  const Engine engine_;
  Maintenance maintenance_;
  Shrinker shrinker_;
  Quotas quotas_;
  const std::vector<std::string> differences_;
};

}  // namespace commy::engine
