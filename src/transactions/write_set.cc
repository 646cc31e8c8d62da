#include "transactions/write_set.h"

#include <limits>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "engine/lifecycle.h"

namespace commy::transactions {

absl::Status CheckKey(std::string_view key) {
  if (key.size() > versions::kKeyBytesMax) [[unlikely]] {
    return base::InvalidArgument("the key has ", key.size(), " bytes; a key has at most ",
                                 versions::kKeyBytesMax);
  }
  return absl::OkStatus();
}

absl::Status CheckValueSize(std::uint64_t size_bytes) {
  if (size_bytes > versions::kValueBytesMax) [[unlikely]] {
    return base::InvalidArgument("the value has ", size_bytes, " bytes; a value has at most ",
                                 versions::kValueBytesMax);
  }
  return absl::OkStatus();
}

absl::Status CheckValue(std::string_view value) {
  return CheckValueSize(value.size());
}

absl::StatusOr<std::int64_t> ExpiryOf(const engine::NamespaceState& ns,
                                      std::optional<absl::Duration> ttl) {
  if (!ttl.has_value()) {
    return versions::kExpiryByDefault;
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t ttl_ns, engine::CheckTtl(*ttl));
  return ttl_ns == 0 ? 0 : versions::ExpiryIn(ttl_ns, ns.engine().session.clock().NowNs());
}

absl::Status WriteSet::Set(const std::shared_ptr<const engine::NamespaceState>& ns,
                           std::string_view key, transactions::PendingWrite write) {
  COMMY_DCHECK(write.value.size() <= versions::kValueBytesMax);
  COMMY_DCHECK(!write.tombstone || write.bytes().empty());
  COMMY_RETURN_IF_ERROR(CheckKey(key));
  NamespaceWrites& writes = namespaces_[ns->key.id];
  if (writes.ns == nullptr) {
    writes.ns = ns;
  } else if (writes.ns->store != ns->store) {
    return base::InvalidArgument("the namespace ", ns->path, " is of another store, ",
                                 ns->store->path(), ", or of another Open() than ", writes.ns->path,
                                 " of ", writes.ns->store->path());
  }
  puts_ += write.tombstone ? 0 : 1;
  const auto [at, is_new] = writes.keys.try_emplace(std::string(key));
  at->second = std::move(write);
  size_ += is_new ? 1 : 0;
  return absl::OkStatus();
}

absl::Status WriteSet::Put(const std::shared_ptr<const engine::NamespaceState>& ns,
                           std::string_view key, std::string_view value,
                           const PutOptions& options) {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*ns, options.ttl));
  return PutUntil(ns, key, value, expiry);
}

absl::Status WriteSet::PutUntil(const std::shared_ptr<const engine::NamespaceState>& ns,
                                std::string_view key, std::string_view value,
                                std::int64_t expiry_ns) {
  COMMY_RETURN_IF_ERROR(CheckValue(value));
  return Set(ns, key, transactions::PendingWrite{false, std::string(value), expiry_ns});
}

absl::Status WriteSet::PutLasting(const std::shared_ptr<const engine::NamespaceState>& ns,
                                  std::string_view key, std::string_view value) {
  COMMY_RETURN_IF_ERROR(CheckValue(value));
  return Set(ns, key, transactions::PendingWrite{false, std::string(), 0, value});
}

absl::Status WriteSet::Delete(const std::shared_ptr<const engine::NamespaceState>& ns,
                              std::string_view key) {
  return Set(ns, key, transactions::PendingWrite{true, std::string(), 0});
}

const NamespaceWrites* WriteSet::Of(const engine::NamespaceState& ns) const {
  const auto found = namespaces_.find(ns.key.id);
  return found == namespaces_.end() ? nullptr : &found->second;
}

const transactions::PendingWrite* WriteSet::Find(const engine::NamespaceState& ns,
                                                 std::string_view key) const {
  const NamespaceWrites* const writes = Of(ns);
  if (writes == nullptr) {
    return nullptr;
  }
  const auto found = writes->keys.find(base::ToAbsl(key));
  return found == writes->keys.end() ? nullptr : &found->second;
}

}  // namespace commy::transactions
