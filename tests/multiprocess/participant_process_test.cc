// Participants that die, stop, and fork: how each is listed, which process recovers the dead, and
// the memory that a stopped process holds back.
#include <memory>
#include <optional>
#include <vector>

#include <signal.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "process/owner.h"
#include "support/child_process.h"
#include "support/lane_state.h"
#include "support/seen_dead.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

class ParticipantProcessTest : public StoreFixture {
 protected:
  // A child that opened the store, has a view of "k" and waits.
  int HoldView(ChildSide& parent) {
    const absl::StatusOr<Store> store = Store::Open(path_, SmallOptions());
    if (!store.ok()) {
      return 1;
    }
    std::optional<View> view(*store->OpenNamespace("n")->GetView("k"));
    const std::string value(view->value());
    parent.Send("holding");
    (void)parent.Receive();
    const bool same = view->value() == value;
    view.reset();
    parent.Send(same ? "released" : "changed");
    (void)parent.Receive();
    return 0;
  }
  std::optional<ParticipantInfo> Of(const Store& store, pid_t pid) {
    const std::vector<ParticipantInfo> all = store.Participants().value();
    for (const ParticipantInfo& info : all) {
      if (info.pid == static_cast<std::uint64_t>(pid)) {
        return info;
      }
    }
    return std::nullopt;
  }
  // The lanes that the participant in `slot` holds.
  static std::vector<std::uint32_t> LanesOf(Store& store, std::uint32_t slot) {
    const region::Region& region = EngineOf(store).region;
    std::vector<std::uint32_t> lanes;
    for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
      const std::uint64_t owner = region.lane(i).owner.load(std::memory_order_acquire);
      if (owner != 0 && process::OwnerSlot(owner) == slot) {
        lanes.push_back(i);
      }
    }
    return lanes;
  }
  // Whether one of these lanes has a view's pin. (The first one is the thread's own.)
  static bool HaveViews(Store& store, const std::vector<std::uint32_t>& lanes) {
    for (const std::uint32_t i : lanes) {
      const region::LaneLayout& lane = EngineOf(store).region.lane(i);
      for (std::size_t pin = 1; pin < std::size(lane.pins); ++pin) {
        if (lane.pins[pin].load(std::memory_order_acquire) != 0) {
          return true;
        }
      }
    }
    return false;
  }
  void SetUp() override {
    Store store = MustOpen(QuietOptions());
    ASSERT_TRUE(MustOpenNamespace(store, "n").Put("k", "v").ok());
  }
};

TEST_F(ParticipantProcessTest, AHeartbeatRecoversAKilledProcess) {
  Store store = MustOpen(SmallOptions());
  ChildProcess child([this](ChildSide& parent) { return HoldView(parent); });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_TRUE(Of(store, child.pid()).has_value());
  EXPECT_EQ(Of(store, child.pid())->liveness, Liveness::kLive);
  EXPECT_GE(Of(store, child.pid())->lanes, 1U);
  const std::vector<std::uint32_t> lanes = LanesOf(store, Of(store, child.pid())->slot);
  ASSERT_TRUE(HaveViews(store, lanes));
  ASSERT_TRUE(child.KillAndWait());
  EXPECT_TRUE(WaitFor([&] { return !Of(store, child.pid()).has_value(); }));
  // The heartbeat may have taken one of the lanes since; it has no views.
  EXPECT_FALSE(HaveViews(store, lanes));
}

TEST_F(ParticipantProcessTest,
       WithoutAHeartbeatADeadParticipantIsListedUntilTheNextOpenRecoversIt) {
  Store store = MustOpen(QuietOptions());
  ChildProcess child([this](ChildSide& parent) { return HoldView(parent); });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(store, child.pid()));
  ASSERT_TRUE(Of(store, child.pid()).has_value());
  EXPECT_EQ(Of(store, child.pid())->liveness, Liveness::kDead);
  const std::vector<std::uint32_t> lanes = LanesOf(store, Of(store, child.pid())->slot);
  ASSERT_TRUE(HaveViews(store, lanes));
  MustOpen(QuietOptions());
  EXPECT_FALSE(Of(store, child.pid()).has_value());
  for (const std::uint32_t i : lanes) {
    EXPECT_TRUE(IsIdle(EngineOf(store).region.lane(i))) << "lane " << i;
  }
}

// No other participant has a heartbeat that would find the dead one.
TEST_F(ParticipantProcessTest, AFullStoreReclaimsWhatTheSnapshotOfADeadProcessKept) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{2} << 20;
  const std::string value(1000, 'v');
  const auto fill = [&](const Namespace& ns, int count) {
    int i = 0;
    absl::Status status;
    while (i < count && (status = ns.Put("key " + std::to_string(i), value)).ok()) {
      ++i;
    }
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    return i;
  };
  const int room = fill(MustOpenNamespace(MustOpen(temp_.File("full"), options), "n"), 100'000);
  ASSERT_GT(room, 500);

  const std::string path = temp_.File("small");
  Store store = MustOpen(path, options);
  const Namespace ns = MustOpenNamespace(store, "n");
  const int part = room * 4 / 10;
  ASSERT_EQ(fill(ns, part), part);
  ChildProcess child([&](ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path, options);
    if (!own.ok()) return 1;
    const absl::StatusOr<Snapshot> snapshot = own->TakeSnapshot();
    if (!snapshot.ok()) return 2;
    parent.Send("holding");
    (void)parent.Receive();
    return 3;
  });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_EQ(fill(ns, part), part);  // The old values stay for the snapshot.
  const Namespace more = MustOpenNamespace(store, "more");
  ASSERT_LT(fill(more, part), part) << "the snapshot kept no old values";
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(store, child.pid()));
  EXPECT_EQ(fill(more, part), part);
  EXPECT_TRUE(IsSound(store));
}

TEST_F(ParticipantProcessTest, AStoppedProcessIsListedAsStalledAndNotRecovered) {
  Store store = MustOpen(SmallOptions());
  ChildProcess child([this](ChildSide& parent) { return HoldView(parent); });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_TRUE(child.Stop());
  ASSERT_TRUE(WaitFor([&] {
    const auto info = Of(store, child.pid());
    return !info.has_value() || info->liveness == Liveness::kStalled;
  }));
  ASSERT_TRUE(Of(store, child.pid()).has_value());
  EXPECT_GT(Of(store, child.pid())->heartbeat_age, absl::Milliseconds(100));
  // Several of our heartbeats later it is still listed.
  const std::uint64_t beats = EngineOf(store)
                                  .region.participant(Of(store, ::getpid())->slot)
                                  .heartbeat.load(std::memory_order_relaxed);
  ASSERT_TRUE(WaitFor([&] {
    return EngineOf(store)
               .region.participant(Of(store, ::getpid())->slot)
               .heartbeat.load(std::memory_order_relaxed) > beats + 20;
  }));
  EXPECT_TRUE(Of(store, child.pid()).has_value());
  ASSERT_TRUE(child.Continue());
  EXPECT_TRUE(WaitFor([&] { return Of(store, child.pid())->liveness == Liveness::kLive; }));
  child.Send("go on");
  EXPECT_EQ(child.Receive(), "released");
}

TEST_F(ParticipantProcessTest, APinOfAStoppedProcessHoldsTheEpochUntilItIsReleased) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ChildProcess child([this](ChildSide& parent) { return HoldView(parent); });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_TRUE(child.Stop());
  const std::uint64_t epoch = store.Stats()->epoch;
  const std::string value(1000, 'x');
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(ns.Put("k", value).ok());
  }
  EXPECT_LE(store.Stats()->epoch, epoch + 1);
  EXPECT_GE(store.Stats()->retired_bytes, 2'900'000U);
  // The stopped participant, and no other, is listed with the time and the bytes it holds back.
  ASSERT_TRUE(
      WaitFor([&] { return Of(store, child.pid())->pinned_for > absl::Milliseconds(300); }));
  EXPECT_GE(Of(store, child.pid())->held_back_bytes, 2'900'000U);
  EXPECT_LE(Of(store, child.pid())->held_back_bytes, store.Stats()->retired_bytes);
  EXPECT_EQ(Of(store, ::getpid())->pinned_for, absl::ZeroDuration());
  EXPECT_EQ(Of(store, ::getpid())->held_back_bytes, 0U);
  ASSERT_TRUE(child.Continue());
  child.Send("go on");
  EXPECT_EQ(child.Receive(), "released");
  EXPECT_TRUE(WaitFor([&] { return Of(store, child.pid())->pinned_for == absl::ZeroDuration(); }));
  ASSERT_TRUE(WaitFor([&] { return store.Stats()->epoch > epoch + 4; }));
  const std::uint64_t file_bytes = store.Stats()->file_bytes;
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(ns.Put("k", value).ok());
  }
  EXPECT_LE(store.Stats()->file_bytes, file_bytes + (std::uint64_t{256} << 10));
  EXPECT_TRUE(IsSound(store));
}

TEST_F(ParticipantProcessTest, APinOfAKilledProcessIsReleased) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ChildProcess child([this](ChildSide& parent) { return HoldView(parent); });
  ASSERT_EQ(child.Receive(), "holding");
  const std::uint64_t epoch = store.Stats()->epoch;
  ASSERT_TRUE(child.KillAndWait());
  EXPECT_TRUE(WaitFor([&] { return store.Stats()->epoch > epoch + 4; }));
}

TEST_F(ParticipantProcessTest, AForkedGrandchildDoesNotKeepTheSlotOfItsParentAlive) {
  Store store = MustOpen(SmallOptions());
  std::optional<ChildProcess> child(std::in_place, [this](ChildSide& parent) {
    const absl::StatusOr<Store> mine = Store::Open(path_, SmallOptions());
    // Not a ChildProcess, which would end with its parent: it is to outlive it.
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      ::pause();
      ::_exit(0);
    }
    parent.Send(std::to_string(grandchild));
    (void)parent.Receive();
    return mine.ok() ? 0 : 1;
  });
  const auto grandchild = static_cast<pid_t>(std::stol(child->Receive().value_or("0")));
  ASSERT_GT(grandchild, 0);
  const pid_t parent_of_it = child->pid();
  ASSERT_TRUE(Of(store, parent_of_it).has_value());
  ASSERT_TRUE(child->KillAndWait());
  EXPECT_TRUE(WaitFor([&] { return !Of(store, parent_of_it).has_value(); }));
  EXPECT_EQ(::kill(grandchild, 0), 0) << "the grandchild must still live";
  ::kill(grandchild, SIGKILL);
}

TEST_F(ParticipantProcessTest, EveryProcessIsListedUntilItEnds) {
  Store store = MustOpen(SmallOptions());
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(
        std::make_unique<ChildProcess>([this](ChildSide& parent) { return HoldView(parent); }));
    ASSERT_EQ(children.back()->Receive(), "holding");
  }
  EXPECT_EQ(store.Participants()->size(), 5U);
  for (const auto& child : children) {
    EXPECT_EQ(Of(store, child->pid())->name, "test");
    child->Send("release");
    EXPECT_EQ(child->Receive(), "released");
    child->Send("end");
    EXPECT_TRUE(child->Succeeded());
  }
  // They ended without closing their stores.
  EXPECT_TRUE(WaitFor([&] { return store.Participants()->size() == 1; }));
}

}  // namespace
}  // namespace commy::test
