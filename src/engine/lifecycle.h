// The life of namespaces: create, open, list, rename, clear, drop, and the default time to live.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/result.h"
#include "commy/info.h"
#include "engine/engine.h"

namespace commy::engine {

absl::StatusOr<std::pair<NamespaceKey, Order>> OpenNamespace(const Engine& engine,
                                                             std::string_view path,
                                                             const NamespaceOptions& options);
// A hash namespace of this library's own, at a path that users cannot name; made if there is none.
absl::StatusOr<NamespaceKey> OpenHidden(const Engine& engine, std::string_view path);
absl::Status DropNamespace(const Engine& engine, std::string_view path);
absl::Status RenameNamespace(const Engine& engine, std::string_view from, std::string_view to);
absl::StatusOr<std::vector<NamespaceInfo>> ListNamespaces(const Engine& engine,
                                                          std::string_view prefix);
// Clears the namespace, and reclaims its old content.
absl::Status Clear(const Engine& engine, const NamespaceKey& key);

// When a record that is written there now expires: see namespaces::Expiry::For. For a namespace
// that is gone, a time that no operation will use.
[[nodiscard]] std::int64_t ExpiryFor(const Engine& engine, const NamespaceKey& key,
                                     std::int64_t expiry_ns);
// Of the values that are written there now.
[[nodiscard]] std::uint64_t ValueAlignFor(const Engine& engine, const NamespaceKey& key);
absl::Status SetDefaultTtl(const Engine& engine, const NamespaceKey& key, absl::Duration ttl);

// Takes a marked namespace out of the catalog's names; if there is no room for that, reclaims some
// of its content first. `path_hint`: where it was, if that is known.
base::Result FinishDrop(const Engine& engine, const NamespaceKey& key, std::string_view path_hint);
// Reclaims the content of dropped namespaces, until the (monotonic) deadline.
absl::Status RemoveDropped(const Engine& engine, std::int64_t deadline_ns);

// Work on all of a namespace is done in pieces, each under a pin of its own, so that the epoch can
// move.
inline constexpr std::int64_t kPieceNs = 2'000'000;
inline constexpr std::int64_t kNoDeadline = INT64_MAX;
[[nodiscard]] inline std::int64_t PieceDeadline(const Engine& engine) {
  return engine.session.platform().MonotonicNs() + kPieceNs;
}

// InvalidArgument unless `path` has 1 to 1,024 bytes of non-empty parts between slashes.
absl::Status CheckPath(std::string_view path);
// A time to live in nanoseconds; 0: infinite. InvalidArgument: it is not positive.
absl::StatusOr<std::int64_t> CheckTtl(absl::Duration ttl);
// The reverse.
absl::Duration ToTtl(std::int64_t ttl_ns);

}  // namespace commy::engine
