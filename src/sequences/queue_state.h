// A queue's own part of its root: its limits, the elements that were returned to its front, and
// those that consumers have leased.
//
//   offset  size  field
//   0x00       4  magic           "CQU1"
//   0x04       4  max_deliveries  0: any number
//   0x08       8  capacity        UINT64_MAX: any number
//   0x10       8  next_ticket     of the next lease; never used twice
//   0x18       4  returned        how many were returned
//   0x1c       4  leases          how many are leased
//   0x20       4  path_bytes      of the path of the dead letters
//   0x24       4  store           of the leases: some bits of the store's id. A recovered store has
//                                 another one: there all holders are gone
//   0x28          the path; the returned items, the first to come first; the leased ones, by
//                 ticket: each {ticket:64, owner:64, since:64, order:64, node:64, deliveries:32,
//                 bytes:32} and the element's bytes, and each part from the next multiple of 8 on
//
// LEASE     An item is in the queue, or leased; never both, and never neither: each step is one
//           change of the root.
//             lease        the first element -> leased {ticket, owner, deliveries + 1}
//             acknowledge  leased -> gone
//             return       leased -> returned, before those that were leased after it: `order` is
//                          the ticket of an item's first lease. By its consumer; or, if that is
//                          gone (process/holders.h), by any other that looks for an element
// A large element has a node of its own (`node`, its id, and then no bytes), which goes with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sequences/run.h"

namespace commy::sequences {

// Elements from this size on have a node of their own while they are leased or returned.
inline constexpr std::uint64_t kItemBytesMax = 512;

struct Item {
  std::uint64_t ticket = 0;
  std::uint64_t owner = 0;
  std::int64_t since_wall_ns = 0;
  std::uint64_t order = 0;
  std::uint64_t node = 0;
  std::uint32_t deliveries = 0;
  std::string_view bytes;
};

struct QueueState {
  std::uint32_t max_deliveries = 0;
  std::uint64_t capacity = UINT64_MAX;
  std::uint64_t next_ticket = 1;
  std::uint32_t store = 0;
  std::string_view dead_letters;
  std::vector<Item> returned;
  std::vector<Item> leases;

  // Moves a lease to the returned ones.
  void Return(std::size_t lease);
  // The index of a lease; leases.size(): there is none.
  [[nodiscard]] std::size_t Find(std::uint64_t ticket) const;
};

// False: the bytes make no sense. None are those of a queue without limits, leases and the like.
bool ParseQueue(std::string_view bytes, QueueState* queue);
// Overwrites `bytes`.
void EncodeQueue(const QueueState& queue, std::string* bytes);
// Only the number of returned items; nothing of the rest is looked at.
std::uint64_t ReturnedCount(std::string_view bytes);

// One element as a run; `room` holds what has to stand before it.
ElementRun RunOf(std::string_view element, std::string* room);

}  // namespace commy::sequences
