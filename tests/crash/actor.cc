#include "crash/actor.h"

#include <vector>

#include "base/status.h"
#include "commy/internal/sequence_sizes.h"
#include "platform/platform.h"

namespace commy::test {

Options CrashOptions() {
  Options options;
  options.max_size = std::uint64_t{4} << 20;
  options.testing.chunk_bytes = 64 << 10;
  options.testing.span_bytes = 4 << 10;
  options.testing.segment_buckets = 2;  // A full bucket then has one with empty slots beside it.
  options.testing.leaf_keys = 4;
  options.testing.leaf_append = 2;
  options.testing.node_children = 3;
  options.participants = 12;
  options.threads = 28;
  options.testing.background = false;
  return options;
}

absl::Status Actor::Attach(const Model& model, bool inside) {
  // Vectors of a few i64 have a tree, too.
  internal::SetSequenceSizes({.run_bytes = 24,
                              .run_bytes_most = 48,
                              .leaf_bytes = 64,
                              .bulk_leaf_bytes = 128,
                              .root_entries = 2,
                              .node_entries = 4});
  COMMY_ASSIGN_OR_RETURN(Store opened, Store::Open(path_, CrashOptions()));
  store_.emplace(std::move(opened));
  // By id: an earlier victim may have renamed one already, or be dropping it.
  COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> there, store_->ListNamespaces());
  for (const NamespaceInfo& info : model.names.empty() ? std::vector<NamespaceInfo>() : there) {
    absl::StatusOr<Namespace> ns = store_->OpenNamespace(info.path, {.create_if_missing = false});
    if (ns.ok()) {
      handles_.emplace(info.id, *std::move(ns));
    } else if (!absl::IsNotFound(ns.status())) {
      return ns.status();
    }
  }
  if (inside) {
    COMMY_ASSIGN_OR_RETURN(inside_, api::Open(platform::Platform::Real(), path_, CrashOptions()));
    inside_->engine().session.clock().Beat();
    inside_->engine().session.clock().Beat();  // From here on it sweeps expired keys.
  }
  return absl::OkStatus();
}

absl::Status Actor::Close() {
  handles_.clear();
  snapshots.clear();
  absl::Status status = store_.has_value() ? store_->Close() : absl::OkStatus();
  store_.reset();
  if (inside_ != nullptr) {
    status.Update(inside_->Close());
    inside_.reset();
  }
  return status;
}

const Namespace* Actor::ns(std::uint64_t id) const {
  const auto at = handles_.find(id);
  return at == handles_.end() ? nullptr : &at->second;
}

}  // namespace commy::test
