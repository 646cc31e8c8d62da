// Snapshots of several processes: an auditor never sees the second of two writes without the first,
// whichever process is killed, and the space that a killed holder kept is reclaimed.
#include <random>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kWriters = 2;
constexpr int kAuditors = 2;
constexpr int kAccounts = 10;

struct Book {
  std::atomic<std::uint64_t> rounds[kWriters];
  std::atomic<std::uint64_t> audits[kAuditors];
};

class SnapshotProcessTest : public OrderedFixture {
 protected:
  static bool NothingKept(const Store& store) {
    const absl::StatusOr<CheckReport> report = store.Check();
    return report.ok() && report->records == report->keys;
  }
};

// Writes each number first in one namespace, then in another.
int Write(const Store& store, int index, ChildSide& parent, Book& book) {
  const Namespace first = *store.OpenNamespace("first");
  const Namespace second = *store.OpenNamespace("second");
  parent.Send("ready");
  parent.Receive();
  while (true) {
    const std::uint64_t round = book.rounds[index].load() + 1;
    for (int k = 0; k < kAccounts; ++k) {
      const std::string key = std::to_string(index) + "/" + std::to_string(k);
      if (!first.Put(key, std::to_string(round)).ok() ||
          !second.Put(key, std::to_string(round)).ok()) {
        return 1;
      }
    }
    book.rounds[index].store(round);
  }
}

int Audit(const Store& store, int index, ChildSide& parent, Book& book) {
  const Namespace first = *store.OpenNamespace("first");
  const Namespace second = *store.OpenNamespace("second");
  parent.Send("ready");
  parent.Receive();
  const auto number = [](const Namespace& ns, const std::string& key, const Snapshot& then) {
    const absl::StatusOr<std::string> got = ns.Get(key, {.snapshot = &then});
    return got.ok() ? std::stoull(*got) : 0;
  };
  while (true) {
    const absl::StatusOr<Snapshot> then = store.TakeSnapshot();
    if (!then.ok()) {
      return 1;
    }
    for (int writer = 0; writer < kWriters; ++writer) {
      for (int k = kAccounts - 1; k >= 0; --k) {
        const std::string key = std::to_string(writer) + "/" + std::to_string(k);
        const std::uint64_t late = number(second, key, *then);
        const std::uint64_t early = number(first, key, *then);
        // A writer that was killed begins its round again, so the first may be ahead by one.
        if (early < late || early > late + 1 || number(second, key, *then) != late) {
          return 2;
        }
      }
    }
    ++book.audits[index];
  }
}

TEST_F(SnapshotProcessTest, AuditorsSeeOneMomentWhicheverProcessIsKilled) {
  std::mt19937_64 random(Seed());
  Store store = MustOpen(TinyNodes(SmallOptions()));
  (void)MustOpenNamespace(store, "first");
  (void)MustOpenOrdered(store, "second");
  const SharedMemory<Book> book;
  ProcessCrew crew(kWriters + kAuditors, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, TinyNodes(SmallOptions()));
    if (!own.ok()) {
      return 1;
    }
    return index < kWriters ? Write(*own, index, parent, *book)
                            : Audit(*own, index - kWriters, parent, *book);
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  for (int kill = 0; kill < 12; ++kill) {
    const int victim = static_cast<int>(random() % (kWriters + kAuditors));
    const std::uint64_t rounds = book->rounds[0] + book->rounds[1];
    const std::uint64_t audits = book->audits[0] + book->audits[1];
    ASSERT_TRUE(WaitFor([&] {
      return book->rounds[0] + book->rounds[1] >= rounds + 20 &&
             book->audits[0] + book->audits[1] >= audits + 20;
    })) << "a process ended: an auditor saw an inconsistent moment";
    ASSERT_TRUE(crew.Replace(victim));
    crew.child(victim).Send("go");
  }
  for (int i = 0; i < kWriters + kAuditors; ++i) {
    ASSERT_TRUE(crew.child(i).KillAndWait());
  }
  EXPECT_TRUE(WaitFor([&] { return NothingKept(store); }));
  EXPECT_TRUE(IsSound(store));
}

TEST_F(SnapshotProcessTest, TheSpaceKeptByASnapshotOfAKilledProcessIsReclaimed) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const std::string value(2000, 'v');
  const auto write_all = [&] {
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), value).ok());
    }
  };
  write_all();
  const std::uint64_t before = store.Stats()->used_bytes;
  ProcessCrew crew(1, [&](int, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
    const absl::StatusOr<Snapshot> held = own->TakeSnapshot();
    if (!held.ok()) {
      return 1;
    }
    parent.Send("ready");
    parent.Receive();
    return 0;
  });
  ASSERT_TRUE(crew.AllReady());
  write_all();
  EXPECT_GT(store.Stats()->used_bytes, before + 500'000) << "the snapshot kept no old versions";
  ASSERT_TRUE(crew.child(0).KillAndWait());
  EXPECT_TRUE(WaitFor([&] { return store.Stats()->used_bytes < before + 50'000; }))
      << store.Stats()->used_bytes << " bytes in use, " << before << " before";
  EXPECT_TRUE(WaitFor([&] { return NothingKept(store); }));
}

}  // namespace
}  // namespace commy::test
