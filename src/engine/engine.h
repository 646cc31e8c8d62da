// An open store at work: reaching a namespace under a pin, the life of namespaces, the work of the
// heartbeat, recovery, room in a full store.
//
// This floor knows the floors below it by this struct of references, which every function takes,
// and which open_store.h puts together. It may touch everything below. Of transactions it
// knows their intents alone, and of the public classes nothing: transactions take part in recovery
// and in the heartbeat by UpperHooks (open_store.h), which api/open.cc hands in. Begin reading in
// access.h.
#pragma once

#include <cstdint>
#include <string>

#include "alloc/allocator.h"
#include "commy/options.h"
#include "namespaces/catalog.h"
#include "namespaces/map.h"
#include "process/session.h"

namespace commy::engine {

class Maintenance;
class Quotas;

using namespaces::NamespaceKey;
using namespaces::NamespaceRef;

// The parts of an open store. Each does its own locking, if it needs any; all live until the store
// is closed and its last handle is gone.
struct Engine {
  const std::string& path;
  process::Session& session;
  region::Region& region;
  alloc::Allocator& allocator;
  namespaces::Map& map;
  namespaces::Catalog& catalog;
  Maintenance& maintenance;
  Quotas& quotas;
};

}  // namespace commy::engine
