// The work of the heartbeat in a store that this process has changed, in pieces that are short.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "engine/expiry.h"

namespace commy::engine {

class Maintenance {
 public:
  // How long a beat may take for the namespaces; more while there is more to do.
  static constexpr std::int64_t kBudgetNs = 50'000'000;
  static constexpr std::int64_t kBudgetMaxNs = 400'000'000;
  static_assert(kBudgetNs <= kBudgetMaxNs);

  explicit Maintenance(const Engine& engine) : engine_(engine), expiry_(engine) {}
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  // Removes dropped namespaces, reclaims cleared roots, deletes expired keys, sweeps marked
  // segments. Each heartbeat; also called by tests. True: some expired keys are left, for GoOn().
  bool Background();
  // Another piece of that. False: nothing was left.
  bool GoOn();
  // A short piece of Background() for a session that has written and lived for less than a beat: so
  // stores that only such processes use are swept, too.
  void BeforeTheEnd();

  // Until the (monotonic) deadline; at least a piece. True: nothing was left.
  bool MaintainNamespaces(std::int64_t deadline_ns);
  [[nodiscard]] ExpirySweep& expiry() { return expiry_; }

 private:
  // The namespaces that have something to do.
  std::vector<NamespaceKey> ListToMaintain(process::Lane& lane, bool waiting) const;
  // A piece. True: nothing is left.
  absl::StatusOr<bool> MaintainNamespace(process::Lane& lane, const NamespaceKey& key,
                                         bool waiting);

  const Engine& engine_;
  ExpirySweep expiry_;
  std::atomic<bool> worked_{false};  // Background() was called, or is not needed any more.
  std::atomic<std::int64_t> budget_ns_{kBudgetNs};
  std::atomic<std::uint64_t> turn_{0};  // The namespace that a beat begins with.
  // snapshots_ended when this process last swept the versions that wait for that; not yet: all
  // ones.
  std::atomic<std::uint64_t> swept_ended_{UINT64_MAX};
};

}  // namespace commy::engine
