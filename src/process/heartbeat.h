// The heartbeat of a session, its watch over the heartbeats of others, and the background work
// that upper floors hang on it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "platform/background_work.h"
#include "process/epochs.h"
#include "process/open_state.h"
#include "process/participants.h"
#include "process/recovery.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

class Heartbeat {
 public:
  Heartbeat(region::Region& region, OpenState& open, Participant& participant, StoreClock& clock,
            Recovery& recovery, Epochs& epochs, const Hooks& hooks);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  // Requires: stopped, or in a forked child.
  ~Heartbeat();

  // Starts the thread. Called at most once.
  absl::Status Start();
  // Ends the thread and waits for it. Idempotent.
  void Stop();

  // What the thread does each interval. True: go_on has more to do.
  bool Beat();
  // Makes the thread do what is urgent soon. Any thread, also in an operation.
  void Nudge();
  // Whether the session ends and waits for the thread: then its work shall stop. Any thread.
  [[nodiscard]] bool ending() const { return ending_.load(std::memory_order_relaxed); }

 private:
  // A participant as the last look saw it.
  struct Observation {
    std::uint64_t generation = 0;
    std::uint64_t heartbeat = 0;
    std::int64_t seen_ns = 0;
  };
  // Participant entries that deserve a question to the kernel, and a `stalled` hook.
  struct Suspects {
    std::vector<std::uint32_t> silent;
    std::vector<std::uint32_t> overdue;
  };

  void Loop(platform::BackgroundWork beginning);
  void DoUrgent();
  bool GoOn();
  // Until the next beat. `more`: the beat left something to do.
  void Rest(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point began,
            bool more);
  void LookAround();
  Suspects FindSuspects();

  region::Region& region_;
  platform::Platform& platform_;
  OpenState& open_;
  Participant& participant_;
  StoreClock& clock_;
  Recovery& recovery_;
  Epochs& epochs_;
  const Hooks& hooks_;
  std::atomic<bool> ending_{false};

  std::mutex watch_mutex_;
  std::vector<Observation> observations_ ABSL_GUARDED_BY(watch_mutex_);
  std::int64_t last_look_ns_ ABSL_GUARDED_BY(watch_mutex_) = 0;

  struct Thread {
    std::mutex mutex;
    std::condition_variable wake;
    bool stop ABSL_GUARDED_BY(mutex) = false;
    bool nudged ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;
  };
  // Destroyed by hand, and not in a forked child: the thread does not exist there, but the
  // condition variable's destructor would wait for its end.
  union {
    Thread thread_;
  };
};

}  // namespace commy::process
