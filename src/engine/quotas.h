// Quotas: the most that the keys of a namespace, or of all namespaces under a path, may take.
//
// OF A NAMESPACE  Its object has the limit. Each write that grows it sums the counters first.
// OF A PATH       The limits are the keys of a hidden namespace, kPathQuotas: no path of a user
//                 begins with a slash. The header's `path_quotas` goes up with each change. Which
//                 namespaces a path covers follows from the catalog at that time: a namespace that
//                 is renamed leaves one quota and comes under another.
// BY PATH         The bit in the word of a namespace sends its writes here. A process sets it that
//                 makes a quota, or makes or renames a namespace, after that was published, so one
//                 of two that meet sees the other; if it was killed before it did, the next
//                 heartbeat of any process does so. It stays set: then a look finds no quota.
// SUMS            of a path are too dear for each write. A process that has summed and found room r
//                 may write r / 64 before it sums again, and not later than kFreshNs afterwards. So
//                 the quota of a path is exceeded by at most 1/64 of the room that was left, for
//                 each process that writes there, and by what is in flight.
// LOCK            one, in process memory, around looks that wait for no other process.
// TESTED          tests/engine/quotas_test.cc
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/info.h"
#include "engine/engine.h"
#include "namespaces/quota_gate.h"

namespace commy::engine {

inline constexpr std::string_view kPathQuotas = "/quotas";
// Of this library, and hidden from its users.
constexpr bool IsHiddenPath(std::string_view path) {
  return !path.empty() && path.front() == '/';
}

class Quotas final : public namespaces::QuotaGate {
 public:
  explicit Quotas(const Engine& engine) : engine_(engine) {}
  Quotas(const Quotas&) = delete;
  Quotas& operator=(const Quotas&) = delete;

  base::Result Admit(absl::Span<const namespaces::Growth> growths) override;

  // `bytes` 0: none any more.
  absl::Status SetOfPath(std::string_view path, std::uint64_t bytes);
  absl::StatusOr<std::vector<PathQuota>> List() const;
  // After a namespace came to its path: sets its bit if a quota covers that. Requires: the caller's
  // operation.
  void Mark(std::string_view path, const NamespaceRef& ns) const;
  // Of the heartbeat: sets the bits that are missing.
  void MarkAll();

 private:
  static constexpr std::int64_t kFreshNs = 100'000'000;
  static constexpr std::int64_t kShare = 64;

  using Covered = absl::flat_hash_map<std::uint64_t, std::uint64_t>;  // Object to id.
  struct Limit {
    std::string path;
    std::int64_t bytes = 0;
  };
  // A quota of a path, as this process has last looked.
  struct Budget {
    Limit limit;
    Covered covered;
    std::int64_t allowance = 0;  // That may be written before the next sum.
  };

  absl::StatusOr<std::vector<Limit>> ReadLimits() const;
  absl::Status ForEachCovered(std::string_view path,
                              absl::FunctionRef<void(const NamespaceRef&)> use) const;
  base::Result AdmitByPath(absl::Span<const namespaces::Growth> growths);
  // Looks again, if what is known is old or the quotas or the catalog have changed.
  absl::Status Refresh();
  // What the namespaces of a budget take.
  absl::StatusOr<std::int64_t> Sum(const Covered& covered) const;
  [[nodiscard]] std::string PathOf(const NamespaceRef& ns) const;
  void Announce(process::Operation& op) const;

  const Engine& engine_;
  std::mutex mutex_;
  std::vector<Budget> budgets_;
  std::uint64_t seen_change_ = 0;
  std::uint64_t seen_catalog_ = 0;
  std::int64_t looked_ns_ = INT64_MIN / 2;
  // Of MarkAll(), which one thread calls.
  std::uint64_t marked_change_ = 0;
  std::uint64_t marked_catalog_ = 0;
};

// The quota of a namespace; 0: none.
absl::Status SetQuota(const Engine& engine, const NamespaceKey& key, std::uint64_t bytes);
// InvalidArgument: too large.
absl::Status CheckQuota(std::uint64_t bytes);

}  // namespace commy::engine
