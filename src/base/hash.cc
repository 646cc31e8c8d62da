#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/hash_wide.h"

namespace commy::base {
namespace {

// From this size on a look at the processor is worth it.
[[maybe_unused]] constexpr std::size_t kWideBytes = 1024;

std::uint64_t Sum(const void* data, std::size_t size_bytes) {
#if defined(COMMY_WIDE_CHECKSUM)
  if (size_bytes >= kWideBytes && __builtin_cpu_supports("avx2") != 0) {
    return WideChecksum(data, size_bytes);
  }
#endif
  return XXH3_64bits(data, size_bytes);
}

}  // namespace

std::uint64_t HashKey(std::string_view key, std::uint64_t seed) {
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

std::uint64_t Checksum(const void* data, std::size_t size_bytes) {
  COMMY_DCHECK(data != nullptr || size_bytes == 0);
  const std::uint64_t sum = Sum(data, size_bytes);
  return sum == 0 ? 1 : sum;
}

}  // namespace commy::base
