// Options and report of Store::Backup().
#pragma once

#include <cstdint>
#include <functional>

namespace commy {

struct BackupOptions {
  // If there is a store at the destination, or an empty file, put the backup in its place, at one
  // moment. Never another file, or a store that some process has open.
  bool overwrite = false;
  // At most so many bytes of keys and values are copied in a second, and they are written to disk
  // on the way; 0: no limit.
  std::uint64_t bytes_per_second = 0;
  // Called now and then, by the calling thread, with the keys that were copied and how many there
  // are, about. If it returns false, the backup stops with Cancelled. May be empty.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress = nullptr;
};

struct BackupReport {
  std::uint64_t source_bytes = 0;       // On disk.
  std::uint64_t destination_bytes = 0;  // On disk.
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  // The moment that the backup shows, as Snapshot::commit_time() counts.
  std::uint64_t commit_time = 0;
};

}  // namespace commy
