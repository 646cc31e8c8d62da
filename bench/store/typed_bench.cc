// What do types cost, and what does writing in place save?
//
// Fixed     one process, one thread; a store file under TMPDIR; keys in random order.
// Varies    SharedHashMap from u64 to a struct of 32 bytes with 1,000 and with 1,000,000 keys
//           (COMMY_BENCH_KEYS): copied, in place, and as bytes by Namespace::ReadWith(); and a
//           flat_hash_map of the process and a chain of loads, for what the memory costs. A value
//           of 4 MiB: put from a buffer, written into a loan, and into a fresh mapped file; for
//           each it is made anew first, in the buffer or in place: copied from a source (/0), as
//           from a network, or computed (/1), as a picture is.
// Verifies  each value read; of large ones a word in each page.
// Not here  several processes.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absl/container/flat_hash_map.h"
#include "benchmark/benchmark.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {

struct Reading {
  std::uint64_t number = 0;
  double value = 0;
  std::uint64_t time = 0;
  std::uint64_t source = 0;
};
COMMY_STRUCT(Reading, "bench.Reading", number, value, time, source);

namespace {

constexpr std::uint64_t kLargeBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kPage = 4096;

class Fixture {
 public:
  explicit Fixture(std::uint64_t keys) : store_(MustOpen(dir_.File("store"))), map_(Fill(keys)) {
    order_.resize(keys);
    std::iota(order_.begin(), order_.end(), 0);
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(7));
  }

  [[nodiscard]] const SharedHashMap<std::uint64_t, Reading>& map() const { return map_; }
  std::uint64_t Next() {
    const std::uint64_t key = order_[next_];
    next_ = next_ + 1 == order_.size() ? 0 : next_ + 1;
    return key;
  }
  [[nodiscard]] std::size_t size() const { return order_.size(); }

  static Fixture& Of(std::uint64_t keys) {
    static std::unique_ptr<Fixture> fixture;
    if (fixture == nullptr || fixture->size() != keys) {
      fixture.reset();
      fixture = std::make_unique<Fixture>(keys);
    }
    return *fixture;
  }

 private:
  static Store MustOpen(const std::string& path) {
    absl::StatusOr<Store> store = Store::Open(path);
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    return *std::move(store);
  }
  SharedHashMap<std::uint64_t, Reading> Fill(std::uint64_t keys) {
    auto map = store_.OpenShared<SharedHashMap<std::uint64_t, Reading>>("readings");
    if (!map.ok()) {
      Die("map", map.status().ToString());
    }
    for (std::uint64_t i = 0; i < keys; ++i) {
      if (!map->Put(i, {.number = i, .value = 0.5, .time = i * 3, .source = 1}).ok()) {
        Die("put", "failed");
      }
    }
    return *std::move(map);
  }

  ScratchDir dir_;
  Store store_;
  SharedHashMap<std::uint64_t, Reading> map_;
  std::vector<std::uint64_t> order_;
  std::size_t next_ = 0;
};

std::uint64_t KeysOf(const benchmark::State& state) {
  return state.range(0) == 0 ? 1000 : KeyCount(1'000'000);
}

void BM_GetBytes(benchmark::State& state) {
  Fixture& fixture = Fixture::Of(KeysOf(state));
  const Namespace& ns = fixture.map().ns();
  for (auto _ : state) {
    const std::uint64_t key = fixture.Next();
    const internal::KeyOf<std::uint64_t> bytes(key);
    std::uint64_t number = UINT64_MAX;
    const absl::Status read = ns.ReadWith(bytes.view(), [&number](std::string_view value) {
      number = reinterpret_cast<const Reading*>(value.data())->number;
    });
    if (!read.ok() || number != key) {
      Die("get", "wrong value");
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetBytes)->Arg(0)->Arg(1);

void BM_GetInPlace(benchmark::State& state) {
  Fixture& fixture = Fixture::Of(KeysOf(state));
  for (auto _ : state) {
    const std::uint64_t key = fixture.Next();
    std::uint64_t number = UINT64_MAX;
    const absl::Status read =
        fixture.map().ReadWith(key, [&number](const Reading& reading) { number = reading.number; });
    if (!read.ok() || number != key) {
      Die("get", "wrong value");
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetInPlace)->Arg(0)->Arg(1);

void BM_GetCopy(benchmark::State& state) {
  Fixture& fixture = Fixture::Of(KeysOf(state));
  for (auto _ : state) {
    const std::uint64_t key = fixture.Next();
    const absl::StatusOr<Reading> reading = fixture.map().Get(key);
    if (!reading.ok() || reading->number != key) {
      Die("get", "wrong value");
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetCopy)->Arg(0)->Arg(1);

// The same in a hash map of this process alone: what the memory costs, whatever the store does.
void BM_GetFlatHashMap(benchmark::State& state) {
  const std::uint64_t keys = KeysOf(state);
  absl::flat_hash_map<std::uint64_t, Reading> map;
  std::vector<std::uint64_t> order(keys);
  std::iota(order.begin(), order.end(), 0);
  for (const std::uint64_t key : order) {
    map.emplace(key, Reading{.number = key, .value = 0.5, .time = key * 3, .source = 1});
  }
  std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::uint64_t key = order[next];
    next = next + 1 == keys ? 0 : next + 1;
    if (map.find(key)->second.number != key) {
      Die("get", "wrong value");
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_GetFlatHashMap)->Arg(0)->Arg(1);

// Loads of which each gives the address of the next, in memory of the size that a map of so many
// keys takes in a store: a get of a key does two of them, for its bucket and its record.
void BM_ChainedLoad(benchmark::State& state) {
  const std::size_t count = KeysOf(state) * 2;
  struct alignas(64) Link {
    std::uint64_t next = 0;
  };
  std::vector<Link> links(count);
  std::vector<std::uint64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  for (std::size_t i = 0; i < count; ++i) {
    links[order[i]].next = order[(i + 1) % count];
  }
  std::uint64_t at = 0;
  for (auto _ : state) {
    at = links[at].next;
  }
  benchmark::DoNotOptimize(at);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_ChainedLoad)->Arg(0)->Arg(1);

// --- 4 MiB -------------------------------------------------------------------------------------

const std::vector<char>& Source() {
  static const std::vector<char> source = [] {
    std::vector<char> bytes(kLargeBytes);
    for (std::size_t i = 0; i < kLargeBytes / sizeof(std::uint64_t); ++i) {
      const std::uint64_t word = i * 0x9e3779b97f4a7c15U;
      std::memcpy(bytes.data() + i * sizeof(word), &word, sizeof(word));
    }
    return bytes;
  }();
  return source;
}

// Makes the value: the same bytes, copied or computed.
void Make(bool computed, void* to) {
  if (!computed) {
    std::memcpy(to, Source().data(), kLargeBytes);
    return;
  }
  auto* const words = static_cast<std::uint64_t*>(to);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < kLargeBytes / sizeof(std::uint64_t); ++i) {
    words[i] = word;
    word += 0x9e3779b97f4a7c15U;
  }
}

bool IsSource(std::string_view value) {
  if (value.size() != kLargeBytes) {
    return false;
  }
  for (std::uint64_t at = 0; at < kLargeBytes; at += kPage) {
    if (value[at] != Source()[at]) {
      return false;
    }
  }
  return true;
}

struct LargeStore {
  LargeStore() : store(Store::Open(dir.File("store"))), ns(store->OpenNamespace("images")) {
    if (!store.ok() || !ns.ok()) {
      Die("open", "failed");
    }
  }
  void Verify() const {
    bool right = false;
    if (!ns->ReadWith("image", [&right](std::string_view value) { right = IsSource(value); })
             .ok() ||
        !right) {
      Die("image", "is not what was written");
    }
  }
  ScratchDir dir;
  absl::StatusOr<Store> store;
  absl::StatusOr<Namespace> ns;
};

void BM_LargePut(benchmark::State& state) {
  const LargeStore large;
  std::vector<char> buffer(kLargeBytes);
  for (auto _ : state) {
    Make(state.range(0) != 0, buffer.data());
    benchmark::ClobberMemory();
    if (!large.ns->Put("image", std::string_view(buffer.data(), buffer.size())).ok()) {
      Die("put", "failed");
    }
  }
  large.Verify();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kLargeBytes));
}
BENCHMARK(BM_LargePut)->Arg(0)->Arg(1)->UseRealTime();

void BM_LargeLoan(benchmark::State& state) {
  const LargeStore large;
  for (auto _ : state) {
    absl::StatusOr<Loan> loan = large.ns->Reserve("image", kLargeBytes);
    if (!loan.ok()) {
      Die("reserve", loan.status().ToString());
    }
    Make(state.range(0) != 0, loan->bytes().data());
    if (!std::move(*loan).Publish().ok()) {
      Die("publish", "failed");
    }
  }
  large.Verify();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kLargeBytes));
}
BENCHMARK(BM_LargeLoan)->Arg(0)->Arg(1)->UseRealTime();

void BM_LargeMappedFile(benchmark::State& state) {
  const ScratchDir dir;
  const std::string path = dir.File("image");
  for (auto _ : state) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    void* const memory =
        fd < 0 || ftruncate(fd, kLargeBytes) != 0
            ? MAP_FAILED
            : mmap(nullptr, kLargeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
      Die("mmap", path);
    }
    Make(state.range(0) != 0, memory);
    benchmark::ClobberMemory();
    munmap(memory, kLargeBytes);
    close(fd);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kLargeBytes));
}
BENCHMARK(BM_LargeMappedFile)->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
}  // namespace commy::bench
