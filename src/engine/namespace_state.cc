#include "engine/namespace_state.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::engine {

absl::Status CheckOwn(const Engine& engine, const NamespaceState& ns) {
  COMMY_DCHECK(ns.store != nullptr);
  return &ns.store->engine() == &engine
             ? absl::OkStatus()
             : base::InvalidArgument(engine.path, ": the namespace ", ns.path,
                                     " is of another store, ", ns.store->path(),
                                     ", or of another Open() of this one");
}

}  // namespace commy::engine
