// Chains of versions: the version as of a time, pruning with and without held snapshots, pruners
// that meet, and chains that are damaged.
#include "versions/chain.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "process/owner.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/versions_fixture.h"

namespace commy::versions {
namespace {

using process::Operation;
using process::OpKind;
using Times = std::vector<std::uint64_t>;

class ChainTest : public test::VersionsFixture {
 protected:
  // A chain of versions with these commit times, the newest first. Returns their blocks.
  std::vector<std::uint64_t> Build(const Times& times) {
    std::vector<std::uint64_t> blocks(times.size());
    std::uint64_t prev = 0;
    for (std::size_t i = times.size(); i-- > 0;) {
      prev = party_.MakeRecord({.key = "key", .value = "v", .commit = times[i]}, prev);
      blocks[i] = prev;
    }
    return blocks;
  }
  Record& At(std::uint64_t block) { return party_.RecordAt(block); }
  // The commit times in the chain at a block.
  Times TimesAt(std::uint64_t block) {
    Times times;
    for (; block != 0 && times.size() < 1000; block = PrevOffset(At(block).prev)) {
      times.push_back(At(block).commit.load(std::memory_order_relaxed));
    }
    return times;
  }
  // The commit of the version that counts at a time; 0: none.
  std::uint64_t CommitAsOf(std::uint64_t newest, std::uint64_t time) {
    RecordView view = ViewRecord(region(), newest);
    const base::Result found = party_.chains().ToVersionAsOf({.time = time}, &view);
    EXPECT_TRUE(found.done()) << found.status();
    return view.valid() ? view.record->commit.load(std::memory_order_relaxed) : 0;
  }
  Leftover Prune(std::uint64_t head, bool whole) { return Prune(party_, head, whole); }
  static Leftover Prune(test::VersionsParty& party, std::uint64_t head, bool whole) {
    Operation op(party.lane(), OpKind::kSweep, 0);
    SnapshotTimes times(party.region());
    const std::uint32_t place = op.AddNote(0);
    return party.chains().Prune(op, place, times, party.RecordAt(head), whole);
  }
  bool PruneAll(std::uint64_t head) {
    Operation op(party_.lane(), OpKind::kSweep, 0);
    return party_.chains().PruneAll(op, op.AddNote(0), At(head));
  }
  bool Unlink(std::uint64_t newer, std::uint64_t old) {
    Operation op(party_.lane(), OpKind::kSweep, 0);
    op.AddNote(process::BlockNote(region::BlockKind::kRecord, old));
    return party_.chains().Unlink(op, At(newer).prev, old, At(old).prev);
  }
  void Freeze(std::uint64_t block) {  // unlink-2
    At(block).prev.fetch_or(kPrevFrozen, std::memory_order_seq_cst);
  }
};

// --- Versions as of a time ---------------------------------------------------------------------

TEST_F(ChainTest, AReaderSeesTheNewestVersionThatIsNotNewerThanItsTime) {
  const std::uint64_t newest = Build({9, 5, 3}).front();
  const std::map<std::uint64_t, std::uint64_t> expected = {
      {1, 0}, {2, 0}, {3, 3}, {4, 3}, {5, 5}, {8, 5}, {9, 9}, {10, 9}, {kCommitTimeMax, 9}};
  for (const auto& [time, commit] : expected) {
    EXPECT_EQ(CommitAsOf(newest, time), commit) << time;
  }
}

TEST_F(ChainTest, AFrozenVersionStillLeadsToTheOlderOnes) {
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  Freeze(blocks[1]);
  EXPECT_EQ(CommitAsOf(blocks[0], 4), 3U);
  EXPECT_EQ(CommitAsOf(blocks[0], 6), 5U);
}

TEST_F(ChainTest, AnAbortedNewestVersionCountsForNoReader) {
  const std::uint64_t newest = Build({kCommitAborted, 5, 3}).front();
  EXPECT_EQ(CommitAsOf(newest, kCommitTimeMax), 5U);
  EXPECT_EQ(CommitAsOf(newest, 4), 3U);
  EXPECT_EQ(CommitAsOf(Build({kCommitAborted}).front(), kCommitTimeMax), 0U);
}

TEST_F(ChainTest, TombstonesAndExpiredVersionsAreNotLive) {
  const std::int64_t now = party_.session().clock().NowNs();
  const auto is_live = [&](std::uint8_t flags, std::int64_t expiry_ns, const AsOf& as_of) {
    const std::uint64_t block = party_.MakeRecord(
        {.key = "key", .value = "", .expiry_ns = expiry_ns, .flags = flags, .commit = 1});
    return party_.chains().IsLive(ViewRecord(region(), block), as_of);
  };
  EXPECT_FALSE(party_.chains().IsLive(RecordView()));
  EXPECT_TRUE(is_live(0, 0, AsOf()));
  EXPECT_FALSE(is_live(kRecordTombstone, 0, AsOf()));
  EXPECT_FALSE(is_live(0, 1, AsOf()));
  EXPECT_TRUE(is_live(0, now + 3'600'000'000'000, AsOf()));
  EXPECT_TRUE(is_live(0, 100, {.store_ns = 99}));
  EXPECT_FALSE(is_live(0, 100, {.store_ns = 100}));
}

// --- Pruning -----------------------------------------------------------------------------------

TEST_F(ChainTest, WithoutSnapshotsPruneKeepsTheNewestVersionAlone) {
  SetClock(9);
  for (const bool whole : {false, true}) {
    const std::vector<std::uint64_t> blocks = Build({9, 5, 3, 2});
    EXPECT_EQ(Prune(blocks[0], whole), Leftover::kNothing);
    EXPECT_EQ(TimesAt(blocks[0]), (Times{9}));
    EXPECT_TRUE(IsUsed(blocks[0]));
    for (std::size_t i = 1; i < blocks.size(); ++i) {
      EXPECT_FALSE(IsUsed(blocks[i])) << i;
    }
    EXPECT_EQ(Prune(blocks[0], whole), Leftover::kNothing);
  }
}

TEST_F(ChainTest, PruneStopsAtTheFirstVersionThatASnapshotNeeds) {
  const HeldSnapshot held = TakeAt(6);
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 8, 5, 3, 2});
  EXPECT_EQ(Prune(blocks[0], false), Leftover::kWaits);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 5, 3, 2}));
  Release(held);
  EXPECT_EQ(Prune(blocks[0], false), Leftover::kNothing);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9}));
}

TEST_F(ChainTest, PruneOfTheWholeChainKeepsOnlyWhatSnapshotsNeed) {
  const HeldSnapshot old = TakeAt(3);
  const HeldSnapshot late = TakeAt(6);
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 8, 7, 5, 4, 3, 2, 1});
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kWaits);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 5, 3}));
  EXPECT_EQ(BlocksUsed(), 3U);
  Release(old);
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kWaits);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 5}));
  Release(late);
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kNothing);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9}));
}

TEST_F(ChainTest, PruneNeverChangesWhatAnyHeldSnapshotSees) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t length = random() % 10 + 1;
    std::set<std::uint64_t, std::greater<>> times;
    while (times.size() < length) {
      times.insert(random() % 30 + 1);
    }
    std::vector<HeldSnapshot> held;
    for (std::uint64_t at = random() % 10 + 1; at < 31; at += random() % 10 + 1) {
      held.push_back(TakeAt(at));
    }
    SetClock(30);
    const std::uint64_t newest = Build({times.begin(), times.end()}).front();
    std::vector<std::uint64_t> before;
    for (const HeldSnapshot& snapshot : held) {
      before.push_back(CommitAsOf(newest, snapshot.time));
    }
    const bool whole = random() % 2 == 0;
    (void)Prune(newest, whole);
    for (std::size_t i = 0; i < held.size(); ++i) {
      ASSERT_EQ(CommitAsOf(newest, held[i].time), before[i]) << "as of " << held[i].time;
    }
    if (whole) {  // What is left below the newest is what some snapshot sees.
      const Times left = TimesAt(newest);
      for (std::size_t i = 1; i < left.size(); ++i) {
        ASSERT_NE(std::find(before.begin(), before.end(), left[i]), before.end()) << left[i];
      }
    }
    for (const HeldSnapshot& snapshot : held) {
      Release(snapshot);
    }
    ASSERT_EQ(Prune(newest, true), Leftover::kNothing);
    ASSERT_TRUE(PruneAll(newest));
    Operation op(party_.lane(), OpKind::kSweep, 0);
    party_.allocator().Retire(op, newest);
  }
  EXPECT_EQ(BlocksUsed(), 0U);
}

TEST_F(ChainTest, WhatIsLeftForASnapshotIsAnnouncedWhenItEnds) {
  const HeldSnapshot held = TakeAt(6);
  SetClock(9);
  const std::uint64_t newest = Build({9, 5}).front();
  const std::uint64_t ended = header().snapshots_ended.load(std::memory_order_relaxed);
  EXPECT_EQ(Prune(newest, false), Leftover::kWaits);
  Release(held);
  EXPECT_EQ(header().snapshots_ended.load(std::memory_order_relaxed), ended + 1);
}

TEST_F(ChainTest, PruneAllDropsAlsoWhatSnapshotsNeed) {
  const HeldSnapshot held = TakeAt(4);
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3, 2});
  EXPECT_TRUE(PruneAll(blocks[0]));
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9}));
  EXPECT_EQ(BlocksUsed(), 1U);
  EXPECT_TRUE(PruneAll(blocks[0]));
  Release(held);
}

// --- Pruners that meet -------------------------------------------------------------------------

TEST_F(ChainTest, NothingIsUnlinkedFromAVersionThatIsBeingTakenOut) {
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  Freeze(blocks[1]);  // By a pruner that was stopped before unlink-3.
  EXPECT_FALSE(Unlink(blocks[1], blocks[2]));
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 5, 3}));
  EXPECT_TRUE(IsUsed(blocks[2]));
  EXPECT_TRUE(Unlink(blocks[0], blocks[1]));
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 3}));
  EXPECT_FALSE(IsUsed(blocks[1]));
  EXPECT_TRUE(IsUsed(blocks[2]));
}

TEST_F(ChainTest, OfTwoPrunersOfOneVersionOneTakesItOut) {
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  Freeze(blocks[1]);
  EXPECT_TRUE(Unlink(blocks[0], blocks[1]));
  EXPECT_FALSE(Unlink(blocks[0], blocks[1]));
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 3}));
}

TEST_F(ChainTest, APrunerFinishesWhatAStoppedOneBegan) {
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3, 2});
  Freeze(blocks[1]);
  Freeze(blocks[2]);
  EXPECT_EQ(Prune(blocks[0], false), Leftover::kNothing);
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9}));
  EXPECT_EQ(BlocksUsed(), 1U);
}

TEST_F(ChainTest, PrunersLeaveAHeadThatIsBeingTakenOutToTheOtherOne) {
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  Freeze(blocks[0]);
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kNothing);
  EXPECT_FALSE(PruneAll(blocks[0]));
  EXPECT_EQ(TimesAt(blocks[0]), (Times{9, 5, 3}));
  EXPECT_TRUE(IsUsed(blocks[1]));
}

TEST_F(ChainTest, ANeededVersionThatAnotherTakesOutIsLookedAtAgain) {
  const HeldSnapshot held = TakeAt(6);
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  Freeze(blocks[1]);  // By a pruner that looked before the snapshot was there.
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kDirty);
  Release(held);
}

TEST_F(ChainTest, PrunersOfOneChainAtOnceRetireEachVersionOnce) {
  std::mt19937_64 random(test::Seed());
  test::VersionsParty other(platform_, path_);
  for (int round = 0; round < 100; ++round) {
    Times times;
    for (std::uint64_t time = random() % 12 + 2; time > 0; --time) {
      times.push_back(time);
    }
    SetClock(times.front());
    const std::vector<std::uint64_t> blocks = Build(times);
    const std::uint64_t below = blocks.at(random() % (blocks.size() - 1) + 1);
    // One prunes below the newest, one below a version that the first is about to take out.
    std::thread neighbour([&] { (void)Prune(other, below, true); });
    (void)Prune(blocks[0], true);
    neighbour.join();
    ASSERT_EQ(Prune(blocks[0], true), Leftover::kNothing);
    ASSERT_EQ(TimesAt(blocks[0]).size(), 1U);
    for (std::size_t i = 1; i < blocks.size(); ++i) {
      ASSERT_FALSE(IsUsed(blocks[i])) << i;
    }
    Operation op(party_.lane(), OpKind::kSweep, 0);
    party_.allocator().Retire(op, blocks[0]);
  }
  EXPECT_EQ(BlocksUsed(), 0U);
}

// --- Walks -------------------------------------------------------------------------------------

TEST_F(ChainTest, ContainsFindsEveryVersionOfAChainAndNoOther) {
  const std::vector<std::uint64_t> blocks = Build({9, 5, 3});
  const std::uint64_t foreign = Build({4}).front();
  Freeze(blocks[1]);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_TRUE(party_.chains().Contains(blocks[0], blocks[i])) << i;
    EXPECT_EQ(party_.chains().Contains(blocks[2], blocks[i]), i == 2) << i;
  }
  EXPECT_FALSE(party_.chains().Contains(blocks[0], foreign));
  EXPECT_FALSE(party_.chains().Contains(0, blocks[0]));
}

TEST_F(ChainTest, EachSupersededVersionIsThereFromItsTimeUntilThatOfTheNextNewerOne) {
  const auto superseded = [&](std::uint64_t newest, std::uint64_t until) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    const absl::Status walked =
        party_.chains().ForEachSuperseded(newest, until, [&](const Superseded& one) {
          EXPECT_GE(one.block_bytes, RecordBytes(3, 1));
          all.emplace_back(one.from, one.until);
        });
    EXPECT_TRUE(walked.ok()) << walked;
    return all;
  };
  using Spans = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  EXPECT_EQ(superseded(Build({9, 5, 3}).front(), 0), (Spans{{5, 9}, {3, 5}}));
  EXPECT_EQ(superseded(Build({9, 5}).front(), 12), (Spans{{9, 12}, {5, 9}}));
  EXPECT_EQ(superseded(Build({9}).front(), 0), Spans());
  // An intent has superseded nothing yet.
  EXPECT_EQ(superseded(Build({IntentOf(0x40), 5, 3}).front(), 0), (Spans{{3, 5}}));
  EXPECT_EQ(superseded(Build({kCommitAborted, 5, 3}).front(), 0), (Spans{{3, 5}}));
}

// --- Damage ------------------------------------------------------------------------------------

class DamagedChainTest : public ChainTest {
 protected:
  absl::Status StatusAsOf(std::uint64_t newest, std::uint64_t time) {
    RecordView view = ViewRecord(region(), newest);
    return party_.chains().ToVersionAsOf({.time = time}, &view).status();
  }
};

TEST_F(DamagedChainTest, APastOutsideTheFileIsDataLossForReadersAndLeftByPruners) {
  SetClock(9);
  const std::vector<std::uint64_t> blocks = Build({9, 5});
  constexpr std::uint64_t kOutside = std::uint64_t{1} << 39U;
  At(blocks[0]).prev.store(kOutside, std::memory_order_relaxed);
  EXPECT_TRUE(test::Says(StatusAsOf(blocks[0], 6), absl::StatusCode::kDataLoss, "0x8000000000"));
  EXPECT_TRUE(StatusAsOf(blocks[0], 9).ok());
  EXPECT_FALSE(party_.chains().Contains(blocks[0], blocks[1]));
  EXPECT_TRUE(
      absl::IsDataLoss(party_.chains().ForEachSuperseded(blocks[0], 0, [](const Superseded&) {})));
  EXPECT_EQ(Prune(blocks[0], true), Leftover::kNothing);
  EXPECT_TRUE(PruneAll(blocks[0]));
  EXPECT_TRUE(IsUsed(blocks[1]));
}

TEST_F(DamagedChainTest, AVersionOfAnotherKeyInAChainIsDataLoss) {
  const std::uint64_t foreign = party_.MakeRecord({.key = "other", .value = "", .commit = 3});
  const std::uint64_t newest = party_.MakeRecord({.key = "key", .value = "", .commit = 9}, foreign);
  EXPECT_TRUE(test::Says(StatusAsOf(newest, 6), absl::StatusCode::kDataLoss, "a record at"));
}

TEST_F(DamagedChainTest, AChainThatLeadsInACircleIsDataLossAndEnds) {
  const std::vector<std::uint64_t> blocks = Build({9, 8, 7});
  At(blocks[2]).prev.store(blocks[1], std::memory_order_relaxed);
  EXPECT_TRUE(absl::IsDataLoss(StatusAsOf(blocks[0], 6)));
  EXPECT_FALSE(party_.chains().Contains(blocks[0], 0x123450));
}

}  // namespace
}  // namespace commy::versions
