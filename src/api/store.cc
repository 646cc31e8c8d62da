// The public Store.
#include "commy/store.h"

#include "base/status.h"
#include "base/version.h"
#include "engine/namespace_state.h"
#include "inspect/describe_layout.h"

namespace commy {

absl::StatusOr<Store> Store::Open(const std::string& path, const Options& options) {
  COMMY_ASSIGN_OR_RETURN(std::shared_ptr<engine::StoreImpl> impl,
                         engine::StoreImpl::Open(platform::Platform::Real(), path, options));
  return Store(std::move(impl));
}

absl::Status Store::Close() {
  return impl_->Close();
}

absl::StatusOr<Namespace> Store::OpenNamespace(std::string_view path,
                                               NamespaceOptions options) const {
  COMMY_ASSIGN_OR_RETURN(const auto found, impl_->OpenNamespace(path, options));
  return Namespace(std::make_shared<engine::NamespaceState>(
      engine::NamespaceState{impl_, found.first, std::string(path), found.second}));
}

absl::Status Store::DropNamespace(std::string_view path) const {
  return impl_->DropNamespace(path);
}

absl::Status Store::RenameNamespace(std::string_view from, std::string_view to) const {
  return impl_->RenameNamespace(from, to);
}

absl::StatusOr<std::vector<NamespaceInfo>> Store::ListNamespaces(std::string_view prefix) const {
  return impl_->ListNamespaces(prefix);
}

absl::StatusOr<std::vector<ParticipantInfo>> Store::ParticipantsOf(const std::string& path) {
  return engine::StoreImpl::ParticipantsOf(platform::Platform::Real(), path);
}

absl::StatusOr<std::vector<ParticipantInfo>> Store::Participants() const {
  return impl_->Participants();
}

absl::StatusOr<StoreStats> Store::Stats() const {
  return impl_->Stats();
}
absl::StatusOr<MemoryInfo> Store::Memory() const {
  return impl_->Memory();
}
absl::StatusOr<CheckReport> Store::Check() const {
  return impl_->Check();
}

absl::Status Store::Sync() const {
  const process::Session::Call call(impl_->session());
  COMMY_RETURN_IF_ERROR(call.status());
  return impl_->session().Sync();
}

const std::string& Store::path() const {
  return impl_->path();
}

std::string DescribeLayout() {
  return inspect::DescribeLayout();
}

std::string_view Version() {
  return base::kVersion;
}

}  // namespace commy
