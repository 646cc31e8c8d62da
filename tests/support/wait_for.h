// Waiting for a condition, with a deadline.
//
// The one place in the tests that lets time pass: it checks the condition repeatedly. A test never
// sleeps to "give the other a moment"; it names here the state that it waits for.
#pragma once

#include <chrono>
#include <thread>

namespace commy::test {

// Far above what anything takes, since a loaded machine may stall us; reached only in failures.
inline constexpr std::chrono::seconds kDeadline{30};

// Whether `condition` became true before the deadline.
template <typename Condition>
[[nodiscard]] bool WaitFor(Condition condition, std::chrono::nanoseconds deadline = kDeadline) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + deadline;
  std::chrono::microseconds pause{20};
  while (!condition()) {
    if (Clock::now() >= end) {
      return condition();
    }
    std::this_thread::sleep_for(pause);
    pause = pause < std::chrono::microseconds{1000} ? pause * 2 : pause;
  }
  return true;
}

}  // namespace commy::test
