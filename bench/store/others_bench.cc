// How much does the work of one thread cost the others? Drops, clears, many namespaces, room.
//
// Fixed     a store per part; keys of 10 bytes and values of 40; one thread reads and writes while
//           another does the work in question.
// Compares  the slowest get and put of the first thread with the slowest beside a thread that only
//           looks at the clock, in the same run: the delay that the machine causes when both
//           processors are busy.
// Prints    drop, clear   the slowest and the 99.99th percentile of gets and puts in the namespace
//                         that is dropped or cleared, and of puts in another one
//           namespaces    the longest time between two beats with many namespaces that all have
//                         something to sweep, and the time of a drop of one
//           room          one thread put keys and another deleted them: the share that a third can
//                         put while the first lives; and how far the file grows by overwriting
//                         one large value
// Verifies  that drops and clears have happened.
// Not here  reads of a namespace that is cleared under a snapshot.
//
// Usage: others_bench [--smoke]          The files are made under TMPDIR.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Sizes {
  std::uint64_t keys = 2'000'000;
  int namespaces = 100'000;
  int overwrites = 20'000;
};

double Ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

void Must(const absl::Status& status, std::string_view what) {
  if (!status.ok()) {
    Die(what, status.ToString());
  }
}
template <typename T>
T Must(absl::StatusOr<T> value, std::string_view what) {
  Must(value.status(), what);
  return *std::move(value);
}

std::string Key(std::uint64_t i) {
  return std::to_string(1'000'000'000 + i);
}

class Times {
 public:
  template <typename Operation>
  void Take(Operation operation) {
    const Clock::time_point start = Clock::now();
    operation();
    ms_.push_back(static_cast<float>(Ms(Clock::now() - start)));
  }
  void Print(const char* what) {
    if (ms_.empty()) {
      std::printf("  %-26s none\n", what);
      return;
    }
    std::sort(ms_.begin(), ms_.end());
    std::printf("  %-26s slowest %8.3f ms   p99.99 %7.3f   of %zu\n", what, ms_.back(),
                ms_[static_cast<std::size_t>(0.9999 * static_cast<double>(ms_.size() - 1))],
                ms_.size());
  }

 private:
  std::vector<float> ms_;
};

void FillKeys(const Store& store, const Namespace& ns, std::uint64_t count) {
  const std::string value(40, 'v');
  for (std::uint64_t i = 0; i < count;) {
    WriteBatch batch;
    for (int j = 0; j < 10'000 && i < count; ++j, ++i) {
      batch.Put(ns, Key(i * 7919 % count), value);
    }
    Must(store.Write(std::move(batch)), "fill");
  }
}

// The times of one thread while another one runs `work`.
void LookOn(const char* title, const Namespace& in, const Namespace& elsewhere, std::uint64_t keys,
            bool puts_in_it, const std::function<void()>& work) {
  std::atomic<bool> over{false};
  Times gets;
  Times puts;
  Times others;
  std::thread worker([&] {
    work();
    over = true;
  });
  for (std::uint64_t i = 0; !over; i += 7919) {
    gets.Take([&] { (void)in.Get(Key(i % keys)); });
    if (puts_in_it) {
      puts.Take([&] { Must(in.Put("beside", "v"), "put"); });
    }
    others.Take([&] { Must(elsewhere.Put("beside", "v"), "put"); });
  }
  worker.join();
  std::printf("%s\n", title);
  gets.Print("get in it");
  if (puts_in_it) {
    puts.Print("put in it");
  }
  others.Print("put in another namespace");
}

void BesideDropsAndClears(Order order, std::uint64_t keys) {
  const ScratchDir scratch;
  const Store store = Must(Store::Open(scratch.File("store.commy")), "open");
  NamespaceOptions options;
  options.order = order;
  const Namespace in = Must(store.OpenNamespace("in", options), "namespace");
  const Namespace elsewhere = Must(store.OpenNamespace("elsewhere"), "namespace");
  const std::string name = order == Order::kHash ? "hash" : "ordered";
  FillKeys(store, in, keys);
  LookOn((name + ", beside a look at the clock").c_str(), in, elsewhere, keys, true, [] {
    for (const auto end = Clock::now() + std::chrono::milliseconds(500); Clock::now() < end;) {
    }
  });
  LookOn((name + ", beside a clear").c_str(), in, elsewhere, keys, true,
         [&] { Must(in.Clear(), "clear"); });
  if (Must(in.Size(), "size") > 1) {
    Die("clear", "has left keys");
  }
  FillKeys(store, in, keys);
  LookOn((name + ", beside a drop").c_str(), in, elsewhere, keys, false,
         [&] { Must(store.DropNamespace("in"), "drop"); });
}

void ManyNamespaces(int count) {
  const ScratchDir scratch;
  Options options;
  options.heartbeat_interval = absl::Milliseconds(200);
  const Store store = Must(Store::Open(scratch.File("store.commy"), options), "open");
  std::vector<Namespace> all;
  for (int i = 0; i < count; ++i) {
    all.push_back(Must(store.OpenNamespace("ns/" + std::to_string(i)), "namespace"));
    Must(all.back().Put("k", "v"), "put");
  }
  {
    const Snapshot snapshot = Must(store.TakeSnapshot(), "snapshot");
    for (const Namespace& ns : all) {
      Must(ns.Put("k", "w"), "put");
    }
  }
  // Every namespace has something to sweep now.
  absl::Duration oldest;
  for (const auto end = Clock::now() + std::chrono::seconds(5); Clock::now() < end;) {
    for (const ParticipantInfo& each : Must(store.Participants(), "participants")) {
      oldest = std::max(oldest, each.heartbeat_age);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  Times drops;
  const int dropped = std::min(count, 2000);
  for (int i = 0; i < dropped; ++i) {
    const std::string path = "ns/" + std::to_string(i * (count / dropped));
    drops.Take([&] { Must(store.DropNamespace(path), path); });
  }
  std::printf("%d namespaces, all to be swept\n  oldest beat, of one in 200 ms %5.0f ms\n", count,
              absl::ToDoubleMilliseconds(oldest));
  drops.Print("drop of one");
}

void RoomOfOthers() {
  const ScratchDir scratch;
  Options options;
  options.max_size = std::uint64_t{64} << 20;
  const Store store = Must(Store::Open(scratch.File("store.commy"), options), "open");
  const Namespace ns = Must(store.OpenNamespace("n"), "namespace");
  const std::string value(900, 'v');
  const auto fill = [&](const char* prefix) {
    std::uint64_t count = 0;
    while (ns.Put(prefix + std::to_string(count), value).ok()) {
      ++count;
    }
    return count;
  };
  std::uint64_t first = 0;
  std::atomic<int> stage{0};
  std::thread owner([&] {
    first = fill("a");
    stage = 1;
    stage.notify_all();
    stage.wait(1);
  });
  stage.wait(0);
  for (std::uint64_t i = 0; i < first; ++i) {
    Must(ns.Delete("a" + std::to_string(i)).status(), "delete");
  }
  const std::uint64_t second = fill("b");
  stage = 2;
  stage.notify_all();
  owner.join();
  std::printf(
      "room of a living thread\n  it put %llu, another deleted all, a third one put %.1f %%\n",
      static_cast<unsigned long long>(first),
      100.0 * static_cast<double>(second) / static_cast<double>(first));
}

void OverwriteLarge(int times) {
  const ScratchDir scratch;
  const Store store = Must(Store::Open(scratch.File("store.commy")), "open");
  const Namespace ns = Must(store.OpenNamespace("n"), "namespace");
  const std::string value(40'000, 'v');
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < times; ++i) {
    Must(ns.Put("k", value), "put");
  }
  const double seconds = Ms(Clock::now() - start) / 1e3;
  std::printf("one value of 40,000 bytes, overwritten\n  %.0f k/s, the file takes %.1f MiB\n",
              times / seconds / 1e3,
              static_cast<double>(Must(store.Stats(), "stats").disk_bytes) / (1 << 20));
}

int Main(int argc, char** argv) {
  Sizes sizes;
  if (argc > 2 || (argc == 2 && std::string_view(argv[1]) != "--smoke")) {
    Die("usage", "others_bench [--smoke]");
  }
  if (argc == 2) {
    sizes = {.keys = 5000, .namespaces = 200, .overwrites = 200};
  }
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    BesideDropsAndClears(order, sizes.keys);
  }
  ManyNamespaces(sizes.namespaces);
  RoomOfOthers();
  OverwriteLarge(sizes.overwrites);
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc, argv);
}
