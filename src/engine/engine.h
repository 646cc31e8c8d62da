// An open store at work: reaching a namespace under a pin, the life of namespaces, what the heartbeat
// does, recovery, room in a full store.
//
// This floor knows the floors below it by this struct of references, which every function takes, and
// which open_store.h puts together. It may touch everything below; it knows nothing of transactions,
// nor of the public classes, which hang themselves into it (open_store.h). Begin reading in access.h.
#pragma once

#include <cstdint>
#include <string>

#include "alloc/allocator.h"
#include "commy/options.h"
#include "index/hash/hash_index.h"
#include "index/tree/tree_index.h"
#include "namespaces/catalog.h"
#include "process/session.h"

namespace commy::engine {

class Maintenance;

// Which namespace a handle means. The object may be gone; every use looks.
struct NamespaceKey {
  std::uint64_t object = 0;
  std::uint64_t id = 0;
};

// The parts of an open store. Each does its own locking, if it needs any; all live until the store is
// closed and its last handle is gone.
struct Engine {
  const std::string& path;
  process::Session& session;
  region::Region& region;
  alloc::Allocator& allocator;
  index::HashIndex& hash_index;
  index::OrderedIndex& ordered_index;
  namespaces::Catalog& catalog;
  Maintenance& maintenance;

  // The one that a namespace's order says.
  [[nodiscard]] index::Index& IndexFor(Order order) const {
    return order == Order::kOrdered ? static_cast<index::Index&>(ordered_index) : hash_index;
  }
  [[nodiscard]] index::Index& IndexOf(const index::Anchor& anchor) const {
    return IndexFor(static_cast<Order>(anchor.object->order.load(std::memory_order_relaxed)));
  }
};

}  // namespace commy::engine
