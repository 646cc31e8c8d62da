// Option structs of the public API. Every member has an initializer: name what differs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

namespace commy {

class Snapshot;

// How to open a store. What is fixed at creation (max_size, stale_after, operation_timeout,
// heartbeat_interval, testing) is taken from the file of an existing store; Stats() tells it.
struct Options {
  bool create_if_missing = true;
  bool error_if_exists = false;
  // Attach, but refuse every write with FailedPrecondition.
  bool read_only = false;

  // The file never grows past this many bytes. From 10 MiB (with the defaults below) to 1 TiB.
  // Costs address space, not disk.
  std::uint64_t max_size = std::uint64_t{64} << 30;
  // A participant that has been silent for this long is shown as stalled. 1 ms to 1 day.
  absl::Duration stale_after = absl::Seconds(5);
  // A transaction takes no longer than this, unless it says so; and of a participant that has been silent
  // for this long (and for stale_after), what it is committing is aborted by others. 1 ms to 1 day.
  absl::Duration operation_timeout = absl::Seconds(60);
  absl::Duration heartbeat_interval = absl::Seconds(1);

  // Shown to people by `commy ps`; at most 63 bytes. Empty: the name of the process.
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
    std::uint32_t participant_count = 256;
    std::uint32_t lane_count = 4104;      // A few of them are kept for recovery.
    std::uint32_t snapshot_count = 1024;  // Held at a time.
    bool background = true;               // Run the heartbeat thread.
  };
  Testing testing = Testing();
};

// In which order a namespace keeps its keys.
enum class Order : std::uint8_t {
  kHash = 1,     // None that means anything. Fastest for single keys.
  kOrdered = 2,  // Bytewise.
};

struct NamespaceOptions {
  // Of a new namespace: kHash unless given. Of an existing one: InvalidArgument if it differs.
  std::optional<Order> order = std::nullopt;
  bool create_if_missing = true;
  // The time to live of what is put without one, until somebody sets another. More than nothing;
  // infinite: it does not expire. Of an existing namespace, too: what its keys have stays. Unless given:
  // infinite for a new one, and left as it is for an existing one.
  std::optional<absl::Duration> default_ttl = std::nullopt;
};

struct PutOptions {
  // After this time, more than nothing, the key is as if it were deleted. Infinite: never. Unless given:
  // the namespace's default. It counts the machine's sleep, and does not heed the wall clock being set.
  std::optional<absl::Duration> ttl = std::nullopt;
};

struct ReadOptions {
  // Read as of then. Of the same Open as the namespace (InvalidArgument else). Null: as of now.
  const Snapshot* snapshot = nullptr;
};

struct ScanOptions {
  // Only keys from `from` on (inclusive), before `to` (exclusive; empty: to the end), and
  // beginning with `prefix`.
  std::string from = std::string();
  std::string to = std::string();
  std::string prefix = std::string();
  std::uint64_t limit = UINT64_MAX;
  bool reverse = false;  // Last key first. Ordered namespaces only.
  // Scan as of then; it must outlive the scan. Null: the scan takes one of its own when it begins and
  // releases it when it ends, so that it sees the keys of one moment.
  const Snapshot* snapshot = nullptr;
  // False, and no snapshot given: what is there when the scan comes by. Every key that is there from
  // begin to end of the scan is seen exactly once; keys that come or go meanwhile may or may not be
  // seen. For scans that delete what they see, so that the space comes back at once.
  bool consistent = true;
};

// What CompareAndSwap compares with and writes. nullopt: absent.
struct Swap {
  std::optional<std::string_view> expected = std::nullopt;
  std::optional<std::string_view> desired = std::nullopt;
};

// What an Update callback decides.
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
