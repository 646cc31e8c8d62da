// How fast do several processes add to one counter?
//
// Fixed     one counter; each process has one thread, opens the file itself and adds 1 in a loop.
// Varies    the counter: a SharedCounter; a std::atomic in a mapped file, by itself; one that
//           Boost.Interprocess finds by name in its managed file; the namespace's own
//           Namespace::Add(), which makes a version each time. And 1, 2 or 4 processes.
// Prints    adds per second of all processes together: min, median and max over the rounds, and the
//           median over that of Boost's atomic. A round plays every scene once, so that
//           disturbances of the machine affect all alike.
// Verifies  that each counter is the number of adds that its processes made.
// Not here  processes that are killed: tests/crash/.
//
// Usage: counter_bench [--smoke] [--rounds N] [--ms N]
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef COMMY_BENCH_BOOST
#include <boost/interprocess/managed_mapped_file.hpp>
#endif

#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Atomic = std::atomic<std::int64_t>;

constexpr std::size_t kProcessesMax = 4;
constexpr std::array<std::size_t, 3> kProcesses = {1, 2, 4};
constexpr std::uint64_t kLookAtClockEvery = 256;

struct Setting {
  std::uint64_t rounds = 7;
  std::chrono::milliseconds length{300};
};

// A counter as a process has it open.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  virtual ~Counter() = default;
  virtual void AddMany(std::uint64_t times) = 0;
  virtual std::int64_t Value() = 0;
};

class CommyCounter : public Counter {
 public:
  explicit CommyCounter(const std::string& path) : counter_(Open(path)) {}
  void AddMany(std::uint64_t times) override {
    for (std::uint64_t i = 0; i < times; ++i) {
      if (!counter_.Add(1).ok()) {
        Die("add", "failed");
      }
    }
  }
  std::int64_t Value() override { return counter_.Value().value_or(-1); }

 private:
  static SharedCounter Open(const std::string& path) {
    absl::StatusOr<Store> store = Store::Open(path);
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    absl::StatusOr<SharedCounter> counter = store->OpenShared<SharedCounter>("counter");
    if (!counter.ok()) {
      Die("counter", counter.status().ToString());
    }
    return *std::move(counter);
  }
  SharedCounter counter_;
};

class CommyValue : public Counter {
 public:
  explicit CommyValue(const std::string& path) : ns_(Open(path)) {}
  void AddMany(std::uint64_t times) override {
    for (std::uint64_t i = 0; i < times; ++i) {
      if (!ns_.Add("counter", 1).ok()) {
        Die("add", "failed");
      }
    }
  }
  std::int64_t Value() override { return ns_.Add("counter", 0).value_or(-1); }

 private:
  static Namespace Open(const std::string& path) {
    absl::StatusOr<Store> store = Store::Open(path);
    if (!store.ok()) {
      Die("open", store.status().ToString());
    }
    absl::StatusOr<Namespace> ns = store->OpenNamespace("values");
    if (!ns.ok()) {
      Die("namespace", ns.status().ToString());
    }
    return *std::move(ns);
  }
  Namespace ns_;
};

class AtomicCounter : public Counter {
 public:
  void AddMany(std::uint64_t times) override {
    for (std::uint64_t i = 0; i < times; ++i) {
      atomic_->fetch_add(1);
    }
  }
  std::int64_t Value() override { return atomic_->load(); }

 protected:
  Atomic* atomic_ = nullptr;
};

class MappedAtomic : public AtomicCounter {
 public:
  explicit MappedAtomic(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* const memory = fd < 0 || ftruncate(fd, kBytes) != 0
                             ? MAP_FAILED
                             : mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
      Die("mmap", path);
    }
    close(fd);
    atomic_ = static_cast<Atomic*>(memory);  // Zero, as the file is.
  }

 private:
  static constexpr std::size_t kBytes = 4096;
};

#ifdef COMMY_BENCH_BOOST
class BoostAtomic : public AtomicCounter {
 public:
  explicit BoostAtomic(const std::string& path)
      : file_(boost::interprocess::open_or_create, path.c_str(), 65536) {
    atomic_ = file_.find_or_construct<Atomic>("counter")(0);
  }

 private:
  boost::interprocess::managed_mapped_file file_;
};
#endif

struct Kind {
  const char* name;
  const char* file;
  std::unique_ptr<Counter> (*open)(const std::string& path);
};

template <typename Opened>
std::unique_ptr<Counter> OpenAs(const std::string& path) {
  return std::make_unique<Opened>(path);
}

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
#ifdef COMMY_BENCH_BOOST
      {"Boost, atomic by name", "boost", OpenAs<BoostAtomic>},
#endif
      {"std::atomic, mapped", "atomic", OpenAs<MappedAtomic>},
      {"SharedCounter", "store", OpenAs<CommyCounter>},
      {"Namespace::Add", "store", OpenAs<CommyValue>},
  };
  return kinds;
}

// Memory that parent and children share.
struct Report {
  std::atomic<std::uint32_t> ready;
  std::atomic<std::int64_t> start_ns;
  struct alignas(64) Line {
    std::atomic<std::uint64_t> adds;
    std::atomic<std::uint64_t> taken_ns;
  };
  std::array<Line, kProcessesMax> lines;
};

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

void Play(Counter& counter, std::size_t number, const Setting& setting, Report& report) {
  counter.AddMany(1);  // Its first add makes its cell.
  report.ready.fetch_add(1);
  while (report.start_ns.load() == 0) {
  }
  const std::int64_t start = NowNs();
  const std::int64_t end =
      report.start_ns.load() +
      std::chrono::duration_cast<std::chrono::nanoseconds>(setting.length).count();
  std::uint64_t adds = 1;
  std::int64_t now = start;
  do {
    counter.AddMany(kLookAtClockEvery);
    adds += kLookAtClockEvery;
    now = NowNs();
  } while (now < end);
  report.lines[number].adds = adds;
  report.lines[number].taken_ns = static_cast<std::uint64_t>(now - start);
}

// The parent never opens a file, so it has no threads that a fork would lose.
pid_t Fork(const std::function<void()>& body) {
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

// Adds per second; `total` grows by the adds made.
double PlayScene(const Kind& kind, const std::string& path, std::size_t processes,
                 const Setting& setting, Report& report, std::uint64_t* total) {
  report.ready = 0;
  report.start_ns = 0;
  std::vector<pid_t> children;
  for (std::size_t number = 0; number < processes; ++number) {
    children.push_back(Fork([&] {
      const std::unique_ptr<Counter> counter = kind.open(path);
      Play(*counter, number, setting, report);
    }));
  }
  while (report.ready.load() < processes) {
    usleep(100);
  }
  report.start_ns = NowNs();
  double rate = 0;
  for (const pid_t child : children) {
    MustEndWell(child);
  }
  for (std::size_t number = 0; number < processes; ++number) {
    const Report::Line& line = report.lines[number];
    *total += line.adds.load();
    rate += static_cast<double>(line.adds.load()) * 1e9 / static_cast<double>(line.taken_ns.load());
  }
  return rate;
}

void Run(const Setting& setting) {
  const ScratchDir dir;
  void* const memory =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Die("mmap", "failed");
  }
  Report& report = *new (memory) Report();
  const std::vector<Kind>& kinds = Kinds();
  std::vector<std::array<std::vector<double>, kProcesses.size()>> rates(kinds.size());
  std::vector<std::uint64_t> totals(kinds.size());
  for (std::uint64_t round = 0; round < setting.rounds; ++round) {
    for (std::size_t scene = 0; scene < kProcesses.size(); ++scene) {
      for (std::size_t i = 0; i < kinds.size(); ++i) {
        rates[i][scene].push_back(PlayScene(kinds[i], dir.File(kinds[i].file), kProcesses[scene],
                                            setting, report, &totals[i]));
      }
    }
  }
  std::printf("adds per second, in millions, of all processes together\n");
  std::printf("%-24s %-10s %9s %9s %9s %9s\n", "", "processes", "min", "median", "max", "ratio");
  for (std::size_t scene = 0; scene < kProcesses.size(); ++scene) {
    double first = 0;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      std::vector<double>& all = rates[i][scene];
      std::sort(all.begin(), all.end());
      const double median = all[all.size() / 2];
      first = i == 0 ? median : first;
      std::printf("%-24s %-10zu %9.2f %9.2f %9.2f %9.2f\n", kinds[i].name, kProcesses[scene],
                  all.front() / 1e6, median / 1e6, all.back() / 1e6, median / first);
    }
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    MustEndWell(Fork([&] {
      const std::unique_ptr<Counter> counter = kinds[i].open(dir.File(kinds[i].file));
      if (counter->Value() != static_cast<std::int64_t>(totals[i])) {
        Die(kinds[i].name, "is not the number of adds that were made");
      }
    }));
  }
}

Setting ParseSetting(int argc, char** argv) {
  Setting setting;
  std::uint64_t ms = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--smoke") {
      setting = {1, std::chrono::milliseconds(5)};
      continue;
    }
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    std::uint64_t* const number = name == "--rounds" ? &setting.rounds : &ms;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if ((name != "--rounds" && name != "--ms") || error != std::errc() || *number == 0) {
      Die("usage", "counter_bench [--smoke] [--rounds N] [--ms N]");
    }
    (void)end;
    if (name == "--ms") {
      setting.length = std::chrono::milliseconds(ms);
    }
  }
  return setting;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  commy::bench::Run(commy::bench::ParseSetting(argc, argv));
  return 0;
}
