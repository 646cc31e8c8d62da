// How much is done: the same numbers for every engine.
#pragma once

#include <chrono>
#include <cstdint>

namespace commy::compare {

using Clock = std::chrono::steady_clock;

struct Scale {
  std::uint64_t keys = 1'000'000;
  std::uint64_t rounds = 3;
  std::chrono::milliseconds row{500};      // How long an operation is repeated.
  std::chrono::milliseconds hang{60'000};  // After that long without a word, a worker hangs.
  std::uint64_t kills = 20;
  std::chrono::milliseconds kill_hang{2'000};  // Likewise of who comes after a killed writer.
  // Before each row everything is written to disk. Then its pages are no longer writable without a
  // fault, as in life every 5 to 30 seconds.
  bool sync = true;
};

}  // namespace commy::compare
