// What tests of ordered namespaces share: options that make their nodes tiny, and a look at the
// shape of one.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <gtest/gtest.h>

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
  static index::Anchor AnchorOf(Store& store) {
    const engine::Engine& impl = EngineOf(store);
    index::Anchor anchor;
    EXPECT_TRUE(impl.catalog
                    .ForEach("",
                             [&](std::string_view, std::uint64_t object) {
                               anchor.offset = object;
                               anchor.object = impl.region.At<index::NamespaceObject>(object);
                               anchor.id = anchor.object->id.load(std::memory_order_relaxed);
                               return true;
                             })
                    .ok());
    return anchor;
  }

  // The number of blocks of each kind in the only namespace.
  static std::map<process::NoteKind, std::uint64_t> BlocksOf(Store& store) {
    std::map<process::NoteKind, std::uint64_t> blocks;
    const engine::Engine& impl = EngineOf(store);
    const index::Anchor anchor = AnchorOf(store);
    std::uint64_t keys = 0;
    const absl::Status walked = impl.IndexOf(anchor).Walk(
        anchor,
        [&](process::NoteKind kind, std::uint64_t) {
          ++blocks[kind];
          return true;
        },
        [](const std::string& fault) { ADD_FAILURE() << fault; }, &keys);
    EXPECT_TRUE(walked.ok()) << walked;
    return blocks;
  }
};

}  // namespace commy::test
