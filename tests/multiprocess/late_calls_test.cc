// Calls of a store when a program or a thread is nearly over: from static destructors, atexit()
// handlers, and the destructors of pthread keys and of thread_locals that are older than the
// thread's first call. They work as always. Also views that are released while the thread that took
// them ends.
#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include "support/child_process.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Call = std::function<bool(const Store&, const Namespace&)>;

bool PutAndGet(const Store& /*store*/, const Namespace& ns) {
  return ns.Put("last", "words").ok() && ns.Get("last").ok() && ns.Put("last", "again").ok();
}
bool GetAbsent(const Store& /*store*/, const Namespace& ns) {
  return absl::IsNotFound(ns.Get("absent").status()) && absl::IsNotFound(ns.Get("absent").status());
}
bool ScanAll(const Store& /*store*/, const Namespace& ns) {
  int keys = 0;
  ScanRange scan = ns.Scan();
  for (const Entry& entry : scan) {
    keys += entry.key().empty() ? 0 : 1;
  }
  return keys > 0 && scan.status().ok();
}
bool TransactOnce(const Store& store, const Namespace& ns) {
  return store.Transact([&](Transaction& transaction) { return transaction.Put(ns, "a", "b"); })
      .ok();
}
bool ViewOnce(const Store& /*store*/, const Namespace& ns) {
  return ns.GetView("key").ok();
}
bool CloseIt(const Store& store, const Namespace& /*ns*/) {
  Store copy = store;
  return copy.Close().ok();
}

struct Late {
  const char* name;
  Call call;
};

class LateCallsTest : public StoreFixture, public testing::WithParamInterface<Late> {
 protected:
  void Use(const Store& store, const Namespace& ns) {
    ASSERT_TRUE(ns.Put("key", "value").ok());
    EXPECT_TRUE(absl::IsNotFound(ns.Get("absent").status()));
    EXPECT_TRUE(ScanAll(store, ns));
  }
};

// Ends its process with 0 if the call works in its destructor.
struct CallsWhenDestroyed {
  std::optional<Store> store;
  std::optional<Namespace> ns;
  Call call;
  ~CallsWhenDestroyed() { ::_exit(call(*store, *ns) ? 0 : 1); }
};

TEST_P(LateCallsTest, CallsWorkFromAStaticDestructor) {
  ChildProcess child([&](ChildSide&) -> int {
    static CallsWhenDestroyed last;
    last.call = GetParam().call;
    last.store = MustOpen(SmallOptions());
    last.ns = MustOpenNamespace(*last.store, "n");
    Use(*last.store, *last.ns);
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): what is tested.
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

TEST_P(LateCallsTest, CallsWorkFromAnExitHandler) {
  ChildProcess child([&](ChildSide&) -> int {
    static CallsWhenDestroyed* last = new CallsWhenDestroyed;
    last->call = GetParam().call;
    std::atexit([] { delete last; });
    last->store = MustOpen(SmallOptions());
    last->ns = MustOpenNamespace(*last->store, "n");
    Use(*last->store, *last->ns);
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): what is tested.
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

struct CallsWhenThreadEnds {
  std::function<void()> call;
  ~CallsWhenThreadEnds() { call(); }
};

TEST_P(LateCallsTest, CallsFromTheDestructorOfAnOlderThreadLocalWorkAndGiveTheLaneBack) {
  for (int i = 0; i < 20; ++i) {
    const Store store = MustOpen(SmallOptions());
    const Namespace ns = MustOpenNamespace(store, "n");
    std::atomic<int> worked = 0;
    const int threads = std::string(GetParam().name) == "Close" ? 1 : 3;
    for (int j = 0; j < threads; ++j) {
      std::thread([&] {
        static thread_local CallsWhenThreadEnds last;
        last.call = [&] { worked += GetParam().call(store, ns) ? 1 : 0; };
        Use(store, ns);
      }).join();
      if (store.Participants().ok()) {
        EXPECT_LE(store.Participants()->front().lanes, 2U);  // This thread's, and the heartbeat's.
      }
    }
    EXPECT_EQ(worked, threads);
  }
}

TEST_P(LateCallsTest, CallsWorkFromTheDestructorOfAPthreadKey) {
  struct Context {
    Store store;
    Namespace ns;
    bool worked;
  };
  pthread_key_t key{};
  ASSERT_EQ(::pthread_key_create(&key,
                                 [](void* value) {
                                   auto* const context = static_cast<Context*>(value);
                                   context->worked = GetParam().call(context->store, context->ns);
                                 }),
            0);
  Store store = MustOpen(SmallOptions());
  Context context{store, MustOpenNamespace(store, "n"), false};
  std::thread([&] {
    Use(context.store, context.ns);
    ASSERT_EQ(::pthread_setspecific(key, &context), 0);
  }).join();
  ::pthread_key_delete(key);
  EXPECT_TRUE(context.worked);
  if (store.Participants().ok()) {
    EXPECT_LE(store.Participants()->front().lanes, 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, LateCallsTest,
                         testing::Values(Late{"Put", PutAndGet}, Late{"Absent", GetAbsent},
                                         Late{"Scan", ScanAll}, Late{"Transact", TransactOnce},
                                         Late{"View", ViewOnce}, Late{"Close", CloseIt}),
                         [](const auto& test) { return test.param.name; });

class LateViewTest : public StoreFixture {};

TEST_F(LateViewTest, ViewsMayBeReleasedWhileTheirThreadEnds) {
  const Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("key", "value").ok());
  for (int i = 0; i < 500; ++i) {
    std::optional<View> one;
    std::optional<View> other;
    std::atomic<bool> taken = false;
    std::thread owner([&] {
      one = *ns.GetView("key");
      other = *ns.GetView("key");
      taken = true;
    });
    const auto release = [&](std::optional<View>& view) {
      while (!taken) {
      }
      view.reset();
    };
    std::thread first([&] { release(one); });
    release(other);
    first.join();
    owner.join();
  }
  EXPECT_LE(store.Participants()->front().lanes, 2U) << "a lane was not given back";
}

}  // namespace
}  // namespace commy::test
