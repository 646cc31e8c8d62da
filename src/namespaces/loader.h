// Filling a namespace at once, with records of another store.
//
// The namespace has no name yet, and its store no other participant. So nothing is published here,
// nothing is noted for longer than a block takes to make, and a root is complete when it is first
// seen. What is left after an error or a death goes with the whole store.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/hash/builder.h"
#include "index/scan_cursor.h"
#include "index/tree/builder.h"
#include "namespaces/core.h"
#include "namespaces/counters.h"

namespace commy::namespaces {

class Loader {
 public:
  // `order` as in a namespace object, `id` with its tag. About so many keys will come.
  Loader(Core& core, const Counters& counters, std::uint64_t order, std::uint64_t id,
         std::uint64_t keys);

  // Copies a record: key and value, commit time, expiry, the alignment of the value. The records
  // come in the order of a scan, each key once. ResourceExhausted: no room in the file.
  absl::Status Add(process::Operation& op, const versions::RecordView& from);
  // The scan that the records come from has come to here.
  absl::Status PassTo(process::Operation& op, const index::ScanCursor& cursor);
  // All records have come. Makes the root, of that commit time, and notes it; returns its offset.
  absl::StatusOr<std::uint64_t> Finish(process::Operation& op, std::uint64_t commit);

  [[nodiscard]] std::uint64_t keys() const { return keys_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // Of the records.

 private:
  Core& core_;
  const Counters& counters_;
  const std::uint64_t id_;
  std::optional<index::HashBuilder> hash_;
  std::optional<index::TreeBuilder> tree_;
  std::uint64_t keys_ = 0;
  std::int64_t units_ = 0;  // See versions/units.h.
  std::uint64_t bytes_ = 0;
};

}  // namespace commy::namespaces
