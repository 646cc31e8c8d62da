// What a key takes, as its namespace counts it: the size of its newest record, in units. A function
// of the record alone, not of the block that it lies in, as it may be moved to another one: so what
// aligns its value does not count.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "versions/record.h"

namespace commy::versions {

inline constexpr std::uint64_t kUnitBytes = 16;

constexpr std::int64_t UnitsOfBytes(std::uint64_t bytes) {
  return static_cast<std::int64_t>(base::AlignUp(bytes, kUnitBytes) / kUnitBytes);
}

// Of a key whose newest version is `view`: 0 where there is none, or a tombstone.
inline std::int64_t UnitsOf(const RecordView& view) {
  return !view.valid() || view.tombstone() ? 0 : UnitsOfBytes(view.bytes() - view.pad_bytes());
}

// An op word announces the change of one write in 32 signed bits, and a cell holds 40.
inline constexpr std::int64_t kUnitsMax =
    (RecordBytes(kKeyBytesMax, kValueBytesMax, kValueAlignMax) + kUnitBytes - 1) / kUnitBytes;
static_assert(kUnitsMax < INT32_MAX);

}  // namespace commy::versions
