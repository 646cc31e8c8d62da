// Question: how fast is Commy beside the stores that people use for this, on the same work, on this
// machine, in one run; and what becomes of each when a writer is killed?
//
//   commy_compare [--quick | --smoke] [--keys=N] [--rounds=N] [--row-ms=N] [--only=NAME,NAME]
//                 [--json=FILE] [--list]
//
// Fixed     keys of 16 bytes, values of 100 bytes, one operation a commit; nothing is flushed to
//           disk for a commit, and what was acknowledged survives the death of the process, in the
//           setting that each engine's users would choose for that (--list, and the JSON file).
// Varies    the engine and the work; the engines take turns, round after round.
// Verifies  every value that is read, wholly; what was written last, by samples; the counter.
// Processes two workers are two processes with the store open; of a store that only one process may
//           open they are two threads.
// Watch     a worker that says nothing for a minute is killed, and the row says `hangs`.
// Not here  durability against power loss, latencies, larger keys and values, more than two workers.
// The files are made under TMPDIR. report.py makes the tables and pictures of the JSON file.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"

#include "base/status.h"
#include "contest.h"
#include "engine.h"
#include "results.h"
#include "scale.h"
#include "support/scratch.h"
#include "worker.h"

namespace commy::compare {
namespace {

struct Flags {
  Scale scale;
  std::vector<std::string> only;
  std::string json = "compare.json";
  bool list = false;
};

constexpr std::string_view kUsage =
    "commy_compare [--quick | --smoke] [--keys=N] [--rounds=N] [--row-ms=N] [--only=NAME,NAME] "
    "[--json=FILE] [--list]";

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    bench::Die("usage", kUsage);
  }
  return number;
}

void Quick(Scale& scale) {
  scale.keys = 100'000;
  scale.rounds = 2;
  scale.row = std::chrono::milliseconds(100);
  scale.kills = 5;
  scale.kill_hang = std::chrono::milliseconds(1'000);
}

void Smoke(Scale& scale) {
  scale.keys = 2'000;
  scale.rounds = 1;
  scale.row = std::chrono::milliseconds(8);
  scale.kills = 1;
  scale.kill_hang = std::chrono::milliseconds(20'000);
}

Flags Parse(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    if (name == "--quick") {
      Quick(flags.scale);
    } else if (name == "--smoke") {
      Smoke(flags.scale);
    } else if (name == "--keys") {
      flags.scale.keys = std::max<std::uint64_t>(Number(value), 100);
    } else if (name == "--rounds") {
      flags.scale.rounds = Number(value);
    } else if (name == "--row-ms") {
      flags.scale.row = std::chrono::milliseconds(Number(value));
    } else if (name == "--only") {
      flags.only = absl::StrSplit(base::ToAbsl(value), ',');
    } else if (name == "--json") {
      flags.json = std::string(value);
    } else if (name == "--list") {
      flags.list = true;
    } else {
      bench::Die("usage", kUsage);
    }
  }
  return flags;
}

void List() {
  std::puts("Engines:");
  for (const EngineInfo& info : Engines()) {
    std::printf("  %s %s: %s\n", info.name.c_str(), info.version.c_str(), info.setting.c_str());
  }
  std::puts("Allocators:");
  for (const HeapInfo& info : Heaps()) {
    std::printf("  %s %s: %s\n", info.name.c_str(), info.version.c_str(), info.setting.c_str());
  }
}

// Each engine goes first in one of the rounds, so that nobody always has the rested machine.
template <typename Info>
void RunAll(const std::vector<Info>& all, const Flags& flags, std::uint64_t round,
            Contest& contest) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Info& info = all[(i + round * 5) % all.size()];
    if (!flags.only.empty() &&
        std::find(flags.only.begin(), flags.only.end(), info.name) == flags.only.end()) {
      continue;
    }
    const Clock::time_point start = Clock::now();
    contest.Run(info);
    const std::chrono::duration<double> taken = Clock::now() - start;
    std::fprintf(stderr, "round %d  %-20s %6.1f s\n", static_cast<int>(round + 1),
                 info.name.c_str(), taken.count());
  }
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--worker") == 0) {
    return WorkerMain(argc - 2, argv + 2);
  }
  const Flags flags = Parse(argc, argv);
  if (flags.list) {
    List();
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);  // A worker that has ended is noticed by its silence.
  Results results;
  Contest contest(flags.scale, results);
  for (std::uint64_t round = 0; round < flags.scale.rounds; ++round) {
    RunAll(Engines(), flags, round, contest);
    RunAll(Heaps(), flags, round, contest);
  }
  results.Write(flags.json, flags.scale);
  return 0;
}

}  // namespace
}  // namespace commy::compare

int main(int argc, char** argv) {
  return commy::compare::Main(argc, argv);
}
