// How soon after a change does a waiting process learn of it? And how much do waiting threads slow
// a writer down?
//
// Fixed     two processes; one writes, the other sleeps; the writer pauses 50 us after each answer,
//           so that the other one sleeps again. A store file under TMPDIR.
// Varies    the wait: for a key (GetOrWait); or for a change of the namespace, followed by a read
//           of the key (WaitForChange, Get).
// Compares  with a byte through a pipe in the same run, which is the cost of a wake-up by the
//           system.
// Prints    the time from before the write until the waiter has the value, in microseconds.
//           Then: puts a second by one process, beside N threads of another one that wait for other
//           keys (GetOrWait), or for any change (WaitForChange in a loop); ten thousand keys.
// Verifies  that each value is the one written; that a wait for other keys is not answered.
// Not here  hand-overs on a machine whose processors are all busy.
//
// Usage: wake_bench [--smoke]
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kSettleNs = 50'000;
constexpr int kRounds = 3;

std::uint64_t NowNs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
          .count());
}

template <typename T>
T Must(std::string_view what, absl::StatusOr<T> result) {
  if (!result.ok()) {
    Die(what, result.status().ToString());
  }
  return *std::move(result);
}

// The channel between the two processes.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  virtual ~Line() = default;
  // Called in the process that uses it.
  virtual void Open() {}
  virtual void Write(std::uint64_t number) = 0;
  // Waits until `number` was written.
  virtual void Await(std::uint64_t number) = 0;
};

class Pipe : public Line {
 public:
  Pipe() {
    if (::pipe(ends_.data()) != 0) {
      Die("pipe", std::strerror(errno));
    }
  }
  void Write(std::uint64_t number) override {
    if (::write(ends_[1], &number, sizeof(number)) != sizeof(number)) {
      Die("pipe", "cannot write");
    }
  }
  void Await(std::uint64_t number) override {
    std::uint64_t got = 0;
    if (::read(ends_[0], &got, sizeof(got)) != sizeof(got) || got != number) {
      Die("pipe", "another number than was written");
    }
  }

 private:
  std::array<int, 2> ends_{};
};

class Key : public Line {
 public:
  explicit Key(std::string path) : path_(std::move(path)) {}
  void Open() override {
    ns_.clear();  // The child cannot use its parent's handles.
    const Store store = Must("open", Store::Open(path_));
    ns_.push_back(Must("namespace", store.OpenNamespace("n")));
  }
  void Write(std::uint64_t number) override {
    const absl::Status put = ns_[0].Put(std::to_string(number), std::to_string(number));
    if (!put.ok()) {
      Die("put", put.ToString());
    }
  }
  void Await(std::uint64_t number) override {
    const std::string text = std::to_string(number);
    if (Must("wait", ns_[0].GetOrWait(text, absl::Seconds(30))) != text) {
      Die("wait", "another value than was written");
    }
  }

 protected:
  [[nodiscard]] const Namespace& ns() const { return ns_[0]; }

 private:
  const std::string path_;
  std::vector<Namespace> ns_;
};

class Change : public Key {
 public:
  using Key::Key;
  void Await(std::uint64_t number) override {
    const std::string text = std::to_string(number);
    ChangeToken seen = Must("changes", ns().Changes());
    while (!Must("contains", ns().Contains(text))) {
      seen = Must("wait", ns().WaitForChange(seen, absl::Seconds(30)));
    }
  }
};

struct Herd {
  std::atomic<std::uint64_t> waiting{0};
  std::atomic<bool> over{false};
};

struct Shared {
  std::atomic<std::uint64_t> sent_ns{0};
  std::atomic<std::uint64_t> heard{0};  // The last number that it has read.
  std::atomic<std::uint64_t> taken_ns{0};
  Herd herd;
};

void Play(Line& line, Shared& shared, std::uint64_t from, std::uint64_t to,
          std::vector<double>* micros) {
  const pid_t child = ::fork();
  if (child == 0) {
    line.Open();
    for (std::uint64_t i = from; i < to; ++i) {
      line.Await(i);
      shared.taken_ns = NowNs() - shared.sent_ns;
      shared.heard = i;
    }
    std::_Exit(0);
  }
  line.Open();
  for (std::uint64_t i = from; i < to; ++i) {
    const std::uint64_t ready_ns = NowNs() + kSettleNs;
    while (NowNs() < ready_ns) {
    }
    shared.sent_ns = NowNs();
    line.Write(i);
    while (shared.heard != i) {
      if (::waitpid(child, nullptr, WNOHANG) != 0) {
        Die("waiter", "ended");
      }
    }
    micros->push_back(static_cast<double>(shared.taken_ns) / 1000);
  }
  (void)::waitpid(child, nullptr, 0);
}

// --- Puts beside waiters -------------------------------------------------------------------------

constexpr std::uint64_t kKeys = 10'000;

void WaitForKey(const Namespace& ns, const std::string& key, Herd& herd) {
  ++herd.waiting;
  while (!herd.over) {
    if (!absl::IsDeadlineExceeded(ns.GetOrWait(key, absl::Milliseconds(500)).status())) {
      Die("wait", "answered, although the key was never put");
    }
  }
}

void WaitForChanges(const Namespace& ns, Herd& herd) {
  ChangeToken seen = Must("changes", ns.Changes());
  ++herd.waiting;
  while (!herd.over) {
    const absl::StatusOr<ChangeToken> next = ns.WaitForChange(seen, absl::Milliseconds(500));
    if (next.ok()) {
      seen = *next;
    } else if (!absl::IsDeadlineExceeded(next.status())) {
      Die("wait", next.status().ToString());
    }
  }
}

// Puts a second.
double PutsBeside(const std::string& path, std::uint64_t waiters, bool for_keys, Herd& herd,
                  std::uint64_t for_ns) {
  herd.waiting = 0;
  herd.over = false;
  const pid_t child = ::fork();
  if (child == 0) {
    const Store store = Must("open", Store::Open(path));
    const Namespace ns = Must("namespace", store.OpenNamespace("n"));
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < waiters; ++i) {
      threads.emplace_back([&ns, &herd, for_keys, key = "never" + std::to_string(i)] {
        for_keys ? WaitForKey(ns, key, herd) : WaitForChanges(ns, herd);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    std::_Exit(0);
  }
  const Store store = Must("open", Store::Open(path));
  const Namespace ns = Must("namespace", store.OpenNamespace("n"));
  while (herd.waiting != waiters) {
    if (::waitpid(child, nullptr, WNOHANG) != 0) {
      Die("waiters", "ended");
    }
  }
  std::uint64_t puts = 0;
  const std::uint64_t begin_ns = NowNs();
  while (NowNs() - begin_ns < for_ns) {
    const absl::Status put = ns.Put("key" + std::to_string(puts % kKeys), "value");
    if (!put.ok()) {
      Die("put", put.ToString());
    }
    ++puts;
  }
  const double seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  herd.over = true;
  (void)::waitpid(child, nullptr, 0);
  return static_cast<double>(puts) / seconds;
}

void PrintPutsBeside(const std::string& path, Herd& herd, bool smoke) {
  const std::uint64_t for_ns = smoke ? 5'000'000 : 1'000'000'000;
  std::printf("\n%-26s %12s %8s\n", "puts beside", "a second", "ratio");
  for (const bool for_keys : {true, false}) {
    double alone = 0;
    for (const std::uint64_t waiters : {0, 1, 16, 64}) {
      std::vector<double> rates;
      for (int round = 0; round < kRounds; ++round) {
        rates.push_back(PutsBeside(path, waiters, for_keys, herd, for_ns));
      }
      std::sort(rates.begin(), rates.end());
      alone = waiters == 0 ? rates[kRounds / 2] : alone;
      const std::string name =
          std::to_string(waiters) + (for_keys ? " waiting for other keys" : " waiting for changes");
      std::printf("%-26s %12.0f %8.2f\n", name.c_str(), rates[kRounds / 2],
                  alone / rates[kRounds / 2]);
    }
  }
}

int Main(bool smoke) {
  const ScratchDir scratch;
  const std::uint64_t count = smoke ? 50 : 5000;
  void* const place =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) {
    Die("mmap", std::strerror(errno));
  }
  auto& shared = *new (place) Shared();
  Pipe pipe;
  Key key(scratch.File("key"));
  Change change(scratch.File("change"));
  struct Row {
    const char* name;
    Line* line;
    std::vector<double> micros;
  };
  std::array<Row, 3> rows = {{{"a byte through a pipe", &pipe, {}},
                              {"GetOrWait", &key, {}},
                              {"WaitForChange, Contains", &change, {}}}};
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    for (Row& row : rows) {
      Play(*row.line, shared, 1 + round * count, 1 + (round + 1) * count, &row.micros);
    }
  }
  std::printf("%-26s %8s %8s %8s %8s  us\n", "", "median", "p90", "p99", "max");
  for (Row& row : rows) {
    std::sort(row.micros.begin(), row.micros.end());
    const auto at = [&](double part) {
      return row
          .micros[static_cast<std::size_t>(static_cast<double>(row.micros.size() - 1) * part)];
    };
    std::printf("%-26s %8.1f %8.1f %8.1f %8.1f\n", row.name, at(0.5), at(0.9), at(0.99), at(1));
  }
  PrintPutsBeside(scratch.File("puts"), shared.herd, smoke);
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc > 1 && std::strcmp(argv[1], "--smoke") == 0);
}
