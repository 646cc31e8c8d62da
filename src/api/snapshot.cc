// Snapshots, and when something is read by one.
#include "commy/snapshot.h"

#include "api/snapshot_state.h"
#include "base/status.h"
#include "commy/store.h"

namespace commy {
namespace api {

absl::StatusOr<versions::AsOf> SnapshotState::AsOfSnapshot(const Snapshot* snapshot,
                                                           const engine::OpenStore& store) {
  const SnapshotState* const state = snapshot->state_.get();
  if (state == nullptr) {
    return base::InvalidArgument("the snapshot was moved from");
  }
  if (state->store_.get() != &store) {
    return base::InvalidArgument(store.path(), ": the snapshot is of another store, ",
                                 state->store_->engine().path,
                                 ", or of another Open() of this one");
  }
  return versions::AsOf{state->held_.time, state->held_.store_ns};
}

}  // namespace api

Snapshot::Snapshot(std::unique_ptr<api::SnapshotState> state) : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&& other) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&& other) noexcept = default;
Snapshot::~Snapshot() = default;

std::uint64_t Snapshot::commit_time() const {
  return state_ == nullptr ? 0 : state_->held().time;
}
absl::Time Snapshot::taken() const {
  return state_ == nullptr ? absl::InfinitePast() : absl::FromUnixNanos(state_->taken_wall_ns());
}

absl::StatusOr<Snapshot> Store::TakeSnapshot() const {
  COMMY_ASSIGN_OR_RETURN(const versions::HeldSnapshot held,
                         versions::TakeSnapshot(state_->engine().session));
  return Snapshot(std::make_unique<api::SnapshotState>(state_, held));
}

}  // namespace commy
