// The heartbeat of a session, and its watch over those of others.
#include <algorithm>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "process/session.h"

namespace commy::process {
namespace {

using region::ParticipantSlot;

}  // namespace

bool Session::Beat() {
  ParticipantSlot& words = region_->participant(region_->slot_index());
  words.heartbeat.store(words.heartbeat.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  words.heartbeat_wall_ns.store(static_cast<std::uint64_t>(platform_.WallNs()),
                                std::memory_order_relaxed);
  clock_.Beat();
  LookAround();
  for (const auto& work : hooks_.each_beat) {
    work();
  }
  // A session that has changed nothing leaves the store as clean as it is, and a store that was
  // synced stays so until somebody writes.
  bool more = false;
  if (region_->made_dirty()) {
    (void)PushEpoch();
    DoUrgent();
    for (const auto& work : hooks_.background) {
      more = work() || more;
    }
  }
  return more;
}

bool Session::GoOn() {
  bool more = false;
  for (const auto& work : hooks_.go_on) {
    more = work() || more;
  }
  return more;
}

void Session::DoUrgent() {
  for (const auto& work : hooks_.urgent) {
    work();
  }
}

void Session::LookAround() {
  std::vector<std::uint32_t> silent;
  std::vector<std::uint32_t> overdue;
  const region::Geometry& geometry = region_->geometry();
  const auto stale_after = static_cast<std::int64_t>(geometry.stale_after_ns);
  // Nor is one overdue that merely has not come to its next beat yet.
  const auto overdue_after =
      static_cast<std::int64_t>(std::max({geometry.operation_timeout_ns, geometry.stale_after_ns,
                                          2 * geometry.heartbeat_interval_ns}));
  {
    const std::lock_guard<std::mutex> lock(watch_mutex_);
    const std::int64_t now = platform_.MonotonicNs();
    const bool was_asleep = last_look_ns_ != 0 && now - last_look_ns_ > stale_after;
    last_look_ns_ = now;
    for (std::uint32_t slot = 0; slot < observations_.size(); ++slot) {
      const ParticipantSlot& words = region_->participant(slot);
      const std::uint64_t state = words.state.load(std::memory_order_acquire);
      if (slot == region_->slot_index() || (state & 0xffU) == 0) {
        continue;
      }
      Observation& seen = observations_[slot];
      const std::uint64_t beat = words.heartbeat.load(std::memory_order_acquire);
      if (was_asleep || seen.generation != state || seen.heartbeat != beat) {
        seen = {state, beat, now};  // Who slept himself looks again before he judges.
      } else {
        silent.push_back(slot);
        if (now - seen.seen_ns >= overdue_after) {
          overdue.push_back(slot);
        }
      }
    }
  }
  if (options_.read_only) {
    return;
  }
  for (const std::uint32_t slot : silent) {
    (void)RecoverIfDead(slot);  // Asks the kernel; silence alone is only a reason to ask.
  }
  for (const std::uint32_t slot : overdue) {
    hooks_.stalled(slot);
  }
}

void Session::Nudge() {
  {
    const std::lock_guard<std::mutex> lock(heartbeat_.mutex);
    heartbeat_.nudged = true;
  }
  heartbeat_.wake.notify_one();
}

void Session::HeartbeatLoop(platform::BackgroundWork beginning) {
  std::optional<platform::BackgroundWork> work(std::move(beginning));
  if (!can_advance_.load(std::memory_order_acquire)) {
    ChooseBarrier();
    AnnounceFlags();
  }
  std::unique_lock<std::mutex> lock(heartbeat_.mutex);
  while (!heartbeat_.stop) {
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    const bool more = Beat();
    work.reset();  // No fork() waits for the time between two beats.
    lock.lock();
    Rest(lock, began, more);
    lock.unlock();
    work.emplace();
    lock.lock();
  }
}

void Session::Rest(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point began,
                   bool more) {
  using Clock = std::chrono::steady_clock;
  const auto interval = std::chrono::nanoseconds(region_->geometry().heartbeat_interval_ns);
  const auto is_called = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return heartbeat_.stop || heartbeat_.nudged;
  };
  auto now = Clock::now();
  const auto next_beat = now + interval;
  auto next_piece = now + (now - began);
  while (true) {
    heartbeat_.wake.wait_until(lock, more ? std::min(next_beat, next_piece) : next_beat, is_called);
    now = Clock::now();
    if (heartbeat_.stop || now >= next_beat) {
      return;
    }
    const bool urgent = std::exchange(heartbeat_.nudged, false);
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

absl::Status Session::StartHeartbeat() {
  try {
    heartbeat_.thread = std::thread(
        [this, work = platform::BackgroundWork()]() mutable { HeartbeatLoop(std::move(work)); });
  } catch (const std::system_error& error) {
    return base::ResourceExhausted(
        region_->path(),
        ": the thread of its heartbeat cannot be started: ", error.code().message(),
        "; allow more threads (`ulimit -u`, a container's pids limit)");
  }
  return absl::OkStatus();
}

void Session::StopHeartbeat() {
  {
    const std::lock_guard<std::mutex> lock(heartbeat_.mutex);
    heartbeat_.stop = true;
  }
  ending_.store(true, std::memory_order_relaxed);
  heartbeat_.wake.notify_one();
  if (heartbeat_.thread.joinable()) {
    heartbeat_.thread.join();
  }
}

}  // namespace commy::process
