#include "table.h"

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"

#include "units.h"

namespace commy::tools {

std::string Table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& to_the_right) {
  std::vector<std::size_t> widths(to_the_right.size(), 0);
  for (const std::vector<std::string>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      line += to_the_right[i] ? blanks + row[i] : row[i] + blanks;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string_view LivenessName(Liveness liveness) {
  switch (liveness) {
    case Liveness::kLive:
      return "live";
    case Liveness::kStalled:
      return "stalled";
    case Liveness::kDead:
      return "dead";
  }
  return "unknown";
}

std::string ShowPinnedFor(const ParticipantInfo& info) {
  return info.pinned_for == absl::ZeroDuration() ? "-" : ShowDuration(info.pinned_for);
}

std::string ShowHeldBack(const ParticipantInfo& info) {
  return info.pinned_for == absl::ZeroDuration() ? "-" : ShowSize(info.held_back_bytes);
}

}  // namespace commy::tools
