// As of when something is read.
#pragma once

#include <cstdint>

#include "versions/record.h"

namespace commy::versions {

struct AsOf {
  std::uint64_t time = kCommitTimeMax;  // Commits up to this one count.
  std::int64_t store_ns = 0;  // A record that expired by this time is absent; 0: the present.
  // For a transaction that is validated: its own intents, which do not count. A foreign intent that
  // is being validated as of this time or earlier is a conflict for it.
  std::uint64_t own_intent = kUndecided;

  [[nodiscard]] bool is_now() const { return time == kCommitTimeMax; }
};

}  // namespace commy::versions
