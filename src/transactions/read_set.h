// The keys and ranges that a serializable transaction has read, in this process's memory, and their
// validation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"

#include "base/result.h"
#include "engine/namespace_state.h"
#include "transactions/write_set.h"
#include "versions/intents.h"

namespace commy::transactions {

// The part of a namespace that a serializable transaction has seen by a scan, for its validation.
struct ReadRange {
  std::shared_ptr<const engine::NamespaceState> ns;
  bool any = false;                 // Nothing was read yet.
  std::string low;                  // Keys from this one on,
  std::optional<std::string> high;  // and before this one, if any;
  std::uint64_t hash_end = 0;       // in a hash namespace: with a hash below this one; 0: all.
};

// The link from a scan to its transaction.
struct ScanWithin {
  versions::AsOf as_of;
  const transactions::NamespaceWrites* writes =
      nullptr;                       // Its own; looked at when the scan is made.
  std::shared_ptr<const bool> over;  // Whether the transaction is.
  std::shared_ptr<ReadRange> range;  // Null: it need not be recorded.
};

class ReadSet {
 public:
  void AddKey(const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key);
  // The scan records in it how far it came.
  std::shared_ptr<transactions::ReadRange> AddRange(
      const std::shared_ptr<const engine::NamespaceState>& ns);

  // kDone: everything that was read as of `then` is the same as of `time`, the transaction's own
  // intents aside; kConflict: it is not. Calls `step` from time to time. Requires: the calling
  // thread is in an operation, in which `then` is held.
  base::Result SameAsOf(const engine::Engine& engine, const versions::AsOf& then,
                        std::uint64_t time, std::uint64_t own_intent,
                        absl::FunctionRef<void()> step) const;

 private:
  struct Keys {
    std::shared_ptr<const engine::NamespaceState> ns;
    absl::flat_hash_set<std::string> keys;
  };

  base::Result Compare(const engine::Engine& engine, const versions::AsOf& then,
                       const versions::AsOf& now, absl::FunctionRef<void()> step) const;

  absl::flat_hash_map<std::uint64_t, Keys> keys_;  // By namespace id.
  std::vector<std::shared_ptr<transactions::ReadRange>> ranges_;
};

}  // namespace commy::transactions
