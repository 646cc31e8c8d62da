// A hash index that is built at once, of keys whose number and hashes are known piece by piece.
//
// For a root that no name leads to yet, in a store that no other participant has: there is no
// publishing in it, and no note that recovery could need.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/hash/hash_shape.h"
#include "process/operation.h"

namespace commy::index {

// Each segment is as shallow as its keys allow: it is made when all that belong there have come, so
// none is made to be split. And segments are of the size with which they are full. Keeps the slots
// of a few segments in memory.
class HashBuilder {
 public:
  // About so many keys will come.
  HashBuilder(HashShape& shape, std::uint64_t keys);

  // A key's record, which expires then (0: never). The hashes come in the order of a scan: none is
  // below what PassTo() has said.
  void Add(std::uint64_t hash, std::uint64_t record_offset, std::int64_t expiry_ns) {
    COMMY_DCHECK(hash >= passed_);
    pending_.push_back({hash, record_offset, static_cast<std::uint64_t>(expiry_ns)});
  }
  // All keys with hashes below this one have come; a scan that begins again, at 0, has passed all.
  // ResourceExhausted: no room in the file; or too many keys have one hash.
  absl::Status PassTo(process::Operation& op, std::uint64_t hash);
  // All keys have come. Returns the offset of the directory.
  absl::StatusOr<std::uint64_t> Finish(process::Operation& op);

  // When the first of the keys expires; 0: none does.
  [[nodiscard]] std::uint64_t due() const { return due_; }

 private:
  struct Pending {
    std::uint64_t hash;
    std::uint64_t record_offset;
    std::uint64_t due;
  };
  struct Built {
    std::uint64_t offset;
    std::uint64_t prefix;
    std::uint64_t depth;
  };

  // Makes the segments whose hashes are all up to `last`.
  absl::Status Make(process::Operation& op, std::uint64_t last);
  // How many of the pending ones belong to the segment of this depth at `from_`.
  [[nodiscard]] std::size_t CountOf(std::uint64_t depth) const;
  [[nodiscard]] bool FitsASegment(std::size_t count) const;
  absl::Status MakeSegment(process::Operation& op, std::uint64_t depth, std::size_t count);

  // The number of buckets a segment with which so many keys take the least room.
  [[nodiscard]] std::uint64_t BucketsFor(std::uint64_t keys) const;
  [[nodiscard]] double BytesOfSegment(std::uint64_t buckets) const;

  HashShape& shape_;
  const std::uint64_t bucket_count_;
  std::vector<Pending> pending_;  // Not in a segment yet.
  std::vector<Built> built_;
  std::uint64_t from_ = 0;    // Where the next segment begins.
  bool complete_ = false;     // There is no next one.
  std::uint64_t passed_ = 0;  // No hash below it comes any more.
  std::uint64_t due_ = 0;
};

}  // namespace commy::index
