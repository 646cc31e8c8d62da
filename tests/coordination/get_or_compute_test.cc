// Computed values: one computes, what fails, what is superseded, and time to live.
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "support/spoil.h"
#include "support/store_fixture.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Texts = Computed<std::string, std::string>;
using Pages = Computed<std::uint32_t, std::vector<double>>;

class GetOrComputeTest : public StoreFixture {
 protected:
  template <typename C = Texts>
  C MustOpenComputed(const Store& store) {
    absl::StatusOr<C> computed = store.OpenShared<C>("computed");
    EXPECT_TRUE(computed.ok()) << computed.status();
    return *std::move(computed);
  }
  static absl::StatusOr<std::string> Unexpected() {
    ADD_FAILURE() << "it was computed again";
    return "again";
  }
  Store store_ = MustOpen(SmallOptions());
};

TEST_F(GetOrComputeTest, AValueIsComputedOnceAndThenThere) {
  const Texts texts = MustOpenComputed(store_);
  EXPECT_EQ(*texts.ns().Type(), "computed<string,string>");
  EXPECT_TRUE(absl::IsNotFound(texts.Get("k").status()));
  EXPECT_EQ(*texts.GetOrCompute("k", [] { return std::string("value"); }), "value");
  EXPECT_EQ(*texts.Get("k"), "value");
  EXPECT_EQ(*texts.GetOrCompute("k", Unexpected), "value");
  EXPECT_EQ(*texts.GetOrCompute("k", Unexpected, {.timeout = absl::ZeroDuration()}), "value");
}

TEST_F(GetOrComputeTest, KeysAndValuesHaveTypes) {
  const Pages pages = MustOpenComputed<Pages>(store_);
  EXPECT_EQ(*pages.ns().Type(), "computed<u32,vector<f64>>");
  const std::vector<double> page = {1, 2.5};
  EXPECT_EQ(*pages.GetOrCompute(7, [&] { return page; }), page);
  EXPECT_EQ(*pages.Get(7), page);
  EXPECT_FALSE(store_.OpenShared<Texts>("computed").ok());
  const auto by_number = store_.OpenShared<Computed<double, int>>("numbers");
  EXPECT_TRUE(absl::IsInvalidArgument(by_number->GetOrCompute(NAN, [] { return 1; }).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(by_number->Get(NAN).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(by_number->Put(NAN, 1)));
  EXPECT_TRUE(absl::IsInvalidArgument(by_number->Invalidate(NAN).status()));
}

TEST_F(GetOrComputeTest, AnErrorIsReturnedAndTheNextCallComputes) {
  const Texts texts = MustOpenComputed(store_);
  const auto fails = []() -> absl::StatusOr<std::string> { return absl::AbortedError("no luck"); };
  EXPECT_TRUE(Says(texts.GetOrCompute("k", fails).status(), absl::StatusCode::kAborted, "no luck"));
  EXPECT_EQ(*texts.ns().Size(), 0U);
  EXPECT_EQ(*texts.GetOrCompute("k", [] { return "better"; }), "better");
}

TEST_F(GetOrComputeTest, AnExceptionGivesTheClaimUp) {
  const Texts texts = MustOpenComputed(store_);
  const auto throws = []() -> std::string { throw std::runtime_error("thrown"); };
  EXPECT_THROW((void)texts.GetOrCompute("k", throws), std::runtime_error);
  EXPECT_EQ(*texts.ns().Size(), 0U);
}

TEST_F(GetOrComputeTest, OfManyThreadsOneComputes) {
  const Texts texts = MustOpenComputed(store_);
  std::atomic<int> computed{0};
  std::atomic<int> asking{0};
  RunThreads(4, [&](int) {
    ++asking;
    const auto value = texts.GetOrCompute("k", [&] {
      ++computed;
      EXPECT_TRUE(WaitFor([&] { return asking == 4; }));
      return "value";
    });
    EXPECT_EQ(*value, "value");
  });
  EXPECT_EQ(computed, 1);
}

TEST_F(GetOrComputeTest, WhileItIsComputedOthersWaitUpToTheirTimeout) {
  const Texts texts = MustOpenComputed(store_);
  const auto compute = [&] {
    EXPECT_TRUE(absl::IsNotFound(texts.Get("k").status()));
    for (const absl::Duration timeout :
         {absl::ZeroDuration(), -absl::InfiniteDuration(), absl::Milliseconds(2)}) {
      EXPECT_TRUE(Says(texts.GetOrCompute("k", Unexpected, {.timeout = timeout}).status(),
                       absl::StatusCode::kDeadlineExceeded, "still being computed"));
    }
    EXPECT_EQ(*texts.GetOrCompute("other", [] { return "o"; }), "o");
    return "value";
  };
  EXPECT_EQ(*texts.GetOrCompute("k", compute), "value");
}

TEST_F(GetOrComputeTest, IfItFailsAWaiterComputesNext) {
  const Texts texts = MustOpenComputed(store_);
  std::atomic<bool> claimed{false};
  std::atomic<bool> waits{false};
  std::thread failing([&] {
    const auto fails = [&]() -> absl::StatusOr<std::string> {
      claimed = true;
      EXPECT_TRUE(WaitFor([&] { return waits.load(); }));
      return absl::AbortedError("no luck");
    };
    EXPECT_TRUE(absl::IsAborted(texts.GetOrCompute("k", fails).status()));
  });
  ASSERT_TRUE(WaitFor([&] { return claimed.load(); }));
  std::thread waiter([&] {
    waits = true;
    EXPECT_EQ(*texts.GetOrCompute("k", [] { return "second"; }), "second");
  });
  failing.join();
  waiter.join();
  EXPECT_EQ(*texts.Get("k"), "second");
}

TEST_F(GetOrComputeTest, WhatIsPutOrInvalidatedMeanwhileIsNotOverwritten) {
  const Texts texts = MustOpenComputed(store_);
  const auto while_put = [&] {
    EXPECT_TRUE(texts.Put("k", "put").ok());
    return "computed";
  };
  EXPECT_EQ(*texts.GetOrCompute("k", while_put), "computed");
  EXPECT_EQ(*texts.Get("k"), "put");
  EXPECT_TRUE(*texts.Invalidate("k"));
  EXPECT_FALSE(*texts.Invalidate("k"));
  const auto while_invalidated = [&] {
    EXPECT_FALSE(*texts.Invalidate("k"));  // There is a claim, but no value.
    return "stale";
  };
  EXPECT_EQ(*texts.GetOrCompute("k", while_invalidated), "stale");
  EXPECT_TRUE(absl::IsNotFound(texts.Get("k").status()));
}

TEST_F(GetOrComputeTest, AClaimOfAClosedOpeningIsTakenAndItsResultNotKept) {
  const Texts texts = MustOpenComputed(store_);
  Store other = MustOpen(SmallOptions());
  const Texts there = MustOpenComputed(other);
  std::atomic<bool> claimed{false};
  std::atomic<bool> superseded{false};
  std::thread slow([&] {
    const auto value = there.GetOrCompute("k", [&] {
      claimed = true;
      EXPECT_TRUE(WaitFor([&] { return superseded.load(); }));
      return "late";
    });
    EXPECT_TRUE(absl::IsFailedPrecondition(value.status())) << value.status();
  });
  ASSERT_TRUE(WaitFor([&] { return claimed.load(); }));
  ASSERT_TRUE(other.Close().ok());
  EXPECT_EQ(*texts.GetOrCompute("k", [] { return "first"; }), "first");
  superseded = true;
  slow.join();
  EXPECT_EQ(*texts.Get("k"), "first");
}

TEST_F(GetOrComputeTest, ASupersededComputerDoesNotOverwrite) {
  const Texts texts = MustOpenComputed(store_);
  std::string second_claim;
  const auto compute = [&] {
    // As if another process had taken the claim.
    std::string claim = *texts.ns().Get("k");
    claim.back() = static_cast<char>(claim.back() ^ 0x40);
    second_claim = claim;
    EXPECT_TRUE(texts.ns().Put("k", claim).ok());
    return "late";
  };
  EXPECT_EQ(*texts.GetOrCompute("k", compute), "late");
  EXPECT_EQ(*texts.ns().Get("k"), second_claim);
}

TEST_F(GetOrComputeTest, TimeToLiveIsThatOfTheValueNotOfTheClaim) {
  const auto brief = store_.OpenShared<Texts>("brief", {.default_ttl = absl::Milliseconds(1)});
  ASSERT_TRUE(brief.ok());
  const auto compute = [&] {
    for (auto scan = brief->ns().Scan(); const Entry& entry : scan) {
      EXPECT_EQ(entry.ttl(), absl::InfiniteDuration());
    }
    return "value";
  };
  EXPECT_EQ(*brief->GetOrCompute("k", compute), "value");
  EXPECT_TRUE(WaitFor([&] { return absl::IsNotFound(brief->Get("k").status()); }));
  const auto hour = absl::Hours(1);
  EXPECT_EQ(*brief->GetOrCompute("k", [] { return "next"; }, {.ttl = hour}), "next");
  for (auto scan = brief->ns().Scan(); const Entry& entry : scan) {
    EXPECT_GT(entry.ttl(), absl::Minutes(50));
  }
  for (const absl::Duration bad : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(brief->GetOrCompute("other", Unexpected, {.ttl = bad}).status()));
  }
}

TEST_F(GetOrComputeTest, OtherBytesThanARecordAreDataLoss) {
  const Pages pages = MustOpenComputed<Pages>(store_);
  const std::string key("\0\0\0\x07", 4);
  std::string claim;
  const auto keep_claim = [&] {
    claim = *pages.ns().Get(key);
    return std::vector<double>();
  };
  ASSERT_TRUE(pages.GetOrCompute(7, keep_claim).ok());
  ASSERT_TRUE(pages.ns().Put(key, claim).ok());
  WithSpoiledRecords(pages.ns(), key, [&] { return pages.Get(7).status(); });
  WithSpoiledRecords(pages.ns(), key, [&] { return pages.GetOrCompute(7, keep_claim).status(); });
  ASSERT_TRUE(pages.ns().Put(key, "\x01xyz").ok());  // No vector.
  EXPECT_TRUE(absl::IsDataLoss(pages.GetOrCompute(7, keep_claim).status()));
  ASSERT_TRUE(pages.ns().Put(key, "\x03").ok());
  EXPECT_TRUE(Says(pages.Get(7).status(), absl::StatusCode::kDataLoss, "computed"));
  EXPECT_FALSE(*pages.Invalidate(7));  // It mends that.
  EXPECT_EQ(pages.GetOrCompute(7, [] { return std::vector<double>(3); })->size(), 3U);
}

TEST_F(GetOrComputeTest, AnUntypedNamespaceIsAdoptedOnlyWithItsRecords) {
  const Namespace plain = MustOpenNamespace(store_, "plain");
  ASSERT_TRUE(plain.Put("k", "\x01value").ok());
  const auto adopted = store_.OpenShared<Texts>("plain", {.adopt_untyped = true});
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(*adopted->Get("k"), "value");
  ASSERT_TRUE(MustOpenNamespace(store_, "bytes").Put("k", "value").ok());
  EXPECT_FALSE(store_.OpenShared<Texts>("bytes", {.adopt_untyped = true}).ok());
}

}  // namespace
}  // namespace commy::test
