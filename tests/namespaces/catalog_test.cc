// Namespaces by the thousand: created, listed, renamed and dropped against a sorted set of paths.
#include "namespaces/catalog.h"

#include <random>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

class CatalogTest : public StoreFixture {
 protected:
  static Options Large() {
    Options options = QuietOptions();
    options.max_size = std::uint64_t{256} << 20;
    return options;
  }
  void ExpectPaths(const std::set<std::string>& paths, const std::string& prefix) {
    const auto listed = store_.ListNamespaces(prefix);
    ASSERT_TRUE(listed.ok()) << listed.status();
    auto want = paths.lower_bound(prefix);
    for (const NamespaceInfo& info : *listed) {
      ASSERT_TRUE(want != paths.end());
      ASSERT_EQ(info.path, *want);
      ++want;
    }
    ASSERT_TRUE(want == paths.end() || want->substr(0, prefix.size()) != prefix) << *want;
  }

  Store store_ = MustOpen(Large());
};

TEST_F(CatalogTest, TenThousandNamespacesAreFoundAndListedInOrder) {
  std::set<std::string> paths;
  for (int i = 0; i < 10'000; ++i) {
    // Shuffled, some with long paths.
    const int number = i * 7919 % 10'000;
    std::string path = "team" + std::to_string(number % 13) + "/" + std::to_string(number);
    if (number % 50 == 0) {
      path += "/" + std::string(static_cast<std::size_t>(number % 900), 'p') + "x";
    }
    ASSERT_TRUE(store_.OpenNamespace(path).ok());
    paths.insert(path);
  }
  ASSERT_EQ(paths.size(), 10'000U);
  for (const std::string prefix : {"", "team1", "team1/", "team12/9", "team5/50", "zz", "a"}) {
    ExpectPaths(paths, prefix);
  }
  NamespaceOptions existing;
  existing.create_if_missing = false;
  for (const std::string& path : paths) {
    ASSERT_TRUE(store_.OpenNamespace(path, existing).ok()) << path;
    ASSERT_TRUE(absl::IsNotFound(store_.OpenNamespace(path + "x", existing).status()));
  }
  EXPECT_EQ(store_.Stats()->namespaces, 10'000U);
}

TEST_F(CatalogTest, RandomCreatesRenamesAndDropsAgreeWithASet) {
  std::mt19937_64 random(Seed());
  std::set<std::string> paths;
  const auto random_path = [&] {
    const std::uint64_t number = random() % 300;
    return std::to_string(number % 7) + "/" + std::string(number % 5 * 150, 'l') +
           std::to_string(number);
  };
  for (int i = 0; i < 4000; ++i) {
    const std::string path = random_path();
    const std::string other = random_path();
    switch (random() % 3) {
      case 0:
        ASSERT_TRUE(store_.OpenNamespace(path)->Put("path", path).ok());
        paths.insert(path);
        break;
      case 1: {
        const absl::Status renamed = store_.RenameNamespace(path, other);
        ASSERT_EQ(renamed.ok(), paths.contains(path) && !paths.contains(other)) << renamed;
        if (renamed.ok()) {
          paths.erase(path);
          paths.insert(other);
        }
        break;
      }
      default:
        ASSERT_EQ(store_.DropNamespace(path).ok(), paths.erase(path) == 1);
    }
    if (i % 200 == 0) {
      ExpectPaths(paths, "");
      ExpectPaths(paths, "3/");
      ASSERT_TRUE(IsSound(store_)) << i;
    }
  }
  for (const std::string& path : paths) {
    ASSERT_TRUE(store_.DropNamespace(path).ok());
  }
  ExpectPaths({}, "");
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(CatalogTest, AnIdIsNeverUsedTwice) {
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(store_.OpenNamespace("n").ok());
    ASSERT_TRUE(ids.insert(store_.ListNamespaces()->at(0).id).second);
    ASSERT_TRUE(store_.DropNamespace("n").ok());
  }
}

TEST_F(CatalogTest, ARenamedNamespaceKeepsItsHandlesKeysAndId) {
  const Namespace ns = MustOpenNamespace(store_, "from");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  const std::uint64_t id = store_.ListNamespaces()->at(0).id;
  ASSERT_TRUE(store_.RenameNamespace("from", "to").ok());
  EXPECT_EQ(*ns.Get("k"), "v");
  ASSERT_TRUE(ns.Put("k", "w").ok());
  EXPECT_EQ(*store_.OpenNamespace("to")->Get("k"), "w");
  EXPECT_EQ(store_.ListNamespaces()->at(0).id, id);
  EXPECT_EQ(ns.path(), "from");
}

TEST_F(CatalogTest, DamagedNodesAndRootsAreReportedByPlace) {
  ASSERT_TRUE(store_.OpenNamespace("n").ok());
  region::Region& region = EngineOf(store_).region;
  const std::uint64_t root = region.header().catalog_root.load(std::memory_order_relaxed);
  auto* const words = region.At<namespaces::CatalogRoot>(root);
  auto* const node = region.At<namespaces::CatalogNode>(words->node);
  for (std::uint64_t* const word : {&words->node, &words->dropped_count, &words->checksum,
                                    &node->count, &node->bytes, &node->checksum, &node->level}) {
    for (const std::uint64_t bad : {*word ^ 1U, std::uint64_t{UINT64_MAX}, *word + 4096}) {
      const std::uint64_t good = std::exchange(*word, bad);
      const absl::Status status = store_.OpenNamespace("n").status();
      EXPECT_TRUE(Says(status, absl::StatusCode::kDataLoss, "0x"));
      EXPECT_TRUE(Says(status, absl::StatusCode::kDataLoss, path_));
      EXPECT_FALSE(IsSound(store_));
      *word = good;
    }
  }
  region.header().catalog_root.store(std::uint64_t{1} << 40, std::memory_order_relaxed);
  EXPECT_TRUE(absl::IsDataLoss(store_.ListNamespaces().status()));
  region.header().catalog_root.store(root, std::memory_order_relaxed);
}

}  // namespace
}  // namespace commy::test
