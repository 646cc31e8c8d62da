#include "space_parts.h"

#include "absl/strings/str_format.h"

namespace commy::tools {

std::array<SpacePart, 11> SpaceParts(const SpaceUse& space) {
  return {{
      {"header", "header", "", space.header_bytes},
      {"table", "tables", "participants, lanes, snapshots, span words; sparse", space.table_bytes},
      {"live", "live", "blocks in use", space.live_bytes},
      {"reusable", "retired, reusable", "replaced or deleted", space.reusable_bytes},
      {"waiting", "retired, waiting", "a reader may still see it", space.waiting_bytes},
      {"fragmented", "fragmented", "free blocks in spans of one size", space.fragmented_bytes},
      {"overhead", "span overhead", "heads, states, rests", space.overhead_bytes},
      {"free", "free spans", "", space.free_bytes},
      {"reserve", "reserve", "free spans kept ahead at the end", space.reserve_bytes},
      {"hole", "holes", "free spans without disk blocks", space.hole_bytes},
      {"end", "end", "reserved behind the last span", space.end_bytes},
  }};
}

std::string ShowPart(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-"
                    : absl::StrFormat("%.1f%%",
                                      100 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace commy::tools
