// As of when something is read.
#pragma once

#include <cstdint>

#include "versions/record.h"

namespace commy::versions {

struct AsOf {
  std::uint64_t time = kCommitTimeMax;  // Commits up to this one count.
  std::int64_t store_ns = 0;  // A record that has expired at this time is not there; 0: by now.
  // For a transaction that is validated: its own intents, which do not count. A foreign one that is
  // being validated as of the time or before is a conflict for it.
  std::uint64_t own_intent = kUndecided;

  [[nodiscard]] bool is_now() const { return time == kCommitTimeMax; }
};

}  // namespace commy::versions
