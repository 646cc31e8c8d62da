#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"

namespace commy::base {

std::uint64_t HashKey(std::string_view key, std::uint64_t seed) {
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

std::uint64_t Checksum(const void* data, std::size_t size_bytes) {
  COMMY_DCHECK(data != nullptr || size_bytes == 0);
  const std::uint64_t sum = XXH3_64bits(data, size_bytes);
  return sum == 0 ? 1 : sum;
}

}  // namespace commy::base
