#include "namespaces/catalog_node.h"

#include "base/hash.h"

namespace commy::namespaces {
namespace {

constexpr std::uint64_t kNodeBytesMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kDeadMax = std::uint64_t{1} << 20;

// Of a block that begins with a `Head`, whose last member is the checksum of all the rest.
template <typename Head>
bool Verifies(const Head* head, std::uint64_t bytes) {
  const auto* const start = reinterpret_cast<const std::byte*>(head);
  return head->checksum == (base::Checksum(start + sizeof(Head), bytes - sizeof(Head)) ^
                            base::Checksum(start, offsetof(Head, checksum)));
}

}  // namespace

std::optional<CatalogRootView> ReadCatalogRoot(std::uint64_t offset, BytesAt at) {
  const auto* const root = reinterpret_cast<const CatalogRoot*>(at(offset, sizeof(CatalogRoot)));
  if (root == nullptr || root->dropped_count > kDeadMax) {
    return std::nullopt;
  }
  const std::uint64_t dropped_count = root->dropped_count;
  const std::uint64_t bytes = sizeof(CatalogRoot) + dropped_count * sizeof(std::uint64_t);
  if (at(offset, bytes) == nullptr || !Verifies(root, bytes)) {
    return std::nullopt;
  }
  CatalogRootView view;
  view.offset = offset;
  view.node = root->node;
  view.count = root->count;
  const auto* const dropped = reinterpret_cast<const std::uint64_t*>(root + 1);
  view.dropped.assign(dropped, dropped + dropped_count);
  return view;
}

std::optional<CatalogNodeView> ReadCatalogNode(std::uint64_t offset, BytesAt at) {
  const auto* const node = reinterpret_cast<const CatalogNode*>(at(offset, sizeof(CatalogNode)));
  if (node == nullptr) {
    return std::nullopt;
  }
  const std::uint64_t bytes = node->bytes;
  const std::uint64_t count = node->count;
  if (bytes < sizeof(CatalogNode) || bytes > kNodeBytesMax || count == 0 ||
      count > kCatalogEntriesMax || node->level > kCatalogLevelMax ||
      count > (bytes - sizeof(CatalogNode)) / sizeof(CatalogEntry) ||
      at(offset, bytes) == nullptr || !Verifies(node, bytes)) {
    return std::nullopt;
  }
  CatalogNodeView view;
  view.level = node->level;
  view.entries.reserve(count);
  const auto* const entries = reinterpret_cast<const CatalogEntry*>(node + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const CatalogEntry entry = entries[i];
    if (entry.path_size == 0 || entry.path_size > kCatalogPathBytesMax ||
        entry.path_start > bytes || entry.path_size > bytes - entry.path_start) {
      return std::nullopt;
    }
    view.entries.emplace_back(
        std::string_view(reinterpret_cast<const char*>(node) + entry.path_start, entry.path_size),
        entry.value);
  }
  return view;
}

}  // namespace commy::namespaces
