// The counter of a namespace: see namespaces/sums.h.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine/engine.h"

namespace commy::engine {

// InvalidArgument: the namespace is no counter.
absl::Status AddToSum(const Engine& engine, const NamespaceKey& key, std::uint64_t delta);
absl::StatusOr<std::uint64_t> SumOf(const Engine& engine, const NamespaceKey& key);
// What it was.
absl::StatusOr<std::uint64_t> ResetSum(const Engine& engine, const NamespaceKey& key);

}  // namespace commy::engine
