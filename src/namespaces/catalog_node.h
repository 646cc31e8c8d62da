// The blocks of the catalog, read out of bytes that may hold anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

namespace commy::namespaces {

//   0x00   8  node         offset of the tree's root; 0: no namespace
//   0x08   8  count        namespaces
//   0x10   8  dropped_count
//   0x18   8  checksum     XXH3-64 of the rest
//   0x20      dropped      offsets of namespace objects
struct CatalogRoot {
  std::uint64_t node;
  std::uint64_t count;
  std::uint64_t dropped_count;
  std::uint64_t checksum;
};
static_assert(sizeof(CatalogRoot) == 0x20);

//   0x00   8  level        0: the values are namespace objects; else nodes of the level below
//   0x08   8  count
//   0x10   8  bytes        of the whole node
//   0x18   8  checksum     XXH3-64 of the rest
//   0x20      entries, then the paths
struct CatalogNode {
  std::uint64_t level;
  std::uint64_t count;
  std::uint64_t bytes;
  std::uint64_t checksum;
};
//   0x00   4  path_start   from the node's start
//   0x04   4  path_size
//   0x08   8  value
struct CatalogEntry {
  std::uint32_t path_start;
  std::uint32_t path_size;
  std::uint64_t value;
};
static_assert(sizeof(CatalogNode) == 0x20 && sizeof(CatalogEntry) == 0x10);

// A node has 1 to 32 entries, so 8 levels are more than a store has room for; with them the largest
// change, a rename, fits into a lane's notes.
inline constexpr std::uint64_t kCatalogEntriesMax = 32;
inline constexpr std::uint64_t kCatalogLevelMax = 7;
inline constexpr std::uint64_t kCatalogPathBytesMax = 1024;

struct CatalogRootView {
  std::uint64_t offset = 0;  // 0: there is no root block yet.
  std::uint64_t node = 0;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> dropped;
};
// The paths point into the bytes that were read.
struct CatalogNodeView {
  std::uint64_t level = 0;
  std::vector<std::pair<std::string_view, std::uint64_t>> entries;
};

// `size` bytes at `offset`, aligned to 8; null if they are not there.
using BytesAt = absl::FunctionRef<const std::byte*(std::uint64_t offset, std::uint64_t size)>;

// nullopt: the bytes at `offset` are no such block, or its checksum is wrong.
std::optional<CatalogRootView> ReadCatalogRoot(std::uint64_t offset, BytesAt at);
std::optional<CatalogNodeView> ReadCatalogNode(std::uint64_t offset, BytesAt at);

}  // namespace commy::namespaces
