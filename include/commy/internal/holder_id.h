// The name of one hold, in records of the file. Not for users.
#pragma once

#include <cstdint>

namespace commy::internal {

// Never used twice: not by two stores, two openings of one, or two holds of one opening.
struct HolderId {
  std::uint64_t store = 0;   // Of the file, so that a record in a copy of it names no holder there.
  std::uint64_t owner = 0;   // The participant; 0: none.
  std::uint64_t number = 0;  // Of the hold, in its process.
  friend bool operator==(const HolderId&, const HolderId&) = default;
};

}  // namespace commy::internal
