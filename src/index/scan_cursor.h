// Where a scan is, in either shape.
#pragma once

#include <cstdint>
#include <string>

namespace commy::index {

struct ScanCursor {
  std::uint64_t hash = 0;  // In a hash namespace: at the segment that holds this hash.

  // In an ordered one. `open`: at the first key; in reverse, at the last.
  bool open = true;
  std::string bound;  // Keys from it on; in reverse, before it.
  // The upper bound of the records of one step: a step may then stop in the middle of a leaf.
  std::uint64_t limit = UINT64_MAX;
  bool inside = true;  // Of a leaf, perhaps; false: the bound was one of a leaf's.
};

}  // namespace commy::index
