// The namespace in which `commy bench` works: made for it, and dropped after it.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "bench/worker.h"
#include "commy/commy.h"

namespace commy::tools::bench {

class BenchNamespace {
 public:
  // Makes the namespace, in which a key marks whose it is. One that a killed benchmark left is
  // dropped first.
  // AlreadyExists: it is there, and somebody else's, or of a benchmark that is running.
  // ResourceExhausted: there may not be room enough for all keys, twice.
  static absl::StatusOr<BenchNamespace> Create(const Store& store, const Plan& plan, bool ordered);

  // Drops the namespace. Must be called; nothing else does.
  absl::Status Drop();

  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  BenchNamespace(Store store, Namespace ns) : store_(std::move(store)), ns_(std::move(ns)) {}

  Store store_;
  Namespace ns_;
};

// What is left for new blocks: in the file, and by its growth, as far as the disk has room.
// `disk_free_bytes` is that of the file system.
std::uint64_t RoomBytes(const StoreStats& stats, std::uint64_t disk_free_bytes);
// What the keys take at most, while each has an old value too.
std::uint64_t NeededBytes(const Plan& plan);

}  // namespace commy::tools::bench
