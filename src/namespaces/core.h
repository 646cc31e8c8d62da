// What the parts of a Map share.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/allocator.h"
#include "index/hash/hash_shape.h"
#include "index/tree/tree_shape.h"
#include "namespaces/namespace_ref.h"
#include "namespaces/publish.h"
#include "namespaces/quota_gate.h"
#include "process/session.h"
#include "versions/chain.h"
#include "versions/intents.h"

namespace commy::namespaces {

struct Core {
  Core(process::Session& open_session, alloc::Allocator& open_allocator,
       const index::TreeLimits& limits)
      : session(open_session),
        region(open_session.region()),
        allocator(open_allocator),
        intents(region, open_session.platform()),
        chains(open_session, open_allocator, intents),
        publisher(open_session.platform(), region, intents),
        hash(open_session, open_allocator, chains, intents),
        tree(open_session, open_allocator, chains, intents, limits) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  [[nodiscard]] index::Shape& ShapeFor(std::uint64_t order) {
    return order == kOrderOrdered ? static_cast<index::Shape&>(tree) : hash;
  }
  [[nodiscard]] index::Shape& ShapeOf(const NamespaceRef& ns) { return ShapeFor(ns.order); }
  [[nodiscard]] std::uint64_t Hash(std::string_view key) const { return hash.Hash(key); }
  [[nodiscard]] absl::Status Damaged(std::string_view what, std::uint64_t offset) const {
    return versions::Damaged(region, what, offset);
  }

  process::Session& session;
  region::Region& region;
  alloc::Allocator& allocator;
  const versions::Intents intents;
  const versions::Chains chains;
  const Publisher publisher;
  index::HashShape hash;
  index::TreeShape tree;
  QuotaGate* quotas = nullptr;  // Null: there is nobody to ask, so no namespace has one.
};

}  // namespace commy::namespaces
