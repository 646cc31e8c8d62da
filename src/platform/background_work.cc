// BackgroundWork: two counters, which only ever wait for each other with a bound.
//
// No lock: one that a fork() takes would have to be given back by a child whose thread has another
// id. The second to come sees the other's count and steps back: work gives way to a fork().
#include "platform/background_work.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/check.h"
#include "platform/fork_handlers.h"

namespace commy::platform {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kPause = std::chrono::microseconds(50);

std::atomic<std::uint32_t> working{0};
std::atomic<std::uint32_t> forking{0};

}  // namespace

BackgroundWork::BackgroundWork() {
  for (;;) {
    working.fetch_add(1);
    if (forking.load() == 0) {
      return;
    }
    working.fetch_sub(1);
    while (forking.load() != 0) {
      std::this_thread::sleep_for(kPause);
    }
  }
}

BackgroundWork::BackgroundWork(BackgroundWork&& other) noexcept
    : counted_(std::exchange(other.counted_, false)) {}

BackgroundWork::~BackgroundWork() {
  if (counted_) {
    [[maybe_unused]] const std::uint32_t before = working.fetch_sub(1);
    COMMY_DCHECK(before != 0);
  }
}

void HoldBackgroundWork() {
  forking.fetch_add(1);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (working.load() != 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
  }
}

void LetBackgroundWorkGoOn() {
  [[maybe_unused]] const std::uint32_t before = forking.fetch_sub(1);
  COMMY_DCHECK(before != 0);
}

void ForgetBackgroundWork() {
  // The threads that worked or forked are the parent's.
  working.store(0);
  forking.store(0);
}

}  // namespace commy::platform
