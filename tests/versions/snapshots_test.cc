// Snapshots: taking and releasing entries, those of the dead, and at which times a version is
// needed.
#include "versions/snapshots.h"

#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "process/owner.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/versions_fixture.h"

namespace commy::versions {
namespace {

class SnapshotsTest : public test::VersionsFixture {
 protected:
  std::uint64_t Me() { return party_.session().owner_word(); }
  region::SnapshotEntry& Entry(const HeldSnapshot& held) { return region().snapshot(held.slot); }
  std::uint64_t Ended() { return header().snapshots_ended.load(std::memory_order_relaxed); }
  std::vector<std::uint64_t> HeldTimes() {
    std::vector<std::uint64_t> times;
    for (const SnapshotInfo& info : ListSnapshots(region())) {
      times.push_back(info.time);
    }
    return times;
  }
};

// --- Taking and releasing ----------------------------------------------------------------------

TEST_F(SnapshotsTest, ASnapshotHasTheCommitClocksTimeAndTheStoreTime) {
  SetClock(17);
  platform_.FreezeClocks();
  const HeldSnapshot held = *TakeSnapshot(party_.session());
  EXPECT_EQ(held.time, 17U);
  EXPECT_EQ(held.store_ns, party_.session().clock().NowNs());
  EXPECT_EQ(SnapshotTime(Entry(held).word.load(std::memory_order_relaxed)), 17U);
  EXPECT_EQ(Entry(held).owner.load(std::memory_order_relaxed), Me());
  const std::vector<SnapshotInfo> all = ListSnapshots(region());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].owner, Me());
  EXPECT_EQ(all[0].time, 17U);
  EXPECT_EQ(all[0].store_ns, held.store_ns);
  Release(held);
}

TEST_F(SnapshotsTest, SnapshotsAreHeldFromTheFirstTakingToTheLastRelease) {
  EXPECT_FALSE(SnapshotsHeld(region()));
  const HeldSnapshot first = TakeAt(5);
  EXPECT_TRUE(SnapshotsHeld(region()));
  const HeldSnapshot second = TakeAt(8);
  EXPECT_NE(first.slot, second.slot);
  Release(first);
  EXPECT_TRUE(SnapshotsHeld(region()));
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{8}));
  Release(second);
  EXPECT_FALSE(SnapshotsHeld(region()));
  EXPECT_TRUE(HeldTimes().empty());
}

TEST_F(SnapshotsTest, SnapshotsAreListedTheOldestFirst) {
  const HeldSnapshot a = TakeAt(9);
  const HeldSnapshot b = TakeAt(4);
  const HeldSnapshot c = TakeAt(6);
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{4, 6, 9}));
  for (const HeldSnapshot& held : {a, b, c}) {
    Release(held);
  }
}

TEST_F(SnapshotsTest, AReleaseByAnotherOwnerChangesNothing) {
  const HeldSnapshot held = TakeAt(5);
  ReleaseSnapshot(region(), held.slot, Me() + 1);
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{5}));
  Release(held);
  const HeldSnapshot next = TakeAt(7);
  ASSERT_EQ(next.slot, held.slot);
  ReleaseSnapshot(region(), held.slot, Me() + 1);
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{7}));
  Release(next);
}

TEST_F(SnapshotsTest, WhenAllEntriesAreTakenByTheLivingTheNextIsRefused) {
  std::vector<HeldSnapshot> held;
  std::set<std::uint32_t> slots;
  for (std::uint32_t i = 0; i < region().geometry().snapshot_count; ++i) {
    const absl::StatusOr<HeldSnapshot> taken = TakeSnapshot(party_.session());
    ASSERT_TRUE(taken.ok()) << taken.status();
    held.push_back(*taken);
    slots.insert(taken->slot);
  }
  EXPECT_EQ(slots.size(), held.size());
  EXPECT_TRUE(test::Says(TakeSnapshot(party_.session()).status(),
                         absl::StatusCode::kResourceExhausted, "snapshots are held"));
  Release(held.back());
  held.pop_back();
  EXPECT_TRUE(TakeSnapshot(party_.session()).ok());
  ReleaseSnapshots(region(), [&](std::uint64_t owner) { return owner == Me(); });
  EXPECT_FALSE(SnapshotsHeld(region()));
}

TEST_F(SnapshotsTest, TheEntriesOfADeadParticipantServeTheLiving) {
  // An entry of the table whose lock byte is free: dead.
  constexpr std::uint32_t kSlot = 6;
  constexpr std::uint64_t kGeneration = 7;
  region().participant(kSlot).state.store((kGeneration << 8U) | 1U, std::memory_order_release);
  const std::uint64_t dead = process::PackOwner(kSlot, kGeneration);
  for (std::uint32_t i = 0; i < region().geometry().snapshot_count; ++i) {
    HeldSnapshot held;
    ASSERT_TRUE(TakeSnapshot(region(), dead, 0, &held));
  }
  const std::uint64_t ended = Ended();
  const absl::StatusOr<HeldSnapshot> taken = TakeSnapshot(party_.session());
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(ListSnapshots(region()).size(), 1U);
  // The dead one may have been stopped between taking `keeps` back and the announcement.
  EXPECT_GT(Ended(), ended);
  Release(*taken);
}

TEST_F(SnapshotsTest, OnlySnapshotsOfTheGivenOwnersAreReleased) {
  HeldSnapshot mine;
  HeldSnapshot foreign;
  ASSERT_TRUE(TakeSnapshot(region(), Me(), 0, &mine));
  ASSERT_TRUE(TakeSnapshot(region(), Me() + 1, 0, &foreign));
  ReleaseSnapshots(region(), [&](std::uint64_t owner) { return owner != Me(); });
  ASSERT_EQ(ListSnapshots(region()).size(), 1U);
  EXPECT_EQ(ListSnapshots(region())[0].owner, Me());
  Release(mine);
}

TEST_F(SnapshotsTest, ABeatTakesBackThatSnapshotsAreHeldWhenNoneIs) {
  header().snapshots_held.store(8 | kSnapshotsSome, std::memory_order_seq_cst);
  RefreshSnapshotsHeld(region());
  EXPECT_EQ(header().snapshots_held.load(std::memory_order_relaxed), 8U);
  const HeldSnapshot held = TakeAt(5);
  RefreshSnapshotsHeld(region());
  EXPECT_TRUE(SnapshotsHeld(region()));
  Release(held);
}

TEST_F(SnapshotsTest, ADamagedNumberOfReadyEntriesLeadsToNoneBehindTheLast) {
  const HeldSnapshot held = TakeAt(5);
  header().snapshots_ready.store(UINT64_MAX, std::memory_order_relaxed);
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{5}));
  SetClock(6);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(5, 6));
  Release(held);
}

// --- Which versions are needed -----------------------------------------------------------------

TEST_F(SnapshotsTest, AVersionIsNeededFromItsOwnTimeToJustBeforeTheNextOnes) {
  const HeldSnapshot held = TakeAt(10);
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  EXPECT_TRUE(times.Needs(1, 11));
  EXPECT_TRUE(times.Needs(10, 20));
  EXPECT_FALSE(times.Needs(9, 10));
  EXPECT_FALSE(times.Needs(1, 10));
  EXPECT_FALSE(times.Needs(11, 12));
  EXPECT_FALSE(times.Needs(11, 20));
  Release(held);
}

TEST_F(SnapshotsTest, OneThatKeepsSinceItsTimeNeedsAllThatWasReplacedAfterIt) {
  const HeldSnapshot held = TakeAt(10);
  KeepSince(region(), held);
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  EXPECT_TRUE(times.Needs(11, 12));
  EXPECT_TRUE(times.Needs(19, 20));
  EXPECT_FALSE(times.Needs(9, 10));
  EXPECT_FALSE(times.Needs(3, 5));
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{10}));
  Release(held);
  EXPECT_FALSE(times.Needs(11, 12));
}

TEST_F(SnapshotsTest, NothingIsNeededOnceTheSnapshotIsReleasedWithoutANewLook) {
  const HeldSnapshot held = TakeAt(10);
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  Release(held);
  EXPECT_FALSE(times.Needs(10, 11));
  EXPECT_FALSE(SnapshotTimes(region()).Needs(10, 11));
}

TEST_F(SnapshotsTest, ALaterSnapshotInTheSameEntryIsNotTakenForTheOneBefore) {
  const HeldSnapshot held = TakeAt(10);
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  Release(held);
  const HeldSnapshot next = TakeAt(20);
  ASSERT_EQ(next.slot, held.slot);
  EXPECT_FALSE(times.Needs(10, 11));
  Release(next);
}

TEST_F(SnapshotsTest, AnOldLookIsTakenAnewForAQuestionThatIsNewerThanIt) {
  const HeldSnapshot first = TakeAt(10);
  SetClock(12);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  const HeldSnapshot second = TakeAt(15);
  SetClock(20);
  EXPECT_TRUE(times.Needs(13, 16));
  EXPECT_FALSE(times.Needs(13, 15));
  Release(first);
  Release(second);
}

TEST_F(SnapshotsTest, WhoIsToldThatASnapshotNeedsAVersionHearsOfItsEnd) {
  const HeldSnapshot needed = TakeAt(10);
  const HeldSnapshot other = TakeAt(15);
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(10, 11));
  EXPECT_EQ(times.ended(), Ended());
  Release(other);  // Nothing was left for it.
  EXPECT_EQ(times.ended(), Ended());
  Release(needed);
  EXPECT_EQ(times.ended() + 1, Ended());
}

TEST_F(SnapshotsTest, ALookGivesASnapshotThatIsBeingTakenItsTime) {
  const HeldSnapshot held = TakeAt(5);
  Entry(held).word.store(kSnapshotPending | 3, std::memory_order_seq_cst);  // Stopped before T4.
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{0}));
  SetClock(20);
  SnapshotTimes times(region());
  EXPECT_FALSE(times.Needs(10, 20));
  EXPECT_EQ(HeldTimes(), (std::vector<std::uint64_t>{20}));
  SetClock(30);
  EXPECT_TRUE(times.Needs(20, 30));
  Release(held);
}

TEST_F(SnapshotsTest, AVersionReplacedAheadOfTheClockIsKeptWhileAnySnapshotIsHeld) {
  const HeldSnapshot held = TakeAt(5);
  SnapshotTimes times(region());
  EXPECT_TRUE(times.Needs(100, 200));
  Release(held);
  EXPECT_FALSE(times.Needs(100, 200));
}

TEST_F(SnapshotsTest, NeedsAgreesWithTheDefinitionForRandomSnapshots) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<HeldSnapshot, bool>> held;
    for (std::uint64_t i = random() % 5; i > 0; --i) {
      held.emplace_back(TakeAt(random() % 15 + 1), random() % 4 == 0);
      if (held.back().second) {
        KeepSince(region(), held.back().first);
      }
    }
    SetClock(20);
    SnapshotTimes times(region());
    for (int look = 0; look < 40; ++look) {
      if (!held.empty() && random() % 8 == 0) {
        Release(held.back().first);
        held.pop_back();
      }
      const std::uint64_t from = random() % 18 + 1;
      const std::uint64_t until = from + 1 + random() % (20 - from);
      bool needed = false;
      for (const auto& [snapshot, since] : held) {
        needed = needed || (snapshot.time < until && (snapshot.time >= from || since));
      }
      ASSERT_EQ(times.Needs(from, until), needed) << from << " to " << until;
    }
    for (const auto& [snapshot, since] : held) {
      Release(snapshot);
    }
  }
}

}  // namespace
}  // namespace commy::versions
