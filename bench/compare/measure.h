// Repeats an operation for some time and returns how often a second it was done.
#pragma once

#include <chrono>
#include <cstdint>

#include "scale.h"

namespace commy::compare {

struct Limit {
  std::chrono::milliseconds time;
  std::uint64_t count = UINT64_MAX;
  std::uint64_t stride = 64;  // Operations between two looks at the clock.
};

struct Measured {
  std::uint64_t done = 0;
  double per_second = 0;
};

template <typename Step>
Measured Repeat(const Limit& limit, Step step) {
  Measured measured;
  const Clock::time_point start = Clock::now();
  const Clock::time_point end = start + limit.time;
  Clock::time_point now = start;
  while (measured.done < limit.count && now < end) {
    const std::uint64_t left = limit.count - measured.done;
    const std::uint64_t batch = left < limit.stride ? left : limit.stride;
    for (std::uint64_t i = 0; i < batch; ++i) {
      step();
    }
    measured.done += batch;
    now = Clock::now();
  }
  measured.per_second =
      static_cast<double>(measured.done) / std::chrono::duration<double>(now - start).count();
  return measured;
}

}  // namespace commy::compare
