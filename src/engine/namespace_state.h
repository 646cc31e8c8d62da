// What a handle of a namespace holds, and all that work with one: which store, which namespace.
#pragma once

#include <memory>
#include <string>

#include "commy/options.h"
#include "engine/store_impl.h"

namespace commy::engine {

struct NamespaceState {
  std::shared_ptr<StoreImpl> store;
  NamespaceKey key;
  std::string path;
  Order order = Order::kHash;
};

}  // namespace commy::engine
