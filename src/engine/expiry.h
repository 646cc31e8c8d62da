// The expiry sweep: deletes expired keys, a little at a time, each namespace in its turn.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "absl/base/thread_annotations.h"

#include "engine/engine.h"

namespace commy::engine {

struct ExpiryWork {
  std::int64_t budget_ns = 0;
  bool begin = true;  // Also where keys have become due; else only go on.
  // Wait for another thread that is sweeping; and longer than the budget if nothing is found.
  bool wait = false;
};

class ExpirySweep {
 public:
  explicit ExpirySweep(const Engine& engine) : engine_(engine) {}
  ExpirySweep(const ExpirySweep&) = delete;
  ExpirySweep& operator=(const ExpirySweep&) = delete;

  // Deletes keys that have expired. True: some are left. Any thread; one sweeps at a time.
  bool Run(const ExpiryWork& work);

 private:
  // Namespaces whose turn it is, one after the other, and how far the sweep has come there.
  struct QueuedTurn {
    NamespaceKey key;
    namespaces::ExpiryPass pass;
  };

  void QueueDue(process::Lane& lane, std::int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sweeps one namespace for the length of its turn. Returns how many keys were deleted; the pass
  // is not in progress any more: it is done, or cannot be.
  std::uint64_t Turn(process::Lane& lane, const NamespaceKey& key, namespaces::ExpiryPass* pass);

  const Engine& engine_;
  std::mutex mutex_;
  std::deque<QueuedTurn> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace commy::engine
