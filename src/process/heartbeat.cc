#include "process/heartbeat.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::process {
Heartbeat::Heartbeat(region::Region& region, OpenState& open, Participant& participant,
                     StoreClock& clock, Recovery& recovery, Epochs& epochs, const Hooks& hooks)
    : region_(region),
      platform_(region.platform()),
      open_(open),
      participant_(participant),
      clock_(clock),
      recovery_(recovery),
      epochs_(epochs),
      hooks_(hooks),
      observations_(region.geometry().participant_count),
      thread_() {}

Heartbeat::~Heartbeat() {
  if (open_.SameProcess()) {
    thread_.~Thread();
  }
}

bool Heartbeat::Beat() {
  participant_.Beat();
  clock_.Beat();
  LookAround();
  for (const auto& work : hooks_.each_beat) {
    work();
  }
  // A session that has changed nothing leaves the store as clean as it is, and a synced store stays
  // clean until the next write.
  bool more = false;
  if (region_.made_dirty()) {
    (void)epochs_.Push();
    DoUrgent();
    for (const auto& work : hooks_.background) {
      more = work() || more;
    }
  }
  return more;
}

bool Heartbeat::GoOn() {
  bool more = false;
  for (const auto& work : hooks_.go_on) {
    more = work() || more;
  }
  return more;
}

void Heartbeat::DoUrgent() {
  for (const auto& work : hooks_.urgent) {
    work();
  }
}

void Heartbeat::LookAround() {
  const Suspects suspects = FindSuspects();
  if (participant_.read_only()) {
    return;
  }
  for (const std::uint32_t slot : suspects.silent) {
    (void)recovery_.RecoverIfDead(slot);  // Asks the kernel; silence alone is only a reason to ask.
  }
  for (const std::uint32_t slot : suspects.overdue) {
    hooks_.stalled(slot);
  }
}

Heartbeat::Suspects Heartbeat::FindSuspects() {
  Suspects suspects;
  const region::Geometry& geometry = region_.geometry();
  const auto stale_after = static_cast<std::int64_t>(geometry.stale_after_ns);
  // A participant that merely has not come to its next beat yet is not overdue.
  const auto overdue_after =
      static_cast<std::int64_t>(std::max({geometry.operation_timeout_ns, geometry.stale_after_ns,
                                          2 * geometry.heartbeat_interval_ns}));
  const std::lock_guard<std::mutex> lock(watch_mutex_);
  const std::int64_t now = platform_.MonotonicNs();
  const bool was_asleep = last_look_ns_ != 0 && now - last_look_ns_ > stale_after;
  last_look_ns_ = now;
  for (std::uint32_t slot = 0; slot < observations_.size(); ++slot) {
    const region::ParticipantEntry& words = region_.participant(slot);
    const std::uint64_t state = words.state.load(std::memory_order_acquire);
    if (slot == participant_.slot() || (state & 0xffU) == 0) {
      continue;
    }
    Observation& seen = observations_[slot];
    const std::uint64_t beat = words.heartbeat.load(std::memory_order_acquire);
    if (was_asleep || seen.generation != state || seen.heartbeat != beat) {
      seen = {state, beat, now};  // A watcher that slept itself looks again before it judges.
    } else {
      suspects.silent.push_back(slot);
      if (now - seen.seen_ns >= overdue_after) {
        suspects.overdue.push_back(slot);
      }
    }
  }
  return suspects;
}

void Heartbeat::Nudge() {
  {
    const std::lock_guard<std::mutex> lock(thread_.mutex);
    thread_.nudged = true;
  }
  thread_.wake.notify_one();
}

void Heartbeat::Loop(platform::BackgroundWork beginning) {
  std::optional<platform::BackgroundWork> work(std::move(beginning));
  epochs_.EnsureBarrier();
  std::unique_lock<std::mutex> lock(thread_.mutex);
  while (!thread_.stop) {
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    const bool more = Beat();
    work.reset();  // No fork() waits between two beats.
    lock.lock();
    Rest(lock, began, more);
    lock.unlock();
    work.emplace();
    lock.lock();
  }
}

void Heartbeat::Rest(std::unique_lock<std::mutex>& lock,
                     std::chrono::steady_clock::time_point began, bool more) {
  using Clock = std::chrono::steady_clock;
  COMMY_DCHECK(lock.owns_lock());
  const auto interval = std::chrono::nanoseconds(region_.geometry().heartbeat_interval_ns);
  const auto is_called = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return thread_.stop || thread_.nudged;
  };
  auto now = Clock::now();
  const auto next_beat = now + interval;
  auto next_piece = now + (now - began);
  while (true) {
    thread_.wake.wait_until(lock, more ? std::min(next_beat, next_piece) : next_beat, is_called);
    now = Clock::now();
    if (thread_.stop || now >= next_beat) {
      return;
    }
    const bool urgent = std::exchange(thread_.nudged, false);
    lock.unlock();
    {
      const platform::BackgroundWork work;
      if (urgent) {
        DoUrgent();
      }
      if (more && now >= next_piece) {
        more = GoOn();
        const auto over = Clock::now();
        next_piece = over + (over - now);
      }
    }
    lock.lock();
  }
}

absl::Status Heartbeat::Start() {
  COMMY_DCHECK(!thread_.thread.joinable());
  try {
    thread_.thread =
        std::thread([this, work = platform::BackgroundWork()]() mutable { Loop(std::move(work)); });
  } catch (const std::system_error& error) {
    return base::ResourceExhausted(
        region_.path(), ": the thread of its heartbeat cannot be started: ", error.code().message(),
        "; allow more threads (`ulimit -u`, a container's pids limit)");
  }
  return absl::OkStatus();
}

void Heartbeat::Stop() {
  {
    const std::lock_guard<std::mutex> lock(thread_.mutex);
    thread_.stop = true;
  }
  ending_.store(true, std::memory_order_relaxed);
  thread_.wake.notify_one();
  if (thread_.thread.joinable()) {
    thread_.thread.join();
  }
}

}  // namespace commy::process
