// The namespace of one run of `commy bench`, which creates it first and drops it at the end.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "bench/worker.h"
#include "commy/commy.h"

namespace commy::tools::bench {

class BenchNamespace {
 public:
  // Creates the namespace, with a key that names its benchmark. Drops the namespace of a killed
  // benchmark first.
  // AlreadyExists: the namespace belongs to another user, or to a benchmark that is running.
  // ResourceExhausted: there may not be enough room for all keys, twice.
  static absl::StatusOr<BenchNamespace> Create(const Store& store, const Plan& plan, bool ordered);

  // Drops the namespace. The caller must call this; the destructor does not.
  absl::Status Drop();

  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  BenchNamespace(Store store, Namespace ns) : store_(std::move(store)), ns_(std::move(ns)) {}

  Store store_;
  Namespace ns_;
};

// Bytes available to new blocks: free bytes in the file, and its growth, within the disk's free
// space. `disk_free_bytes` is that of the file system.
std::uint64_t RoomBytes(const StoreStats& stats, std::uint64_t disk_free_bytes);
// An upper bound of the bytes of all keys, each with one superseded value.
std::uint64_t NeededBytes(const Plan& plan);

}  // namespace commy::tools::bench
