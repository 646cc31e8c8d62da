// Loans: values that are written in place and then published. Until then nothing is there, and
// afterwards nothing of the loan is left, whatever comes in between.
#include "commy/loan.h"

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "commy/namespace.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/ordered_fixture.h"
#include "support/seen_dead.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

void Fill(const Loan& loan, char with) {
  std::memset(loan.bytes().data(), with, loan.bytes().size());
}

class LoanTest : public OrderedFixture {
 protected:
  static Loan Must(absl::StatusOr<Loan> loan) {
    EXPECT_TRUE(loan.ok()) << loan.status();
    return *std::move(loan);
  }
  // Blocks in use, once all that was retired is free again.
  static std::uint64_t BlocksUsed(Store& store) {
    for (int i = 0; i < 8; ++i) {
      EngineOf(store).session.Beat();
    }
    const absl::StatusOr<CheckReport> report = store.Check();
    EXPECT_TRUE(IsSound(report));
    return report->blocks_used;
  }
};

TEST_F(LoanTest, NothingIsThereUntilItIsPublished) {
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    const Store store = MustOpen(TinyNodes(QuietOptions()));
    const Namespace ns = *store.OpenNamespace(order == Order::kHash ? "h" : "o", {.order = order});
    Loan loan = Must(ns.Reserve("key", 1000));
    ASSERT_EQ(loan.bytes().size(), 1000U);
    Fill(loan, 'x');
    EXPECT_TRUE(absl::IsNotFound(ns.Get("key").status()));
    EXPECT_EQ(*ns.Size(), 0U);
    EXPECT_EQ(*ns.Count(), 0U);
    EXPECT_TRUE(IsSound(store));
    EXPECT_EQ(store.Check()->blocks_in_flight, 1U);
    ASSERT_TRUE(std::move(loan).Publish().ok());
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what the test is about.
    EXPECT_TRUE(loan.bytes().empty());
    EXPECT_EQ(*ns.Get("key"), std::string(1000, 'x'));
    EXPECT_EQ(*ns.Size(), 1U);
    EXPECT_EQ(store.Check()->blocks_in_flight, 0U);
    EXPECT_TRUE(IsSound(store));
    EXPECT_TRUE(Says(std::move(loan).Publish(), Code::kFailedPrecondition, "was published"));
  }
}

TEST_F(LoanTest, TheBytesAreAlignedWhereTheyAreWrittenAndWhereTheyAreRead) {
  const Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string key(size * 3 % 140, 'k');
    Loan loan = Must(ns.Reserve(key, size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loan.bytes().data()) % 64, 0U);
    Fill(loan, 'x');
    ASSERT_TRUE(std::move(loan).Publish().ok());
    const absl::StatusOr<View> view = ns.GetView(key);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->value(), std::string(size, 'x'));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view->value().data()) % 64, 0U);
  }
}

TEST_F(LoanTest, ADroppedLoanLeavesNothingAndItsRoomComesBack) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("key", "old").ok());
  const std::uint64_t before = BlocksUsed(store);
  for (int i = 0; i < 20; ++i) {
    Loan loan = Must(ns.Reserve("key", 100'000));
    Fill(loan, 'x');
    if (i % 2 == 0) {
      loan = Must(ns.Reserve("key", 5));  // Gives the former one back.
    }
  }
  EXPECT_EQ(*ns.Get("key"), "old");
  EXPECT_EQ(BlocksUsed(store), before);
}

TEST_F(LoanTest, RoomOfDroppedLoansServesOthersWithoutEnd) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{2} << 20;
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "n");
  for (int i = 0; i < 200; ++i) {
    const absl::StatusOr<Loan> loan = ns.Reserve("key", 200'000);
    ASSERT_TRUE(loan.ok()) << i << ": " << loan.status();
  }
}

TEST_F(LoanTest, PublishReplacesTheValueAndItsTimeToLiveAndASnapshotKeepsTheOldOne) {
  FaultPlatform platform;
  platform.FreezeClocks();
  expect_store_ = false;
  Store store = *OpenOn(platform, temp_.File("timed"), QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("key", "old", {.ttl = absl::Seconds(1)}).ok());
  const std::optional<Snapshot> snapshot = *store.TakeSnapshot();
  Loan loan = Must(ns.Reserve("key", 3, {.ttl = absl::Seconds(10)}));
  std::memcpy(loan.bytes().data(), "new", 3);
  EXPECT_EQ(*ns.Get("key"), "old");
  platform.Advance(60'000'000'000);  // A time to live begins when the value is published.
  EXPECT_FALSE(*ns.Contains("key"));
  ASSERT_TRUE(std::move(loan).Publish().ok());
  platform.Advance(9'000'000'000);
  EXPECT_EQ(*ns.Get("key"), "new");
  platform.Advance(2'000'000'000);
  EXPECT_FALSE(*ns.Contains("key"));
  EXPECT_TRUE(IsSound(store));
}

TEST_F(LoanTest, WhatIsOutOfRangeIsRefused) {
  const Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  EXPECT_TRUE(
      Says(ns.Reserve("k", (std::uint64_t{1} << 30) + 1).status(), Code::kInvalidArgument, ""));
  EXPECT_TRUE(Says(ns.Reserve("k", UINT64_MAX).status(), Code::kInvalidArgument, ""));
  EXPECT_TRUE(Says(ns.Reserve(std::string(65'537, 'k'), 1).status(), Code::kInvalidArgument, ""));
  EXPECT_TRUE(
      Says(ns.Reserve("k", 1, {.ttl = absl::ZeroDuration()}).status(), Code::kInvalidArgument, ""));
  EXPECT_TRUE(Says(ns.Reserve("k", std::uint64_t{1} << 30).status(), Code::kResourceExhausted, ""));
  EXPECT_TRUE(ns.Reserve(std::string(65'536, 'k'), 0).ok());
}

TEST_F(LoanTest, AStoreThatIsReadOnlyLendsNothing) {
  ASSERT_TRUE(MustOpenNamespace(MustOpen(QuietOptions()), "n").Put("k", "v").ok());
  Options options = QuietOptions();
  options.read_only = true;
  const Store store = MustOpen(options);
  EXPECT_TRUE(Says(MustOpenNamespace(store, "n").Reserve("k", 1).status(),
                   Code::kFailedPrecondition, "read-only"));
}

TEST_F(LoanTest, CloseIsRefusedWhileALoanLives) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  {
    const Loan loan = Must(ns.Reserve("k", 1));
    EXPECT_TRUE(Says(store.Close(), Code::kFailedPrecondition, ""));
    EXPECT_TRUE(ns.Put("still", "open").ok());
  }
  {
    Loan loan = Must(ns.Reserve("k", 1));
    ASSERT_TRUE(std::move(loan).Publish().ok());
    EXPECT_TRUE(store.Close().ok());  // A published one holds nothing.
  }
}

TEST_F(LoanTest, ALoanKeepsTheStoreOpen) {
  std::optional<Loan> loan;
  {
    const Store store = MustOpen(QuietOptions());
    loan = Must(MustOpenNamespace(store, "n").Reserve("k", 3));
  }
  std::memcpy(loan->bytes().data(), "abc", 3);
  ASSERT_TRUE(std::move(*loan).Publish().ok());
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "n").Get("k"), "abc");
}

TEST_F(LoanTest, ALoanGoesToAnotherThread) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("k", "old").ok());
  const std::uint64_t before = BlocksUsed(store);
  std::optional<Loan> loan;
  std::optional<Loan> dropped;
  std::thread([&] {
    loan = Must(ns.Reserve("k", 3));
    dropped = Must(ns.Reserve("d", 3));
  }).join();
  std::thread([&, mine = std::move(*loan)]() mutable {
    std::memcpy(mine.bytes().data(), "abc", 3);
    EXPECT_TRUE(std::move(mine).Publish().ok());
    dropped.reset();
  }).join();
  EXPECT_EQ(*ns.Get("k"), "abc");
  EXPECT_EQ(BlocksUsed(store),
            before + 1);  // The other thread's lane counts in a block of its own.
}

TEST_F(LoanTest, ManyLoansLiveAtOnceUntilTheLanesAreTaken) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  std::vector<Loan> loans;
  absl::Status refused;
  while (refused.ok()) {
    ASSERT_LT(loans.size(), 1000U);
    absl::StatusOr<Loan> loan = ns.Reserve(std::to_string(loans.size() % 70), 100);
    refused = loan.status();
    if (loan.ok()) {
      Fill(*loan, static_cast<char>('a' + loans.size() % 26));
      loans.push_back(*std::move(loan));
    }
  }
  EXPECT_TRUE(Says(refused, Code::kResourceExhausted, ""));
  EXPECT_GT(loans.size(), 100U);
  EXPECT_TRUE(ns.Put("other", "writes go on").ok());
  EXPECT_TRUE(IsSound(store));
  EXPECT_EQ(store.Check()->blocks_in_flight, loans.size());
  for (std::size_t i = 0; i < loans.size(); i += 2) {
    ASSERT_TRUE(std::move(loans[i]).Publish().ok());
    ASSERT_EQ(*ns.Get(std::to_string(i % 70)), std::string(100, static_cast<char>('a' + i % 26)));
  }
  loans.clear();
  EXPECT_TRUE(IsSound(store));
  EXPECT_TRUE(ns.Reserve("again", 1).ok()) << "a lane came back";
}

TEST_F(LoanTest, LoansOfManyThreadsAreEachPublishedOnce) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenOrdered(store, "n");
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < kEach; ++i) {
      Loan loan = Must(ns.Reserve(std::to_string(i), 64));
      Fill(loan, static_cast<char>('a' + thread));
      if (i % 3 != 0 || thread == 0) {
        EXPECT_TRUE(std::move(loan).Publish().ok());
      }
    }
  });
  EXPECT_EQ(*ns.Size(), static_cast<std::uint64_t>(kEach));
  ScanRange scan = ns.Scan();
  for (const Entry& entry : scan) {
    ASSERT_EQ(entry.value(), std::string(64, entry.value()[0])) << "torn";
  }
  EXPECT_TRUE(IsSound(store));
}

TEST_F(LoanTest, ADroppedNamespaceRefusesItsLoansAndGetsTheirRoomBack) {
  Store store = MustOpen(QuietOptions());
  MustOpenNamespace(store, "stays");
  std::uint64_t before = 0;
  for (int round = 0; round < 5; ++round) {
    const Namespace ns = MustOpenNamespace(store, "n");
    {
      Loan loan = Must(ns.Reserve("k", 5000));
      ASSERT_TRUE(store.DropNamespace("n").ok());
      EXPECT_TRUE(IsNamespaceDropped(std::move(loan).Publish()));
      // NOLINTNEXTLINE(bugprone-use-after-move): that is what the test is about.
      EXPECT_EQ(loan.bytes().size(), 5000U);
      EXPECT_TRUE(IsNamespaceDropped(std::move(loan).Publish()));
      EXPECT_TRUE(IsSound(store));
    }
    EXPECT_TRUE(IsNamespaceDropped(ns.Reserve("k", 1).status()));
    const std::uint64_t after = BlocksUsed(store);
    EXPECT_TRUE(round < 2 || after == before) << after << " " << before;
    before = after;
  }
}

// Puts values of falling sizes until there is no room for any. Returns how many keys there are.
int FillUp(const Namespace& ns) {
  int put = 0;
  for (const std::size_t bytes : {20'000, 500, 0}) {
    while (put < 1'000'000 && ns.Put(std::to_string(put), std::string(bytes, 'v')).ok()) {
      ++put;
    }
  }
  return put;
}

// While a loan lives, nothing that is deleted makes room; a disk may get room from elsewhere.
TEST_F(LoanTest, WhatFoundNoRoomIsPublishedOnceTheDiskHasSome) {
  FaultPlatform platform;
  expect_store_ = false;
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    SCOPED_TRACE(static_cast<int>(order));
    const std::string path = temp_.File("full" + std::to_string(static_cast<int>(order)));
    Store store = *OpenOn(platform, path, TinyNodes(QuietOptions()));
    const Namespace ns = *store.OpenNamespace("n", {.order = order});
    std::vector<Loan> loans;
    for (int i = 0; i < 60; ++i) {
      loans.push_back(Must(ns.Reserve("loan" + std::to_string(i), 100)));
      Fill(loans.back(), 'x');
    }
    platform.Set([](auto& faults) { faults.allocate_bytes_left = 0; });
    const auto put = static_cast<std::uint64_t>(FillUp(ns));
    EXPECT_TRUE(Says(ns.Reserve("more", 10'000).status(), Code::kResourceExhausted, path));
    std::vector<Loan> waiting;
    for (Loan& loan : loans) {
      const absl::Status published = std::move(loan).Publish();
      if (!published.ok()) {
        EXPECT_TRUE(Says(published, Code::kResourceExhausted, path));
        // NOLINTNEXTLINE(bugprone-use-after-move): that is what the test is about.
        EXPECT_EQ(loan.bytes().size(), 100U);
        waiting.push_back(std::move(loan));
      }
    }
    EXPECT_TRUE(IsSound(store));
    EXPECT_EQ(*ns.Size(), put + loans.size() - waiting.size());
    EXPECT_GT(waiting.size(), 0U);
    platform.Clear();
    for (Loan& loan : waiting) {
      ASSERT_TRUE(std::move(loan).Publish().ok());
    }
    EXPECT_EQ(*ns.Size(), put + loans.size());
    for (std::size_t i = 0; i < loans.size(); ++i) {
      ASSERT_EQ(*ns.Get("loan" + std::to_string(i)), std::string(100, 'x'));
    }
    EXPECT_TRUE(IsSound(store));
  }
}

TEST_F(LoanTest, AFullStoreLendsAgainOnceItsLoansAndKeysAreGone) {
  Options options = TinyNodes(QuietOptions());
  options.max_size = std::uint64_t{2} << 20;
  Store store = MustOpen(options);
  const Namespace ns = MustOpenOrdered(store, "n");
  std::optional<Loan> loan = Must(ns.Reserve("loan", 300'000));
  const int put = FillUp(ns);
  EXPECT_TRUE(Says(ns.Reserve("more", 300'000).status(), Code::kResourceExhausted, path_));
  loan.reset();
  loan = Must(ns.Reserve("more", 300'000));
  loan.reset();
  EXPECT_TRUE(Says(ns.Reserve("large", 310'000).status(), Code::kResourceExhausted, path_));
  for (int i = 0; i < put; ++i) {
    const absl::StatusOr<bool> deleted = ns.Delete(std::to_string(i));
    ASSERT_TRUE(deleted.ok()) << i << " of " << put << ": " << deleted.status();
  }
  // Not much more: nodes that are left lie between what is free.
  EXPECT_TRUE(ns.Reserve("large", 310'000).ok());
}

// --- Death -----------------------------------------------------------------------------------

// In a child: holds loans, of which the first ones are published, until it is killed.
int HoldLoans(const std::string& path, ChildSide& parent, int published) {
  absl::StatusOr<Store> store = Store::Open(path, QuietOptions());
  const absl::StatusOr<Namespace> ns = store->OpenNamespace("n");
  if (!ns.ok()) {
    return 1;
  }
  std::vector<Loan> loans;
  for (int i = 0; i < 10; ++i) {
    absl::StatusOr<Loan> loan = ns->Reserve(std::to_string(i), 1000);
    if (!loan.ok()) {
      return 2;
    }
    Fill(*loan, 'c');
    loans.push_back(*std::move(loan));
  }
  for (int i = 0; i < published; ++i) {
    if (!std::move(loans[static_cast<std::size_t>(i)]).Publish().ok()) {
      return 3;
    }
  }
  parent.Send("holding");
  parent.Receive();
  return 0;
}

TEST_F(LoanTest, LoansOfAKilledProcessComeBackAndWhatItPublishedStays) {
  for (const int published : {0, 3, 10}) {
    SCOPED_TRACE(published);
    path_ = temp_.File("killed" + std::to_string(published));
    Store store = MustOpen(QuietOptions());
    const Namespace ns = MustOpenNamespace(store, "n");
    for (int i = 0; i < 10; i += 2) {
      ASSERT_TRUE(ns.Put(std::to_string(i), "old").ok());
    }
    ChildProcess child([&](ChildSide& parent) { return HoldLoans(path_, parent, published); });
    ASSERT_EQ(child.Receive(), "holding");
    EXPECT_TRUE(IsSound(store));
    EXPECT_EQ(store.Check()->blocks_in_flight, static_cast<std::uint64_t>(10 - published));
    ASSERT_TRUE(child.KillAndWait());
    ASSERT_TRUE(SeenDead(store, child.pid()));
    MustOpen(QuietOptions());  // Recovers it.
    EXPECT_EQ(store.Check()->blocks_in_flight, 0U);
    for (int i = 0; i < 10; ++i) {
      const absl::StatusOr<std::string> value = ns.Get(std::to_string(i));
      if (i < published) {
        EXPECT_EQ(*value, std::string(1000, 'c'));
      } else if (i % 2 == 0) {
        EXPECT_EQ(*value, "old");
      } else {
        EXPECT_TRUE(absl::IsNotFound(value.status()));
      }
    }
    const std::uint64_t keys = *ns.Size();
    const std::uint64_t blocks = BlocksUsed(store);
    // All keys are still good for a loan of this process.
    for (int i = 0; i < 10; ++i) {
      Loan loan = Must(ns.Reserve(std::to_string(i), 1000));
      Fill(loan, 'p');
      ASSERT_TRUE(std::move(loan).Publish().ok());
    }
    EXPECT_EQ(*ns.Size(), 10U);
    EXPECT_LE(BlocksUsed(store), blocks + 2 * (10 - keys));
  }
}

TEST_F(LoanTest, AHeartbeatReclaimsTheLoansOfAKilledProcess) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  ChildProcess child([&](ChildSide& parent) { return HoldLoans(path_, parent, 0); });
  ASSERT_EQ(child.Receive(), "holding");
  ASSERT_TRUE(child.KillAndWait());
  EXPECT_TRUE(WaitFor([&] { return store.Check()->blocks_in_flight == 0; }));
  EXPECT_TRUE(WaitFor([&] { return store.Participants()->size() == 1; }));
  EXPECT_TRUE(IsSound(store));
}

TEST_F(LoanTest, AForkedChildHasNoPartInALoan) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  std::optional<Loan> loan = Must(ns.Reserve("k", 3));
  std::memcpy(loan->bytes().data(), "abc", 3);
  ChildProcess child([&](ChildSide&) {
    const absl::Status published = std::move(*loan).Publish();
    loan.reset();
    return absl::IsFailedPrecondition(published) ? 0 : 1;
  });
  EXPECT_TRUE(child.Succeeded());
  EXPECT_FALSE(*ns.Contains("k"));
  ASSERT_TRUE(std::move(*loan).Publish().ok());
  EXPECT_EQ(*ns.Get("k"), "abc");
}

TEST_F(LoanTest, ASyncDoesNotWaitForALoan) {
  const Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const Loan loan = Must(ns.Reserve("k", 3));
  ASSERT_TRUE(ns.Put("other", "v").ok());
  ASSERT_TRUE(store.Sync().ok());
  // A copy stands for the file after a crash of the machine; the loan is lost with it.
  WriteFileBytes(temp_.File("copy"), FileBytes(path_));
  const Store copy = MustOpen(temp_.File("copy"), QuietOptions());
  EXPECT_EQ(*MustOpenNamespace(copy, "n").Get("other"), "v");
  EXPECT_TRUE(IsSound(copy));
}

}  // namespace
}  // namespace commy::test
