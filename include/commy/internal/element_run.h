// Elements of a sequence one behind the other, as they lie in the file. Not for users.
#pragma once

#include <cstdint>
#include <string_view>

namespace commy::internal {

// Elements of one size (`width` bytes each), or of any sizes (`width` 0): then each has its length
// before it, 4 bytes.
struct ElementRun {
  std::uint32_t width = 0;
  std::uint64_t count = 0;
  std::string_view bytes;
};

}  // namespace commy::internal
