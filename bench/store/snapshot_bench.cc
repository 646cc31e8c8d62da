// What do snapshots cost: to take one, to read from one, and to write while one is held?
//
// Fixed     one process, one thread; a hash and an ordered namespace of 200,000 keys
//           (COMMY_BENCH_KEYS) of 16 bytes with values of 100 bytes; a store file under TMPDIR.
// Varies    whether a snapshot is held, for how long, and how it is read.
// Compares  each row with the same without a snapshot: .../0 and .../1.
// Verifies  each value read, and that in the end no superseded version is kept.
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "benchmark/benchmark.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

constexpr std::uint32_t kFillSeed = 1;
constexpr std::uint32_t kUseSeed = 2;

class SnapshotStore {
 public:
  SnapshotStore() : keys_(0, KeyCount(200'000), kUseSeed) {
    Must("open", Store::Open(dir_.File("store")), &store_);
    Must("namespace", store_->OpenNamespace("hash"), &hash_);
    Must("namespace", store_->OpenNamespace("ordered", {.order = Order::kOrdered}), &ordered_);
    const KeyList fill(0, keys_.size(), kFillSeed);
    for (std::uint64_t i = 0; i < fill.size(); ++i) {
      Put(*hash_, fill[i]);
      Put(*ordered_, fill[i]);
    }
  }

  Snapshot Take() {
    std::optional<Snapshot> taken;
    Must("take", store_->TakeSnapshot(), &taken);
    return *std::move(taken);
  }
  void Put(const Namespace& ns, std::string_view key) {
    if (!ns.Put(key, value_.For(key)).ok()) {
      Die("put", key);
    }
  }
  void Get(std::string_view key, const Snapshot* snapshot) {
    const absl::StatusOr<std::string> value = hash_->Get(key, {.snapshot = snapshot});
    if (!value.ok() || !IsValueOf(key, *value)) {
      Die("get", key);
    }
  }
  // Waits until the versions kept for snapshots are swept.
  void Settle() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const absl::StatusOr<CheckReport> report = store_->Check();
      if (report.ok() && report->records == report->keys && report->sound()) {
        return;
      }
      std::this_thread::yield();
    }
    Die("settle", "superseded versions are still kept");
  }
  const Namespace& hash() const { return *hash_; }
  const Namespace& ordered() const { return *ordered_; }
  std::string_view NextKey() { return keys_.Next(); }

 private:
  template <typename T>
  static void Must(const char* what, absl::StatusOr<T> result, std::optional<T>* out) {
    if (!result.ok()) {
      Die(what, result.status().ToString());
    }
    out->emplace(*std::move(result));
  }

  ScratchDir dir_;
  KeyList keys_;
  ValueMaker value_{'1'};
  std::optional<Store> store_;
  std::optional<Namespace> hash_;
  std::optional<Namespace> ordered_;
};

SnapshotStore& Shared() {
  static SnapshotStore store;
  return store;
}

void BM_SnapshotTakeRelease(benchmark::State& state) {
  SnapshotStore& store = Shared();
  for (auto _ : state) {
    benchmark::DoNotOptimize(store.Take().commit_time());
  }
}
BENCHMARK(BM_SnapshotTakeRelease);

// One snapshot is held all the time, so one version of each key is kept.
template <bool ordered>
void BM_SnapshotOverwrite(benchmark::State& state) {
  SnapshotStore& store = Shared();
  std::optional<Snapshot> held;
  if (state.range(0) != 0) {
    held = store.Take();
  }
  for (auto _ : state) {
    store.Put(ordered ? store.ordered() : store.hash(), store.NextKey());
  }
  held.reset();
  store.Settle();
}
BENCHMARK(BM_SnapshotOverwrite<false>)->Name("BM_SnapshotHeldHashPut")->Arg(0)->Arg(1);
BENCHMARK(BM_SnapshotOverwrite<true>)->Name("BM_SnapshotHeldOrderedPut")->Arg(0)->Arg(1);

void BM_SnapshotHeldHotPut(benchmark::State& state) {
  SnapshotStore& store = Shared();
  std::optional<Snapshot> held;
  if (state.range(0) != 0) {
    held = store.Take();
  }
  const std::string key(store.NextKey());
  for (auto _ : state) {
    store.Put(store.hash(), key);
  }
}
BENCHMARK(BM_SnapshotHeldHotPut)->Arg(0)->Arg(1);

void BM_SnapshotGet(benchmark::State& state) {
  SnapshotStore& store = Shared();
  const Snapshot then = store.Take();
  for (auto _ : state) {
    store.Get(store.NextKey(), state.range(0) != 0 ? &then : nullptr);
  }
}
BENCHMARK(BM_SnapshotGet)->Arg(0)->Arg(1);

void BM_SnapshotScanOf100(benchmark::State& state) {
  SnapshotStore& store = Shared();
  for (auto _ : state) {
    std::uint64_t count = 0;
    ScanRange scan = store.ordered().Scan(
        {.from = std::string(store.NextKey()), .limit = 100, .consistent = state.range(0) != 0});
    for (const Entry& entry : scan) {
      count += entry.value().size() == kValueBytes ? 1 : 0;
    }
    if (!scan.status().ok() || count == 0) {
      Die("scan", scan.status().ToString());
    }
  }
}
BENCHMARK(BM_SnapshotScanOf100)->Arg(0)->Arg(1);

}  // namespace
}  // namespace commy::bench
