// What a store reports about itself: the results of Store::ListNamespaces(), Participants(),
// Stats(), Memory() and Check(). Plain values; they do not change after the call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "commy/options.h"

namespace commy {

// One namespace, as of the call.
struct NamespaceInfo {
  std::string path;
  std::uint64_t id = 0;  // Never used twice in a store.
  Order order = Order::kHash;
  // What its keys and values are: "map<u64,string>"; see docs/types.md. Empty: any bytes.
  std::string type;
  // As Namespace::Size() counts them: expired keys count until they are swept.
  std::uint64_t keys = 0;
  // What these keys take: of each the record of its present value (the key, the value, and a head
  // of some tens of bytes), rounded up to 16. As exact as `keys`. Left out are the index, what
  // blocks are larger than records, and older values that are kept for a snapshot.
  std::uint64_t bytes = 0;
  std::uint64_t quota_bytes = 0;  // Of the namespace itself; 0: none.
  // Of keys that are put without one. Infinite: such keys never expire.
  absl::Duration default_ttl = absl::InfiniteDuration();
};

// A quota of a path, as of the call; see Store::SetPathQuota().
struct PathQuota {
  std::string path;
  std::uint64_t quota_bytes = 0;
  std::uint64_t bytes = 0;  // That the keys of all namespaces under the path take.
};

enum class Liveness : std::uint8_t {
  kLive,
  kStalled,  // Silent for longer than stale_after, but its process exists.
  kDead,     // Its process is gone. Another participant will recover what it left.
};

// One participant: a process that has the store open. A process that opens it twice is two.
struct ParticipantInfo {
  std::uint32_t slot = 0;  // Its place in the store's table of participants, from 0.
  std::uint64_t pid = 0;   // As its own pid namespace numbers it.
  std::string name;        // Options::process_name.
  absl::Time started;
  absl::Duration heartbeat_age;  // Since its last sign of life, by the wall clock.
  Liveness liveness = Liveness::kLive;
  bool read_only = false;
  std::uint32_t lanes = 0;  // Threads that use the store.
  // Writes and other changes begun in these threads' lanes, also under earlier owners of the
  // lanes. Reads are not counted.
  std::uint64_t operations = 0;
  std::string doing;  // "idle", or the kind of its longest running operation.
  // For how long, at least, one of its reads or operations has kept replaced and deleted values
  // from being reused. Zero: it keeps none. Some milliseconds are normal.
  absl::Duration pinned_for;
  // Bytes that wait for that. If several participants hold back the same bytes, each counts them.
  std::uint64_t held_back_bytes = 0;
  std::uint64_t snapshots = 0;  // That it holds, including those of scans.
  absl::Duration oldest_snapshot_age;
  // As StoreStats::snapshot_kept_bytes, of its own snapshots. Bytes that snapshots of several
  // participants see are counted for each of them.
  std::uint64_t snapshot_kept_bytes = 0;
};

// The spans that are cut into blocks of one size.
struct ClassSpace {
  std::uint64_t block_bytes = 0;
  std::uint64_t spans = 0;
  std::uint64_t blocks = 0;      // That there is room for in these spans. Of them
  std::uint64_t used = 0;        // are in use, and
  std::uint64_t retired = 0;     // were replaced or deleted, reusable by now or not.
  std::uint64_t free_bytes = 0;  // Of the rest.
};

// Where the bytes of a file are: each of them is in one part, so the parts add up to file_bytes,
// also while others write. Each part counts bytes of the file; a sparse one takes less on disk.
struct SpaceUse {
  std::uint64_t header_bytes = 0;
  // Participants, lanes, snapshots, a word for each span that there may be. Sparse.
  std::uint64_t table_bytes = 0;
  std::uint64_t live_bytes = 0;        // Blocks in use, with their rounding.
  std::uint64_t reusable_bytes = 0;    // Replaced or deleted, and nobody can still see it.
  std::uint64_t waiting_bytes = 0;     // Likewise, but a reader may still see it; see held_by.
  std::uint64_t fragmented_bytes = 0;  // Free blocks in spans that serve one size of blocks.
  std::uint64_t overhead_bytes = 0;  // Of these spans: heads, a state a block, the rest at the end.
  std::uint64_t free_bytes = 0;      // Free spans, but those that are counted next.
  std::uint64_t reserve_bytes = 0;   // Free spans at the end of the file, kept ahead of need.
  std::uint64_t hole_bytes = 0;      // Free spans that were given back: they take no disk blocks.
  std::uint64_t end_bytes = 0;       // Reserved behind the last span: the next growth uses it.

  std::uint64_t large_bytes = 0;  // Of live_bytes: blocks of whole spans.
  // Of the rest of live_bytes, of fragmented_bytes and of overhead_bytes: each block size that has
  // spans, in ascending order.
  std::vector<ClassSpace> classes;
  // If waiting_bytes or snapshot_kept_bytes are not 0, the participants that hold something back,
  // as sentences: "process 4711 (indexer) has been in a read or an operation for 3s". Empty while
  // bytes wait: the epoch moves, and they come free within a moment.
  std::vector<std::string> held_by;

  // All parts.
  [[nodiscard]] std::uint64_t sum() const {
    return header_bytes + table_bytes + live_bytes + reusable_bytes + waiting_bytes +
           fragmented_bytes + overhead_bytes + free_bytes + reserve_bytes + hole_bytes + end_bytes;
  }
};

struct StoreStats {
  std::string path;
  std::string uuid;  // 32 hexadecimal digits.
  std::uint32_t format_version = 0;
  std::uint64_t max_size_bytes = 0;
  std::uint64_t file_bytes = 0;     // Apparent size.
  std::uint64_t disk_bytes = 0;     // Blocks taken on disk.
  std::uint64_t used_bytes = 0;     // Blocks in use, with their rounding.
  std::uint64_t retired_bytes = 0;  // Replaced; reused once no reader can still see them.
  std::uint64_t free_bytes = 0;     // Inside the file, for reuse; without holes.
  SpaceUse space;                   // All of file_bytes, part by part.
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;   // Of all namespaces; see NamespaceInfo::keys.
  std::uint64_t bytes = 0;  // Likewise; see NamespaceInfo::bytes.
  std::vector<PathQuota> path_quotas;
  // Goes up with each commit.
  std::uint64_t commit_clock = 0;
  // Goes up while the store is written to and no reader holds it back. If it stands still and
  // retired_bytes grows, see ParticipantInfo::pinned_for.
  std::uint64_t epoch = 0;
  std::uint64_t participants = 0;
  std::uint64_t snapshots = 0;  // Held by all participants, including those of scans.
  absl::Duration oldest_snapshot_age;
  // Bytes of values that were replaced, deleted or cleared and that a snapshot still sees. It
  // estimates what a release of all snapshots would free. The index of what was cleared and the
  // cost of remembering that keys were deleted are left out. While a snapshot is held, finding
  // this out costs a load for each segment of the index.
  std::uint64_t snapshot_kept_bytes = 0;
  // The options that are fixed at creation, as the file has them; so is max_size_bytes.
  std::uint64_t participants_max = 0;
  std::uint64_t threads_max = 0;
  std::uint64_t snapshots_max = 0;
  absl::Duration stale_after;
  absl::Duration operation_timeout;
  absl::Duration heartbeat_interval;
  // Options of this Open, given or left at their defaults, that differ from what the file has.
  std::vector<std::string> differences;
};

// Of this process's mapping of the file.
struct MemoryInfo {
  std::uint64_t resident_bytes = 0;  // Of the file, in memory.
  // The part of resident_bytes in large pages (of 2 MiB), which cost fewer page faults and fewer
  // misses of the address cache. 0 where the file system or the kernel has none for files; only
  // speed depends on it.
  std::uint64_t large_page_bytes = 0;
};

// The result of Store::ShrinkToUsage().
struct ShrinkReport {
  // False: a limit came first. The next call goes on.
  bool done = false;
  std::uint64_t disk_bytes_before = 0;  // Blocks taken on disk,
  std::uint64_t disk_bytes_after = 0;
  std::uint64_t file_bytes_before = 0;  // and the apparent size.
  std::uint64_t file_bytes_after = 0;
  // Bytes that the file's end will be cut by when the last participant closes the store.
  std::uint64_t end_bytes = 0;
  std::uint64_t moved_blocks = 0;
  std::uint64_t moved_bytes = 0;
  // Bytes in the spans that could not be emptied, and how many of their blocks stay: because an
  // older version is kept for a snapshot; because a transaction or another change is at work there;
  // or because they never move (descriptions of namespaces, counters, separators of ordered ones).
  std::uint64_t stuck_bytes = 0;
  std::uint64_t stuck_for_snapshots = 0;
  std::uint64_t stuck_busy = 0;
  std::uint64_t stuck_for_good = 0;
  // Bytes that were replaced, deleted or moved, and that a reader may still see. They come free
  // when the participants named below go on.
  std::uint64_t waiting_bytes = 0;
  // Participants that keep something, as sentences: "process 4711 (indexer) has been in a read for
  // 3s".
  std::vector<std::string> held_by;
};

// The result of Store::Check().
struct CheckReport {
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;    // Of these keys; see NamespaceInfo::bytes.
  std::uint64_t records = 0;  // Versions of keys, including tombstones (records of deletes).
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_reachable = 0;
  std::uint64_t blocks_in_flight = 0;  // Held by operations in flight.
  std::uint64_t blocks_leaked = 0;     // In use, but unreachable: 0 in a sound store.
  std::uint64_t bytes_leaked = 0;
  std::vector<std::string> faults;  // Descriptions of what is wrong; the first 100 at most.
  std::uint64_t fault_count = 0;

  // Whether there is no fault and no leaked block.
  [[nodiscard]] bool sound() const { return fault_count == 0 && blocks_leaked == 0; }
};

}  // namespace commy
