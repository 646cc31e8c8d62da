// What tests of ordered namespaces share: options that make their nodes tiny, and a look at the
// shape of one.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "engine/access.h"
#include "support/store_fixture.h"

namespace commy::test {

// Leaves of a few keys under nodes of a few children: every few puts change the shape.
inline Options TinyNodes(Options options) {
  options.testing.leaf_keys = 4;
  options.testing.leaf_append = 2;
  options.testing.node_children = 4;
  return options;
}

class OrderedFixture : public StoreFixture {
 protected:
  static Namespace MustOpenOrdered(const Store& store, const std::string& path) {
    absl::StatusOr<Namespace> ns = store.OpenNamespace(path, {.order = Order::kOrdered});
    EXPECT_TRUE(ns.ok()) << ns.status();
    return *std::move(ns);
  }

  // The only namespace.
  static engine::NamespaceRef RefOf(Store& store) {
    const engine::Engine& impl = EngineOf(store);
    engine::NamespaceRef ns;
    EXPECT_TRUE(impl.catalog
                    .ForEach("",
                             [&](std::string_view, std::uint64_t object) {
                               ns = engine::NamespaceAt(impl, object).value_or(ns);
                               return true;
                             })
                    .ok());
    return ns;
  }

  // The number of blocks of each kind in the only namespace.
  static std::map<region::BlockKind, std::uint64_t> BlocksOf(Store& store) {
    std::map<region::BlockKind, std::uint64_t> blocks;
    const engine::Engine& impl = EngineOf(store);
    index::Counts counts;
    const absl::Status walked = impl.map.ForEachEdge(
        RefOf(store),
        [&](const index::Edge& edge) {
          ++blocks[edge.kind];
          return true;
        },
        [](const std::string& fault) { ADD_FAILURE() << fault; }, &counts);
    EXPECT_TRUE(walked.ok()) << walked;
    return blocks;
  }
};

}  // namespace commy::test
