// Bulk access to mapped bytes, and small arithmetic on sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace commy::base {

// Copies into private (not yet published) bytes of the region. All bulk stores into the region go
// through these two functions, so that tests can see each of them.
void CopyIn(void* destination, const void* source, std::size_t size_bytes);
void ZeroIn(void* destination, std::size_t size_bytes);

// `alignment` is a power of two. The caller has made sure that the sum does not overflow.
constexpr std::uint64_t AlignUp(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}
constexpr bool IsAligned(std::uint64_t value, std::uint64_t alignment) {
  return (value & (alignment - 1)) == 0;
}
constexpr bool IsPowerOfTwo(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

// "1.5 MiB", "312 B".
std::string HumanBytes(std::uint64_t size_bytes);

}  // namespace commy::base
