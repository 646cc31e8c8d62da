// An attached participant of the kill and stop harness.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/open.h"
#include "commy/shared_deque.h"
#include "commy/store.h"
#include "crash/model.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/maintenance.h"

namespace commy::test {

// Sizes so small that a few keys change the shape of an index.
Options CrashOptions();

// Attached through the public API and, for the work of a heartbeat, once more from inside.
class Actor {
 public:
  explicit Actor(std::string path) : path_(std::move(path)) {}

  // Opens the store, and its namespaces unless `model` has none. `inside`: from inside as well.
  absl::Status Attach(const Model& model, bool inside);
  absl::Status Close();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] const engine::Engine& inside() { return inside_->engine(); }
  // Null: the namespace was gone when this participant attached.
  [[nodiscard]] const Namespace* ns(std::uint64_t id) const;

  std::map<int, Snapshot> snapshots;  // By the numbers that steps give them.
  std::vector<Leased<std::string>> leases;

 private:
  const std::string path_;
  std::optional<Store> store_;
  std::shared_ptr<engine::OpenStore> inside_;
  std::map<std::uint64_t, Namespace> handles_;
};

}  // namespace commy::test
