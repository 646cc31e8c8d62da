#include "base/bytes.h"

#include <array>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace commy::base {

void CopyIn(void* destination, const void* source, std::size_t size_bytes) {
  if (size_bytes != 0) {
    COMMY_DCHECK(destination != nullptr && source != nullptr);
    std::memcpy(destination, source, size_bytes);
  }
}

void ZeroIn(void* destination, std::size_t size_bytes) {
  COMMY_DCHECK(destination != nullptr);
  std::memset(destination, 0, size_bytes);
}

std::string HumanBytes(std::uint64_t size_bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(size_bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value,
                kUnits.at(unit));
  return text.data();
}

}  // namespace commy::base
