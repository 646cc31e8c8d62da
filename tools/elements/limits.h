// The limits of a deque as options of a command and in the header of a dump.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

#include "commy/commy.h"
#include "commy/internal/queue.h"
#include "jsonl_header.h"

namespace commy::tools {

// Those that were given.
struct LimitOptions {
  std::optional<std::uint64_t> capacity;
  std::optional<std::uint32_t> max_deliveries;
  std::optional<std::string> dead_letters;

  [[nodiscard]] bool Any() const {
    return capacity.has_value() || max_deliveries.has_value() || dead_letters.has_value();
  }
  // These, and `limits` where none was given.
  [[nodiscard]] QueueLimits Over(const QueueLimits& limits) const;
};

// --capacity, --max-deliveries and --dead-letters.
void AddLimitOptions(CLI::App& command, LimitOptions& limits);

// Those of a header, and the other way round.
LimitOptions LimitsOf(const JsonlHeader& header);
void SetLimitsIn(const QueueLimits& limits, JsonlHeader& header);

// Whether a deque of the type `type` at `path` may have these limits, before there is one. The
// namespace of the dead letters may be missing.
absl::Status CheckDeadLetters(const Store& store, const std::string& path, const std::string& type,
                              const QueueLimits& limits);

// Sets limits of the deque at `path`. InvalidArgument: the namespace is none.
absl::Status SetLimits(const Store& store, const Namespace& ns, const LimitOptions& limits);

}  // namespace commy::tools
