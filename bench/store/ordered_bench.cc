// What does each operation on an ordered namespace cost?
//
// Fixed     one process, one thread; 1,000,000 keys (COMMY_BENCH_KEYS) of 16 bytes with values of
//           100 bytes; a store file under TMPDIR.
// Varies    the operation; keys in random and in ascending order. In the rows .../<shape> the keys:
//           up to 3 bytes; 16 bytes after 200 that all share; 1 KiB; 60 KiB; 16 bytes after 60 KiB
//           that all share. Of these as many as fill 64 MiB, at most 100,000.
// Compares  with absl::btree_map<std::string, std::string> under a std::shared_mutex
//           (BM_Tree...) on the same keys in the same order.
// Verifies  each value read, the length and the order of each scan, and the final count.
// Not here  the hash namespace (store_bench), several threads or processes (processes_bench).
#include <algorithm>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "benchmark/benchmark.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

constexpr std::uint32_t kFillSeed = 1;
constexpr std::uint32_t kUseSeed = 2;
constexpr std::uint64_t kScan = 100;

std::uint64_t Keys() {
  static const std::uint64_t count = KeyCount(1'000'000);
  return count;
}

class LockedTree {
 public:
  bool Put(std::string_view key, std::string_view value) {
    const std::unique_lock lock(mutex_);
    tree_.insert_or_assign(std::string(key), std::string(value));
    return true;
  }
  std::optional<std::string> Get(std::string_view key) const {
    const std::shared_lock lock(mutex_);
    const auto found = tree_.find(std::string(key));
    return found == tree_.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  std::uint64_t Scan(std::string_view from) const {
    const std::shared_lock lock(mutex_);
    std::uint64_t count = 0;
    for (auto at = tree_.lower_bound(std::string(from)); at != tree_.end() && count < kScan; ++at) {
      std::string key = at->first;
      std::string value = at->second;
      benchmark::DoNotOptimize(key);
      benchmark::DoNotOptimize(value);
      ++count;
    }
    return count;
  }
  std::uint64_t Size() const { return tree_.size(); }

 private:
  mutable std::shared_mutex mutex_;
  absl::btree_map<std::string, std::string> tree_;
};

class OrderedStore {
 public:
  OrderedStore() {
    absl::StatusOr<Store> store = Store::Open(dir_.File("store"));
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    store_.emplace(*std::move(store));
    absl::StatusOr<Namespace> ns = store_->OpenNamespace("data", {.order = Order::kOrdered});
    if (!ns.ok()) {
      Die("namespace", ns.status().ToString());
    }
    ns_.emplace(*std::move(ns));
  }
  bool Put(std::string_view key, std::string_view value) { return ns_->Put(key, value).ok(); }
  std::optional<std::string> Get(std::string_view key) const {
    absl::StatusOr<std::string> value = ns_->Get(key);
    return value.ok() ? std::optional<std::string>(*std::move(value)) : std::nullopt;
  }
  std::uint64_t Scan(std::string_view from) const {
    std::uint64_t count = 0;
    std::string last;
    ScanRange scan = ns_->Scan({.from = std::string(from), .limit = kScan});
    for (const Entry& entry : scan) {
      count += entry.key() > last ? 1 : 0;
      last.assign(entry.key());
    }
    return scan.status().ok() ? count : 0;
  }
  std::uint64_t Size() const { return ns_->Count().value_or(0); }

 private:
  ScratchDir dir_;
  std::optional<Store> store_;
  std::optional<Namespace> ns_;
};

// --- Keys of other shapes ------------------------------------------------------------------------

enum Shape : std::int64_t { kShort, kSharedPrefix, kKibibyte, kHuge, kHugeSharedPrefix };

struct ShapedKeys {
  std::vector<std::string> keys;
  std::size_t next = 0;

  const std::string& Next() {
    next = next + 1 == keys.size() ? 0 : next + 1;
    return keys[next];
  }
};

ShapedKeys KeysOf(Shape shape) {
  constexpr std::uint64_t kBytes = std::uint64_t{64} << 20;
  constexpr std::uint64_t kHugeBytes = 60'000;
  const std::uint64_t prefix = shape == kSharedPrefix       ? 200
                               : shape == kHugeSharedPrefix ? kHugeBytes
                                                            : 0;
  const std::uint64_t tail = shape == kKibibyte ? 1008 : shape == kHuge ? kHugeBytes : 0;
  std::uint64_t count = std::min({Keys(), std::uint64_t{100'000}, kBytes / (prefix + tail + 16)});
  count = shape == kShort ? std::min<std::uint64_t>(count, 50'000) : count;
  ShapedKeys shaped;
  const KeyList numbers(0, count, kFillSeed);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (shape == kShort) {
      // A bijection: the odd factor permutes 16 bits, which two or three bytes hold.
      const std::uint64_t mixed = (i * 0x9e37U) & 0xffffU;
      std::string key = {static_cast<char>(mixed & 0xffU), static_cast<char>(mixed >> 8U)};
      key += (mixed & 1U) != 0 ? "x" : "";
      shaped.keys.push_back(key);
      continue;
    }
    std::string key(prefix, 'p');
    key += numbers[i];
    key.append(tail, 't');
    shaped.keys.push_back(std::move(key));
  }
  return shaped;
}

template <typename Side>
void PutShaped(benchmark::State& state) {
  const ShapedKeys shaped = KeysOf(static_cast<Shape>(state.range(0)));
  for (auto _ : state) {
    Side side;
    for (const std::string& key : shaped.keys) {
      if (!side.Put(key, "value")) {
        state.SkipWithError("a put failed");
        return;
      }
    }
    if (side.Size() != shaped.keys.size()) {
      state.SkipWithError("keys are missing");
      return;
    }
  }
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(shaped.keys.size()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(PutShaped<LockedTree>)->Name("BM_TreePutShaped")->DenseRange(kShort, kHugeSharedPrefix);
BENCHMARK(PutShaped<OrderedStore>)
    ->Name("BM_OrderedPutShaped")
    ->DenseRange(kShort, kHugeSharedPrefix);

template <typename Side>
void GetShaped(benchmark::State& state) {
  ShapedKeys shaped = KeysOf(static_cast<Shape>(state.range(0)));
  Side side;
  for (const std::string& key : shaped.keys) {
    if (!side.Put(key, key.substr(0, 64))) {
      state.SkipWithError("a put failed");
      return;
    }
  }
  std::shuffle(shaped.keys.begin(), shaped.keys.end(), std::mt19937_64(kUseSeed));
  for (auto _ : state) {
    const std::string& key = shaped.Next();
    const std::optional<std::string> value = side.Get(key);
    if (!value.has_value() || !key.starts_with(*value)) {
      state.SkipWithError("a wrong value");
      break;
    }
  }
}
BENCHMARK(GetShaped<LockedTree>)->Name("BM_TreeGetShaped")->DenseRange(kShort, kHugeSharedPrefix);
BENCHMARK(GetShaped<OrderedStore>)
    ->Name("BM_OrderedGetShaped")
    ->DenseRange(kShort, kHugeSharedPrefix);

KeyList Ascending() {
  std::vector<std::pair<std::string, std::uint64_t>> sorted;
  const KeyList numbers([] {
    std::vector<std::uint64_t> all(Keys());
    for (std::uint64_t i = 0; i < all.size(); ++i) {
      all[i] = i;
    }
    return all;
  }());
  for (std::uint64_t i = 0; i < numbers.size(); ++i) {
    sorted.emplace_back(numbers[i], i);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::uint64_t> order;
  order.reserve(sorted.size());
  for (const auto& [key, number] : sorted) {
    order.push_back(number);
  }
  return KeyList(order);
}

template <typename Side>
Side& Filled() {
  static Side side;
  static const bool filled = [] {
    const KeyList fill(0, Keys(), kFillSeed);
    ValueMaker value('0');
    for (std::uint64_t i = 0; i < fill.size(); ++i) {
      if (!side.Put(fill[i], value.For(fill[i]))) {
        Die("put", "failed");
      }
    }
    return true;
  }();
  benchmark::DoNotOptimize(filled);
  return side;
}

template <typename Side>
void GetHit(benchmark::State& state) {
  Side& side = Filled<Side>();
  KeyList use(0, Keys(), kUseSeed);
  for (auto _ : state) {
    const std::string_view key = use.Next();
    const std::optional<std::string> value = side.Get(key);
    if (!value.has_value() || !IsValueOf(key, *value)) {
      state.SkipWithError("a wrong value");
      break;
    }
  }
}
BENCHMARK(GetHit<LockedTree>)->Name("BM_TreeGetHit");
BENCHMARK(GetHit<OrderedStore>)->Name("BM_OrderedGetHit");

template <typename Side>
void Overwrite(benchmark::State& state) {
  Side& side = Filled<Side>();
  KeyList use(0, Keys(), kUseSeed);
  ValueMaker value('1');
  for (auto _ : state) {
    const std::string_view key = use.Next();
    if (!side.Put(key, value.For(key))) {
      state.SkipWithError("a put failed");
      break;
    }
  }
}
BENCHMARK(Overwrite<LockedTree>)->Name("BM_TreeOverwrite");
BENCHMARK(Overwrite<OrderedStore>)->Name("BM_OrderedOverwrite");

template <typename Side>
void Scan100(benchmark::State& state) {
  Side& side = Filled<Side>();
  KeyList use(0, Keys(), kUseSeed);
  for (auto _ : state) {
    const std::uint64_t count = side.Scan(use.Next());
    if (count == 0 || count > kScan) {
      state.SkipWithError("a wrong scan");
      break;
    }
  }
}
BENCHMARK(Scan100<LockedTree>)->Name("BM_TreeScan100");
BENCHMARK(Scan100<OrderedStore>)->Name("BM_OrderedScan100");

template <typename Side>
void PutAll(benchmark::State& state, const KeyList& keys) {
  ValueMaker value('n');
  for (auto _ : state) {
    Side side;
    for (std::uint64_t i = 0; i < keys.size(); ++i) {
      if (!side.Put(keys[i], value.For(keys[i]))) {
        state.SkipWithError("a put failed");
        return;
      }
    }
    if (side.Size() != keys.size()) {
      state.SkipWithError("keys are missing");
      return;
    }
  }
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(keys.size()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
template <typename Side>
void PutNew(benchmark::State& state) {
  PutAll<Side>(state, KeyList(0, Keys(), kFillSeed));
}
template <typename Side>
void PutAscending(benchmark::State& state) {
  PutAll<Side>(state, Ascending());
}
BENCHMARK(PutNew<LockedTree>)->Name("BM_TreePutNew")->Iterations(1);
BENCHMARK(PutNew<OrderedStore>)->Name("BM_OrderedPutNew")->Iterations(1);
BENCHMARK(PutAscending<LockedTree>)->Name("BM_TreePutAscending")->Iterations(1);
BENCHMARK(PutAscending<OrderedStore>)->Name("BM_OrderedPutAscending")->Iterations(1);

}  // namespace
}  // namespace commy::bench
