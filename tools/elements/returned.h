// What a deque has beside its elements: its limits, and how often those at its front were leased.
//
//   {"value":"resize","deliveries":2}     a line of a dump, before those of the other elements
//
// An element that is leased is in a dump as if it had been returned: in the store that is made of
// it nobody holds it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/commy.h"
#include "elements/elements.h"

namespace commy::tools {

struct ReturnedElement {
  std::string bytes;
  std::uint32_t deliveries = 0;
};

struct QueueOfDump {
  QueueLimits limits;
  std::vector<ReturnedElement> returned;  // The first to come first; leased ones among them.
  std::uint64_t leased = 0;
  std::uint64_t skip = 0;  // Of the elements of the sequence: the first ones are in `returned`.
};

// Of a deque, as the snapshot sees it.
absl::StatusOr<QueueOfDump> ReadQueue(const Elements& elements, const Snapshot& then);

}  // namespace commy::tools
