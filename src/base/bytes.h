// Bulk access to mapped bytes, and small arithmetic on sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace commy::base {

// Copies into private (not yet published) bytes of the region. All bulk stores into the region go
// through these two functions, so that tests can see each of them.
void CopyIn(void* destination, const void* source, std::size_t size_bytes);
void ZeroIn(void* destination, std::size_t size_bytes);

constexpr bool IsPowerOfTwo(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}
// Requires: `alignment` is a power of two, and the sum does not overflow.
constexpr std::uint64_t AlignUp(std::uint64_t value, std::uint64_t alignment) {
  COMMY_DCHECK(IsPowerOfTwo(alignment));
  COMMY_DCHECK(value + alignment - 1 >= value);
  return (value + alignment - 1) & ~(alignment - 1);
}
// The next multiple of any `unit`. Requires: unit > 0, and the sum does not overflow.
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  COMMY_DCHECK(unit != 0 && value + unit - 1 >= value);
  return (value + unit - 1) / unit * unit;
}
// Requires: `alignment` is a power of two.
constexpr bool IsAligned(std::uint64_t value, std::uint64_t alignment) {
  COMMY_DCHECK(IsPowerOfTwo(alignment));
  return (value & (alignment - 1)) == 0;
}

// "1.5 MiB", "312 B".
std::string HumanBytes(std::uint64_t size_bytes);

}  // namespace commy::base
