// The checksum for processors with wide registers. Only hash.cc calls it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/shared_atomic.h"  // COMMY_UNDER_TSAN.

// Not where every access to memory is watched: 32 bytes at once would not be seen.
#if defined(__x86_64__) && !defined(COMMY_HOOKED) && !defined(COMMY_UNDER_TSAN)
#define COMMY_WIDE_CHECKSUM 1
#endif

#if defined(COMMY_WIDE_CHECKSUM)
namespace commy::base {

// XXH3-64. Requires: the processor has AVX2.
std::uint64_t WideChecksum(const void* data, std::size_t size_bytes);

}  // namespace commy::base
#endif
