// The type of a namespace: a text that changes hands as a whole, is found damaged, and goes with
// its namespace.
#include "namespaces/types.h"

#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

using namespaces::NamespaceRef;
using process::Operation;
using process::OpKind;

class TypesTest : public OrderedFixture {
 protected:
  void SetUp() override { MustOpenNamespace(store_, "n"); }

  const namespaces::Types& types() { return EngineOf(store_).map.types(); }
  process::Lane& lane() { return **EngineOf(store_).session.ThisLane(); }
  std::string Text(std::uint64_t* word) {
    const process::Pin pin(lane());
    const absl::StatusOr<std::string> text = types().Read(RefOf(store_), word);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  // Replaces what `seen` named.
  bool Replace(std::uint64_t seen, const std::string& text) {
    Operation op(lane(), OpKind::kCatalog, 0);
    const absl::StatusOr<std::uint64_t> made = types().Write(op, text);
    EXPECT_TRUE(made.ok()) << made.status();
    return types().Replace(op, RefOf(store_), seen, *made);
  }
  std::uint64_t BlocksUsed() {
    for (int i = 0; i < 8; ++i) {
      EngineOf(store_).session.Beat();
    }
    const absl::StatusOr<CheckReport> report = store_.Check();
    EXPECT_TRUE(IsSound(report));
    return report->blocks_used;
  }

  Store store_ = MustOpen(QuietOptions());
};

TEST_F(TypesTest, ATextOfAnySizeIsReadBack) {
  std::uint64_t word = 0;
  EXPECT_EQ(Text(&word), "");
  EXPECT_EQ(word, 0U);
  const std::uint64_t before = BlocksUsed();
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{65'536}}) {
    const std::string text(size, 't');
    ASSERT_TRUE(Replace(word, text));
    EXPECT_EQ(Text(&word), text);
    EXPECT_EQ(BlocksUsed(), before + 1) << "the former block is free";
  }
}

TEST_F(TypesTest, WhatWasSeenMustStillBeThere) {
  std::uint64_t first = 0;
  ASSERT_TRUE(Replace(0, "one"));
  EXPECT_FALSE(Replace(0, "two"));
  EXPECT_EQ(Text(&first), "one");
  ASSERT_TRUE(Replace(first, "two"));
  EXPECT_FALSE(Replace(first, "three"));
  EXPECT_EQ(Text(&first), "two");
}

TEST_F(TypesTest, OfManyThatReplaceATextAtOnceEachSuccessFollowsTheOneBefore) {
  ASSERT_TRUE(Replace(0, "0"));
  const std::uint64_t before = BlocksUsed();
  std::atomic<int> replaced{0};
  std::atomic<int> refused{0};
  RunThreads(4, [&](int) {
    for (int i = 0; i < 500; ++i) {
      Operation op(lane(), OpKind::kCatalog, 0);
      std::uint64_t seen = 0;
      const absl::StatusOr<std::string> text = types().Read(RefOf(store_), &seen);
      ASSERT_TRUE(text.ok()) << text.status();
      const absl::StatusOr<std::uint64_t> made =
          types().Write(op, std::to_string(std::stoi(*text) + 1));
      ASSERT_TRUE(made.ok()) << made.status();
      (types().Replace(op, RefOf(store_), seen, *made) ? replaced : refused) += 1;
    }
  });
  std::uint64_t word = 0;
  EXPECT_EQ(Text(&word), std::to_string(replaced));
  EXPECT_EQ(replaced + refused, 2000);
  EXPECT_EQ(BlocksUsed(), before);
}

TEST_F(TypesTest, AReclaimedTypeIsGoneForGoodWhoeverReplacesItMeanwhile) {
  const std::uint64_t before = BlocksUsed();
  RunThreads(4, [&](int thread) {
    for (int i = 0; i < 200; ++i) {
      Operation op(lane(), OpKind::kCatalog, 0);
      if (thread == 0 && i >= 100) {
        types().Reclaim(op, RefOf(store_));
        continue;
      }
      std::uint64_t seen = 0;
      ASSERT_TRUE(types().Read(RefOf(store_), &seen).ok());
      const absl::StatusOr<std::uint64_t> made = types().Write(op, std::string(100, 't'));
      ASSERT_TRUE(made.ok()) << made.status();
      (void)types().Replace(op, RefOf(store_), seen, *made);
    }
  });
  std::uint64_t word = 0;
  EXPECT_EQ(Text(&word), "");
  EXPECT_EQ(word, namespaces::kPartGone);
  EXPECT_FALSE(Replace(word, "after"));
  EXPECT_EQ(BlocksUsed(), before);
}

TEST_F(TypesTest, ValuesAreNeverAlignedLessThanBefore) {
  const process::Pin pin(lane());
  const NamespaceRef ns = RefOf(store_);
  for (const std::uint64_t align : {32, 64, 16, 32}) {
    types().AlignValues(ns, align);
  }
  EXPECT_EQ(ns.object->value_align.load(std::memory_order_acquire), 64U);
}

TEST_F(TypesTest, ADamagedTextIsReportedByPlace) {
  const std::string text = "map<string,string>";
  ASSERT_TRUE(Replace(0, text));
  std::uint64_t word = 0;
  ASSERT_EQ(Text(&word), text);
  auto* const block = EngineOf(store_).region.At<namespaces::TypeBlock>(word);
  auto* const bytes = reinterpret_cast<unsigned char*>(block);
  for (std::size_t at = 0; at < sizeof(*block) + text.size(); ++at) {
    bytes[at] ^= 0x10U;
    {
      const process::Pin pin(lane());
      EXPECT_TRUE(
          Says(types().Read(RefOf(store_), &word).status(), absl::StatusCode::kDataLoss, "0x"))
          << at;
    }
    EXPECT_FALSE(IsSound(store_)) << at;
    EXPECT_TRUE(
        absl::IsDataLoss(store_.OpenNamespace("n", {.type = "map<string,string>"}).status()));
    bytes[at] ^= 0x10U;
  }
  EXPECT_TRUE(store_.OpenNamespace("n", {.type = "map<string,string>"}).ok());
}

}  // namespace
}  // namespace commy::test
