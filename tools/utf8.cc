#include "utf8.h"

#include <cstdint>

namespace commy::tools {
namespace {

// The continuation of a first byte: the number of further bytes, and the range of the first of
// them. All later ones are 0x80 to 0xbf.
struct Shape {
  std::size_t bytes = 0;  // 0: no sequence begins with this byte.
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xbf;
};

Shape ShapeOf(std::uint8_t first) {
  if (first < 0x80) {
    return {.bytes = 1};
  }
  if (first >= 0xc2 && first <= 0xdf) {
    return {.bytes = 2};
  }
  if (first >= 0xe0 && first <= 0xef) {
    return {.bytes = 3,
            .second_min = static_cast<std::uint8_t>(first == 0xe0 ? 0xa0 : 0x80),
            .second_max = static_cast<std::uint8_t>(first == 0xed ? 0x9f : 0xbf)};
  }
  if (first >= 0xf0 && first <= 0xf4) {
    return {.bytes = 4,
            .second_min = static_cast<std::uint8_t>(first == 0xf0 ? 0x90 : 0x80),
            .second_max = static_cast<std::uint8_t>(first == 0xf4 ? 0x8f : 0xbf)};
  }
  return {};
}

}  // namespace

std::size_t Utf8SequenceBytes(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const Shape shape = ShapeOf(static_cast<std::uint8_t>(text[0]));
  if (shape.bytes > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < shape.bytes; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t least = i == 1 ? shape.second_min : std::uint8_t{0x80};
    const std::uint8_t most = i == 1 ? shape.second_max : std::uint8_t{0xbf};
    if (byte < least || byte > most) {
      return 0;
    }
  }
  return shape.bytes;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = Utf8SequenceBytes(text);
    if (bytes == 0) {
      return false;
    }
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace commy::tools
