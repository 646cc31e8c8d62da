// Option structs of the public API. Every member has an initializer: name what differs.
//
//   Store::Open("fleet.commy", {.create_if_missing = false, .read_only = true});
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

namespace commy {

class Snapshot;

// How to open a store. Some options are fixed at creation: max_size, participants, threads,
// snapshots, stale_after, operation_timeout, heartbeat_interval and most of testing. For an
// existing store they are taken from the file. Store::Stats() reports them, and in `differences`
// those that differ from what was asked for here, given or left at their defaults (testing aside).
struct Options {
  // Create the store if there is no file at the path.
  bool create_if_missing = true;
  // Fail with AlreadyExists if there is one.
  bool error_if_exists = false;
  // Attach, but refuse every write with FailedPrecondition. The process still needs permission to
  // write the file.
  bool read_only = false;

  // The file never grows past this many bytes. From 10 MiB (with the defaults below) to 1 TiB.
  // Costs address space, not disk.
  std::uint64_t max_size = std::uint64_t{64} << 30;
  // How many processes may have the store open at once; a process that opens it twice counts twice.
  // Open() of one more fails with ResourceExhausted. 1 to 65,534. Each costs 256 bytes on disk.
  std::uint64_t participants = 256;
  // How many threads, of all processes together, may use the store at once; each occupies a lane.
  // A thread keeps its lane from its first call until it ends, also while it is idle or stopped.
  // The lanes of a killed process return with its recovery. A thread takes one more lane for each
  // further 15 views that it holds at once. Add one for the heartbeat thread of each process that
  // has changed the store. Calls of one more thread fail with ResourceExhausted.
  // 4 to 65,526. Each costs 1,024 bytes of the file, which take disk once the lane is needed, and
  // 8 bytes in each namespace to which that number of threads write.
  std::uint64_t threads = 4096;
  // How many snapshots all processes together may hold at once, including those of scans and of
  // transactions. Store::TakeSnapshot() of one more fails with ResourceExhausted. 1 to 1,048,576.
  // Each costs 32 bytes on disk; the values that it keeps are extra.
  std::uint64_t snapshots = 1024;
  // A participant that has been silent for this long is shown as stalled. 1 ms to 1 day.
  absl::Duration stale_after = absl::Seconds(5);
  // The time limit of a Store::Write(), and of a transaction that sets none itself. It also bounds
  // how long a stopped process can leave a commit undecided. Once a participant has been silent
  // for this long (and for stale_after, and two heartbeat intervals), the heartbeat of another one
  // decides its commits in flight: those that lack only their commit time are completed, the
  // others aborted. A transaction that stands in the way of another writer is aborted much
  // earlier, after milliseconds; see Transaction. 1 ms to 1 day.
  absl::Duration operation_timeout = absl::Seconds(60);
  // How often each participant shows that it is alive, recovers dead ones and does background
  // work. 1 ms to 1 day.
  absl::Duration heartbeat_interval = absl::Seconds(1);

  // Let the heartbeat of this process give space back: when much of the file is unused, it moves
  // blocks together, a few milliseconds a second, and gives disk blocks back. One process of the
  // store does it at a time. See Store::ShrinkToUsage().
  bool background_shrink = true;

  // Shown to people by `commy ps`; bytes after the 63rd are cut off. Empty: the name of the
  // process.
  std::string process_name = std::string();

  // Sizes that make rare paths happen often. For tests of programs and of Commy; slower and larger.
  struct Testing {
    std::uint64_t chunk_bytes = std::uint64_t{2} << 20;
    std::uint64_t span_bytes = std::uint64_t{64} << 10;
    std::uint32_t segment_buckets = 31;
    // How large this process makes the nodes of ordered namespaces; not kept in the file.
    std::uint32_t leaf_keys = 48;
    std::uint32_t leaf_append = 16;
    std::uint32_t node_children = 64;
    bool background = true;  // Run the heartbeat thread.
  };
  Testing testing = Testing();
};

// How far a shrink has come.
struct ShrinkProgress {
  std::uint64_t moved_bytes = 0;
  std::uint64_t round = 0;  // From 1 on: each looks at the whole store again.
};

// What Store::ShrinkToUsage() may do, and how long.
struct ShrinkOptions {
  // Spans (64 KiB of equal blocks) of which at most this part is in use are emptied. 0 to 1. The
  // larger it is, the denser the store gets, and the more is moved for each byte that is gained.
  double fill = 0.8;
  // Also moves what lies near the end of the file to the front, so that the file can be cut when
  // the last participant closes the store.
  bool move_end = true;
  // Ends after this many bytes were moved, or after this time, about; the next call goes on. At
  // least a little is done.
  std::uint64_t bytes_limit = UINT64_MAX;
  absl::Duration time_limit = absl::InfiniteDuration();
  // Called some hundred times a second by the calling thread, which must not use the store in it.
  // False: the shrink ends, as after a limit.
  std::function<bool(const ShrinkProgress&)> progress = nullptr;
};

// In which order a namespace keeps its keys.
enum class Order : std::uint8_t {
  kHash = 1,     // None that means anything. Fastest for single keys.
  kOrdered = 2,  // Bytewise. Scans visit only their range.
};

struct NamespaceOptions {
  // Order of a new namespace; kHash unless given. If an existing namespace has another order,
  // opening it fails with InvalidArgument.
  std::optional<Order> order = std::nullopt;
  // Create the namespace if there is none at the path.
  bool create_if_missing = true;
  // What its keys and values are, as text: "map<u64,string>"; see docs/types.md.
  // Store::OpenShared() fills this in from the types of the program. If the namespace has another
  // type, opening it fails with InvalidArgument, which names both; but fields may be added at the
  // end of a struct. Empty: a new namespace holds any bytes, and one of any type is opened, as
  // bytes.
  std::string type = std::string();
  // If the namespace has no type, give it `type`. The caller vouches that what is there is of that
  // type. Else opening an untyped namespace with a type fails with FailedPrecondition.
  bool adopt_untyped = false;
  // Time to live of keys that are put without one, until it is set again. Must be positive;
  // infinite: such keys never expire. It is also set on an existing namespace, where the keys that
  // are already there are unaffected. Unless given, a new namespace gets infinite, and an existing
  // one keeps its own.
  std::optional<absl::Duration> default_ttl = std::nullopt;
  // The most that its keys may take, in bytes; see Namespace::SetQuota(). It is also set on an
  // existing namespace. Unless given, a new namespace gets none, and an existing one keeps its own.
  std::optional<std::uint64_t> quota_bytes = std::nullopt;
};

struct PutOptions {
  // Time to live; must be positive. Once it has elapsed, the key reads as deleted. Infinite: never.
  // Unless given, the namespace's default applies. Time goes on while the machine sleeps, and
  // setting the wall clock does not change it.
  std::optional<absl::Duration> ttl = std::nullopt;
};

struct ReadOptions {
  // Read the state that this snapshot sees. It must come from the same Open as the namespace
  // (else InvalidArgument), and live until the call returns. Null: read the present state.
  const Snapshot* snapshot = nullptr;
};

struct ScanOptions {
  // Only keys from `from` on (inclusive), before `to` (exclusive; empty: to the end), and
  // beginning with `prefix`. All three apply.
  std::string from = std::string();
  std::string to = std::string();
  std::string prefix = std::string();
  // At most this many keys.
  std::uint64_t limit = UINT64_MAX;
  bool reverse = false;  // Last key first. Ordered namespaces only.
  // Scan the state that this snapshot sees; it must outlive the scan. Null: the scan takes a
  // snapshot of its own when it begins and releases it when it ends, so that it sees the keys of
  // one moment.
  const Snapshot* snapshot = nullptr;
  // If false, and no snapshot is given, the scan takes none and sees each key as it is when the
  // scan reaches it. Every key that is present throughout the scan is seen exactly once. Keys that
  // are added or removed meanwhile may or may not be seen. Use it for scans that delete what they
  // see, so that the space is freed at once.
  bool consistent = true;
};

// What CompareAndSwap compares with and writes. nullopt: absent.
struct Swap {
  std::optional<std::string_view> expected = std::nullopt;
  std::optional<std::string_view> desired = std::nullopt;
};

// What an Update callback decides: put a value, delete the key, or keep it as it is.
class Change {
 public:
  static Change Put(std::string value, PutOptions options = PutOptions()) {
    return Change(Kind::kPut, std::move(value), options);
  }
  static Change Delete() { return Change(Kind::kDelete, std::string(), PutOptions()); }
  static Change Keep() { return Change(Kind::kKeep, std::string(), PutOptions()); }

  enum class Kind : std::uint8_t { kPut, kDelete, kKeep };
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const std::string& value() const { return value_; }
  [[nodiscard]] const PutOptions& options() const { return options_; }

 private:
  Change(Kind kind, std::string value, PutOptions options)
      : kind_(kind), value_(std::move(value)), options_(options) {}

  Kind kind_;
  std::string value_;
  PutOptions options_;
};

}  // namespace commy
