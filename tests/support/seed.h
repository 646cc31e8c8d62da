// Seeds of randomized tests.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace commy::test {

// A seed for this run: the environment's COMMY_SEED if set, else a fresh one. Printed, so that a
// failure can be repeated.
inline std::uint64_t Seed() {
  const char* const given = std::getenv("COMMY_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::uint64_t{std::random_device{}()};
  std::printf("COMMY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

}  // namespace commy::test
