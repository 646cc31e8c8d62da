// How long after a change does a process hear of it that waits?
//
// Fixed     two processes; one writes, the other sleeps; the writer waits 50 us after each answer, so
//           that the other one sleeps again. A store file under TMPDIR.
// Varies    how it waits: for a key (GetOrWait); for a change of the namespace, and then reads the key
//           (WaitForChange, Get).
// Compares  with a byte through a pipe in the same run, which is what the system's waking costs.
// Prints    from before the write to after the waiter has the value, in microseconds.
// Verifies  that each value is the one that was written.
// Not here  many waiters; a machine whose processors are all busy.
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

// How the two talk.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  virtual ~Line() = default;
  // In the process that uses it.
  virtual void Open() {}
  virtual void Write(std::uint64_t number) = 0;
  // Until `number` was written.
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
      Die("pipe", "not what was written");
    }
  }

 private:
  std::array<int, 2> ends_{};
};

class Key : public Line {
 public:
  explicit Key(std::string path) : path_(std::move(path)) {}
  void Open() override {
    ns_.clear();  // The child has no use for its parent's.
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
      Die("wait", "not what was written");
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

struct Shared {
  std::atomic<std::uint64_t> sent_ns{0};
  std::atomic<std::uint64_t> heard{0};  // Number of the last one.
  std::atomic<std::uint64_t> taken_ns{0};
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
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc > 1 && std::strcmp(argv[1], "--smoke") == 0);
}
