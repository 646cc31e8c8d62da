// Which namespaces a damaged file had.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "salvage/image.h"

namespace commy::salvage {

struct SalvagedNamespace {
  std::uint64_t id = 0;
  std::string path;
  bool named = true;  // False: the catalog's part that named it is lost, and the path is made up.
  bool ordered = false;
  std::string type;                // Empty: it has none, or that is lost.
  std::uint64_t sum = 0;           // Of a counter.
  std::uint64_t root_offset = 0;   // Of its present index; 0: lost.
  std::uint64_t since_commit = 0;  // Of the last clear: older records are gone.
};

struct SalvagedNames {
  std::vector<SalvagedNamespace> namespaces;  // By path.
  absl::flat_hash_set<std::uint64_t> dropped_ids;
  std::vector<std::string> faults;
};

// Follows the catalog; where that does not verify, searches the whole file for parts of it.
SalvagedNames FindNames(const Image& image);

// "recovered/17" for a namespace that has lost its name; not one of `taken`.
std::string MadeUpPath(std::uint64_t id, const absl::flat_hash_set<std::string>& taken);

}  // namespace commy::salvage
