// How a namespace is named: by a handle, and by an operation that has found it.
#pragma once

#include <cstdint>

#include "namespaces/object_layout.h"

namespace commy::namespaces {

// Which namespace a handle means. The object may be gone; every use looks.
struct NamespaceKey {
  std::uint64_t object = 0;
  std::uint64_t id = 0;
};

// A namespace as an operation addresses it. Found under a pin, and good under that pin.
struct NamespaceRef {
  std::uint64_t offset = 0;
  NamespaceObject* object = nullptr;
  std::uint64_t id = 0;
  std::uint64_t order = kOrderHash;
};

}  // namespace commy::namespaces
