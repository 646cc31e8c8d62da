// How fast are expired keys reclaimed, and what does a time to live cost a put?
//
// Fixed     one process, one thread beside the heartbeat's; 16-byte keys in random order, values of
//           100 bytes; a store file under TMPDIR; heartbeats of a second.
// Varies    the order of the namespace; how many keys expire, all at one moment; whether a put has
//           a time to live; and the share of a full store that has expired.
// Compares  BM_ExpirySweepHash and BM_ExpirySweepOrdered by their counter keys/s, which must be the
//           same for 6 million keys as for half a million; otherwise the sweep does not keep up.
//           BM_ExpiryFullPutOrdered against BM_ExpiryFullPutHash.
// Verifies  that no key is left in the end, and each put.
// Not here  several namespaces or processes that sweep (tests/engine/expiry_test.cc), many
//           versions.
//
// COMMY_BENCH_KEYS replaces each number of keys.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "benchmark/benchmark.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

class ExpiryStore {
 public:
  ExpiryStore(bool ordered, std::uint64_t max_size) {
    Options options;
    if (max_size != 0) {
      options.max_size = max_size;
    }
    absl::StatusOr<Store> store = Store::Open(dir_.File("store"), options);
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    store_.emplace(*std::move(store));
    absl::StatusOr<Namespace> ns =
        store_->OpenNamespace("n", {.order = ordered ? Order::kOrdered : Order::kHash});
    if (!ns.ok()) {
      Die("namespace", ns.status().ToString());
    }
    ns_.emplace(*std::move(ns));
  }

  // Returns whether there was room.
  bool Put(std::string_view key, std::optional<absl::Duration> ttl) {
    const absl::Status status = ns_->Put(key, value_.For(key), {.ttl = ttl});
    if (!status.ok() && !absl::IsResourceExhausted(status)) {
      Die("put", status.ToString());
    }
    return status.ok();
  }
  std::uint64_t Size() { return ns_->Size().value_or(0); }

 private:
  ScratchDir dir_;
  ValueMaker value_{'1'};
  std::optional<Store> store_;
  std::optional<Namespace> ns_;
};

template <bool ordered>
void BM_ExpirySweep(benchmark::State& state) {
  const std::uint64_t count = KeyCount(static_cast<std::uint64_t>(state.range(0)));
  std::uint64_t swept = 0;
  double seconds = 0;
  for (auto _ : state) {
    ExpiryStore store(ordered, 0);
    const KeyList keys(0, count, 1);
    const Clock::time_point over = Clock::now() + std::chrono::microseconds(4 * count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto left = std::chrono::nanoseconds(over - Clock::now()).count();
      if (!store.Put(keys[i], absl::Nanoseconds(std::max<std::int64_t>(left, 1)))) {
        Die("put", "the store is full");
      }
    }
    std::this_thread::sleep_until(over);
    const Clock::time_point begin = Clock::now();
    const std::uint64_t there = store.Size();
    while (store.Size() != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const double taken = std::chrono::duration<double>(Clock::now() - begin).count();
    state.SetIterationTime(taken);
    swept += there;
    seconds += taken;
  }
  state.counters["keys/s"] = static_cast<double>(swept) / seconds;
}
BENCHMARK(BM_ExpirySweep<false>)
    ->Name("BM_ExpirySweepHash")
    ->ArgName("keys")
    ->Arg(500'000)
    ->Arg(2'000'000)
    ->Arg(6'000'000)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ExpirySweep<true>)
    ->Name("BM_ExpirySweepOrdered")
    ->ArgName("keys")
    ->Arg(500'000)
    ->Arg(2'000'000)
    ->Arg(6'000'000)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// The same keys repeatedly, with a time to live that never elapses.
template <bool ordered>
void BM_ExpiryPut(benchmark::State& state) {
  ExpiryStore store(ordered, 0);
  KeyList keys(0, KeyCount(200'000), 1);
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    store.Put(keys[i], std::nullopt);
  }
  const std::optional<absl::Duration> ttl =
      state.range(0) == 0 ? std::nullopt : std::optional(absl::Hours(1));
  for (auto _ : state) {
    if (!store.Put(keys.Next(), ttl)) {
      Die("put", "the store is full");
    }
  }
}
BENCHMARK(BM_ExpiryPut<false>)->Name("BM_ExpiryPutHash")->ArgName("ttl")->Arg(0)->Arg(1);
BENCHMARK(BM_ExpiryPut<true>)->Name("BM_ExpiryPutOrdered")->ArgName("ttl")->Arg(0)->Arg(1);

// New keys into a full store, whose content all expires after a tenth of a second.
template <bool ordered>
void BM_ExpiryFullPut(benchmark::State& state) {
  ExpiryStore store(ordered, std::uint64_t{128} << 20);
  const absl::Duration ttl = absl::Milliseconds(100);
  const KeyList keys(0, KeyCount(2'000'000), 1);
  std::uint64_t next = 0;
  const auto key = [&] { return keys[next++ % keys.size()]; };
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(keys.size(), 1'000'000); ++i) {
    if (!store.Put(key(), ttl)) {
      break;
    }
  }
  std::uint64_t refused = 0;
  double worst_ms = 0;
  for (auto _ : state) {
    const Clock::time_point begin = Clock::now();
    refused += store.Put(key(), ttl) ? 0 : 1;
    worst_ms =
        std::max(worst_ms, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  state.counters["refused"] = static_cast<double>(refused);
  state.counters["worst_ms"] = worst_ms;
}
BENCHMARK(BM_ExpiryFullPut<false>)->Name("BM_ExpiryFullPutHash")->UseRealTime();
BENCHMARK(BM_ExpiryFullPut<true>)->Name("BM_ExpiryFullPutOrdered")->UseRealTime();

}  // namespace
}  // namespace commy::bench
