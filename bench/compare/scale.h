// The amount of work, the same for every engine.
#pragma once

#include <chrono>
#include <cstdint>

namespace commy::compare {

using Clock = std::chrono::steady_clock;

struct Scale {
  std::uint64_t keys = 1'000'000;
  std::uint64_t space_keys = 2'000'000;
  std::uint64_t rounds = 3;
  std::chrono::milliseconds row{500};      // How long an operation is repeated.
  std::chrono::milliseconds hang{60'000};  // A worker that is silent for longer hangs.
  std::uint64_t kills = 20;
  std::chrono::milliseconds kill_hang{2'000};  // The same for the successor of a killed writer.
  // Whether everything is written to disk before each row. The pages are then no longer writable
  // without a fault, as happens in practice every 5 to 30 seconds.
  bool sync = true;
};

}  // namespace commy::compare
