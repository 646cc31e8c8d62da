// A store that an earlier build of this format version wrote can be opened, read and written.
//
// This test made tests/format/store_v1.bin, with COMMY_MAKE_STORED set to its path. One file is
// made for each format version, and is never made again.
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "support/store_fixture.h"

namespace commy::test {
namespace {

std::string ValueOf(int i) {
  return std::to_string(i) + std::string(static_cast<std::size_t>(i * 13 % 300), 'v');
}

// Small, since the repository keeps it.
Options StoredOptions() {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{512} << 10;
  options.testing.span_bytes = 4096;
  options.testing.chunk_bytes = 4096;
  options.participants = 8;
  options.threads = 14;
  options.testing.leaf_keys = 4;
  options.testing.leaf_append = 2;
  options.testing.node_children = 4;
  return options;
}

void Fill(const Store& store) {
  const absl::StatusOr<Namespace> ns = store.OpenNamespace("stored/keys");
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(ns->Put("key " + std::to_string(i), ValueOf(i)).ok());
  }
  for (int i = 0; i < 60; i += 7) {
    ASSERT_TRUE(ns->Delete("key " + std::to_string(i)).ok());
  }
  ASSERT_TRUE(ns->Put("", "the empty key").ok());
  ASSERT_TRUE(ns->Put("large", std::string(10'000, 'L')).ok());
  ASSERT_TRUE(ns->Put("with ttl", "v", {absl::Hours(24 * 365 * 200)}).ok());
  ASSERT_TRUE(store.OpenNamespace("stored/counters")->Add("n", -42).ok());
  ASSERT_TRUE(store.OpenNamespace("stored/empty").ok());
  const absl::StatusOr<Namespace> ordered =
      store.OpenNamespace("stored/ordered", {.order = Order::kOrdered});
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(ordered->Put("key " + std::to_string(i), std::to_string(i)).ok());
  }
}

void Expect(const Store& store) {
  const auto listed = store.ListNamespaces();
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 4U);
  EXPECT_EQ(listed->at(0).path, "stored/counters");
  EXPECT_EQ(listed->at(1).path, "stored/empty");
  EXPECT_EQ(listed->at(2).path, "stored/keys");
  EXPECT_EQ(listed->at(3).path, "stored/ordered");
  EXPECT_EQ(listed->at(3).order, Order::kOrdered);
  const Namespace ns = *store.OpenNamespace("stored/keys");
  for (int i = 0; i < 60; ++i) {
    const absl::StatusOr<std::string> got = ns.Get("key " + std::to_string(i));
    ASSERT_EQ(got.ok(), i % 7 != 0) << i;
    ASSERT_TRUE(!got.ok() || *got == ValueOf(i)) << i;
  }
  EXPECT_EQ(*ns.Get(""), "the empty key");
  EXPECT_EQ(*ns.Get("large"), std::string(10'000, 'L'));
  EXPECT_EQ(*ns.Get("with ttl"), "v");
  EXPECT_EQ(*ns.Size(), 54U);
  EXPECT_EQ(*store.OpenNamespace("stored/counters")->Get("n"), "-42");
  const Namespace ordered = *store.OpenNamespace("stored/ordered");
  std::string last;
  for (ScanRange scan = ordered.Scan({.from = "key 2"}); const Entry& entry : scan) {
    EXPECT_LT(last, entry.key());
    EXPECT_EQ(entry.key(), "key " + std::string(entry.value()));
    last = entry.key();
  }
  EXPECT_EQ(last, "key 9");
  EXPECT_EQ(*ordered.Count({.from = "key 2"}), 48U);
  EXPECT_EQ(store.Stats()->format_version, 1U);
  EXPECT_TRUE(IsSound(store));
}

TEST(StoredStoreTest, AStoreOfFormatOneOpensWithAllItsKeysAndCanBeChanged) {
  const TempDir temp;
  const std::string path = temp.File("store");
  if (const char* const make = std::getenv("COMMY_MAKE_STORED"); make != nullptr) {
    absl::StatusOr<Store> made = Store::Open(path, StoredOptions());
    ASSERT_TRUE(made.ok()) << made.status();
    Fill(*made);
    ASSERT_TRUE(made->Close().ok());
    std::filesystem::copy_file(path, make);
  }
  WriteFileBytes(path, FileBytes(std::string(COMMY_TESTS_DIR) + "/format/store_v1.bin"));
  Options options;
  options.create_if_missing = false;
  absl::StatusOr<Store> store = Store::Open(path, options);
  ASSERT_TRUE(store.ok()) << store.status();
  Expect(*store);
  ASSERT_TRUE(store->OpenNamespace("new")->Put("k", "v").ok());
  ASSERT_TRUE(store->OpenNamespace("stored/keys")->Put("key 1", "new").ok());
  ASSERT_TRUE(store->OpenNamespace("stored/ordered")->Put("key 10a", "new").ok());
  ASSERT_TRUE(store->DropNamespace("stored/counters").ok());
  EXPECT_TRUE(IsSound(*store));
}

}  // namespace
}  // namespace commy::test
