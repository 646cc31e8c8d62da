// Intents: what a reader, a put and a transaction make of an intent in each state of its
// transaction, the writers of a namespace that is cleared, the list of a transaction, and damage.
#include "versions/intents.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/store_fixture.h"
#include "support/versions_fixture.h"

namespace commy::versions {
namespace {

using process::Operation;
using process::OpKind;
using region::BlockKind;

constexpr std::uint64_t kClock = 100;
constexpr std::uint64_t kObject = 0x4440;

// How a test's transaction is made.
struct Made {
  std::uint64_t status = kStatusActive;
  std::uint64_t isolation = kSnapshotIsolation;
  std::vector<TransactionTotal> totals{};
  std::uint64_t age = 1;
  std::uint32_t lane = 0;
  std::uint64_t capacity = 4;  // Of the first page.
};

// A clock that stands still and tells of each look at it. One that waits looks at the clock
// repeatedly.
class WatchedClock : public test::FaultPlatform {
 public:
  WatchedClock() { FreezeClocks(); }
  std::int64_t MonotonicNs() override {
    if (++looks_; at_look_) {
      at_look_(looks_);
    }
    return FaultPlatform::MonotonicNs();
  }
  void AtLook(std::function<void(int looks)> at_look) { at_look_ = std::move(at_look); }

 private:
  std::function<void(int looks)> at_look_;
  int looks_ = 0;
};

class IntentsTest : public test::VersionsFixture {
 protected:
  IntentsTest() { SetClock(kClock); }

  // In `watched_intents_`, the patience of one that waits does not end. Decides the transaction
  // while it waits.
  void DecideAtALook(std::uint64_t head, std::uint64_t time) {
    watched_clock_.AtLook([this, head, time](int looks) {
      if (looks == 3) {
        Head(head).status.store(time, std::memory_order_seq_cst);
      }
    });
  }

  std::uint64_t Make(Operation& op, const Made& made) {
    const std::uint64_t start = FirstPageStart(made.totals.size());
    const std::uint64_t offset =
        party_.Allocate(op, BlockKind::kTransaction, start + PageBytes(made.capacity));
    TransactionHead& head = Head(offset);
    head.status.store(made.status, std::memory_order_relaxed);
    head.isolation = static_cast<std::uint32_t>(made.isolation);
    head.magic = kTransactionMagic;
    head.total_capacity = made.totals.size();
    head.total_count.store(made.totals.size(), std::memory_order_relaxed);
    head.age = made.age;
    head.lane = made.lane;
    std::copy(made.totals.begin(), made.totals.end(),
              reinterpret_cast<TransactionTotal*>(&head + 1));
    Page(offset + start).capacity = static_cast<std::uint32_t>(made.capacity);
    return offset;
  }
  std::uint64_t Make(const Made& made) {
    Operation op(party_.lane(), OpKind::kTransaction, 0);
    return Make(op, made);
  }
  TransactionHead& Head(std::uint64_t offset) { return *region().At<TransactionHead>(offset); }
  TransactionPage& Page(std::uint64_t offset) { return *region().At<TransactionPage>(offset); }
  TransactionPage& FirstPage(std::uint64_t head) {
    return Page(head + FirstPageStart(Head(head).total_capacity));
  }
  std::uint64_t Status(std::uint64_t head) {
    return Head(head).status.load(std::memory_order_relaxed);
  }
  // The commit word of a new intent of the transaction.
  Shared64& IntentOn(std::uint64_t head) {
    return party_.RecordAt(party_.MakeRecord({.key = "key", .value = "", .commit = IntentOf(head)}))
        .commit;
  }
  static std::uint64_t Word(const Shared64& word) { return word.load(std::memory_order_relaxed); }
  std::uint64_t MustRead(Shared64& commit, const AsOf& as_of = AsOf()) {
    std::uint64_t time = 0;
    const base::Result read = party_.intents().Read(commit, as_of, &time);
    EXPECT_TRUE(read.done()) << read.status();
    return time;
  }

  WatchedClock watched_clock_;
  const Intents watched_intents_{region(), watched_clock_};
};

// --- A reader ----------------------------------------------------------------------------------

TEST_F(IntentsTest, AReaderTakesACommitThatIsFinalAsItIs) {
  for (const std::uint64_t commit : {std::uint64_t{42}, kCommitAborted}) {
    Shared64& word =
        party_.RecordAt(party_.MakeRecord({.key = "k", .value = "", .commit = commit})).commit;
    EXPECT_EQ(MustRead(word), commit);
    EXPECT_EQ(Word(word), commit);
  }
}

TEST_F(IntentsTest, AReaderStampsAnIntentWhoseTransactionIsFinal) {
  for (const std::uint64_t status : {std::uint64_t{42}, kCommitAborted}) {
    Shared64& word = IntentOn(Make({.status = status}));
    EXPECT_EQ(MustRead(word), status);
    EXPECT_EQ(Word(word), status);
  }
}

TEST_F(IntentsTest, AReaderPassesByAnActiveTransactionAndLeavesItActive) {
  const std::uint64_t head = Make({});
  Shared64& word = IntentOn(head);
  EXPECT_EQ(MustRead(word), kCommitAborted);
  EXPECT_EQ(Word(word), IntentOf(head));
  EXPECT_EQ(Status(head), kStatusActive);
}

TEST_F(IntentsTest, AReaderGivesACommittingTransactionTheNextTime) {
  const std::uint64_t head = Make({.status = kStatusCommitting});
  Shared64& word = IntentOn(head);
  EXPECT_EQ(MustRead(word), kClock + 1);
  EXPECT_EQ(Word(word), kClock + 1);
  EXPECT_EQ(Status(head), kClock + 1);
}

TEST_F(IntentsTest, AReaderBeforeTheTimeOfAValidatedTransactionDoesNotWaitForIt) {
  const std::uint64_t head = Make({.status = kStatusPrepared | 50, .isolation = kSerializable});
  Shared64& word = IntentOn(head);
  EXPECT_EQ(MustRead(word, {.time = 49}), kCommitAborted);
  EXPECT_EQ(Status(head), kStatusPrepared | 50);
  EXPECT_EQ(Word(word), IntentOf(head));
}

TEST_F(IntentsTest, AReaderAbortsAStoppedTransactionThatIsValidatedAsOfItsTime) {
  for (const std::uint64_t status : {kStatusPrepared | 50, kStatusCommitting}) {
    const std::uint64_t head = Make({.status = status, .isolation = kSerializable});
    Shared64& word = IntentOn(head);
    EXPECT_EQ(MustRead(word), kCommitAborted);
    EXPECT_EQ(Status(head), kCommitAborted);
    EXPECT_EQ(Word(word), kCommitAborted);
  }
}

TEST_F(IntentsTest, AReaderWaitsForATransactionThatIsBeingValidated) {
  const std::uint64_t head = Make({.status = kStatusPrepared | 50, .isolation = kSerializable});
  Shared64& word = IntentOn(head);
  DecideAtALook(head, 50);
  std::uint64_t time = 0;
  EXPECT_TRUE(watched_intents_.Read(word, AsOf(), &time).done());
  EXPECT_EQ(time, 50U);
  EXPECT_EQ(Word(word), 50U);
}

TEST_F(IntentsTest, AValidatingTransactionPassesByItsOwnIntents) {
  const std::uint64_t head = Make({.status = kStatusPrepared | 50, .isolation = kSerializable});
  Shared64& word = IntentOn(head);
  EXPECT_EQ(MustRead(word, {.time = 50, .own_intent = IntentOf(head)}), kCommitAborted);
  EXPECT_EQ(Status(head), kStatusPrepared | 50);
  EXPECT_EQ(Word(word), IntentOf(head));
}

TEST_F(IntentsTest, AValidatingTransactionHasAConflictWithOneThatIsValidatedAsOfItsTimeOrBefore) {
  const std::uint64_t own = Make({.status = kStatusPrepared | 50, .isolation = kSerializable});
  for (const std::uint64_t other_time : {49U, 50U, 51U}) {
    const std::uint64_t head =
        Make({.status = kStatusPrepared | other_time, .isolation = kSerializable});
    Shared64& word = IntentOn(head);
    std::uint64_t time = 0;
    const base::Result read =
        party_.intents().Read(word, {.time = 50, .own_intent = IntentOf(own)}, &time);
    EXPECT_EQ(read.outcome(), other_time <= 50 ? base::Outcome::kConflict : base::Outcome::kDone);
    EXPECT_EQ(Status(head), kStatusPrepared | other_time);
  }
}

// --- A put, and one that waits for nothing -----------------------------------------------------

TEST_F(IntentsTest, OneThatDoesNotWaitMakesEveryIntentFinal) {
  struct Case {
    std::uint64_t status;
    std::uint64_t isolation;
    std::uint64_t final_status;
  };
  for (const Case& one :
       {Case{kStatusActive, kSnapshotIsolation, kCommitAborted},
        Case{kStatusPrepared | 50, kSerializable, kCommitAborted},
        Case{kStatusCommitting, kSerializable, kCommitAborted},
        Case{kStatusCommitting, kSnapshotIsolation, kClock + 1}, Case{42, kSnapshotIsolation, 42},
        Case{kCommitAborted, kSnapshotIsolation, kCommitAborted}}) {
    SetClock(kClock);
    const std::uint64_t head = Make({.status = one.status, .isolation = one.isolation});
    Shared64& word = IntentOn(head);
    EXPECT_EQ(*party_.intents().Resolve(word), one.final_status) << std::hex << one.status;
    EXPECT_EQ(Word(word), one.final_status);
    EXPECT_EQ(Status(head), one.final_status);
    SetClock(kClock);
    const std::uint64_t again = Make({.status = one.status, .isolation = one.isolation});
    EXPECT_EQ(party_.intents().ResolveNow(Head(again)), one.final_status) << std::hex << one.status;
    EXPECT_EQ(Status(again), one.final_status);
  }
}

TEST_F(IntentsTest, APutAbortsAStoppedTransaction) {
  for (const std::uint64_t status : {kStatusActive, kStatusPrepared | 50}) {
    const std::uint64_t head = Make({.status = status, .isolation = kSerializable});
    Shared64& word = IntentOn(head);
    EXPECT_EQ(*party_.intents().ResolveForPut(word), kCommitAborted);
    EXPECT_EQ(Word(word), kCommitAborted);
    EXPECT_EQ(Status(head), kCommitAborted);
  }
}

TEST_F(IntentsTest, APutWaitsForATransactionThatIsDecidedInTime) {
  const std::uint64_t head = Make({});
  Shared64& word = IntentOn(head);
  DecideAtALook(head, 77);
  EXPECT_EQ(*watched_intents_.ResolveForPut(word), 77U);
  EXPECT_EQ(Word(word), 77U);
}

TEST_F(IntentsTest, APutAbortsATransactionWhoseLaneTheFileDoesNotHave) {
  platform_.FreezeClocks();
  const std::uint64_t head = Make({.lane = UINT32_MAX});
  EXPECT_EQ(*party_.intents().ResolveForPut(IntentOn(head)), kCommitAborted);
}

TEST_F(IntentsTest, ALookAtAnIntentChangesNothing) {
  for (const std::uint64_t status :
       {kStatusActive, kStatusCommitting, kStatusPrepared | 50, std::uint64_t{42}}) {
    const std::uint64_t head = Make({.status = status, .isolation = kSerializable});
    const Shared64& word = IntentOn(head);
    EXPECT_EQ(*party_.intents().StatusOf(word), status);
    EXPECT_EQ(Word(word), IntentOf(head));
    EXPECT_EQ(Status(head), status);
  }
}

TEST_F(IntentsTest, OnlyACommittingTransactionIsGivenATime) {
  for (const std::uint64_t status : {kStatusActive, kStatusPrepared | 50, kCommitAborted}) {
    const std::uint64_t head = Make({.status = status, .isolation = kSerializable});
    party_.intents().GiveTime(Head(head));
    EXPECT_EQ(Status(head), status);
  }
  SetClock(kClock);
  const std::uint64_t head = Make({.status = kStatusCommitting, .isolation = kSerializable});
  party_.intents().GiveTime(Head(head));
  EXPECT_EQ(Status(head), kStatusPrepared | (kClock + 1));
}

// --- A transaction -----------------------------------------------------------------------------

// The one that installs has the age 10 and this thread's lane.
class TransactionMeetsIntentTest : public IntentsTest {
 protected:
  TransactionMeetsIntentTest() {
    EXPECT_TRUE(region().GrowLanes(16).ok());
    own_ = Make({.age = 10, .lane = party_.lane().index()});
  }
  Installing Own(std::uint64_t snapshot_time = kCommitTimeMax) {
    return {.head = &Head(own_),
            .progress = &progress_,
            .snapshot_time = snapshot_time,
            .deadline_ns = platform_.MonotonicNs() + 60'000'000'000};
  }
  region::LaneLayout& OtherLane() { return region().lane(kOtherLane); }
  std::uint64_t MustResolve(const Installing& own, std::uint64_t other) {
    const absl::StatusOr<std::uint64_t> resolved =
        party_.intents().ResolveFor(own, IntentOn(other), &ahead_);
    EXPECT_TRUE(resolved.ok()) << resolved.status();
    return resolved.value_or(1);
  }

  static constexpr std::uint32_t kOtherLane = 9;
  std::uint64_t own_ = 0;
  Shared64 progress_{};
  Ahead ahead_;
};

TEST_F(TransactionMeetsIntentTest, AnOlderOneAbortsAYoungerOne) {
  const std::uint64_t other = Make({.age = 11, .lane = kOtherLane});
  EXPECT_EQ(MustResolve(Own(), other), kCommitAborted);
  EXPECT_EQ(Status(other), kCommitAborted);
}

TEST_F(TransactionMeetsIntentTest, AYoungerOneAbortsAnOlderOneThatStandsStill) {
  const std::uint64_t other = Make({.age = 9, .lane = kOtherLane});
  EXPECT_EQ(MustResolve(Own(), other), kCommitAborted);
  EXPECT_EQ(Status(other), kCommitAborted);
  EXPECT_GT(progress_.load(std::memory_order_relaxed), 0U) << "a waiting one moves";
}

TEST_F(TransactionMeetsIntentTest, AYoungerOneWithASnapshotGivesWayToAnOlderOneThatMoves) {
  const std::uint64_t other = Make({.age = 9, .lane = kOtherLane});
  OtherLane().operations.store(1234, std::memory_order_relaxed);
  watched_clock_.AtLook([&](int) {
    StepAhead(OtherLane().progress);
    watched_clock_.Advance(1'000'000);
  });
  EXPECT_EQ(*watched_intents_.ResolveFor(Own(kClock), IntentOn(other), &ahead_), kUndecided);
  EXPECT_EQ(Status(other), kStatusActive);
  EXPECT_EQ(ahead_.lane, kOtherLane);
  EXPECT_EQ(ahead_.operations, 1234U);
}

TEST_F(TransactionMeetsIntentTest, AnOftenTriedOneWithASnapshotAbortsAYoungerOneAtOnce) {
  platform_.FreezeClocks();  // Else it would wait.
  Head(own_).attempt = kPatientAttempts;
  const std::uint64_t other = Make({.age = 11, .lane = kOtherLane});
  EXPECT_EQ(MustResolve(Own(kClock), other), kCommitAborted);
  EXPECT_EQ(progress_.load(std::memory_order_relaxed), 0U);
}

TEST_F(TransactionMeetsIntentTest, OneThatWasAbortedMeanwhileYields) {
  platform_.FreezeClocks();
  const std::uint64_t other = Make({.age = 11, .lane = kOtherLane});
  Head(own_).status.store(kCommitAborted, std::memory_order_seq_cst);
  EXPECT_EQ(MustResolve(Own(), other), kUndecided);
  EXPECT_EQ(Status(other), kStatusActive);
}

TEST_F(TransactionMeetsIntentTest, OneWhoseDeadlineHasPassedYields) {
  platform_.FreezeClocks();
  const std::uint64_t other = Make({.age = 11, .lane = kOtherLane});
  Installing own = Own();
  own.deadline_ns = platform_.MonotonicNs();
  EXPECT_EQ(MustResolve(own, other), kUndecided);
  EXPECT_EQ(Status(other), kStatusActive);
}

TEST_F(TransactionMeetsIntentTest, OneThatIsDecidedMeanwhileIsTakenAsItIs) {
  const std::uint64_t other = Make({.age = 9, .lane = kOtherLane});
  DecideAtALook(other, 77);
  EXPECT_EQ(*watched_intents_.ResolveFor(Own(), IntentOn(other), &ahead_), 77U);
}

TEST_F(TransactionMeetsIntentTest, ACommittingOneGetsItsTimeWithoutAWait) {
  platform_.FreezeClocks();
  EXPECT_EQ(MustResolve(Own(), Make({.status = kStatusCommitting, .age = 9, .lane = kOtherLane})),
            kClock + 1);
}

TEST(WatchTest, StandingStillIsCountedFromTheLastMove) {
  Shared64 progress{};
  Watch watch(progress, 100);
  EXPECT_EQ(watch.StillFor(130), 30);
  StepAhead(progress);
  EXPECT_EQ(watch.StillFor(140), 0);
  EXPECT_EQ(watch.StillFor(155), 15);
}

// --- A clear -----------------------------------------------------------------------------------

class ResolveWritersTest : public IntentsTest {
 protected:
  // What becomes of a transaction that a lane has noted, when the namespace of kObject is cleared.
  std::uint64_t AfterClear(Made made, std::uint64_t object, std::uint64_t list_sum) {
    SetClock(kClock);
    made.totals = {{0x1110, 0, {}, {}}, {object, 0, {}, {}}};
    Operation op(party_.lane(), OpKind::kTransaction, 0);
    const std::uint64_t head = Make(op, made);  // Its note is the lane's first.
    Head(head).list_sum.store(list_sum, std::memory_order_relaxed);
    party_.intents().ResolveWriters(kObject);
    return Status(head);
  }
};

TEST_F(ResolveWritersTest, ActiveWritersOfTheNamespaceAreAborted) {
  EXPECT_EQ(AfterClear({}, kObject, 1), kCommitAborted);
}

TEST_F(ResolveWritersTest, CommittingWritersOfTheNamespaceGetTheirTime) {
  EXPECT_EQ(AfterClear({.status = kStatusCommitting}, kObject, 1), kClock + 1);
  EXPECT_EQ(AfterClear({.status = kStatusCommitting, .isolation = kSerializable}, kObject, 1),
            kStatusPrepared | (kClock + 1));
}

TEST_F(ResolveWritersTest, WritersThatHaveTheirTimeKeepIt) {
  EXPECT_EQ(AfterClear({.status = kStatusPrepared | 50, .isolation = kSerializable}, kObject, 1),
            kStatusPrepared | 50);
  EXPECT_EQ(AfterClear({.status = 42}, kObject, 1), 42U);
}

TEST_F(ResolveWritersTest, WritersOfOtherNamespacesAndThoseWithoutACompleteListGoOn) {
  EXPECT_EQ(AfterClear({}, 0x5550, 1), kStatusActive);
  EXPECT_EQ(AfterClear({.status = kStatusCommitting}, 0x5550, 1), kStatusCommitting);
  EXPECT_EQ(AfterClear({}, kObject, 0), kStatusActive);
}

// --- Lists and totals --------------------------------------------------------------------------

class TransactionListTest : public IntentsTest {
 protected:
  // A list of pages with so many entries each; the entries are numbered.
  std::uint64_t MakeList(const std::vector<std::uint64_t>& counts) {
    const std::uint64_t head = Make({.capacity = counts.front()});
    std::uint64_t next_record = 1;
    TransactionPage* page = &FirstPage(head);
    pages_.clear();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (i > 0) {
        pages_.push_back(party_.Allocate(BlockKind::kTransaction, PageBytes(counts[i])));
        page->next.store(pages_.back(), std::memory_order_relaxed);
        page = &Page(pages_.back());
        page->capacity = static_cast<std::uint32_t>(counts[i]);
      }
      auto* const entries = reinterpret_cast<TransactionEntry*>(page + 1);
      for (std::uint64_t k = 0; k < counts[i]; ++k) {
        entries[k] = {16 * next_record++, kObject};
      }
      page->count.store(counts[i], std::memory_order_relaxed);
    }
    return head;
  }
  absl::StatusOr<std::vector<std::uint64_t>> Records(std::uint64_t head) {
    std::vector<std::uint64_t> records;
    const absl::Status walked =
        party_.intents().ForEachEntry(head, [&](const TransactionEntry& entry) {
          records.push_back(entry.record / 16);
          return absl::OkStatus();
        });
    if (!walked.ok()) {
      return walked;
    }
    return records;
  }

  std::vector<std::uint64_t> pages_;  // All but the first.
};

TEST_F(TransactionListTest, EntriesComeInOrderOverAllPages) {
  for (const std::vector<std::uint64_t>& counts :
       {std::vector<std::uint64_t>{0}, {3}, {2, 0, 4}, {1, 1, 1, 1, 1, 1, 1}}) {
    const std::uint64_t head = MakeList(counts);
    const absl::StatusOr<std::vector<std::uint64_t>> records = Records(head);
    ASSERT_TRUE(records.ok()) << records.status();
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts) {
      total += count;
    }
    ASSERT_EQ(records->size(), total);
    for (std::uint64_t i = 0; i < total; ++i) {
      EXPECT_EQ((*records)[i], i + 1);
    }
    std::vector<std::uint64_t> pages;
    EXPECT_TRUE(party_.intents()
                    .ForEachPage(head, [&](std::uint64_t page) { pages.push_back(page); })
                    .ok());
    EXPECT_EQ(pages, pages_);
  }
}

TEST_F(TransactionListTest, AWalkEndsWithTheErrorOfItsVisitor) {
  const std::uint64_t head = MakeList({2, 2});
  int seen = 0;
  const absl::Status walked = party_.intents().ForEachEntry(head, [&](const TransactionEntry&) {
    return ++seen == 3 ? absl::AbortedError("enough") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsAborted(walked));
  EXPECT_EQ(seen, 3);
}

TEST_F(TransactionListTest, AListThatLeadsNowhereOrInACircleIsDataLoss) {
  const std::uint64_t head = MakeList({1, 1, 1});
  Shared64& next = Page(pages_.back()).next;
  for (const std::uint64_t bad :
       {std::uint64_t{8}, std::uint64_t{1} << 39U, pages_.front(), pages_.back()}) {
    next.store(bad, std::memory_order_relaxed);
    EXPECT_TRUE(absl::IsDataLoss(Records(head).status())) << bad;
    EXPECT_TRUE(absl::IsDataLoss(party_.intents().ForEachPage(head, [](std::uint64_t) {}))) << bad;
  }
  next.store(0, std::memory_order_relaxed);
  TransactionPage& page = Page(pages_.back());
  page.count.store(2, std::memory_order_relaxed);  // Above its capacity.
  EXPECT_TRUE(absl::IsDataLoss(Records(head).status()));
  page.count.store(1, std::memory_order_relaxed);
  page.capacity = UINT32_MAX;  // Beyond the file.
  EXPECT_TRUE(absl::IsDataLoss(Records(head).status()));
  page.capacity = 1;
  EXPECT_TRUE(Records(head).ok());
}

TEST_F(TransactionListTest, TotalsAreBroughtIntoTheCountersOnce) {
  const std::uint64_t cells = party_.Allocate(BlockKind::kCounters, 64);
  const auto word = [&](std::uint64_t index) -> Shared64& {  // Keys, units, keys, ...
    return *region().At<Shared64>(cells + 8 * index);
  };
  word(0).store(7, std::memory_order_relaxed);
  word(1).store(70, std::memory_order_relaxed);
  word(2).store(9, std::memory_order_relaxed);  // Not what was there before: done already.
  word(3).store(30, std::memory_order_relaxed);
  word(4).store(5, std::memory_order_relaxed);
  word(5).store(50, std::memory_order_relaxed);
  const std::uint64_t head = Make({.totals = {{kObject, cells, {7, 8}, {70, 80}},
                                              {kObject, 0, {0, 1}, {0, 1}},
                                              {kObject, cells + 16, {3, 4}, {30, 40}},
                                              {kObject, cells + 32, {5, 6}, {50, 60}}}});
  Head(head).total_count.store(3, std::memory_order_relaxed);  // The last one is not known yet.
  for (int again = 0; again < 2; ++again) {
    party_.intents().ApplyTotals(head);
    EXPECT_EQ(Word(word(0)), 8U);
    EXPECT_EQ(Word(word(1)), 80U);
    EXPECT_EQ(Word(word(2)), 9U);
    EXPECT_EQ(Word(word(3)), 40U) << "the keys were counted before, the units were not";
    EXPECT_EQ(Word(word(4)), 5U);
    EXPECT_EQ(Word(word(5)), 50U);
  }
  word(0).store(9, std::memory_order_relaxed);  // The lane has counted on.
  party_.intents().ApplyTotals(head);
  EXPECT_EQ(Word(word(0)), 9U);
}

TEST_F(TransactionListTest, ATotalCountAboveItsCapacityReadsNoFurther) {
  const std::uint64_t head = Make({.totals = {{kObject, 0, {}, {}}}});
  Head(head).total_count.store(UINT64_MAX, std::memory_order_relaxed);
  party_.intents().ApplyTotals(head);
  EXPECT_TRUE(party_.intents().HeadAt(head).ok());
}

// --- Damage ------------------------------------------------------------------------------------

TEST_F(IntentsTest, ABlockThatIsNoTransactionIsDataLoss) {
  const std::uint64_t head = Make({});
  EXPECT_EQ(*party_.intents().HeadAt(head), &Head(head));
  for (const std::uint64_t offset : {std::uint64_t{0}, head + 1, std::uint64_t{1} << 39U}) {
    EXPECT_TRUE(absl::IsDataLoss(party_.intents().HeadAt(offset).status())) << offset;
  }
  Head(head).isolation = 3;
  EXPECT_TRUE(test::Says(party_.intents().HeadAt(head).status(), absl::StatusCode::kDataLoss,
                         "a transaction at"));
  Head(head).isolation = kSerializable;
  for (const std::uint64_t capacity : {std::uint64_t{1} << 20U, std::uint64_t{UINT64_MAX}}) {
    Head(head).total_capacity = capacity;
    EXPECT_TRUE(absl::IsDataLoss(party_.intents().HeadAt(head).status())) << capacity;
  }
}

TEST_F(IntentsTest, AnIntentOfNoTransactionIsDataLossForAll) {
  constexpr std::uint64_t kNowhere = std::uint64_t{1} << 39U;
  Shared64& word = IntentOn(kNowhere);
  std::uint64_t time = 0;
  EXPECT_TRUE(absl::IsDataLoss(party_.intents().Read(word, AsOf(), &time).status()));
  EXPECT_TRUE(absl::IsDataLoss(party_.intents().Resolve(word).status()));
  EXPECT_TRUE(absl::IsDataLoss(party_.intents().ResolveForPut(word).status()));
  EXPECT_TRUE(absl::IsDataLoss(party_.intents().StatusOf(word).status()));
  EXPECT_EQ(Word(word), IntentOf(kNowhere));
}

TEST_F(IntentsTest, AStatusThatIsNoneOfTheKnownOnesIsAbortedByAPut) {
  const std::uint64_t head = Make({.status = kStatusOpen | 5U});
  EXPECT_EQ(*party_.intents().ResolveForPut(IntentOn(head)), kCommitAborted);
}

}  // namespace
}  // namespace commy::versions
