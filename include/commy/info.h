// What a store tells about itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "commy/options.h"

namespace commy {

struct NamespaceInfo {
  std::string path;
  std::uint64_t id = 0;  // Never used twice in a store.
  Order order = Order::kHash;
  std::uint64_t keys = 0;
  absl::Duration default_ttl = absl::InfiniteDuration();
};

enum class Liveness : std::uint8_t {
  kLive,
  kStalled,  // Silent for longer than stale_after, but its process exists.
  kDead,     // Its process is gone; whoever comes by recovers what it left.
};

struct ParticipantInfo {
  std::uint32_t slot = 0;
  std::uint64_t pid = 0;
  std::string name;
  absl::Time started;
  absl::Duration heartbeat_age;
  Liveness liveness = Liveness::kLive;
  bool read_only = false;
  std::uint32_t lanes = 0;       // Threads that use the store.
  std::uint64_t operations = 0;  // Begun by these threads' lanes, also under earlier owners.
  std::string doing;             // "idle", or the kind of its longest running operation.
  // For how long, at least, it has kept replaced and deleted values from being reused, because it
  // has been reading since before; zero: it does not. Some milliseconds are normal.
  absl::Duration pinned_for;
  std::uint64_t held_back_bytes = 0;  // What waits for that. Another one may hold it back as well.
  std::uint64_t snapshots = 0;        // That it holds, those of scans included.
  absl::Duration oldest_snapshot_age;
  std::uint64_t snapshot_kept_bytes = 0;  // As in StoreStats, of its own snapshots. What another
                                          // one's snapshot sees too counts for both.
};

struct StoreStats {
  std::string path;
  std::string uuid;
  std::uint32_t format_version = 0;
  std::uint64_t max_size_bytes = 0;
  std::uint64_t file_bytes = 0;     // Apparent size.
  std::uint64_t disk_bytes = 0;     // Blocks taken on disk.
  std::uint64_t used_bytes = 0;     // Blocks in use, with their rounding.
  std::uint64_t retired_bytes = 0;  // Replaced, waiting until nobody can be reading them.
  std::uint64_t free_bytes = 0;     // Inside the file, for reuse.
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  std::uint64_t commit_clock = 0;
  std::uint64_t epoch = 0;
  std::uint64_t participants = 0;
  std::uint64_t snapshots = 0;  // Held by all, those of scans included.
  absl::Duration oldest_snapshot_age;
  // Blocks of values that were replaced, deleted or cleared, and that a snapshot still sees. An estimate
  // of what would come back if all were released: without the index of what was cleared, and what it
  // costs that keys were deleted. Looking takes a load for each segment of the index, while any is held.
  std::uint64_t snapshot_kept_bytes = 0;
  absl::Duration stale_after;
  absl::Duration operation_timeout;
  absl::Duration heartbeat_interval;
  std::vector<std::string> differences;  // Options that this Open gave but the file overrides.
};

// Of this process's mapping of the file.
struct MemoryInfo {
  std::uint64_t resident_bytes = 0;  // Of the file, in memory.
  // Of these, what lies in large pages (of 2 MiB): fewer faults and fewer misses of the address cache.
  // 0 where the file system or the kernel has none for files; that costs speed and nothing else.
  std::uint64_t large_page_bytes = 0;
};

struct CheckReport {
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  std::uint64_t records = 0;  // Versions, tombstones included.
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_reachable = 0;
  std::uint64_t blocks_in_flight = 0;  // Held by operations that are under way.
  std::uint64_t blocks_leaked = 0;     // In use, but reachable by nobody: 0 in a sound store.
  std::uint64_t bytes_leaked = 0;
  std::vector<std::string>
      faults;  // At most 100; empty and blocks_leaked == 0: the store is sound.
  std::uint64_t fault_count = 0;

  [[nodiscard]] bool sound() const { return fault_count == 0 && blocks_leaked == 0; }
};

}  // namespace commy
