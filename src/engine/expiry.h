// The expiry sweep: deletes expired keys, a little at a time, each namespace in its turn.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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
  // For a write of `key` that found the store full: deletes the expired keys of its segment or
  // leaf. Then the index may need no further block, though no block of that size is free. Any
  // thread, also beside Run(). Does nothing if the thread is inside a callback.
  void RunBeside(process::Lane& lane, const NamespaceKey& ns, std::string_view key);

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
  // Returns how many of the keys it deleted; the others stay due.
  std::uint64_t Delete(process::Lane& lane, const NamespaceKey& ns,
                       const std::vector<std::string>& keys);

  const Engine& engine_;
  std::mutex mutex_;
  std::deque<QueuedTurn> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace commy::engine
