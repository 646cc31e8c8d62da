// A serializable commit, stopped at each of its stores while another process changes its keys once
// more. When the commit validates its reads, it must still find the versions as of its commit time.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <sys/wait.h>

#include "support/child_process.h"
#include "support/hook_runtime.h"
#include "support/ordered_fixture.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

// The reads of a transaction, and the changes of others to the same keys after its snapshot. The
// change `before` its commit means that it must abort; the change `meanwhile` must not hide that.
// `undone`: the second change undoes the first. A transaction that takes its commit time later may
// then commit.
struct Loss {
  const char* name;
  std::function<absl::Status(Transaction&, const Namespace&)> read;
  std::function<absl::Status(const Namespace&)> before;
  std::function<absl::Status(const Namespace&)> meanwhile;
  bool undone = false;
};

absl::Status ReadKey(Transaction& txn, const Namespace& ns, const char* key) {
  const absl::Status status = txn.Get(ns, key).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

std::vector<Loss> Losses() {
  const auto read = [](const char* key) {
    return [key](Transaction& txn, const Namespace& ns) { return ReadKey(txn, ns, key); };
  };
  const auto put = [](const char* key, const char* value) {
    return [key, value](const Namespace& ns) { return ns.Put(key, value); };
  };
  const auto remove = [](const char* key) {
    return [key](const Namespace& ns) { return ns.Delete(key).status(); };
  };
  const auto clear = [](const Namespace& ns) { return ns.Clear(); };
  const auto scan = [](Transaction& txn, const Namespace& ns) {
    ScanRange range = txn.Scan(ns, {.prefix = "r"});
    for ([[maybe_unused]] const Entry& entry : range) {
    }
    return range.status();
  };
  return {
      {"overwritten", read("k"), put("k", "2"), put("k", "3")},
      {"overwritten and removed", read("k"), put("k", "2"), remove("k")},
      {"new and removed", read("none"), put("none", "2"), remove("none"), true},
      {"new and cleared", read("none"), put("none", "2"), clear, true},
      {"cleared and put", read("k"), clear, put("k", "1")},
      {"new in a range and removed", scan, put("r5", "2"), remove("r5"), true},
  };
}

class SerializablePointsTest : public StoreFixture, public testing::WithParamInterface<Order> {
 protected:
  static std::uint64_t Clock(Store& store) {
    return EngineOf(store).region.header().commit_clock.load(std::memory_order_seq_cst);
  }
};

TEST_P(SerializablePointsTest, ACommitStoppedAnywhereFindsTheChangesOfItsReads) {
  const Options options = TinyNodes(QuietOptions());
  for (const Loss& loss : Losses()) {
    SCOPED_TRACE(loss.name);
    std::uint64_t points = 0;
    std::uint64_t aborted = 0;
    for (std::uint64_t at = 1;; ++at) {
      SCOPED_TRACE(at);
      const std::string path = temp_.File(std::to_string(at) + loss.name);
      Store store = MustOpen(path, options);
      const Namespace read = *store.OpenNamespace("read", {.order = GetParam()});
      const Namespace written = *store.OpenNamespace("written", {.order = GetParam()});
      for (const char* key : {"k", "r1", "r9"}) {
        ASSERT_TRUE(read.Put(key, "1").ok());
      }
      ChildProcess victim([&](ChildSide& parent) {
        hooks::ForgetMappings();
        const absl::StatusOr<Store> own = Store::Open(path, options);
        if (!own.ok()) return 11;
        const Namespace of = *own->OpenNamespace("read", {.order = GetParam()});
        const Namespace to = *own->OpenNamespace("written", {.order = GetParam()});
        absl::StatusOr<Transaction> txn = own->Begin({.isolation = Isolation::kSerializable});
        if (!txn.ok() || !loss.read(*txn, of).ok() || !txn->Put(to, "x", "1").ok()) return 12;
        parent.Send("ready");
        (void)parent.Receive();
        hooks::Arm(hooks::kStores, hooks::Action::kStop, at);
        const absl::Status committed = txn->Commit();
        hooks::Disarm();
        if (!committed.ok() && !absl::IsAborted(committed)) return 13;
        parent.Send(std::to_string(txn->commit_time()));  // 0: aborted.
        return 0;
      });
      ASSERT_EQ(victim.Receive(), "ready");
      ASSERT_TRUE(loss.before(read).ok());
      victim.Send("go");
      siginfo_t seen{};
      ASSERT_EQ(waitid(P_PID, static_cast<id_t>(victim.pid()), &seen, WSTOPPED | WEXITED | WNOWAIT),
                0);
      const bool stopped = seen.si_code == CLD_STOPPED;
      const std::uint64_t clock = Clock(store);
      ASSERT_TRUE(loss.meanwhile(read).ok());
      ASSERT_TRUE(!stopped || victim.Continue());
      const std::uint64_t time = std::stoull(victim.Receive().value_or("1"));
      ASSERT_EQ(victim.Wait(), (ChildEnd{true, 0, 0}));
      EXPECT_TRUE(time == 0 || (loss.undone && time > clock))
          << "it committed at " << time << " although its reads had changed; the clock was at "
          << clock;
      EXPECT_EQ(written.Get("x").ok(), time != 0);
      aborted += time == 0 ? 1 : 0;
      EXPECT_TRUE(IsSound(store));
      if (!stopped) {
        points = at - 1;
        break;
      }
    }
    EXPECT_GT(aborted, 0U);
    std::printf("%s: %llu points, %llu aborted\n", loss.name,
                static_cast<unsigned long long>(points), static_cast<unsigned long long>(aborted));
  }
}

INSTANTIATE_TEST_SUITE_P(, SerializablePointsTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& param) {
                           return std::string(param.param == Order::kHash ? "Hash" : "Ordered");
                         });

}  // namespace
}  // namespace commy::test
