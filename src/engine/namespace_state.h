// What a handle of a namespace holds, and all that work with one: which store, which namespace.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"

#include "commy/options.h"
#include "engine/open_store.h"

namespace commy::engine {

struct NamespaceState {
  std::shared_ptr<OpenStore> store;
  NamespaceKey key;
  std::string path;
  Order order = Order::kHash;

  [[nodiscard]] const Engine& engine() const { return store->engine(); }
};

// InvalidArgument unless the namespace is of this very Open().
absl::Status CheckOwn(const Engine& engine, const NamespaceState& ns);

}  // namespace commy::engine
