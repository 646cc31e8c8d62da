// The gate in front of writes that grow a namespace with a quota.
//
// A namespace's word says whether it has one: writes into any other namespace pay one branch. What
// the gate does is the engine's part: engine/quotas.h.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

#include "base/result.h"
#include "namespaces/namespace_ref.h"

namespace commy::namespaces {

// The word of a quota is {by path:1, bytes:63}. Bytes: the namespace's own quota; 0: none. By path:
// a quota of a path may cover it, or may have.
inline constexpr std::uint64_t kQuotaByPath = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kQuotaBytesMax = kQuotaByPath - 1;
inline bool HasQuota(const NamespaceObject& object) {
  return object.quota_bytes.load(std::memory_order_relaxed) != 0;
}
inline std::uint64_t OwnQuota(const NamespaceObject& object) {
  return object.quota_bytes.load(std::memory_order_relaxed) & kQuotaBytesMax;
}

// By how much an operation is about to change what a namespace takes.
struct Growth {
  NamespaceRef ns;
  std::int64_t units = 0;
};

class QuotaGate {
 public:
  // Whether an operation may grow namespaces by that much, all of it. If not: kFailed, with
  // ResourceExhausted, which names the quota. Requires: the caller's operation, with its pin.
  virtual base::Result Admit(absl::Span<const Growth> growths) = 0;

 protected:
  ~QuotaGate() = default;
};

}  // namespace commy::namespaces
