// Sessions: lanes that are claimed and given back, views, the epoch, recovery of the dead, closing.
// Two sessions on one file, in one process; a dead one is made by abandoning it, or by words in a
// participant entry whose lock byte is free.
#include "process/session.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "process/owner.h"
#include "support/fault_platform.h"
#include "support/lane_state.h"
#include "support/store_fixture.h"
#include "support/temp_dir.h"
#include "support/wait_for.h"

namespace commy::process {
namespace {

using region::LaneLayout;
using test::FaultPlatform;
using test::IsIdle;
using test::Says;

constexpr std::uint32_t kLanes = 32;
constexpr std::uint32_t kOrdinaryLanes = kLanes - kLanes / 8;
constexpr std::uint64_t kDeadGeneration = 7;
constexpr std::int64_t kStaleAfterNs = 1'000'000'000;

class SessionTest : public testing::Test {
 protected:
  std::shared_ptr<Session> MustOpen(const Session::Hooks& hooks = {}) {
    region::RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{1} << 20;
    options.create.span_bytes = 4096;
    options.create.chunk_bytes = 16384;
    options.create.participant_count = 6;
    options.create.thread_count = kOrdinaryLanes;
    options.create.stale_after_ns = kStaleAfterNs;
    auto region = region::Region::Open(platform_, temp_.File("store"), options);
    EXPECT_TRUE(region.ok()) << region.status();
    auto session = std::make_shared<Session>(
        *std::move(region), SessionOptions{.process_name = "test", .background = false});
    EXPECT_TRUE(session->Start(hooks).ok());
    return session;
  }
  // Runs `body` in a thread of its own, which ends before this returns.
  template <typename Body>
  static void InThread(Body body) {
    std::thread(body).join();
  }
  static LaneLayout& LaneOf(Session& session, std::uint32_t index) {
    return session.region().lane(index);
  }
  // Makes lane `index` that of an operation of a dead participant, whose entry is `slot`.
  void LeaveDeadLane(std::uint32_t slot, std::uint32_t index) {
    region::ParticipantEntry& words = session_->region().participant(slot);
    words.state.store((kDeadGeneration << 8U) | 1U, std::memory_order_release);
    LaneLayout& lane = LaneOf(*session_, index);
    lane.owner.store(PackOwner(slot, kDeadGeneration), std::memory_order_release);
    lane.op.store(PackOp({true, 1, OpKind::kWrite, 5}), std::memory_order_release);
    lane.op_object.store(0x40, std::memory_order_release);
    lane.notes[0].store(BlockNote(BlockKind::kRecord, 0x100), std::memory_order_release);
    lane.notes[63].store(BlockNote(BlockKind::kRaw, 0x200), std::memory_order_release);
    for (region::Shared64& pin : lane.pins) {
      pin.store(PinWord(Epoch()), std::memory_order_release);
    }
  }
  std::uint64_t Epoch() {
    return session_->region().header().epoch.load(std::memory_order_acquire);
  }
  std::uint64_t SlotState(std::uint32_t slot) {
    return session_->region().participant(slot).state.load(std::memory_order_acquire) & 0xffU;
  }

  test::TempDir temp_;
  FaultPlatform platform_;
  std::shared_ptr<Session> session_ = MustOpen();
};

// --- Lanes -----------------------------------------------------------------------------------

TEST_F(SessionTest, AThreadHasOneLaneUntilItEndsAndTheNextThreadGetsIt) {
  Lane* const mine = *session_->ThisLane();
  EXPECT_EQ(*session_->ThisLane(), mine);
  EXPECT_EQ(LaneOf(*session_, mine->index()).owner.load(std::memory_order_acquire),
            session_->owner_word());
  std::vector<std::uint32_t> indices;
  for (int thread = 0; thread < 2; ++thread) {
    InThread([&] {
      Lane* const lane = *session_->ThisLane();
      indices.push_back(lane->index());
      EXPECT_EQ(LaneOf(*session_, lane->index()).owner.load(std::memory_order_acquire),
                session_->owner_word());
    });
    EXPECT_EQ(LaneOf(*session_, indices.back()).owner.load(std::memory_order_acquire), 0U);
  }
  EXPECT_NE(indices[0], mine->index());
  EXPECT_EQ(indices[0], indices[1]);
}

TEST_F(SessionTest, TwoSessionsOfOneThreadHaveDifferentLanes) {
  const std::shared_ptr<Session> other = MustOpen();
  EXPECT_NE((*session_->ThisLane())->index(), (*other->ThisLane())->index());
  EXPECT_NE(session_->owner_word(), other->owner_word());
}

TEST_F(SessionTest, WithAllLanesTakenThreadsAreRefusedAndRecoveryStillGetsALane) {
  // The lanes belong to the other session, which is live. Written directly, to need no threads.
  const std::shared_ptr<Session> other = MustOpen();
  ASSERT_TRUE(session_->region().GrowLanes(kLanes).ok());
  for (std::uint32_t i = 0; i < kOrdinaryLanes; ++i) {
    LaneOf(*session_, i).owner.store(other->owner_word(), std::memory_order_release);
  }
  InThread([&] {
    const absl::StatusOr<Lane*> lane = session_->ThisLane();
    EXPECT_TRUE(Says(lane.status(), absl::StatusCode::kResourceExhausted, "lanes are taken"));
    const absl::StatusOr<Lane*> spare = session_->ThisLane(Session::LaneUse::kRecovery);
    ASSERT_TRUE(spare.ok()) << spare.status();
    EXPECT_GE((*spare)->index(), kOrdinaryLanes);
  });
  // One lane that is given back is enough.
  LaneOf(*session_, 3).owner.store(0, std::memory_order_release);
  InThread([&] { EXPECT_EQ((*session_->ThisLane())->index(), 3U); });
  for (std::uint32_t i = 0; i < kOrdinaryLanes; ++i) {
    LaneOf(*session_, i).owner.store(0, std::memory_order_release);
  }
}

TEST_F(SessionTest, AThreadRecoversLanesOfTheDeadWhenAllLanesAreTaken) {
  ASSERT_TRUE(session_->region().GrowLanes(kLanes).ok());
  for (std::uint32_t i = 0; i < kOrdinaryLanes; ++i) {
    LeaveDeadLane(4, i);
  }
  InThread([&] { EXPECT_TRUE(session_->ThisLane().ok()); });
  for (std::uint32_t i = 0; i < kOrdinaryLanes; ++i) {
    EXPECT_TRUE(IsIdle(LaneOf(*session_, i)));
  }
}

TEST_F(SessionTest, AFullDiskDuringGrowthOfLanesIsReportedAndAThreadMayRetry) {
  const std::shared_ptr<Session> other = MustOpen();
  const std::uint32_t ready = session_->region().lanes_ready();
  ASSERT_LT(ready, kOrdinaryLanes);
  for (std::uint32_t i = 0; i < ready; ++i) {
    LaneOf(*session_, i).owner.store(other->owner_word(), std::memory_order_release);
  }
  platform_.Set([](auto& faults) { faults.allocate_bytes_left = 0; });
  InThread([&] { EXPECT_TRUE(absl::IsResourceExhausted(session_->ThisLane().status())); });
  EXPECT_EQ(session_->region().lanes_ready(), ready);
  platform_.Clear();
  InThread([&] { EXPECT_EQ((*session_->ThisLane())->index(), ready); });
  for (std::uint32_t i = 0; i < ready; ++i) {
    LaneOf(*session_, i).owner.store(0, std::memory_order_release);
  }
}

// --- Views -----------------------------------------------------------------------------------

TEST_F(SessionTest, AViewKeepsTheLaneOfAnEndedThreadUntilAnotherThreadReleasesIt) {
  Session::ViewPin view;
  InThread([&] {
    Lane* const lane = *session_->ThisLane();
    const Pin pin(*lane);
    ASSERT_TRUE(pin.entered());
    view = *session_->TakeViewPin(*lane);
  });
  LaneLayout& words = LaneOf(*session_, view.lane->index());
  EXPECT_EQ(words.owner.load(std::memory_order_acquire), session_->owner_word());
  EXPECT_EQ(words.pins[0].load(std::memory_order_acquire), 0U);
  EXPECT_EQ(PinEpoch(words.pins[view.pin].load(std::memory_order_acquire)), Epoch());
  InThread([&] { session_->ReleaseView(view); });
  EXPECT_TRUE(IsIdle(words));
}

TEST_F(SessionTest, ViewsBeyondOneLanesPinsTakeFurtherLanesAndGiveThemBack) {
  Lane* const lane = *session_->ThisLane();
  std::vector<Session::ViewPin> views;
  {
    const Pin pin(*lane);
    for (std::uint32_t i = 0; i < 2 * region::kPinsPerLane; ++i) {
      absl::StatusOr<Session::ViewPin> view = session_->TakeViewPin(*lane);
      ASSERT_TRUE(view.ok()) << view.status();
      EXPECT_GE(view->lane->index(), lane->index());
      EXPECT_EQ(view->owner, lane);
      views.push_back(*view);
    }
  }
  EXPECT_NE(views.front().lane, views.back().lane);
  const std::uint64_t before = Epoch();
  EXPECT_TRUE(session_->TryAdvanceEpoch());
  int blocker = -1;
  EXPECT_FALSE(session_->TryAdvanceEpoch(&blocker));
  EXPECT_EQ(blocker, static_cast<int>(lane->index()));
  for (const Session::ViewPin& view : views) {
    session_->ReleaseView(view);
  }
  EXPECT_TRUE(session_->TryAdvanceEpoch());
  EXPECT_EQ(Epoch(), before + 2);
}

TEST_F(SessionTest, AViewHoldsTheEpochThatItsReaderPinned) {
  Session::ViewPin view;
  const std::uint64_t before = Epoch();
  {
    const Pin pin(**session_->ThisLane());
    // The block that is read may have been retired before this.
    ASSERT_TRUE(session_->TryAdvanceEpoch());
    view = *session_->TakeViewPin(pin.lane());
  }
  EXPECT_EQ(PinEpoch(view.lane->words().pins[view.pin].load(std::memory_order_acquire)), before);
  EXPECT_FALSE(session_->TryAdvanceEpoch());
  EXPECT_EQ(Epoch(), before + 1);
  session_->ReleaseView(view);
  EXPECT_TRUE(session_->TryAdvanceEpoch());
}

TEST_F(SessionTest, CloseIsRefusedWhileAViewIsHeldAndChangesNothing) {
  Session::ViewPin view;
  {
    const Pin pin(**session_->ThisLane());
    view = *session_->TakeViewPin(pin.lane());
  }
  EXPECT_TRUE(Says(session_->Close(), absl::StatusCode::kFailedPrecondition,
                   "views or loans are still held"));
  EXPECT_TRUE(session_->usable());
  EXPECT_EQ(SlotState(session_->region().slot_index()), 1U);
  {
    const Pin pin(**session_->ThisLane());
    EXPECT_TRUE(pin.entered());
  }
  session_->ReleaseView(view);
  EXPECT_TRUE(session_->Close().ok());
  EXPECT_FALSE(session_->usable());
  EXPECT_TRUE(Says(session_->Close(), absl::StatusCode::kFailedPrecondition, "closed"));
}

TEST_F(SessionTest, CloseInsideAnOperationOfTheSameThreadIsRefused) {
  const Pin pin(**session_->ThisLane());
  EXPECT_TRUE(Says(session_->Close(), absl::StatusCode::kFailedPrecondition, "callback"));
  EXPECT_TRUE(session_->usable());
}

TEST_F(SessionTest, CloseWaitsForAnotherThreadsOperationAndThenRefusesPins) {
  std::atomic<bool> inside{false};
  std::atomic<bool> leave{false};
  std::atomic<bool> left{false};
  std::thread reader([&] {
    Lane* const lane = *session_->ThisLane();
    {
      const Pin pin(*lane);
      inside = true;
      EXPECT_TRUE(test::WaitFor([&] { return leave.load(); }));
      // Close has begun, but the pin still holds.
      EXPECT_EQ(PinEpoch(lane->words().pins[0].load(std::memory_order_acquire)), Epoch());
      left = true;
    }
    const Pin late(*lane);
    EXPECT_FALSE(late.entered());
  });
  ASSERT_TRUE(test::WaitFor([&] { return inside.load(); }));
  std::thread closer([&] {
    EXPECT_TRUE(session_->Close().ok());
    EXPECT_TRUE(left.load());
  });
  EXPECT_TRUE(test::WaitFor([&] { return !session_->usable(); }));
  leave = true;
  reader.join();
  closer.join();
}

// --- Epochs ----------------------------------------------------------------------------------

TEST_F(SessionTest, TheEpochMovesOnceBesideAPinAndThenWaitsForItsRelease) {
  const std::shared_ptr<Session> other = MustOpen();
  const std::uint64_t before = Epoch();
  {
    const Pin pin(**other->ThisLane());
    EXPECT_TRUE(session_->TryAdvanceEpoch());
    for (int i = 0; i < 3; ++i) {
      int blocker = -1;
      EXPECT_FALSE(session_->TryAdvanceEpoch(&blocker));
      EXPECT_EQ(blocker, static_cast<int>(pin.lane().index()));
      EXPECT_FALSE(session_->PushEpoch()) << "the owner of the pin is live";
    }
    EXPECT_EQ(Epoch(), before + 1);
    EXPECT_FALSE(session_->MoveEpochs());
  }
  EXPECT_TRUE(session_->PushEpoch());
  EXPECT_EQ(Epoch(), before + 2);
  EXPECT_TRUE(session_->MoveEpochs());
  EXPECT_GE(Epoch(), before + 6);
}

TEST_F(SessionTest, APinOfThePreviousEpochThatTheBarrierMakesVisibleHoldsTheEpoch) {
  const std::shared_ptr<Session> other = MustOpen();
  LaneLayout& reader = (*other->ThisLane())->words();
  ASSERT_TRUE(session_->TryAdvanceEpoch());
  const std::uint64_t before = Epoch();
  // Until the barrier, the pin is in its processor's store buffer. It has a former epoch.
  platform_.Set([&](auto& faults) {
    faults.in_global_barrier = [&] {
      reader.pins[0].store(PinWord(before - 1), std::memory_order_release);
    };
  });
  int blocker = -1;
  EXPECT_FALSE(session_->TryAdvanceEpoch(&blocker));
  EXPECT_EQ(blocker, static_cast<int>((*other->ThisLane())->index()));
  EXPECT_EQ(Epoch(), before);
  platform_.Clear();
  reader.pins[0].store(0, std::memory_order_release);
  EXPECT_TRUE(session_->TryAdvanceEpoch());
}

TEST_F(SessionTest, PushEpochRecoversADeadBlockerAndMovesTheEpoch) {
  LeaveDeadLane(4, 9);
  const std::uint64_t before = Epoch();
  EXPECT_TRUE(session_->PushEpoch());
  EXPECT_FALSE(session_->TryAdvanceEpoch());
  EXPECT_TRUE(session_->PushEpoch());
  EXPECT_EQ(Epoch(), before + 2);
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 9)));
}

TEST_F(SessionTest, AProcessWithoutBarriersNeverMovesTheEpoch) {
  platform_.Set([](auto& faults) { faults.register_barrier = absl::UnavailableError("none"); });
  const std::shared_ptr<Session> other = MustOpen();
  EXPECT_FALSE(other->pins_by_store());
  const std::uint64_t before = Epoch();
  EXPECT_FALSE(other->TryAdvanceEpoch());
  EXPECT_FALSE(other->MoveEpochs());
  platform_.Set([](auto& faults) {
    faults.register_barrier = absl::OkStatus();
    faults.global_barrier = absl::UnavailableError("none");
  });
  EXPECT_FALSE(session_->TryAdvanceEpoch());
  EXPECT_EQ(Epoch(), before);
  platform_.Clear();
  EXPECT_TRUE(session_->TryAdvanceEpoch());
}

// --- Recovery --------------------------------------------------------------------------------

TEST_F(SessionTest, RecoveryOfADeadParticipantMayBeRepeatedAfterAFailedStep) {
  std::uint64_t seen_pins = 0;
  int calls = 0;
  absl::Status answer = absl::DataLossError("not yet");
  Session::Hooks hooks;
  hooks.recover_lane.emplace_back([&](Operation& own, LaneLayout& dead) {
    ++calls;
    seen_pins = dead.pins[0].load(std::memory_order_acquire);
    EXPECT_TRUE(own.entered());
    EXPECT_TRUE(UnpackOp(dead.op.load(std::memory_order_acquire)).armed);
    EXPECT_NE(dead.notes[0].load(std::memory_order_acquire), 0U);
    return answer;
  });
  const std::shared_ptr<Session> recoverer = MustOpen(hooks);
  LeaveDeadLane(5, 9);
  // A step that fails leaves everything for the next recovery: entry, owner, notes and pins.
  EXPECT_TRUE(absl::IsDataLoss(recoverer->RecoverDead()));
  EXPECT_NE(seen_pins, 0U) << "the lane was unpinned before it was recovered";
  EXPECT_EQ(SlotState(5), kGone);  // And nothing waits for it any more.
  EXPECT_NE(LaneOf(*session_, 9).pins[15].load(std::memory_order_acquire), 0U);
  EXPECT_NE(LaneOf(*session_, 9).notes[63].load(std::memory_order_acquire), 0U);
  answer = absl::OkStatus();
  EXPECT_TRUE(recoverer->RecoverDead().ok());
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 9)));
  EXPECT_EQ(SlotState(5), 0U);
  // A second recovery finds nothing to do.
  EXPECT_TRUE(recoverer->RecoverDead().ok());
  EXPECT_EQ(calls, 2);
}

TEST_F(SessionTest, ADeadLaneOutsideAnyOperationIsUnpinnedWithoutARecoverersLane) {
  LeaveDeadLane(5, 9);
  LaneLayout& dead = LaneOf(*session_, 9);
  dead.op.store(PackOp({false, 0, OpKind::kNone, 5}), std::memory_order_release);
  dead.op_object.store(0, std::memory_order_release);
  dead.notes[0].store(0, std::memory_order_release);
  dead.notes[63].store(0, std::memory_order_release);
  InThread([&] { EXPECT_TRUE(session_->RecoverDead().ok()); });
  EXPECT_TRUE(IsIdle(dead));
  EXPECT_EQ(SlotState(5), 0U);
}

TEST_F(SessionTest, ADeadLaneOfAFreeParticipantEntryIsRecovered) {
  LeaveDeadLane(5, 9);
  session_->region().participant(5).state.store(kDeadGeneration << 8U, std::memory_order_release);
  EXPECT_TRUE(session_->RecoverDead().ok());
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 9)));
}

TEST_F(SessionTest, TheLaneOfAKilledRecovererIsRecovered) {
  (void)*session_->ThisLane();
  LeaveDeadLane(3, 5);
  LaneLayout& lane = LaneOf(*session_, 5);
  lane.op.store(PackOp({false, 0, OpKind::kRecover, 5}), std::memory_order_release);
  lane.notes[0].store(0, std::memory_order_release);
  lane.notes[63].store(0, std::memory_order_release);
  EXPECT_TRUE(session_->RecoverDead().ok());
  EXPECT_TRUE(IsIdle(lane));
  EXPECT_EQ(UnpackOp(lane.op.load(std::memory_order_acquire)).seq, 5U);
  EXPECT_TRUE(session_->Sync().ok());
}

TEST_F(SessionTest, SyncDoesNotWaitForALaneWithoutAnOwner) {
  ASSERT_TRUE(session_->region().EnsureDirty().ok());
  (void)*session_->ThisLane();
  LaneOf(*session_, 5).op.store(PackOp({false, 0, OpKind::kRecover, 5}), std::memory_order_release);
  EXPECT_TRUE(session_->Sync().ok());
}

TEST_F(SessionTest, ALaneOfALaterGenerationThanItsEntryIsRecovered) {
  (void)*session_->ThisLane();
  const std::uint32_t slot = OwnerSlot(MustOpen()->owner_word());  // Free again after this line.
  const std::uint64_t state =
      session_->region().participant(slot).state.load(std::memory_order_acquire);
  LeaveDeadLane(slot, 5);
  // A power cut can leave this: the lane's page went to disk later than the entry's.
  session_->region().participant(slot).state.store(state, std::memory_order_release);
  const std::uint64_t of_the_future = PackOwner(slot, (state >> 8U) + 1);
  LaneOf(*session_, 5).owner.store(of_the_future, std::memory_order_release);
  const std::shared_ptr<Session> next = MustOpen();
  ASSERT_EQ(OwnerSlot(next->owner_word()), slot);
  EXPECT_NE(next->owner_word(), of_the_future);
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 5)));
}

TEST_F(SessionTest, LiveParticipantsAreNotRecovered) {
  const std::shared_ptr<Session> other = MustOpen();
  const Pin pin(**other->ThisLane());
  EXPECT_TRUE(session_->RecoverDead().ok());
  EXPECT_EQ(SlotState(other->region().slot_index()), 1U);
  EXPECT_EQ(pin.lane().words().owner.load(std::memory_order_acquire), other->owner_word());
  EXPECT_NE(pin.lane().words().pins[0].load(std::memory_order_acquire), 0U);
}

TEST_F(SessionTest, AttachRecoversTheDeadFormerHolderOfTheEntry) {
  const std::uint32_t next = session_->region().slot_index() + 1;
  LeaveDeadLane(next, 9);
  const std::shared_ptr<Session> other = MustOpen();
  ASSERT_EQ(other->region().slot_index(), next);
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 9)));
  EXPECT_EQ(SlotState(next), 1U);
  EXPECT_NE(other->owner_word(), PackOwner(next, kDeadGeneration));
}

// --- Watching --------------------------------------------------------------------------------

TEST_F(SessionTest, AHeartbeatProbesParticipantsThatAreSilentForStaleAfter) {
  platform_.FreezeClocks();
  session_->Beat();
  LeaveDeadLane(5, 9);
  session_->Beat();  // Sees it for the first time.
  EXPECT_EQ(SlotState(5), 1U);
  platform_.Advance(kStaleAfterNs / 2);
  session_->region().participant(5).heartbeat.store(1, std::memory_order_release);
  session_->Beat();  // Sees that the participant has beaten.
  EXPECT_EQ(SlotState(5), 1U);
  platform_.Advance(kStaleAfterNs / 2);
  session_->Beat();
  EXPECT_EQ(SlotState(5), 0U);
  EXPECT_TRUE(IsIdle(LaneOf(*session_, 9)));
}

TEST_F(SessionTest, AWatcherThatSleptItselfWaitsBeforeItProbesSilentParticipants) {
  platform_.FreezeClocks();
  session_->Beat();
  LeaveDeadLane(5, 9);
  session_->Beat();
  platform_.Advance(10 * kStaleAfterNs);
  session_->Beat();  // The participant was silent for as long as the watcher: no evidence.
  EXPECT_EQ(SlotState(5), 1U);
  platform_.Advance(kStaleAfterNs / 2);
  session_->Beat();
  EXPECT_EQ(SlotState(5), 0U);
}

TEST_F(SessionTest, ParticipantsDistinguishesLiveStalledAndDead) {
  platform_.FreezeClocks();
  const std::shared_ptr<Session> other = MustOpen();
  LeaveDeadLane(5, 9);
  platform_.Advance(2 * kStaleAfterNs);
  session_->Beat();
  const std::vector<ParticipantInfo> all = session_->Participants();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].slot, session_->region().slot_index());
  EXPECT_EQ(all[0].liveness, Liveness::kLive);
  EXPECT_EQ(all[0].name, "test");
  EXPECT_EQ(all[1].liveness, Liveness::kStalled);
  EXPECT_EQ(all[2].liveness, Liveness::kDead);
  EXPECT_EQ(all[2].lanes, 1U);
  EXPECT_EQ(all[2].doing, OpKind::kWrite);
  EXPECT_EQ(all[2].oldest_pin_epoch, Epoch());
}

}  // namespace
}  // namespace commy::process
