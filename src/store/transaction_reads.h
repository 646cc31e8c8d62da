// What a serializable transaction has read, in this process's memory, and whether it is still so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "index/intents.h"
#include "store/handles.h"

namespace commy::store {

class ReadSet {
 public:
  void AddKey(const std::shared_ptr<const NamespaceState>& ns, std::string_view key);
  // To be told by the scan how far it came.
  std::shared_ptr<ReadRange> AddRange(const std::shared_ptr<const NamespaceState>& ns);

  // Whether everything that was read as of `then` is the same as of `time`, the transaction's own
  // intents aside. Calls `step` from time to time. Requires: the calling thread is in an operation, in
  // which `then` is held.
  absl::StatusOr<bool> SameAsOf(StoreImpl& store, const index::AsOf& then, std::uint64_t time,
                                std::uint64_t own_intent, absl::FunctionRef<void()> step) const;

 private:
  struct Keys {
    std::shared_ptr<const NamespaceState> ns;
    absl::flat_hash_set<std::string> keys;
  };

  absl::flat_hash_map<std::uint64_t, Keys> keys_;  // By namespace id.
  std::vector<std::shared_ptr<ReadRange>> ranges_;
};

}  // namespace commy::store
