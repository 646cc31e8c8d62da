// A latch: counting down, waiting, and what it refuses.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "support/spoil.h"
#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

class LatchTest : public StoreFixture {
 protected:
  Latch MustOpenLatch(std::uint64_t count, const std::string& path = "latch") {
    absl::StatusOr<Latch> latch = Latch::Open(store_, path, count);
    EXPECT_TRUE(latch.ok()) << latch.status();
    return *std::move(latch);
  }
  Store store_ = MustOpen(SmallOptions());
};

TEST_F(LatchTest, ItIsOpenOnceItsCountIsZero) {
  const Latch latch = MustOpenLatch(3);
  EXPECT_EQ(*latch.ns().Type(), "latch");
  EXPECT_EQ(*latch.Count(), 3U);
  EXPECT_TRUE(latch.CountDown().ok());
  EXPECT_TRUE(
      Says(latch.Wait(absl::ZeroDuration()), absl::StatusCode::kDeadlineExceeded, "2 of 3"));
  EXPECT_TRUE(
      Says(latch.Wait(-absl::InfiniteDuration()), absl::StatusCode::kDeadlineExceeded, "2 of 3"));
  EXPECT_TRUE(
      Says(latch.Wait(absl::Milliseconds(2)), absl::StatusCode::kDeadlineExceeded, "2 of 3"));
  EXPECT_TRUE(latch.CountDown(2).ok());
  EXPECT_EQ(*latch.Count(), 0U);
  EXPECT_TRUE(latch.Wait(absl::ZeroDuration()).ok());
  EXPECT_TRUE(latch.Wait(absl::InfiniteDuration()).ok());
}

TEST_F(LatchTest, BelowZeroNothingIsCounted) {
  const Latch latch = MustOpenLatch(2);
  EXPECT_TRUE(Says(latch.CountDown(3), absl::StatusCode::kInvalidArgument,
                   "3 cannot be taken from a count of 2"));
  EXPECT_TRUE(absl::IsInvalidArgument(latch.CountDown(0)));
  EXPECT_TRUE(absl::IsInvalidArgument(latch.CountDown(UINT64_MAX)));
  EXPECT_EQ(*latch.Count(), 2U);
  EXPECT_TRUE(latch.CountDown(2).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(latch.CountDown()));
}

TEST_F(LatchTest, TheCountIsAgreedOnByAllThatCreateIt) {
  const Latch latch = MustOpenLatch(2);
  ASSERT_TRUE(latch.CountDown().ok());
  EXPECT_EQ(*MustOpenLatch(2).Count(), 1U);
  const absl::Status other = Latch::Open(store_, "latch", 5).status();
  EXPECT_TRUE(Says(other, absl::StatusCode::kInvalidArgument, "count of 2, not 5"));
  EXPECT_EQ(*store_.OpenShared<Latch>("latch")->Count(), 1U);
  EXPECT_TRUE(absl::IsInvalidArgument(Latch::Open(store_, "l", std::uint64_t{1} << 63).status()));
}

TEST_F(LatchTest, WithoutACountNothingIsCreated) {
  EXPECT_TRUE(absl::IsNotFound(store_.OpenShared<Latch>("latch").status()));
  EXPECT_TRUE(store_.ListNamespaces()->empty());
  const auto missing = Latch::Open(store_, "latch", 3, {.create_if_missing = false});
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  const Latch latch = MustOpenLatch(3);
  ASSERT_TRUE(latch.ns().Clear().ok());
  EXPECT_TRUE(Says(store_.OpenShared<Latch>("latch").status(), absl::StatusCode::kNotFound,
                   "has no count"));
  EXPECT_TRUE(absl::IsNotFound(latch.Count().status()));
  EXPECT_TRUE(absl::IsNotFound(latch.CountDown()));
  EXPECT_TRUE(absl::IsNotFound(latch.Wait(absl::InfiniteDuration())));
}

TEST_F(LatchTest, ALatchOfZeroIsOpen) {
  EXPECT_TRUE(MustOpenLatch(0).Wait(absl::ZeroDuration()).ok());
}

TEST_F(LatchTest, AllThatWaitAreReleasedByTheLastCount) {
  const Latch latch = MustOpenLatch(4);
  std::atomic<int> waiting{0};
  std::atomic<int> released{0};
  RunThreads(6, [&](int index) {
    if (index < 2) {
      ++waiting;
      if (latch.Wait(absl::InfiniteDuration()).ok() && *latch.Count() == 0) ++released;
    } else {
      EXPECT_TRUE(latch.CountDown().ok());
    }
  });
  EXPECT_EQ(released, 2);
}

TEST_F(LatchTest, OtherBytesThanItsRecordAreDataLossAndStay) {
  const Latch latch = MustOpenLatch(2);
  WithSpoiledRecords(latch.ns(), "", [&] { return latch.CountDown(); });
  WithSpoiledRecords(latch.ns(), "", [&] { return latch.Wait(absl::InfiniteDuration()); });
  WithSpoiledRecords(latch.ns(), "", [&] { return Latch::Open(store_, "latch", 2).status(); });
  std::string more = *latch.ns().Get("");
  more[12] = 9;  // Left, of 2.
  ASSERT_TRUE(latch.ns().Put("", more).ok());
  EXPECT_TRUE(absl::IsDataLoss(latch.Count().status()));
}

TEST_F(LatchTest, AReadOnlyStoreCanWaitForALatch) {
  const Latch latch = MustOpenLatch(1);
  Options options = SmallOptions();
  options.read_only = true;
  const Store reader = MustOpen(options);
  const absl::StatusOr<Latch> seen = Latch::Open(reader, "latch", 1);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(seen->CountDown()));
  ASSERT_TRUE(latch.CountDown().ok());
  EXPECT_TRUE(seen->Wait(absl::Seconds(30)).ok());
}

}  // namespace
}  // namespace commy::test
