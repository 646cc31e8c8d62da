// Tables of text, and words for what stands in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commy/info.h"

namespace commy::tools {

// Every column as wide as its widest cell, numbers to the right. The first row is the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& to_the_right);

// "live", "stalled" or "dead".
std::string_view LivenessName(Liveness liveness);

// For how long a participant has held back memory, and how much; "-": it does not.
std::string ShowPinnedFor(const ParticipantInfo& info);
std::string ShowHeldBack(const ParticipantInfo& info);

}  // namespace commy::tools
