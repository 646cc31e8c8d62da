// The parts of a file, with their names: one list for text, JSON, metrics and the map.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "commy/info.h"

namespace commy::tools {

struct SpacePart {
  std::string_view key;  // In JSON, with "_bytes" behind it, and as the label of a metric.
  std::string_view name;
  std::string_view about;
  std::uint64_t bytes = 0;
};

// They add up to the file.
std::array<SpacePart, 11> SpaceParts(const SpaceUse& space);

// "12.3%"; of nothing "-".
std::string ShowPart(std::uint64_t part, std::uint64_t whole);

}  // namespace commy::tools
