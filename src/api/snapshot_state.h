// What a Snapshot holds.
#pragma once

#include <memory>
#include <utility>

#include "commy/snapshot.h"
#include "engine/open_store.h"
#include "versions/intents.h"
#include "versions/snapshots.h"

namespace commy::api {

class SnapshotState {
 public:
  SnapshotState(std::shared_ptr<engine::OpenStore> store, const versions::HeldSnapshot& held)
      : store_(std::move(store)),
        held_(held),
        taken_wall_ns_(store_->engine().session.clock().ToWallNs(held.store_ns)) {}
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;
  ~SnapshotState() { versions::ReleaseSnapshot(store_->engine().session, held_); }

  [[nodiscard]] const versions::HeldSnapshot& held() const { return held_; }
  [[nodiscard]] std::int64_t taken_wall_ns() const { return taken_wall_ns_; }

  // The moment of a read in `store`, as `snapshot`, which may be null, says. InvalidArgument: the
  // snapshot is of another store, or was moved from.
  static absl::StatusOr<versions::AsOf> AsOfSnapshot(const Snapshot* snapshot,
                                                     const engine::OpenStore& store);

 private:
  std::shared_ptr<engine::OpenStore> store_;
  const versions::HeldSnapshot held_;
  const std::int64_t taken_wall_ns_;
};

}  // namespace commy::api
