// Tables of text, and words for their cells.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commy/info.h"

namespace commy::tools {

// Each column is as wide as its widest cell; numbers are right-aligned. The first row is the
// heading.
std::string Table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& to_the_right);

// "live", "stalled" or "dead".
std::string_view LivenessName(Liveness liveness);

// How long a participant has held back memory, and how many bytes; "-": it does not.
std::string ShowPinnedFor(const ParticipantInfo& info);
std::string ShowHeldBack(const ParticipantInfo& info);

}  // namespace commy::tools
