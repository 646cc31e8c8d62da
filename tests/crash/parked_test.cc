// What others do while one is parked between two accesses to memory: at every one of them in turn.
//
// Unlike the kill and stop harness it needs no processes: the one that is parked calls the others, which
// have sessions of their own. So what is looked at may be a single step of a protocol.
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "index/hash_layout.h"
#include "support/hook_runtime.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

class ParkedTest : public StoreFixture {
 protected:
  // Runs `parked`, and before its access number `at` `others`. Whether there was such an access.
  static bool Park(std::uint64_t at, const std::function<void()>& parked,
                   std::function<void()> others) {
    struct Told {
      std::function<void()> others;
      bool called = false;
    } told{std::move(others)};
    hooks::ArmCall(
        hooks::kStores | hooks::kLoads, at,
        [](void* with) {
          auto* const to = static_cast<Told*>(with);
          to->called = true;
          to->others();
        },
        &told);
    parked();
    const bool reached = told.called;
    (void)hooks::Disarm();
    return reached;
  }
};

class ParkedAtAMarkTest : public ParkedTest {
 protected:
  static index::Anchor AnchorOf(store::StoreImpl& store, const std::string& path) {
    index::Anchor anchor;
    anchor.offset = store.catalog().Find(path).value_or(0);
    anchor.object = store.region().At<index::NamespaceObject>(anchor.offset);
    anchor.id = anchor.object->id.load(std::memory_order_acquire);
    return anchor;
  }
  static index::IndexRoot& RootOf(store::StoreImpl& store, const index::Anchor& anchor) {
    return *store.region().At<index::IndexRoot>(
        anchor.object->root.load(std::memory_order_acquire));
  }
  // The mark of the segment that a key belongs to.
  static std::uint64_t MarkOf(store::StoreImpl& store, const index::Anchor& anchor,
                              const std::string& key) {
    const std::uint64_t place = RootOf(store, anchor).directory.load(std::memory_order_acquire);
    auto* const directory = store.region().At<index::Directory>(place);
    auto* const entries = store.region().At<base::Shared64>(place + sizeof(index::Directory));
    return store.region()
        .At<index::Segment>(
            entries[index::DirectoryIndex(store.hash_index().Hash(key), directory->depth)].load(
                std::memory_order_acquire))
        ->mark.load(std::memory_order_acquire);
  }
};

TEST_F(ParkedAtAMarkTest, AMarkIsNotLostWhereverASplitComesBetween) {
  bool reached = true;
  std::uint64_t at = 1;
  for (; reached; ++at) {
    const std::string path = "n" + std::to_string(at);
    Store store = MustOpen(QuietOptions());
    Store other = MustOpen(QuietOptions());
    const Namespace ns = MustOpenNamespace(store, path);
    const Namespace beside = MustOpenNamespace(other, path);
    ASSERT_TRUE(ns.Put("key", "value").ok());
    store::StoreImpl& impl = *ImplOf(store);
    const index::Anchor anchor = AnchorOf(impl, path);
    process::Lane& lane = **impl.session().ThisLane();
    {
      process::Operation op(lane, process::OpKind::kSweep, anchor.offset);
      reached = Park(
          at, [&] { ASSERT_TRUE(impl.hash_index().MarkForSweep(op, anchor, "key").ok()); },
          [&] {
            // More than one segment has room for.
            for (std::uint64_t i = 0; i <= index::kSlotsPerBucket; ++i) {
              ASSERT_TRUE(beside.Put("k" + std::to_string(i), "v").ok());
            }
          });
    }
    EXPECT_NE(MarkOf(impl, anchor, "key"), 0U) << "parked at access " << at;
    EXPECT_NE(RootOf(impl, anchor).marks.load(std::memory_order_acquire), 0U) << at;
    EXPECT_TRUE(IsSound(store)) << at;
  }
  EXPECT_GT(at, 10U);
}

}  // namespace
}  // namespace commy::test
