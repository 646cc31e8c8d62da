// How long does the slowest put take while a store grows from empty to some gibibytes?
//
// Fixed     one thread; keys of 16 bytes in random order, values of 1000 bytes, each key once.
// Compares  with a plain mapped writer in the same run. It copies the same bytes, one after the
//           other, into a mapped file of that size whose blocks are reserved. Its time is what the
//           machine takes to find memory and to make the pages of a file present. Also with two
//           threads that look at the clock while both processors are busy. The longest pause of
//           one of them is what this machine does to every put, since the heartbeat thread runs
//           beside it.
// Prints    for each: the slowest operation, the 99.99th and the 99.9th percentile, thousands a
//           second, bytes on disk; alternately, for --rounds rounds.
// Verifies  a sample of the values.
// Not here  several writers; growth while others read.
//
// Usage: growth_bench [--smoke] [--gib=N] [--rounds=N]          The files are made under TMPDIR.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/keys.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBytesEach = 1000;
constexpr std::uint64_t kGibi = std::uint64_t{1} << 30;

struct Flags {
  std::uint64_t bytes = 4 * kGibi;
  std::uint64_t rounds = 2;
};

// The times of all operations, in nanoseconds.
class Times {
 public:
  explicit Times(std::uint64_t count) { ns_.reserve(count); }

  template <typename Operation>
  void Take(Operation operation) {
    const Clock::time_point start = Clock::now();
    operation();
    ns_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(
        UINT32_MAX,
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count())));
  }
  void Print(const char* what, double seconds, const std::string& path) {
    std::sort(ns_.begin(), ns_.end());
    const auto at = [&](double part) {
      return ns_[static_cast<std::size_t>(part * static_cast<double>(ns_.size() - 1))] / 1e6;
    };
    struct stat facts {};
    (void)::stat(path.c_str(), &facts);
    std::printf("%-22s slowest %8.3f ms   p99.99 %7.3f   p99.9 %7.3f   %6.0f k/s   %7.0f MiB\n",
                what, at(1), at(0.9999), at(0.999), static_cast<double>(ns_.size()) / seconds / 1e3,
                static_cast<double>(facts.st_blocks) / 2048);
    (void)std::fflush(stdout);
  }

 private:
  std::vector<std::uint32_t> ns_;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void FillValue(std::string_view key, std::string& value) {
  value.replace(0, key.size(), key);
}

void RunStore(const KeyList& keys) {
  const ScratchDir scratch;
  const std::string path = scratch.File("store.commy");
  const absl::StatusOr<Store> store = Store::Open(path);
  if (!store.ok()) {
    Die("open", store.status().ToString());
  }
  const absl::StatusOr<Namespace> ns = store->OpenNamespace("data");
  if (!ns.ok()) {
    Die("namespace", ns.status().ToString());
  }
  std::string value(kBytesEach, 'v');
  Times times(keys.size());
  const Clock::time_point start = Clock::now();
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    FillValue(keys[i], value);
    times.Take([&] {
      if (const absl::Status put = ns->Put(keys[i], value); !put.ok()) {
        Die("put", put.ToString());
      }
    });
  }
  const double seconds = SecondsSince(start);
  for (std::uint64_t i = 0; i < keys.size(); i += 997) {
    FillValue(keys[i], value);
    const absl::StatusOr<std::string> found = ns->Get(keys[i]);
    if (!found.ok() || *found != value) {
      Die(keys[i], "does not have its value");
    }
  }
  times.Print("Commy", seconds, path);
}

void RunPlain(const KeyList& keys) {
  const ScratchDir scratch;
  const std::string path = scratch.File("plain");
  const std::uint64_t bytes = keys.size() * kBytesEach;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 || ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0) {
    Die(path, std::strerror(errno));
  }
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) {
    Die("mmap", std::strerror(errno));
  }
  auto* const base = static_cast<char*>(mapped);
  std::string value(kBytesEach, 'v');
  Times times(keys.size());
  const Clock::time_point start = Clock::now();
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    FillValue(keys[i], value);
    times.Take([&] { std::memcpy(base + i * kBytesEach, value.data(), kBytesEach); });
  }
  const double seconds = SecondsSince(start);
  times.Print("plain mapped writer", seconds, path);
  ::munmap(mapped, bytes);
  ::close(fd);
}

void RunClocks(std::chrono::milliseconds time) {
  const auto longest_gap_ms = [time](double* longest) {
    Clock::time_point last = Clock::now();
    for (const Clock::time_point end = last + time; last < end;) {
      const Clock::time_point now = Clock::now();
      *longest = std::max(*longest, std::chrono::duration<double, std::milli>(now - last).count());
      last = now;
    }
  };
  double beside = 0;
  double longest = 0;
  std::thread other(longest_gap_ms, &beside);
  longest_gap_ms(&longest);
  other.join();
  std::printf("%-22s slowest %8.3f ms\n", "two looks at the clock", std::max(longest, beside));
}

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    Die("usage", "growth_bench [--smoke] [--gib=N] [--rounds=N]");
  }
  return number;
}

Flags Parse(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--smoke") {
      flags = {.bytes = std::uint64_t{8} << 20, .rounds = 1};
    } else if (word.starts_with("--gib=")) {
      flags.bytes = Number(word.substr(6)) * kGibi;
    } else if (word.starts_with("--rounds=")) {
      flags.rounds = Number(word.substr(9));
    } else {
      (void)Number("");
    }
  }
  return flags;
}

int Main(int argc, char** argv) {
  const Flags flags = Parse(argc, argv);
  const KeyList keys(0, flags.bytes / kBytesEach, 1);
  for (std::uint64_t round = 0; round < flags.rounds; ++round) {
    RunClocks(std::chrono::milliseconds(flags.bytes < kGibi ? 50 : 5000));
    RunPlain(keys);
    RunStore(keys);
  }
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc, argv);
}
