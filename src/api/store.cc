// The public Store.
#include "commy/store.h"

#include "api/open.h"
#include "base/status.h"
#include "base/version.h"
#include "engine/lifecycle.h"
#include "engine/namespace_state.h"
#include "inspect/check.h"
#include "inspect/describe_layout.h"
#include "inspect/stats.h"

namespace commy {

absl::StatusOr<Store> Store::Open(const std::string& path, const Options& options) {
  COMMY_ASSIGN_OR_RETURN(std::shared_ptr<engine::OpenStore> state,
                         api::Open(platform::Platform::Real(), path, options));
  return Store(std::move(state));
}

absl::Status Store::Close() {
  return state_->Close();
}

absl::StatusOr<Namespace> Store::OpenNamespace(std::string_view path,
                                               const NamespaceOptions& options) const {
  COMMY_ASSIGN_OR_RETURN(const auto found, engine::OpenNamespace(state_->engine(), path, options));
  return Namespace(std::make_shared<engine::NamespaceState>(
      engine::NamespaceState{state_, found.first, std::string(path), found.second}));
}

absl::Status Store::DropNamespace(std::string_view path) const {
  return engine::DropNamespace(state_->engine(), path);
}

absl::Status Store::RenameNamespace(std::string_view from, std::string_view to) const {
  return engine::RenameNamespace(state_->engine(), from, to);
}

absl::StatusOr<std::vector<NamespaceInfo>> Store::ListNamespaces(std::string_view prefix) const {
  return engine::ListNamespaces(state_->engine(), prefix);
}

absl::Status Store::SetPathQuota(std::string_view path, std::uint64_t bytes) const {
  return state_->engine().quotas.SetOfPath(path, bytes);
}

absl::StatusOr<std::vector<PathQuota>> Store::PathQuotas() const {
  return state_->engine().quotas.List();
}

absl::StatusOr<std::vector<ParticipantInfo>> Store::ParticipantsOf(const std::string& path) {
  return inspect::ParticipantsOf(platform::Platform::Real(), path);
}

absl::StatusOr<std::vector<ParticipantInfo>> Store::Participants() const {
  return inspect::Participants(state_->engine());
}

absl::StatusOr<StoreStats> Store::Stats() const {
  return inspect::Stats(*state_);
}
absl::StatusOr<MemoryInfo> Store::Memory() const {
  return inspect::Memory(state_->engine());
}
absl::StatusOr<CheckReport> Store::Check() const {
  return inspect::Check(state_->engine());
}

absl::StatusOr<ShrinkReport> Store::ShrinkToUsage(const ShrinkOptions& options) const {
  const process::Session::Call call(state_->engine().session);
  COMMY_RETURN_IF_ERROR(call.status());
  if (state_->engine().session.read_only()) {
    return base::FailedPrecondition(path(), ": the store was opened read-only");
  }
  if (!(options.fill >= 0 && options.fill <= 1)) {
    return base::InvalidArgument("fill is ", options.fill, "; it is a part, from 0 to 1");
  }
  if (options.time_limit < absl::ZeroDuration()) {
    return base::InvalidArgument("time_limit is negative");
  }
  return state_->shrinker().Run(options);
}

absl::Status Store::Sync() const {
  const process::Session::Call call(state_->engine().session);
  COMMY_RETURN_IF_ERROR(call.status());
  return state_->engine().session.Sync();
}

const std::string& Store::path() const {
  return state_->engine().path;
}

std::string DescribeLayout() {
  return inspect::DescribeLayout();
}

std::string_view Version() {
  return base::kVersion;
}

}  // namespace commy
