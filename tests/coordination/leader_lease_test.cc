// A leader lease: exclusion, fencing numbers, what ends it, and waiting.
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include <unistd.h>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "coordination/record.h"
#include "support/spoil.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

class LeaderLeaseTest : public StoreFixture {
 protected:
  LeaderLease MustOpenLease(const Store& store) {
    absl::StatusOr<LeaderLease> lease = store.OpenShared<LeaderLease>("leader");
    EXPECT_TRUE(lease.ok()) << lease.status();
    return *std::move(lease);
  }
  static LeaderLease::Held MustAcquire(const LeaderLease& lease) {
    absl::StatusOr<LeaderLease::Held> held = lease.Acquire(absl::Seconds(30));
    EXPECT_TRUE(held.ok()) << held.status();
    return *std::move(held);
  }

  Store store_ = MustOpen(SmallOptions());
  LeaderLease lease_ = MustOpenLease(store_);
};

TEST_F(LeaderLeaseTest, ItsNamespaceSaysWhatItIs) {
  EXPECT_EQ(*lease_.ns().Type(), "leader");
  EXPECT_EQ(lease_.path(), "leader");
  EXPECT_TRUE(Says(store_.OpenShared<SharedCounter>("leader").status(),
                   absl::StatusCode::kInvalidArgument, "leader"));
}

TEST_F(LeaderLeaseTest, OneHolderExcludesAnotherOfTheSameProcessUntilItLetsGo) {
  const LeaderLease other = MustOpenLease(store_);
  LeaderLease::Held held = MustAcquire(lease_);
  EXPECT_FALSE(lease_.TryAcquire()->has_value());
  EXPECT_FALSE(other.TryAcquire()->has_value());
  EXPECT_TRUE(*held.StillHeld());
  EXPECT_TRUE(held.LetGo().ok());
  EXPECT_FALSE(*held.StillHeld());
  EXPECT_TRUE(other.TryAcquire()->has_value());
}

TEST_F(LeaderLeaseTest, FencingNumbersGoUpAndAreNeverUsedAgain) {
  std::uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    const LeaderLease::Held held = MustAcquire(lease_);
    EXPECT_EQ(held.fencing(), last + 1);
    last = held.fencing();
  }
  store_.Close().IgnoreError();
  const Store again = MustOpen(SmallOptions());
  EXPECT_EQ(MustAcquire(MustOpenLease(again)).fencing(), last + 1);
}

TEST_F(LeaderLeaseTest, ItsHolderIsNamedAndNobodyWhenItIsFree) {
  EXPECT_FALSE(lease_.Holder()->has_value());
  const absl::Time before = absl::Now() - absl::Seconds(1);
  {
    const LeaderLease::Held held = MustAcquire(lease_);
    const LeaderLease::HolderInfo info = lease_.Holder().value().value();
    EXPECT_EQ(info.process_name, "test");
    EXPECT_EQ(info.pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_EQ(info.fencing, held.fencing());
    EXPECT_GE(info.acquired, before);
    EXPECT_LE(info.acquired, absl::Now() + absl::Seconds(1));
  }
  EXPECT_FALSE(lease_.Holder()->has_value());
}

TEST_F(LeaderLeaseTest, AHeldThatIsMovedLetsGoOnce) {
  LeaderLease::Held first = MustAcquire(lease_);
  LeaderLease::Held second = std::move(first);
  EXPECT_EQ(first.fencing(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(*first.StillHeld());
  EXPECT_TRUE(absl::IsFailedPrecondition(first.LetGo()));
  EXPECT_TRUE(*second.StillHeld());
  const absl::StatusOr<LeaderLease> other = store_.OpenShared<LeaderLease>("other");
  second = MustAcquire(*other);
  EXPECT_TRUE(lease_.TryAcquire()->has_value());  // Of what `second` held before.
  EXPECT_TRUE(*second.StillHeld());
  EXPECT_TRUE(second.LetGo().ok());
  EXPECT_TRUE(Says(second.LetGo(), absl::StatusCode::kFailedPrecondition, "let go"));
}

TEST_F(LeaderLeaseTest, ALeaseInAnotherOpeningOfTheStoreIsHeldUntilThatIsClosed) {
  Store other = MustOpen(SmallOptions());
  LeaderLease::Held held = MustAcquire(MustOpenLease(other));
  EXPECT_FALSE(lease_.TryAcquire()->has_value());
  EXPECT_EQ(lease_.Holder().value().value().fencing, 1U);
  ASSERT_TRUE(other.Close().ok());
  EXPECT_FALSE(lease_.Holder()->has_value());
  const LeaderLease::Held mine = MustAcquire(lease_);
  EXPECT_EQ(mine.fencing(), 2U);
  EXPECT_TRUE(absl::IsFailedPrecondition(held.StillHeld().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(held.LetGo()));
  EXPECT_TRUE(*mine.StillHeld());
}

TEST_F(LeaderLeaseTest, AHolderThatASuccessorReplacedCannotLetGoOfItsLease) {
  LeaderLease::Held held = MustAcquire(lease_);
  ASSERT_TRUE(lease_.ns().Clear().ok());
  const LeaderLease::Held successor = MustAcquire(lease_);
  EXPECT_FALSE(*held.StillHeld());
  EXPECT_TRUE(Says(held.LetGo(), absl::StatusCode::kFailedPrecondition, "is over"));
  EXPECT_TRUE(*successor.StillHeld());
}

TEST_F(LeaderLeaseTest, AShortTimeoutIsOneTryAndTellsOfTheHolder) {
  LeaderLease::Held held = MustAcquire(lease_);
  for (const absl::Duration timeout : {absl::ZeroDuration(), absl::Nanoseconds(-1),
                                       -absl::InfiniteDuration(), absl::Milliseconds(2)}) {
    const absl::Status status = lease_.Acquire(timeout).status();
    EXPECT_TRUE(
        Says(status, absl::StatusCode::kDeadlineExceeded,
             "test (process " + std::to_string(::getpid()) + ") with the fencing number 1"));
  }
  ASSERT_TRUE(held.LetGo().ok());
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), -absl::InfiniteDuration(), absl::InfiniteDuration()}) {
    EXPECT_TRUE(lease_.Acquire(timeout).ok());
  }
}

TEST_F(LeaderLeaseTest, AWaiterIsNextWhenTheHolderLetsGo) {
  LeaderLease::Held held = MustAcquire(lease_);
  std::atomic<bool> acquired{false};
  std::thread waiter([&] {
    const auto mine = lease_.Acquire(absl::InfiniteDuration());
    acquired = mine.ok() && mine->fencing() == 2;
  });
  EXPECT_FALSE(acquired);
  EXPECT_TRUE(held.LetGo().ok());
  waiter.join();
  EXPECT_TRUE(acquired);
}

TEST_F(LeaderLeaseTest, AWaitEndsWithTheNamespace) {
  const LeaderLease::Held held = MustAcquire(lease_);
  absl::Status status;
  std::thread waiter([&] { status = lease_.Acquire(absl::InfiniteDuration()).status(); });
  ASSERT_TRUE(store_.DropNamespace("leader").ok());
  waiter.join();
  EXPECT_TRUE(IsNamespaceDropped(status)) << status;
}

TEST_F(LeaderLeaseTest, TimeToLiveOfTheNamespaceDoesNotEndIt) {
  const absl::StatusOr<LeaderLease> lease =
      store_.OpenShared<LeaderLease>("brief", {.default_ttl = absl::Nanoseconds(1)});
  const LeaderLease::Held held = MustAcquire(*lease);
  EXPECT_TRUE(*held.StillHeld());
  EXPECT_FALSE(lease->TryAcquire()->has_value());
}

TEST_F(LeaderLeaseTest, OtherBytesThanItsRecordAreDataLossAndStay) {
  { const LeaderLease::Held held = MustAcquire(lease_); }
  const std::string whole = *lease_.ns().Get("");
  WithSpoiledRecords(lease_.ns(), "", [&] { return lease_.TryAcquire().status(); });
  WithSpoiledRecords(lease_.ns(), "", [&] { return lease_.Holder().status(); });
  // Too long a name, and no number left.
  ASSERT_TRUE(lease_.ns().Put("", whole + std::string(100, 'x')).ok());
  EXPECT_TRUE(absl::IsDataLoss(lease_.TryAcquire().status()));
  std::string last = whole;
  last.replace(4, 8, std::string(8, '\xff'));
  ASSERT_TRUE(lease_.ns().Put("", last).ok());
  EXPECT_TRUE(Says(lease_.TryAcquire().status(), absl::StatusCode::kDataLoss, "number"));
}

TEST_F(LeaderLeaseTest, ARecordOfAnotherStoreNamesNoHolderHere) {
  const LeaderLease::Held held = MustAcquire(lease_);
  const std::string record = *lease_.ns().Get("");
  const Store other = MustOpen(temp_.File("other"), SmallOptions());
  const LeaderLease there = MustOpenLease(other);
  ASSERT_TRUE(there.ns().Put("", record).ok());
  EXPECT_EQ(MustAcquire(there).fencing(), 2U);
}

TEST_F(LeaderLeaseTest, AReadOnlyStoreShowsTheHolderButAcquiresNothing) {
  std::optional<LeaderLease::Held> held = MustAcquire(lease_);
  Options options = SmallOptions();
  options.read_only = true;
  const Store reader = MustOpen(options);
  const LeaderLease lease = MustOpenLease(reader);
  EXPECT_TRUE(lease.Holder()->has_value());
  held.reset();
  EXPECT_FALSE(lease.Holder()->has_value());
  EXPECT_TRUE(absl::IsFailedPrecondition(lease.TryAcquire().status()));
}

TEST_F(LeaderLeaseTest, AHoldThatTheStoreHadNoRoomToEndIsOverForItsProcess) {
  LeaderLease::Held held = MustAcquire(lease_);
  const std::string record = *lease_.ns().Get("");
  coordination::RecordReader reader(std::string_view(record).substr(12));
  const coordination::HolderId id = reader.TakeHolder();
  EXPECT_FALSE(*coordination::IsGone(lease_.ns(), id));
  coordination::Abandon(id);  // As ~Held does then.
  EXPECT_FALSE(lease_.Holder()->has_value());
  const LeaderLease::Held next = MustAcquire(lease_);
  EXPECT_EQ(next.fencing(), 2U);
  EXPECT_TRUE(absl::IsFailedPrecondition(held.LetGo()));
  EXPECT_TRUE(*next.StillHeld());
}

TEST_F(LeaderLeaseTest, AnUntypedNamespaceIsAdoptedOnlyWithARecordOfALease) {
  const Namespace plain = MustOpenNamespace(store_, "plain");
  ASSERT_TRUE(plain.Put("", "bytes").ok());
  EXPECT_FALSE(store_.OpenShared<LeaderLease>("plain", {.adopt_untyped = true}).ok());
  ASSERT_TRUE(plain.Delete("").ok());
  EXPECT_TRUE(store_.OpenShared<LeaderLease>("plain", {.adopt_untyped = true}).ok());
}

}  // namespace
}  // namespace commy::test
