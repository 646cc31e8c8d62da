// Block sizes that a store's spans are cut into.
//
// Steps of 16 bytes to 256, then of about 12 %, and last the sizes of which 8, 7, … 2 fit into a
// span. From 1 KiB on, sizes are multiples of 64, and so are the places of such blocks, so that
// structures made of cache lines are aligned. Larger blocks take whole spans.
//
// Each size is there twice. The second half of the classes is for blocks that stay where they are
// for good (see Stays()): they get spans of their own, since a span with one of them can never be
// emptied by moving what is in it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace commy::alloc {

struct SizeClass {
  std::uint32_t block_bytes = 0;
  std::uint32_t block_count = 0;  // In a span.
  std::uint32_t data_start = 0;   // Offset in the span of the first block.
  std::uint64_t reciprocal = 0;   // ceil(2^32 / block_bytes).
};

class SizeClasses {
 public:
  // Requires: span_bytes is a power of two of at least 4096.
  explicit SizeClasses(std::uint64_t span_bytes);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(classes_.size()); }
  // Whether a class is one of blocks that stay.
  [[nodiscard]] bool Stays(std::uint32_t index) const { return index >= count() / 2; }
  // The class of the same size for blocks that stay.
  [[nodiscard]] std::uint32_t ForThoseThatStay(std::uint32_t index) const {
    return Stays(index) ? index : index + count() / 2;
  }
  [[nodiscard]] const SizeClass& at(std::uint32_t index) const {
    COMMY_DCHECK(index < classes_.size());
    return classes_[index];
  }
  // Largest size that has a class.
  [[nodiscard]] std::uint64_t small_bytes_max() const { return classes_.back().block_bytes; }
  // Of blocks that move. Requires: 0 < size_bytes <= small_bytes_max().
  [[nodiscard]] std::uint32_t ClassFor(std::uint64_t size_bytes) const {
    COMMY_DCHECK(size_bytes != 0 && size_bytes <= small_bytes_max());
    const std::uint32_t found = by_size_[(size_bytes + 15) / 16];
    COMMY_DCHECK(at(found).block_bytes >= size_bytes);
    return found;
  }
  // Number of the block at `offset_in_span`; block_count or more if no block starts there.
  [[nodiscard]] std::uint32_t BlockIndex(const SizeClass& size_class,
                                         std::uint64_t offset_in_span) const;

 private:
  std::vector<SizeClass> classes_;
  std::vector<std::uint8_t> by_size_;  // By size in 16-byte units, rounded up.
};

}  // namespace commy::alloc
