// A transaction of a million keys whose process is killed or stopped somewhere in its commit: it is
// all or nothing, no garbage remains, and a put to one of its keys succeeds meanwhile.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"

#include "support/child_process.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/seen_dead.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__)
#define COMMY_TEST_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COMMY_TEST_SLOW 1
#endif
#endif
#if defined(COMMY_TEST_SLOW)
constexpr int kKeys = 100'000;
#else
constexpr int kKeys = 1'000'000;
#endif

struct Timing {
  std::atomic<std::int64_t> commit_ns{0};  // How long the last whole one took.
};

// Half of the keys are in a hash namespace, half in an ordered one; half of each are there before.
class LargeTransactionTest : public TransactionFixture {
 protected:
  static Options LargeOptions() {
    Options options;
    options.max_size = std::uint64_t{2} << 30;
    options.testing.background = false;
    return options;
  }
  static std::string KeyAt(int i) { return absl::StrFormat("key %07d", i / 2); }
  static bool IsThereBefore(int i) { return i / 2 % 2 == 0; }

  void SetUp() override {
    quiet_reopen_ = LargeOptions();
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) {
      if (IsThereBefore(i)) {
        batch.Put(spaces_[i % 2], KeyAt(i), "before");
      }
    }
    ASSERT_EQ(batch.size(), static_cast<std::uint64_t>(kKeys / 2));
    ASSERT_TRUE(store_.Write(std::move(batch)).ok());
  }

  // Writes all keys, sends "ready", and commits. Returns 0 if it committed, 3 if it was aborted.
  int Own(ChildSide& parent, const std::string& value) {
    absl::StatusOr<Store> store = Store::Open(path_, LargeOptions());
    if (!store.ok()) return 11;
    const std::array<Namespace, 2> spaces = {*store->OpenNamespace("hash"),
                                             *store->OpenNamespace("ordered")};
    absl::StatusOr<Transaction> txn = store->Begin({.timeout = absl::Minutes(5)});
    if (!txn.ok()) return 12;
    for (int i = 0; i < kKeys; ++i) {
      if (!txn->Put(spaces[i % 2], KeyAt(i), value).ok()) return 13;
    }
    parent.Send("ready");
    (void)parent.Receive();
    const auto start = Clock::now();
    const absl::Status committed = txn->Commit();
    timing_->commit_ns = std::chrono::nanoseconds(Clock::now() - start).count();
    // Stays, so that the parent can stop and kill it even if the commit was fast.
    (void)parent.Receive();
    return committed.ok() ? 0 : absl::IsAborted(committed) ? 3 : 14;
  }

  // Waits for `part` of the time that the last whole commit took.
  void WaitUntil(double part) const {
    const auto end = Clock::now() + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                        static_cast<double>(timing_->commit_ns.load()) * part));
    while (Clock::now() < end) {
    }
  }

  // Whether every key has `value`, or all are as before; but for `except`, which another put wrote.
  void ExpectAllOr(const std::string& before, const std::string& value, const char* except = "") {
    std::uint64_t changed = 0;
    std::uint64_t there = 0;
    for (const Namespace& ns : spaces_) {
      std::uint64_t keys = 0;
      ScanRange scan = ns.Scan();
      for (const Entry& entry : scan) {
        ++keys;
        if (entry.key() != except) {
          there += 1;
          changed += entry.value() == value ? 1 : 0;
          ASSERT_TRUE(entry.value() == value || entry.value() == before) << entry.value();
        }
      }
      ASSERT_TRUE(scan.status().ok()) << scan.status();
      EXPECT_EQ(*ns.Size(), keys);
    }
    EXPECT_TRUE(changed == 0 || changed == there) << changed << " of " << there << " keys";
    const bool all_there = there >= static_cast<std::uint64_t>(kKeys) - 2;
    EXPECT_TRUE(changed == 0 || all_there) << there << " keys";
    std::printf("%s: %s\n", value.c_str(), changed == 0 ? "nothing of it" : "all of it");
  }
  void ExpectSettled() {
    for (int i = 0; i < 20; ++i) {
      EngineOf(store_).session.Beat();
    }
    ExpectNothingLeft(store_);
  }

  SharedMemory<Timing> timing_;
  Store store_ = MustOpen(LargeOptions());
  std::array<Namespace, 2> spaces_ = {MustOpenNamespace(store_, "hash"),
                                      MustOpenOrdered(store_, "ordered")};
};

TEST_F(LargeTransactionTest, ALargeTransactionIsAllOrNothingWhereverItsOwnerIsKilled) {
  std::string before = "before";
  {
    ChildProcess owner([this](ChildSide& parent) { return Own(parent, "whole"); });
    ASSERT_EQ(owner.Receive(), "ready");
    owner.Send("go");
    owner.Send("end");
    ASSERT_TRUE(owner.Succeeded());
    ExpectAllOr(before, "whole");
    EXPECT_EQ(*spaces_[0].Size() + *spaces_[1].Size(), static_cast<std::uint64_t>(kKeys));
    ExpectSettled();
    before = "whole";
  }
  std::printf("a commit of %d keys: %lld ms\n", kKeys,
              static_cast<long long>(timing_->commit_ns.load() / 1'000'000));
  for (const double part : {0.2, 0.45, 0.7, 0.95}) {
    SCOPED_TRACE(part);
    const std::string value = absl::StrFormat("killed at %.2f", part);
    ChildProcess owner([&](ChildSide& parent) { return Own(parent, value); });
    ASSERT_EQ(owner.Receive(), "ready");
    owner.Send("go");
    WaitUntil(part);
    ASSERT_TRUE(owner.KillAndWait());
    ASSERT_TRUE(SeenDead(store_, owner.pid()));
    // Before any process recovers it.
    const bool done = *spaces_[0].Get(KeyAt(0)) == value;
    ASSERT_TRUE(spaces_[1].Put("other", "x").ok());
    ASSERT_TRUE(*spaces_[1].Delete("other"));
    ExpectSettled();
    ExpectAllOr(before, value);
    EXPECT_EQ(*spaces_[1].Get(KeyAt(kKeys - 1)) == value, done)
        << "the outcome changed after it was read";
    before = done ? value : before;
  }
}

TEST_F(LargeTransactionTest, APutAbortsALargeTransactionWhoseOwnerIsStopped) {
  for (const double part : {0.5, 0.8}) {
    if (timing_->commit_ns == 0) {
      ChildProcess owner([this](ChildSide& parent) { return Own(parent, "before"); });
      ASSERT_EQ(owner.Receive(), "ready");
      owner.Send("go");
      owner.Send("end");
      ASSERT_TRUE(owner.Succeeded());
    }
    SCOPED_TRACE(part);
    const std::string value = absl::StrFormat("stopped at %.2f", part);
    ChildProcess owner([&](ChildSide& parent) { return Own(parent, value); });
    ASSERT_EQ(owner.Receive(), "ready");
    owner.Send("go");
    WaitUntil(part);
    ASSERT_TRUE(owner.Stop());
    const std::string first = KeyAt(0);  // Of the hash namespace, which comes first.
    const std::string found = *spaces_[0].Get(first);
    ASSERT_TRUE(spaces_[0].Put(first, "put").ok());
    EXPECT_EQ(*spaces_[0].Get(first), "put");
    ASSERT_TRUE(owner.Continue());
    owner.Send("end");
    const std::optional<ChildEnd> end = owner.Wait();
    ASSERT_TRUE(end.has_value() && end->exited);
    EXPECT_TRUE(end->code == 0 || end->code == 3) << end->code;
    ExpectSettled();
    EXPECT_EQ(*spaces_[0].Get(first), "put");
    ExpectAllOr("before", value, first.c_str());
    EXPECT_EQ(*spaces_[1].Get(KeyAt(kKeys - 1)) == value, end->code == 0);
    EXPECT_TRUE(found != value || end->code == 0) << "the transaction was seen, and then aborted";
    if (end->code == 0) {
      break;  // The put came too late to abort it.
    }
  }
}

}  // namespace
}  // namespace commy::test
