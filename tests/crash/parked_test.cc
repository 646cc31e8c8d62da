// A thread is parked between two accesses to memory, at each access in turn, while others work.
//
// Unlike the kill and stop harness this needs no processes: the parked thread calls the others,
// which have sessions of their own. So a test can be about a single step of a protocol.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "engine/access.h"
#include "index/hash/layout.h"
#include "support/hook_runtime.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

class ParkedTest : public StoreFixture {
 protected:
  // Runs `parked`, and `others` before its access number `at`. False: there was no such access.
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
  static engine::NamespaceRef RefOf(const engine::Engine& store, const std::string& path) {
    return *engine::NamespaceAt(store, store.catalog.Find(path).value_or(0));
  }
  static index::IndexRoot& RootOf(const engine::Engine& store, const engine::NamespaceRef& ns_ref) {
    return *store.region.At<index::IndexRoot>(ns_ref.object->root.load(std::memory_order_acquire));
  }
  // The mark of the segment that a key belongs to.
  static std::uint64_t MarkOf(const engine::Engine& store, const engine::NamespaceRef& ns_ref,
                              const std::string& key) {
    const std::uint64_t place = RootOf(store, ns_ref).directory.load(std::memory_order_acquire);
    auto* const directory = store.region.At<index::Directory>(place);
    auto* const entries = store.region.At<base::Shared64>(place + sizeof(index::Directory));
    return store.region
        .At<index::Segment>(
            entries[index::DirectoryIndex(store.map.Hash(key), directory->depth)].load(
                std::memory_order_acquire))
        ->mark.load(std::memory_order_acquire);
  }
};

TEST_F(ParkedAtAMarkTest, AMarkSurvivesASplitAtEveryAccess) {
  bool reached = true;
  std::uint64_t at = 1;
  for (; reached; ++at) {
    const std::string path = "n" + std::to_string(at);
    Store store = MustOpen(QuietOptions());
    Store other = MustOpen(QuietOptions());
    const Namespace ns = MustOpenNamespace(store, path);
    const Namespace beside = MustOpenNamespace(other, path);
    ASSERT_TRUE(ns.Put("key", "value").ok());
    const engine::Engine& impl = EngineOf(store);
    const engine::NamespaceRef ns_ref = RefOf(impl, path);
    process::Lane& lane = **impl.session.ThisLane();
    {
      process::Operation op(lane, process::OpKind::kSweep, ns_ref.offset);
      reached = Park(
          at, [&] { ASSERT_TRUE(impl.map.sweeper().Mark(ns_ref, "key").done()); },
          [&] {
            // More keys than one segment has room for.
            for (std::uint64_t i = 0; i <= index::kSlotsPerBucket; ++i) {
              ASSERT_TRUE(beside.Put("k" + std::to_string(i), "v").ok());
            }
          });
    }
    EXPECT_NE(MarkOf(impl, ns_ref, "key"), 0U) << "parked at access " << at;
    EXPECT_NE(RootOf(impl, ns_ref).marks.load(std::memory_order_acquire), 0U) << at;
    EXPECT_TRUE(IsSound(store)) << at;
  }
  EXPECT_GT(at, 10U);
}

// A thread that can be parked several times: its maker chooses the accesses.
class ParkedThread {
 public:
  // Returns when `work` is over, or is parked before the first access for which `parks` is true.
  ParkedThread(std::function<void()> work, std::function<bool(std::uint64_t access)> parks)
      : parks_(std::move(parks)), thread_([this, work = std::move(work)] {
          Arm();
          work();
          (void)hooks::Disarm();
          const std::lock_guard lock(mutex_);
          over_ = true;
          changed_.notify_all();
        }) {
    Wait();
  }
  ParkedThread(const ParkedThread&) = delete;
  ParkedThread& operator=(const ParkedThread&) = delete;
  ~ParkedThread() {
    GoOn([](std::uint64_t) { return false; });
    thread_.join();
  }

  // Resumes, up to the next access for which `parks` is true, or to the end. True: it is parked.
  bool GoOn(std::function<bool(std::uint64_t access)> parks) {
    {
      const std::lock_guard lock(mutex_);
      parks_ = std::move(parks);
      parked_ = false;
      changed_.notify_all();
    }
    return Wait();
  }
  bool parked() {
    const std::lock_guard lock(mutex_);
    return parked_;
  }

 private:
  void Arm() { hooks::ArmCall(hooks::kStores | hooks::kLoads, 1, &ParkedThread::Called, this); }
  static void Called(void* with) {
    auto* const self = static_cast<ParkedThread*>(with);
    std::unique_lock lock(self->mutex_);
    if (self->parks_(++self->access_)) {
      self->parked_ = true;
      self->changed_.notify_all();
      self->changed_.wait(lock, [self] { return !self->parked_; });
    }
    hooks::CallAgain();
  }
  bool Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return parked_ || over_; });
    return parked_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<bool(std::uint64_t)> parks_;
  std::uint64_t access_ = 0;
  bool parked_ = false;
  bool over_ = false;
  std::thread thread_;
};

// A change of shape is posted when its old segment has been replaced already, and a helper has read
// the pending word before the poster took it back. Meanwhile the old segment's memory is a segment
// again.
class LatePostTest : public ParkedAtAMarkTest {
 protected:
  static std::uint64_t SegmentOf(const engine::Engine& store, const engine::NamespaceRef& ns_ref) {
    const std::uint64_t place = RootOf(store, ns_ref).directory.load(std::memory_order_acquire);
    return store.region.At<base::Shared64>(place + sizeof(index::Directory))
        ->load(std::memory_order_acquire);
  }
  static std::uint64_t Taken(const engine::Engine& store, const engine::NamespaceRef& ns_ref) {
    const auto* const slots = reinterpret_cast<const base::Shared64*>(
        store.region.At<index::Segment>(SegmentOf(store, ns_ref)) + 1);
    std::uint64_t taken = 0;
    for (std::uint64_t i = 0; i < index::kSlotsPerBucket; ++i) {
      taken += index::SlotIsEmpty(slots[i].load(std::memory_order_acquire)) ? 0 : 1;
    }
    return taken;
  }
  // Puts and deletes until the only segment is full, mostly of dead slots.
  static void Fill(const engine::Engine& store, const engine::NamespaceRef& ns_ref,
                   const Namespace& ns) {
    while (Taken(store, ns_ref) < index::kSlotsPerBucket) {
      ASSERT_TRUE(ns.Put("gone", "v").ok());
      ASSERT_TRUE(ns.Delete("gone").ok());
    }
  }
  // False: the post was not late.
  bool Run(std::uint64_t post_at, std::uint64_t help_at, bool* posted, bool* helped) {
    const std::string file = temp_.File("store" + std::to_string(++runs_));
    Store store = MustOpen(file, QuietOptions());
    Store poster = MustOpen(file, QuietOptions());
    Store helper = MustOpen(file, QuietOptions());
    const Namespace ns = MustOpenNamespace(store, "n");
    const Namespace post = MustOpenNamespace(poster, "n");
    const engine::Engine& impl = EngineOf(store);
    const engine::Engine& help = EngineOf(helper);
    const engine::NamespaceRef ns_ref = RefOf(impl, "n");
    const engine::NamespaceRef its_ref = RefOf(help, "n");
    process::Session& session = impl.session;
    // With spans of its own for segments, the poster takes none of those that have free blocks.
    std::thread([&] { EXPECT_TRUE(MustOpenNamespace(poster, "its").Put("k", "v").ok()); }).join();
    // A segment that stays, so that the span of the old one is not given back when it is empty.
    EXPECT_TRUE(MustOpenNamespace(store, "stays").Put("k", "v").ok());
    EXPECT_TRUE(ns.Put("key", "value").ok());
    // An allocation returns to a span only if several of its blocks are free.
    for (int rebuild = 0; rebuild < 8; ++rebuild) {
      Fill(impl, ns_ref, ns);
      EXPECT_TRUE(ns.Put("gone", "v").ok() && ns.Delete("gone").ok());
    }
    Fill(impl, ns_ref, ns);
    const std::uint64_t old = SegmentOf(impl, ns_ref);
    const auto pending = [&] {
      return RootOf(impl, ns_ref).pending_reshape.load(std::memory_order_acquire);
    };
    ParkedThread posts([&] { EXPECT_TRUE(post.Put("posted", "v").ok()); },
                       [&](std::uint64_t access) { return access == post_at; });
    *posted = posts.parked();
    EXPECT_TRUE(ns.Put("gone", "v").ok() && ns.Delete("gone").ok());
    if (!*posted || SegmentOf(impl, ns_ref) == old || !session.TryAdvanceEpoch() ||
        !posts.GoOn([&](std::uint64_t) { return pending() > index::kReshapeClosed; }) ||
        pending() <= index::kReshapeClosed) {
      return false;
    }
    ParkedThread helps(
        [&] {
          process::Operation op(**help.session.ThisLane(), process::OpKind::kWrite, 0);
          EXPECT_TRUE(help.map.roots().FinishPosted(its_ref).done());
        },
        [&](std::uint64_t access) { return access == help_at; });
    *helped = helps.parked();
    posts.GoOn([](std::uint64_t) { return false; });
    (void)session.TryAdvanceEpoch();
    for (int rebuild = 0; rebuild < 60 && SegmentOf(impl, ns_ref) != old; ++rebuild) {
      Fill(impl, ns_ref, ns);
      EXPECT_TRUE(ns.Put("gone", "v").ok() && ns.Delete("gone").ok());
    }
    const bool again = SegmentOf(impl, ns_ref) == old;
    EXPECT_TRUE(again || !*helped) << "the old segment's memory is no segment again, " << help_at;
    helps.GoOn([](std::uint64_t) { return false; });
    EXPECT_EQ(ns.Get("key").value_or(""), "value");
    EXPECT_EQ(ns.Get("posted").value_or(""), "v");
    EXPECT_TRUE(ns.Put("key", "value").ok());
    EXPECT_TRUE(IsSound(store)) << post_at << " " << help_at;
    return true;
  }

 private:
  int runs_ = 0;
};

TEST_F(LatePostTest, ALateHelperLeavesTheReusedMemoryOfTheOldSegmentUnchanged) {
  int tried = 0;
  bool posted = true;
  for (std::uint64_t post_at = 1; posted && tried == 0; ++post_at) {
    bool helped = true;
    for (std::uint64_t help_at = 1; helped && !HasFailure(); ++help_at) {
      helped = false;
      tried += Run(post_at, help_at, &posted, &helped) ? 1 : 0;
    }
  }
  EXPECT_GT(tried, 20) << "no post was late";
}

}  // namespace
}  // namespace commy::test
