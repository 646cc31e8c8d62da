// What does each operation on one key cost, and how does it compare with a hash map in the process?
//
// Fixed     one process, one thread; 1,000,000 keys (COMMY_BENCH_KEYS) of 16 bytes with values of
//           100 bytes; a store file under TMPDIR; keys in random order, from memory in that order.
// Varies    the operation; all keys in turn, or one hot key repeatedly.
// Compares  with absl::flat_hash_map<std::string, std::string> under a std::shared_mutex, on the
//           same keys in the same order: BM_Map... The counter `ratio` of a BM_Store... is its
//           time over that of the BM_Map... run before it; over 1: the store is slower.
// Verifies  each value read, each answer, and the content after a series of writes.
// Not here  several threads or processes (processes_bench), durability against power loss, and
//           opening. PutNew includes growth and page faults, for both.
//
// Read a few repetitions: --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

constexpr std::uint32_t kFillSeed = 1;
constexpr std::uint32_t kUseSeed = 2;
constexpr std::uint32_t kAbsentSeed = 3;
constexpr std::uint64_t kBatch = 100;

std::uint64_t Keys() {
  static const std::uint64_t count = KeyCount(1'000'000);
  return count;
}

// The map that the store is compared with. Its methods are those that a user would write.
class LockedMap {
 public:
  void Put(std::string_view key, std::string_view value) {
    const std::unique_lock lock(mutex_);
    map_.insert_or_assign(std::string(key), std::string(value));
  }
  bool Delete(std::string_view key) {
    const std::unique_lock lock(mutex_);
    return map_.erase(ToAbsl(key)) == 1;
  }
  std::optional<std::string> Get(std::string_view key) const {
    const std::shared_lock lock(mutex_);
    const auto found = map_.find(ToAbsl(key));
    return found == map_.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  bool Contains(std::string_view key) const {
    const std::shared_lock lock(mutex_);
    return map_.contains(ToAbsl(key));
  }
  template <typename Use>
  bool ReadWith(std::string_view key, Use use) const {
    const std::shared_lock lock(mutex_);
    const auto found = map_.find(ToAbsl(key));
    if (found == map_.end()) {
      return false;
    }
    use(std::string_view(found->second));
    return true;
  }
  std::int64_t Add(std::string_view key, std::int64_t delta) {
    const std::unique_lock lock(mutex_);
    std::string& value = map_[ToAbsl(key)];
    const std::int64_t sum = (value.empty() ? 0 : std::stoll(value)) + delta;
    value = std::to_string(sum);
    return sum;
  }
  template <typename Use>
  void ForEach(Use use) const {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, value] : map_) {
      use(key, value);
    }
  }

 private:
  static absl::string_view ToAbsl(std::string_view text) {
    return absl::string_view(text.data(), text.size());
  }

  mutable std::shared_mutex mutex_;
  absl::flat_hash_map<std::string, std::string> map_;
};

// A store for one benchmark alone.
class TempStore {
 public:
  TempStore() {
    absl::StatusOr<Store> store = Store::Open(dir_.File("store"));
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    store_.emplace(*std::move(store));
  }
  [[nodiscard]] Namespace Open(std::string_view path) {
    absl::StatusOr<Namespace> ns = store_->OpenNamespace(path);
    if (!ns.ok()) {
      Die("namespace", ns.status().ToString());
    }
    return *std::move(ns);
  }

 private:
  ScratchDir dir_;
  std::optional<Store> store_;
};

void MustPut(const Namespace& ns, std::string_view key, std::string_view value) {
  if (const absl::Status put = ns.Put(key, value); !put.ok()) {
    Die("put", put.ToString());
  }
}

// Shared by most benchmarks: created on first use, kept to the end of the program.
struct Filled {
  Filled() : data(store.Open("data")), counters(store.Open("counters")), use(0, Keys(), kUseSeed) {
    const KeyList fill(0, Keys(), kFillSeed);
    ValueMaker value('0');
    for (std::uint64_t i = 0; i < fill.size(); ++i) {
      MustPut(data, fill[i], value.For(fill[i]));
      MustPut(counters, fill[i], "0");
    }
  }
  TempStore store;
  Namespace data;
  Namespace counters;
  KeyList use;
};
Filled& Shared() {
  static Filled filled;
  return filled;
}

struct FilledMap {
  FilledMap() : use(0, Keys(), kUseSeed) {
    const KeyList fill(0, Keys(), kFillSeed);
    ValueMaker value('0');
    for (std::uint64_t i = 0; i < fill.size(); ++i) {
      data.Put(fill[i], value.For(fill[i]));
      counters.Put(fill[i], "0");
    }
  }
  LockedMap data;
  LockedMap counters;
  KeyList use;
};
FilledMap& SharedMap() {
  static FilledMap filled;
  return filled;
}

KeyList& Absent() {
  static KeyList keys(Keys(), Keys(), kAbsentSeed);
  return keys;
}

enum class Side { kMap, kStore };

// Records the time of one iteration as that of the map's `operation`, or compares it with that.
void Compare(benchmark::State& state, Side side, const std::string& operation, double seconds) {
  static std::map<std::string, double> map_seconds;
  if (side == Side::kMap) {
    map_seconds[operation] = seconds;
  } else if (const auto found = map_seconds.find(operation); found != map_seconds.end()) {
    state.counters["ratio"] = seconds / found->second;
  }
}

// Runs `step` for each iteration, until it reports an error.
template <typename Step>
void Time(benchmark::State& state, Side side, const std::string& operation, Step step) {
  bool right = true;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    if (!step()) [[unlikely]] {
      right = false;
      break;
    }
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (!right) {
    state.SkipWithError("an operation gave a wrong answer");
    return;
  }
  Compare(state, side, operation, taken.count() / static_cast<double>(state.iterations()));
}

// Checks the values of keys taken in turn from `keys`, after writes of `round`.
template <typename Read>
void CheckRound(benchmark::State& state, const KeyList& keys, char round, Read read) {
  const auto written =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(state.iterations()), keys.size());
  ValueMaker value(round);
  for (std::uint64_t i = 0; i < written; i += 1 + written / 1000) {
    const auto found = read(keys[i]);
    if (!found.has_value() || *found != value.For(keys[i])) {
      state.SkipWithError("a value that was written is not there");
      return;
    }
  }
}

std::optional<std::string> Read(const Namespace& ns, std::string_view key) {
  absl::StatusOr<std::string> value = ns.Get(key);
  return value.ok() ? std::optional<std::string>(*std::move(value)) : std::nullopt;
}

// --- Reading ---------------------------------------------------------------------------------

void BM_MapGetHit(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "GetHit", [&] {
    const std::string_view key = map.use.Next();
    const std::optional<std::string> value = map.data.Get(key);
    return value.has_value() && IsValueOf(key, *value);
  });
}
BENCHMARK(BM_MapGetHit);

void BM_StoreGetHit(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "GetHit", [&] {
    const std::string_view key = shared.use.Next();
    const absl::StatusOr<std::string> value = shared.data.Get(key);
    return value.ok() && IsValueOf(key, *value);
  });
}
BENCHMARK(BM_StoreGetHit);

void BM_MapGetMiss(benchmark::State& state) {
  FilledMap& map = SharedMap();
  KeyList& absent = Absent();
  Time(state, Side::kMap, "GetMiss", [&] { return !map.data.Get(absent.Next()).has_value(); });
}
BENCHMARK(BM_MapGetMiss);

void BM_StoreGetMiss(benchmark::State& state) {
  Filled& shared = Shared();
  KeyList& absent = Absent();
  Time(state, Side::kStore, "GetMiss",
       [&] { return absl::IsNotFound(shared.data.Get(absent.Next()).status()); });
}
BENCHMARK(BM_StoreGetMiss);

void BM_MapReadWith(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "ReadWith", [&] {
    const std::string_view key = map.use.Next();
    bool right = false;
    return map.data.ReadWith(key, [&](std::string_view value) { right = IsValueOf(key, value); }) &&
           right;
  });
}
BENCHMARK(BM_MapReadWith);

void BM_StoreReadWith(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "ReadWith", [&] {
    const std::string_view key = shared.use.Next();
    bool right = false;
    return shared.data.ReadWith(key, [&](std::string_view value) { right = IsValueOf(key, value); })
               .ok() &&
           right;
  });
}
BENCHMARK(BM_StoreReadWith);

void BM_StoreGetView(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "ReadWith", [&] {
    const std::string_view key = shared.use.Next();
    const absl::StatusOr<View> view = shared.data.GetView(key);
    return view.ok() && IsValueOf(key, view->value());
  });
}
BENCHMARK(BM_StoreGetView);

void BM_MapContains(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "Contains", [&] { return map.data.Contains(map.use.Next()); });
}
BENCHMARK(BM_MapContains);

void BM_StoreContains(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "Contains", [&] {
    const absl::StatusOr<bool> there = shared.data.Contains(shared.use.Next());
    return there.ok() && *there;
  });
}
BENCHMARK(BM_StoreContains);

// One iteration is 100 keys; `per_key` is the time of one.
void BM_MapMultiGet(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "MultiGet", [&] {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      const std::string_view key = map.use.Next();
      const std::optional<std::string> value = map.data.Get(key);
      if (!value.has_value() || !IsValueOf(key, *value)) {
        return false;
      }
    }
    return true;
  });
  state.counters["per_key"] = benchmark::Counter(
      kBatch, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_MapMultiGet);

void BM_StoreMultiGet(benchmark::State& state) {
  Filled& shared = Shared();
  std::vector<std::string_view> keys(kBatch);
  Time(state, Side::kStore, "MultiGet", [&] {
    for (std::string_view& key : keys) {
      key = shared.use.Next();
    }
    const std::vector<absl::StatusOr<std::string>> values = shared.data.MultiGet(keys);
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      if (!values[i].ok() || !IsValueOf(keys[i], *values[i])) {
        return false;
      }
    }
    return true;
  });
  state.counters["per_key"] = benchmark::Counter(
      kBatch, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_StoreMultiGet);

// One iteration is a scan of everything; `per_key` is the time of one key.
void BM_MapScan(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "Scan", [&] {
    std::uint64_t right = 0;
    map.data.ForEach([&](const std::string& key, const std::string& value) {
      std::string key_copy(key);
      std::string value_copy(value);
      benchmark::DoNotOptimize(key_copy);
      right += IsValueOf(key_copy, value_copy) ? 1 : 0;
    });
    return right == Keys();
  });
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(Keys()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_MapScan)->Unit(benchmark::kMillisecond);

void BM_StoreScan(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "Scan", [&] {
    std::uint64_t right = 0;
    auto scan = shared.data.Scan();
    for (const Entry& entry : scan) {
      right += IsValueOf(entry.key(), entry.value()) ? 1 : 0;
    }
    return right == Keys() && scan.status().ok();
  });
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(Keys()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_StoreScan)->Unit(benchmark::kMillisecond);

// --- Writing what is there already -----------------------------------------------------------

void BM_MapOverwrite(benchmark::State& state) {
  FilledMap& map = SharedMap();
  KeyList keys(0, Keys(), kUseSeed);
  static char round = '1';
  round = round == '9' ? '1' : static_cast<char>(round + 1);
  ValueMaker value(round);
  Time(state, Side::kMap, "Overwrite", [&] {
    const std::string_view key = keys.Next();
    map.data.Put(key, value.For(key));
    return true;
  });
  CheckRound(state, keys, round, [&](std::string_view key) { return map.data.Get(key); });
}
BENCHMARK(BM_MapOverwrite);

void BM_StoreOverwrite(benchmark::State& state) {
  Filled& shared = Shared();
  KeyList keys(0, Keys(), kUseSeed);
  static char round = '1';
  round = round == '9' ? '1' : static_cast<char>(round + 1);
  ValueMaker value(round);
  Time(state, Side::kStore, "Overwrite", [&] {
    const std::string_view key = keys.Next();
    return shared.data.Put(key, value.For(key)).ok();
  });
  CheckRound(state, keys, round, [&](std::string_view key) { return Read(shared.data, key); });
}
BENCHMARK(BM_StoreOverwrite);

void BM_MapAdd(benchmark::State& state) {
  FilledMap& map = SharedMap();
  Time(state, Side::kMap, "Add", [&] { return map.counters.Add(map.use.Next(), 1) > 0; });
}
BENCHMARK(BM_MapAdd);

void BM_StoreAdd(benchmark::State& state) {
  Filled& shared = Shared();
  Time(state, Side::kStore, "Add", [&] {
    const absl::StatusOr<std::int64_t> sum = shared.counters.Add(shared.use.Next(), 1);
    return sum.ok() && *sum > 0;
  });
}
BENCHMARK(BM_StoreAdd);

// --- One hot key -----------------------------------------------------------------------------

void BM_MapHotGet(benchmark::State& state) {
  FilledMap& map = SharedMap();
  const std::string_view key = map.use[0];
  Time(state, Side::kMap, "HotGet", [&] {
    const std::optional<std::string> value = map.data.Get(key);
    return value.has_value() && IsValueOf(key, *value);
  });
}
BENCHMARK(BM_MapHotGet);

void BM_StoreHotGet(benchmark::State& state) {
  Filled& shared = Shared();
  const std::string_view key = shared.use[0];
  Time(state, Side::kStore, "HotGet", [&] {
    const absl::StatusOr<std::string> value = shared.data.Get(key);
    return value.ok() && IsValueOf(key, *value);
  });
}
BENCHMARK(BM_StoreHotGet);

void BM_StoreHotReadWith(benchmark::State& state) {
  Filled& shared = Shared();
  const std::string_view key = shared.use[0];
  Time(state, Side::kStore, "HotReadWith", [&] {
    bool right = false;
    return shared.data.ReadWith(key, [&](std::string_view value) { right = IsValueOf(key, value); })
               .ok() &&
           right;
  });
}
BENCHMARK(BM_StoreHotReadWith);

void BM_MapHotPut(benchmark::State& state) {
  FilledMap& map = SharedMap();
  const std::string_view key = map.use[0];
  ValueMaker value('h');
  Time(state, Side::kMap, "HotPut", [&] {
    map.data.Put(key, value.For(key));
    return true;
  });
  if (map.data.Get(key) != std::string(value.For(key))) {
    state.SkipWithError("the hot key does not hold what was put");
  }
}
BENCHMARK(BM_MapHotPut);

void BM_StoreHotPut(benchmark::State& state) {
  Filled& shared = Shared();
  const std::string_view key = shared.use[0];
  ValueMaker value('h');
  Time(state, Side::kStore, "HotPut", [&] { return shared.data.Put(key, value.For(key)).ok(); });
  if (Read(shared.data, key) != std::string(value.For(key))) {
    state.SkipWithError("the hot key does not hold what was put");
  }
}
BENCHMARK(BM_StoreHotPut);

void BM_MapHotAdd(benchmark::State& state) {
  FilledMap& map = SharedMap();
  const std::string_view key = map.use[0];
  std::int64_t last = map.counters.Add(key, 0);
  Time(state, Side::kMap, "HotAdd", [&] { return map.counters.Add(key, 1) == ++last; });
}
BENCHMARK(BM_MapHotAdd);

void BM_StoreHotAdd(benchmark::State& state) {
  Filled& shared = Shared();
  const std::string_view key = shared.use[0];
  std::int64_t last = shared.counters.Add(key, 0).value_or(-1);
  Time(state, Side::kStore, "HotAdd", [&] {
    const absl::StatusOr<std::int64_t> sum = shared.counters.Add(key, 1);
    return sum.ok() && *sum == ++last;
  });
}
BENCHMARK(BM_StoreHotAdd);

// --- Keys that come and go: each run has a map or a store of its own, and uses each key once ----

void BM_MapPutNew(benchmark::State& state) {
  LockedMap map;
  KeyList keys(0, Keys(), kFillSeed);
  ValueMaker value('n');
  Time(state, Side::kMap, "PutNew", [&] {
    const std::string_view key = keys.Next();
    map.Put(key, value.For(key));
    return true;
  });
  CheckRound(state, keys, 'n', [&](std::string_view key) { return map.Get(key); });
}

void BM_StorePutNew(benchmark::State& state) {
  TempStore store;
  const Namespace ns = store.Open("data");
  KeyList keys(0, Keys(), kFillSeed);
  ValueMaker value('n');
  Time(state, Side::kStore, "PutNew", [&] {
    const std::string_view key = keys.Next();
    return ns.Put(key, value.For(key)).ok();
  });
  CheckRound(state, keys, 'n', [&](std::string_view key) { return Read(ns, key); });
  if (ns.Size().value_or(0) != Keys()) {
    state.SkipWithError("the size is not the number of keys");
  }
}

void BM_MapDelete(benchmark::State& state) {
  LockedMap map;
  const KeyList fill(0, Keys(), kFillSeed);
  KeyList keys(0, Keys(), kUseSeed);
  ValueMaker value('d');
  for (std::uint64_t i = 0; i < fill.size(); ++i) {
    map.Put(fill[i], value.For(fill[i]));
  }
  Time(state, Side::kMap, "Delete", [&] { return map.Delete(keys.Next()); });
}

void BM_StoreDelete(benchmark::State& state) {
  TempStore store;
  const Namespace ns = store.Open("data");
  const KeyList fill(0, Keys(), kFillSeed);
  KeyList keys(0, Keys(), kUseSeed);
  ValueMaker value('d');
  for (std::uint64_t i = 0; i < fill.size(); ++i) {
    MustPut(ns, fill[i], value.For(fill[i]));
  }
  Time(state, Side::kStore, "Delete", [&] { return ns.Delete(keys.Next()).value_or(false); });
  if (ns.Size().value_or(1) != 0) {
    state.SkipWithError("keys are left");
  }
}

[[maybe_unused]] const bool kOncePerKey = [] {
  const auto count = static_cast<benchmark::IterationCount>(Keys());
  benchmark::RegisterBenchmark("BM_MapPutNew", BM_MapPutNew)->Iterations(count);
  benchmark::RegisterBenchmark("BM_StorePutNew", BM_StorePutNew)->Iterations(count);
  benchmark::RegisterBenchmark("BM_MapDelete", BM_MapDelete)->Iterations(count);
  benchmark::RegisterBenchmark("BM_StoreDelete", BM_StoreDelete)->Iterations(count);
  return true;
}();

}  // namespace
}  // namespace commy::bench
