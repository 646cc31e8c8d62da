// Owner words: which participant holds a lane or a snapshot. The generation tells apart the
// participants that one entry has had.
//
//   {generation:48, slot + 1:16}; 0: no owner
#pragma once

#include <cstdint>

namespace commy::process {

constexpr std::uint64_t PackOwner(std::uint32_t slot, std::uint64_t generation) {
  return (generation << 16U) | (slot + 1U);
}
constexpr std::uint32_t OwnerSlot(std::uint64_t owner) {
  return static_cast<std::uint32_t>(owner & 0xffffU) - 1U;
}
constexpr std::uint64_t OwnerGeneration(std::uint64_t owner) {
  return owner >> 16U;
}

// The low byte of a participant entry's state; 0: free.
inline constexpr std::uint64_t kAttached = 1;
inline constexpr std::uint64_t kGone = 2;  // It is dead, and is being recovered.

}  // namespace commy::process
