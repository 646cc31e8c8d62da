// What does giving space back cost those who work meanwhile, and how much does it give back?
//
// Fixed     keys of 10 bytes and values of 100, put in random order; nine of ten are deleted at
//           random. Three other processes use the keys that are left, as fast as they can: two get
//           and verify, one puts.
// Varies    the order of the namespace; what this process does meanwhile, round after round: it
//           sleeps, it only looks at the clock, it shrinks. The other two last as long as the
//           shrink of the round before. The clock shows what one more process on these processors
//           costs the others: where there are fewer processors than processes, they wait for each
//           other for milliseconds.
// Prints    percentiles and the slowest of the others' operations; the shrink's time; blocks on
//           disk, also when all have closed the store, and after a compaction
//           background   a thread for each processor puts keys with values of other sizes in each
//                        generation, and deletes nine of ten. Puts and deletes a second with the
//                        shrinking of the heartbeat and without, in turns, from the moment on in
//                        which the heartbeat has looked for the first time (after 10 s)
// Verifies  each value that is read, after the compaction all; the whole file before it.
// Not here  large values, snapshots that are held meanwhile; the death of the shrinking process.
//
// Usage: shrink_bench [--smoke] [--keys=N] [--rounds=N] [--only=hash|ordered|background]
//        The files are made under TMPDIR.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "support/rounds.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using tools::bench::Histogram;

constexpr std::size_t kKeyBytesHere = 10;
constexpr std::size_t kValueBytesHere = 100;
constexpr std::size_t kReaders = 2;
constexpr std::size_t kActors = kReaders + 1;
constexpr const char* kUsage =
    "shrink_bench [--smoke] [--keys=N] [--rounds=N] [--only=hash|ordered|background]";

struct Setting {
  std::uint64_t keys = 2'000'000;
  std::uint64_t rounds = 3;
  std::string only;
  std::uint64_t first_ns = 1'000'000'000;  // How long the periods of the first round last.
  // Of the background.
  std::uint64_t generation = 100'000;  // Keys of each thread in a generation.
  std::chrono::milliseconds before{10'500};
  std::chrono::milliseconds measured{10'000};

  [[nodiscard]] std::uint64_t left() const { return keys / 10; }
};

std::string Key(std::uint64_t number) {
  return std::to_string(1'000'000'000 + number);
}

// A key, then one and the same letter.
void FillValue(std::string_view key, char letter, std::string* value) {
  value->assign(kValueBytesHere, letter);
  value->replace(0, kKeyBytesHere, key);
}
bool IsValue(std::string_view key, std::string_view value) {
  return value.size() == kValueBytesHere && value.starts_with(key) &&
         std::memcmp(value.data() + kKeyBytesHere, value.data() + kKeyBytesHere + 1,
                     kValueBytesHere - kKeyBytesHere - 1) == 0;
}

std::vector<std::uint64_t> Shuffled(std::uint64_t count, std::uint64_t seed) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(seed));
  return numbers;
}

std::uint64_t DiskBytes(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_blocks) * 512 : 0;
}

// What the main process does, as the others see it.
enum Period : std::uint32_t { kQuiet, kClock, kShrink, kPeriods, kNone, kAttach, kPause, kEnd };
constexpr std::array<const char*, kPeriods> kPeriodNames = {"alone", "beside a clock",
                                                            "beside a shrink"};

// Memory of all processes.
struct Shared {
  struct Line {
    std::array<Histogram, kPeriods> times;
    std::array<std::uint64_t, kPeriods> slowest_ns{};
  };
  std::atomic<std::uint32_t> period{kNone};
  std::atomic<std::uint32_t> ready{0};
  std::array<Line, kActors> lines;
};

void AwaitChange(const Shared& shared, std::uint32_t from) {
  while (shared.period.load() == from) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

// One of the other processes, until the end. The last one is the writer.
void Act(const std::string& path, Order order, const std::vector<std::uint64_t>& left,
         std::size_t number, Shared& shared) {
  AwaitChange(shared, kNone);
  const Store store = Must("open", Store::Open(path, {.background_shrink = false}));
  const Namespace ns = Must("namespace", store.OpenNamespace("data", {.order = order}));
  Shared::Line& line = shared.lines[number];
  std::minstd_rand random(static_cast<std::uint32_t>(number + 1));
  std::string value;
  ++shared.ready;
  for (std::uint32_t period = shared.period; period != kEnd; period = shared.period) {
    if (period >= kPeriods) {
      AwaitChange(shared, period);
      continue;
    }
    const std::string key = Key(left[random() % left.size()]);
    FillValue(key, static_cast<char>('a' + random() % 26), &value);
    bool right = false;
    const std::uint64_t begin_ns = NowNs();
    const absl::Status done =
        number == kReaders
            ? ns.Put(key, value)
            : ns.ReadWith(key, [&](std::string_view found) { right = IsValue(key, found); });
    const std::uint64_t taken_ns = NowNs() - begin_ns;
    Must(key, done);
    if (number != kReaders && !right) {
      Die(key, "has a wrong value");
    }
    line.times[period].Add(taken_ns);
    line.slowest_ns[period] = std::max(line.slowest_ns[period], taken_ns);
  }
}

class Others {
 public:
  Others(const std::string& path, Order order, const std::vector<std::uint64_t>& left) {
    void* const memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      Die("mmap", "failed");
    }
    shared_ = new (memory) Shared();
    const pid_t parent = ::getpid();
    for (std::size_t i = 0; i < kActors; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == parent) {
          Act(path, order, left, i, *shared_);
        }
        std::_Exit(0);
      }
      if (child < 0) {
        Die("fork", "failed");
      }
    }
  }
  ~Others() { ::munmap(shared_, sizeof(Shared)); }
  Others(const Others&) = delete;
  Others& operator=(const Others&) = delete;

  void Attach() {
    shared_->period = kAttach;
    while (shared_->ready.load() < kActors) {
      int status = 0;
      if (::waitpid(-1, &status, WNOHANG) != 0) {
        Die("another process", "has ended early");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  template <typename Work>
  void During(Period period, const Work& work) {
    const std::uint64_t begin_ns = NowNs();
    shared_->period = period;
    work();
    shared_->period = kPause;
    lengths_ns_[period] += NowNs() - begin_ns;
  }
  void End() {
    shared_->period = kEnd;
    for (std::size_t i = 0; i < kActors; ++i) {
      int status = 0;
      if (::wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        Die("another process", "has ended badly");
      }
    }
  }
  void Print(const char* title, std::size_t first, std::size_t end) const {
    std::printf("  %-26s %9s %9s %9s %9s %9s   us, k/s\n", title, "p50", "p99", "p99.9", "slowest",
                "rate");
    for (std::uint32_t period = 0; period < kPeriods; ++period) {
      Histogram times;
      std::uint64_t slowest_ns = 0;
      for (std::size_t i = first; i < end; ++i) {
        times.Merge(shared_->lines[i].times[period]);
        slowest_ns = std::max(slowest_ns, shared_->lines[i].slowest_ns[period]);
      }
      std::printf("    %-24s", kPeriodNames[period]);
      if (times.samples() == 0) {
        std::printf(" none\n");
        continue;
      }
      for (const double part : {0.5, 0.99, 0.999}) {
        // (Too few operations: the slowest is all that can be said.)
        std::printf(" %9.1f", static_cast<double>(times.Quantile(part).value_or(slowest_ns)) / 1e3);
      }
      std::printf(" %9.1f %9.0f\n", static_cast<double>(slowest_ns) / 1e3,
                  static_cast<double>(times.samples()) * 1e6 /
                      static_cast<double>(std::max<std::uint64_t>(lengths_ns_[period], 1)));
    }
  }

 private:
  Shared* shared_ = nullptr;
  std::array<std::uint64_t, kPeriods> lengths_ns_{};
};

void PutAll(const Namespace& ns, const std::vector<std::uint64_t>& numbers) {
  std::string value;
  for (const std::uint64_t number : numbers) {
    const std::string key = Key(number);
    FillValue(key, 'A', &value);
    Must("put", ns.Put(key, value));
  }
}

void DeleteAll(const Namespace& ns, const std::vector<std::uint64_t>& numbers) {
  for (const std::uint64_t number : numbers) {
    if (!Must("delete", ns.Delete(Key(number)))) {
      Die("delete", "the key was not there");
    }
  }
}

void VerifyAll(const std::string& path, const std::vector<std::uint64_t>& left) {
  const Store store = Must("open", Store::Open(path));
  const Namespace ns = Must("namespace", store.OpenNamespace("data"));
  for (const std::uint64_t number : left) {
    const std::string key = Key(number);
    if (!IsValue(key, Must("get", ns.Get(key)))) {
      Die(key, "has a wrong value after the compaction");
    }
  }
}

// Keys a microsecond in a scan over all of them, which begins in memory: the best of some.
double ScanRate(const std::string& path, std::uint64_t keys) {
  constexpr int kScans = 7;
  const Store store = Must("open", Store::Open(path));
  const Namespace ns = Must("namespace", store.OpenNamespace("data"));
  double best = 0;
  for (int i = 0; i < kScans; ++i) {
    std::uint64_t seen = 0;
    const std::uint64_t begin_ns = NowNs();
    auto scan = ns.Scan();
    for (const Entry& each : scan) {
      seen += each.value().empty() ? 0 : 1;
    }
    Must("scan", scan.status());
    if (seen != keys) {
      Die("scan", "has not met every key once");
    }
    best =
        std::max(best, static_cast<double>(keys) * 1e3 / static_cast<double>(NowNs() - begin_ns));
  }
  return best;
}

void PrintBytes(const char* what, std::uint64_t bytes, std::uint64_t keys) {
  std::printf("    %-24s %9.1f MiB %9.1f bytes a key\n", what,
              static_cast<double>(bytes) / (1 << 20),
              static_cast<double>(bytes) / static_cast<double>(keys));
}

// What the main process does in all rounds; what it found.
struct Rounded {
  std::uint64_t loaded_bytes = 0;
  ShrinkReport last;
  std::vector<double> seconds;
};

Rounded RunRounds(const std::string& path, Order order, const Setting& setting,
                  const std::vector<std::uint64_t>& deleted, Others& others) {
  const Store store = Must("open", Store::Open(path, {.background_shrink = false}));
  const Namespace ns = Must("namespace", store.OpenNamespace("data", {.order = order}));
  PutAll(ns, Shuffled(setting.keys, 2));
  Rounded rounded;
  rounded.loaded_bytes = DiskBytes(path);
  others.Attach();
  std::uint64_t length_ns = setting.first_ns;
  for (std::uint64_t round = 0; round < setting.rounds; ++round) {
    if (round != 0) {
      PutAll(ns, deleted);
    }
    DeleteAll(ns, deleted);
    others.During(kQuiet,
                  [&] { std::this_thread::sleep_for(std::chrono::nanoseconds(length_ns)); });
    others.During(kClock, [&] {
      for (const std::uint64_t end_ns = NowNs() + length_ns; NowNs() < end_ns;) {
      }
    });
    const std::uint64_t begin_ns = NowNs();
    others.During(kShrink, [&] { rounded.last = Must("shrink", store.ShrinkToUsage()); });
    length_ns = NowNs() - begin_ns;
    rounded.seconds.push_back(static_cast<double>(length_ns) / 1e9);
    if (!rounded.last.done) {
      Die("shrink", "is not done");
    }
  }
  others.End();
  if (!Must("check", store.Check()).sound()) {
    Die("check", "the store is not sound");
  }
  std::sort(rounded.seconds.begin(), rounded.seconds.end());
  return rounded;
}

void BesideOthers(Order order, const Setting& setting) {
  const ScratchDir scratch;
  const std::string path = scratch.File("store.commy");
  std::vector<std::uint64_t> deleted = Shuffled(setting.keys, 1);
  const std::vector<std::uint64_t> left(deleted.end() - static_cast<std::int64_t>(setting.left()),
                                        deleted.end());
  deleted.resize(deleted.size() - left.size());
  Others others(path, order, left);  // Before this process has a store open, and so threads.
  const Rounded rounded = RunRounds(path, order, setting, deleted, others);
  const std::uint64_t closed_bytes = DiskBytes(path);
  const double scan_before = ScanRate(path, left.size());
  const std::uint64_t begin_ns = NowNs();
  Must("compact", Compact(path).status());
  const double compact_seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  const std::uint64_t compact_bytes = DiskBytes(path);
  VerifyAll(path, left);
  const double scan_after = ScanRate(path, left.size());

  std::printf("\n%s, %llu keys, %llu rounds\n", order == Order::kHash ? "hash" : "ordered",
              static_cast<unsigned long long>(setting.keys),
              static_cast<unsigned long long>(setting.rounds));
  std::printf("  a shrink takes %.2f s (%.2f to %.2f), the last one moved %.1f MiB\n",
              rounded.seconds[rounded.seconds.size() / 2], rounded.seconds.front(),
              rounded.seconds.back(), static_cast<double>(rounded.last.moved_bytes) / (1 << 20));
  std::printf("  on disk\n");
  PrintBytes("loaded", rounded.loaded_bytes, setting.keys);
  PrintBytes("nine of ten deleted", rounded.last.disk_bytes_before, left.size());
  PrintBytes("shrunk", rounded.last.disk_bytes_after, left.size());
  PrintBytes("closed", closed_bytes, left.size());
  PrintBytes("compacted", compact_bytes, left.size());
  std::printf(
      "  shrunk / compacted %.2f; the compaction takes %.2f s\n",
      static_cast<double>(rounded.last.disk_bytes_after) / static_cast<double>(compact_bytes),
      compact_seconds);
  std::printf("  a scan of all: %.1f keys a microsecond before the compaction, %.1f after it\n",
              scan_before, scan_after);
  others.Print("get, two processes", 0, kReaders);
  others.Print("put, one process", kReaders, kActors);
  (void)std::fflush(stdout);
}

// Puts generations of keys, until it is over. Values of another size in each, as free blocks of
// one size are of no use to another.
void Churn(const Namespace& ns, std::uint64_t thread, std::uint64_t generation,
           const std::atomic<bool>& over, std::atomic<std::uint64_t>& done) {
  constexpr std::array<std::size_t, 3> kValueSizes = {60, 140, 300};
  const std::vector<std::uint64_t> numbers = Shuffled(generation, thread + 1);
  const auto key = [&](std::uint64_t at) { return Key(thread * generation + numbers[at]); };
  for (std::uint64_t turn = 0; !over; ++turn) {
    const std::string value(kValueSizes[turn % kValueSizes.size()], 'v');
    for (std::uint64_t i = 0; i < generation && !over; ++i) {
      Must("put", ns.Put(key(i), value));
      done.fetch_add(1, std::memory_order_relaxed);
    }
    for (std::uint64_t i = 0; i < generation / 10 * 9 && !over; ++i) {
      Must("delete", ns.Delete(key(i)).status());
      done.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

struct Churned {
  double per_second = 0;
  double disk_mib = 0;  // The mean of some looks.
};

Churned RunChurn(const Setting& setting, absl::Duration heartbeat, bool shrink) {
  const ScratchDir scratch;
  Options options;
  options.heartbeat_interval = heartbeat;
  options.background_shrink = shrink;
  const Store store = Must("open", Store::Open(scratch.File("store.commy"), options));
  const Namespace ns = Must("namespace", store.OpenNamespace("data"));
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); ++i) {
    threads.emplace_back([&, i] { Churn(ns, i, setting.generation, over, done); });
  }
  std::this_thread::sleep_for(setting.before);
  constexpr int kLooks = 20;
  const std::uint64_t begin_ns = NowNs();
  const std::uint64_t done_before = done;
  double disk_bytes = 0;
  for (int i = 0; i < kLooks; ++i) {
    std::this_thread::sleep_for(setting.measured / kLooks);
    disk_bytes += static_cast<double>(DiskBytes(scratch.File("store.commy")));
  }
  const Churned churned{.per_second = static_cast<double>(done - done_before) * 1e9 /
                                      static_cast<double>(NowNs() - begin_ns),
                        .disk_mib = disk_bytes / kLooks / (1 << 20)};
  over = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  return churned;
}

void InTheBackground(const Setting& setting) {
  Rounds rates("thousands of puts and deletes a second");
  Rounds disk("MiB on disk");
  for (std::uint64_t round = 0; round < setting.rounds; ++round) {
    for (const int ms : {1000, 100}) {
      const std::string group = "background, heartbeat of " + std::to_string(ms) + " ms";
      // Each goes first in turn.
      for (const bool shrink : {round % 2 != 0, round % 2 == 0}) {
        const Churned churned = RunChurn(setting, absl::Milliseconds(ms), shrink);
        const char* const name = shrink ? "on" : "off";
        rates.Add(group, name, churned.per_second / 1e3);
        disk.Add(group, name, churned.disk_mib);
      }
    }
  }
  rates.Print();
  disk.Print();
}

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    Die("usage", kUsage);
  }
  return number;
}

Setting Parse(int argc, char** argv) {
  Setting setting;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--smoke") {
      setting.keys = 5000;
      setting.rounds = 1;
      setting.first_ns = 20'000'000;
      setting.generation = 1000;
      setting.before = std::chrono::milliseconds(10);
      setting.measured = std::chrono::milliseconds(100);
    } else if (word.starts_with("--keys=")) {
      setting.keys = std::max<std::uint64_t>(Number(word.substr(7)), 100);
    } else if (word.starts_with("--rounds=")) {
      setting.rounds = Number(word.substr(9));
    } else if (word == "--only=hash" || word == "--only=ordered" || word == "--only=background") {
      setting.only = word.substr(7);
    } else {
      Die("usage", kUsage);
    }
  }
  return setting;
}

int Main(int argc, char** argv) {
  const Setting setting = Parse(argc, argv);
  std::printf("%u processors; keys of 10 bytes, values of 100\n",
              std::thread::hardware_concurrency());
  (void)std::fflush(stdout);
  const auto wanted = [&](std::string_view part) {
    return setting.only.empty() || setting.only == part;
  };
  if (wanted("hash")) {
    BesideOthers(Order::kHash, setting);
  }
  if (wanted("ordered")) {
    BesideOthers(Order::kOrdered, setting);
  }
  if (wanted("background")) {
    InTheBackground(setting);
  }
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc, argv);
}
