// How fast are several processes on one store, each by itself and side by side?
//
// Fixed     100,000 keys (COMMY_BENCH_KEYS) of 16 bytes with values of 100 bytes in one store file
//           under TMPDIR; each process has one thread and goes over its keys in a random order of
//           its own; every process opens the store itself.
// Varies    what the processes do: one or two writers, on different keys or on the same; a reader
//           beside a writer; two readers; one or two that add to one shared counter.
// Prints    operations per second of each process: min, median and max over the rounds. A round
//           plays every scene once, so that disturbances of the machine affect all scenes alike.
// Verifies  every value that is read meanwhile, every answer, after each scene the counter against
//           the acknowledged adds, and at the end the whole file.
// Not here  more than two processes, since more than there are cores measure the scheduler;
//           processes that are killed or stopped (the stress jobs).
//
// Usage: processes_bench [--smoke] [--rounds N] [--ms N]
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kProcessesMax = 2;
constexpr std::uint64_t kLookAtClockEvery = 32;
constexpr std::string_view kCounterKey = "counter";

struct Setting {
  std::uint64_t keys = 100'000;
  std::uint64_t rounds = 5;
  std::chrono::milliseconds length{400};
};

enum class Act { kNone, kWrite, kRead, kAdd };

struct Scene {
  const char* name;
  std::array<Act, kProcessesMax> acts;
  bool shared_keys;  // Else each process has half of the keys.
};

constexpr std::array<Scene, 8> kScenes = {{
    {"1 writer", {Act::kWrite, Act::kNone}, false},
    {"2 writers, different keys", {Act::kWrite, Act::kWrite}, false},
    {"2 writers, same keys", {Act::kWrite, Act::kWrite}, true},
    {"1 reader", {Act::kRead, Act::kNone}, true},
    {"2 readers, same keys", {Act::kRead, Act::kRead}, true},
    {"writer + reader, same keys", {Act::kWrite, Act::kRead}, true},
    {"1 adder, one counter", {Act::kAdd, Act::kNone}, true},
    {"2 adders, one counter", {Act::kAdd, Act::kAdd}, true},
}};

// Memory that parent and children share.
struct Report {
  std::atomic<std::int64_t> end_ns;
  struct Line {
    std::atomic<std::uint64_t> operations;
    std::atomic<std::uint64_t> taken_ns;
    std::atomic<std::uint64_t> adds;  // Acknowledged, those of the warm-up too.
  };
  std::array<Line, kProcessesMax> lines;
};

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

Namespace OpenNamespace(const std::string& path, std::string_view name) {
  absl::StatusOr<Store> store = Store::Open(path);
  if (!store.ok()) {
    Die("open", store.status().ToString());
  }
  absl::StatusOr<Namespace> ns = store->OpenNamespace(name);
  if (!ns.ok()) {
    Die("namespace", ns.status().ToString());
  }
  return *std::move(ns);
}

// One process's part of a scene.
class Actor {
 public:
  Actor(const std::string& path, const Scene& scene, std::size_t number, std::uint64_t keys)
      : act_(scene.acts[number]),
        ns_(OpenNamespace(path, "data")),
        keys_(scene.shared_keys ? 0 : number * (keys / 2), scene.shared_keys ? keys : keys / 2,
              static_cast<std::uint32_t>(number + 1)),
        value_(number == 0 ? 'a' : 'b') {}

  void Step() {
    switch (act_) {
      case Act::kWrite: {
        const std::string_view key = keys_.Next();
        const absl::Status put = ns_.Put(key, value_.For(key));
        Expect(put.ok(), "put");
        break;
      }
      case Act::kRead: {
        const std::string_view key = keys_.Next();
        const absl::StatusOr<std::string> value = ns_.Get(key);
        Expect(value.ok() && IsValueOf(key, *value), "get");
        break;
      }
      case Act::kAdd: {
        const absl::StatusOr<std::int64_t> sum = ns_.Add(kCounterKey, 1);
        Expect(sum.ok() && *sum > last_sum_, "add");
        last_sum_ = *sum;
        ++adds_;
        break;
      }
      case Act::kNone:
        break;
    }
  }
  [[nodiscard]] std::uint64_t adds() const { return adds_; }
  [[nodiscard]] std::uint64_t key_count() const { return keys_.size(); }

 private:
  static void Expect(bool right, const char* what) {
    if (!right) {
      Die(what, "an operation gave a wrong answer");
    }
  }

  Act act_;
  Namespace ns_;
  KeyList keys_;
  ValueMaker value_;
  std::int64_t last_sum_ = 0;
  std::uint64_t adds_ = 0;
};

// In the child: prepares, reports that, waits until the other end of `go` is closed, works.
void Play(const std::string& path, const Scene& scene, std::size_t number, const Setting& setting,
          int ready, int go, Report& report) {
  Actor actor(path, scene, number, setting.keys);
  for (std::uint64_t i = 0; i < actor.key_count(); ++i) {
    actor.Step();  // Warm-up: maps the pages and advances the epochs.
  }
  char byte = 'r';
  if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0) {
    Die("child", "lost its parent");
  }
  const std::int64_t end = report.end_ns.load();
  const std::int64_t start = NowNs();
  std::int64_t now = start;
  std::uint64_t operations = 0;
  do {
    for (std::uint64_t i = 0; i < kLookAtClockEvery; ++i) {
      actor.Step();
    }
    operations += kLookAtClockEvery;
    now = NowNs();
  } while (now < end);
  report.lines[number].operations = operations;
  report.lines[number].taken_ns = static_cast<std::uint64_t>(now - start);
  report.lines[number].adds = actor.adds();
}

// Runs `body` in a child process. The parent never opens the store, so it has no threads that a
// fork would lose.
template <typename Body>
pid_t Fork(Body body) {
  const pid_t child = fork();
  if (child < 0) {
    Die("fork", "failed");
  }
  if (child == 0) {
    body();
    std::_Exit(0);
  }
  return child;
}

void MustEndWell(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    Die("child", "ended badly");
  }
}

struct Pipe {
  Pipe() {
    if (pipe(ends.data()) != 0) {
      Die("pipe", "failed");
    }
  }
  ~Pipe() {
    close(ends[0]);
    CloseWriter();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseWriter() {
    if (ends[1] >= 0) {
      close(ends[1]);
    }
    ends[1] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

void PlayScene(const std::string& path, const Scene& scene, const Setting& setting,
               Report& report) {
  Pipe ready;
  Pipe go;
  std::vector<pid_t> children;
  for (std::size_t number = 0; number < kProcessesMax; ++number) {
    if (scene.acts[number] != Act::kNone) {
      children.push_back(Fork([&] {
        go.CloseWriter();
        Play(path, scene, number, setting, ready.ends[1], go.ends[0], report);
      }));
    }
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    char byte = 0;
    ready.CloseWriter();
    if (read(ready.ends[0], &byte, 1) != 1) {
      Die(scene.name, "a child ended early");
    }
  }
  report.end_ns =
      NowNs() + std::chrono::duration_cast<std::chrono::nanoseconds>(setting.length).count();
  go.CloseWriter();
  for (const pid_t child : children) {
    MustEndWell(child);
  }
}

void Fill(const std::string& path, const Setting& setting) {
  const Namespace ns = OpenNamespace(path, "data");
  const KeyList keys(0, setting.keys, 99);
  ValueMaker value('0');
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    if (!ns.Put(keys[i], value.For(keys[i])).ok()) {
      Die("put", "failed");
    }
  }
}

void CheckAll(const std::string& path, std::uint64_t adds) {
  const Namespace ns = OpenNamespace(path, "data");
  const absl::StatusOr<std::int64_t> sum = ns.Add(kCounterKey, 0);
  if (!sum.ok() || *sum != static_cast<std::int64_t>(adds)) {
    Die("counter", "is not the number of adds that were acknowledged");
  }
  absl::StatusOr<Store> store = Store::Open(path);
  const absl::StatusOr<CheckReport> report = store.ok() ? store->Check() : store.status();
  if (!report.ok() || !report->sound()) {
    Die("check", "the store is not sound");
  }
}

void PrintLine(const Scene& scene, std::size_t number, std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  constexpr std::array<const char*, 4> kActNames = {"", "put", "get", "add"};
  std::printf("%-28s %-4s %10.0f %10.0f %10.0f\n", number == 0 ? scene.name : "",
              kActNames[static_cast<std::size_t>(scene.acts[number])], rates.front(),
              rates[rates.size() / 2], rates.back());
}

void Run(const Setting& setting) {
  const ScratchDir dir;
  const std::string path = dir.File("store");
  void* const memory =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Die("mmap", "failed");
  }
  Report& report = *new (memory) Report();
  MustEndWell(Fork([&] { Fill(path, setting); }));
  std::array<std::array<std::vector<double>, kProcessesMax>, kScenes.size()> rates;
  std::uint64_t adds = 0;
  for (std::uint64_t round = 0; round < setting.rounds; ++round) {
    for (std::size_t i = 0; i < kScenes.size(); ++i) {
      PlayScene(path, kScenes[i], setting, report);
      for (std::size_t number = 0; number < kProcessesMax; ++number) {
        const Report::Line& line = report.lines[number];
        if (kScenes[i].acts[number] != Act::kNone) {
          rates[i][number].push_back(static_cast<double>(line.operations.load()) * 1e9 /
                                     static_cast<double>(line.taken_ns.load()));
          adds += line.adds.load();
        }
      }
    }
  }
  MustEndWell(Fork([&] { CheckAll(path, adds); }));
  std::printf("%llu keys, %llu rounds of %lld ms; operations per second of each process\n",
              static_cast<unsigned long long>(setting.keys),
              static_cast<unsigned long long>(setting.rounds),
              static_cast<long long>(setting.length.count()));
  std::printf("%-28s %-4s %10s %10s %10s\n", "", "", "min", "median", "max");
  for (std::size_t i = 0; i < kScenes.size(); ++i) {
    for (std::size_t number = 0; number < kProcessesMax; ++number) {
      if (!rates[i][number].empty()) {
        PrintLine(kScenes[i], number, rates[i][number]);
      }
    }
  }
}

Setting ParseSetting(int argc, char** argv) {
  Setting setting;
  std::uint64_t ms = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--smoke") {
      setting = {2000, 1, std::chrono::milliseconds(10)};
      continue;
    }
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    std::uint64_t* const number = name == "--rounds" ? &setting.rounds : &ms;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if ((name != "--rounds" && name != "--ms") || error != std::errc() || *number == 0) {
      Die("usage", "processes_bench [--smoke] [--rounds N] [--ms N]");
    }
    (void)end;
    if (name == "--ms") {
      setting.length = std::chrono::milliseconds(ms);
    }
  }
  setting.keys = KeyCount(setting.keys);
  return setting;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  commy::bench::Run(commy::bench::ParseSetting(argc, argv));
  return 0;
}
