// XXH3-64, the one hash and checksum of the file format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace commy::base {

// Hash of a key under a store's seed.
std::uint64_t HashKey(std::string_view key, std::uint64_t seed);

// Checksum of `size_bytes` bytes. Never 0, so that 0 can mean "none".
std::uint64_t Checksum(const void* data, std::size_t size_bytes);

}  // namespace commy::base
