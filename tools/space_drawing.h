// The map of a store's file as an SVG: what each place of the file is, and whose.
//
// Two pictures side by side have a cell for each span, or for several spans of a large file, in
// the order of the file. The colour says what the span is (on the left) or which namespace has most
// of it (on the right), and is paler the less of it is in use. A row has a tooltip with its
// figures. Text of users is escaped; colours follow `prefers-color-scheme`.
#pragma once

#include <string>

#include "commy/info.h"
#include "inspect/space_map.h"

namespace commy::tools {

std::string DrawSpace(const StoreStats& stats, const inspect::SpaceMap& map);

}  // namespace commy::tools
