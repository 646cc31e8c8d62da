// Question: how fast is Commy beside the stores that people use for this, on the same work, on this
// machine, in one run; and what is the state of each store after a writer was killed?
//
//   commy_compare [--quick | --smoke] [--keys=N] [--rounds=N] [--row-ms=N] [--only=NAME,NAME]
//                 [--no-sync] [--steady[=SECONDS]] [--space] [--before=PROGRAM] [--json=FILE]
//                 [--list]
//
// Fixed     keys of 16 bytes, values of 100 bytes, one operation a commit; nothing is flushed to
//           disk for a commit, and an acknowledged change survives the death of the process, in
//           the setting that each engine's users would choose for that (--list, and the JSON
//           file). Before each row everything is written to disk (--no-sync: not). The pages must
//           then be made writable again, as happens in practice every 5 to 30 seconds.
// Varies    the engine and the work; the engines take turns, round after round.
// Verifies  all bytes of each value that is read; the last writes, by samples; the counter.
// Processes two workers are two processes with the store open; with a store that only one process
//           may open they are two threads.
// Watch     a worker that is silent for a minute is killed, and the row says `hangs`.
// --steady  instead of all that: overwriting for 60 seconds, by one writer and by two, while the
//           kernel writes back at its own pace; and the memory and the disk that this takes.
// --space   instead: 2 million keys of 10 bytes, of which nine of ten are deleted; bytes on disk,
//           also after each way that the engine has to give space back, and the seconds of that.
// --before  another build of this program, whose Commy takes part as `Commy (before)`.
// Not here  durability against power loss, latencies, larger keys and values, more than two
//           workers.
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
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
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
  bool steady = false;
  bool space = false;
  std::string before;
};

constexpr std::string_view kBefore = " (before)";
// Those compared in --steady: they write at once, into a mapped file.
const std::vector<std::string> kSteadyEngines = {"Commy", "Commy (before)", "Boost.Interprocess",
                                                 "TDB",   "LMDB",           "tkrzw"};

constexpr std::chrono::minutes kSpaceHang{5};

constexpr std::string_view kUsage =
    "commy_compare [--quick | --smoke] [--keys=N] [--rounds=N] [--row-ms=N] [--only=NAME,NAME] "
    "[--no-sync] [--steady[=SECONDS]] [--space] [--before=PROGRAM] [--json=FILE] [--list]";

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
  scale.space_keys = 200'000;
  scale.rounds = 2;
  scale.row = std::chrono::milliseconds(100);
  scale.kills = 5;
  scale.kill_hang = std::chrono::milliseconds(1'000);
}

void Smoke(Scale& scale) {
  scale.keys = 2'000;
  scale.space_keys = 2'000;
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
      flags.scale.space_keys = flags.scale.keys;
    } else if (name == "--rounds") {
      flags.scale.rounds = Number(value);
    } else if (name == "--row-ms") {
      flags.scale.row = std::chrono::milliseconds(Number(value));
    } else if (name == "--only") {
      flags.only = absl::StrSplit(base::ToAbsl(value), ',');
    } else if (name == "--json") {
      flags.json = std::string(value);
    } else if (name == "--no-sync") {
      flags.scale.sync = false;
    } else if (name == "--steady") {
      flags.steady = true;
      flags.scale.rounds = 1;
      flags.scale.row = std::chrono::seconds(value.empty() ? 60 : Number(value));
      flags.scale.hang += flags.scale.row;
    } else if (name == "--space") {
      flags.space = true;
      flags.scale.rounds = 1;
      flags.scale.hang = kSpaceHang;  // A load and a compaction say nothing for a while.
    } else if (name == "--before") {
      flags.before = std::string(value);
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

// Each engine goes first in one of the rounds, so that none always has the rested machine.
template <typename Info>
void RunAll(const std::vector<Info>& all, const Flags& flags, std::uint64_t round,
            absl::FunctionRef<void(const Info&)> run) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Info& info = all[(i + round * 5) % all.size()];
    if (!flags.only.empty() &&
        std::find(flags.only.begin(), flags.only.end(), info.name) == flags.only.end()) {
      continue;
    }
    const Clock::time_point start = Clock::now();
    run(info);
    const std::chrono::duration<double> taken = Clock::now() - start;
    std::fprintf(stderr, "round %d  %-20s %6.1f s\n", static_cast<int>(round + 1),
                 info.name.c_str(), taken.count());
  }
}

// After each engine of ours, the same engine of another build.
void AddBefore(const std::string& program, std::vector<EngineInfo>& engines) {
  std::vector<EngineInfo> all;
  for (const EngineInfo& info : engines) {
    all.push_back(info);
    if (info.name.starts_with("Commy")) {
      EngineInfo before = info;
      before.name += kBefore;
      before.version = info.name;
      before.setting = "another build";
      before.program = program;
      all.push_back(before);
    }
  }
  engines = std::move(all);
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--worker") == 0) {
    return WorkerMain(argc - 2, argv + 2);
  }
  Flags flags = Parse(argc, argv);
  if (flags.steady && flags.only.empty()) {
    flags.only = kSteadyEngines;
  }
  if (flags.list) {
    List();
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);  // Silence shows that a worker has ended.
  std::vector<EngineInfo> engines = Engines();
  if (!flags.before.empty()) {
    AddBefore(flags.before, engines);
  }
  Results results;
  Contest contest(flags.scale, results);
  for (std::uint64_t round = 0; round < flags.scale.rounds; ++round) {
    if (flags.steady) {
      RunAll<EngineInfo>(engines, flags, round,
                         [&](const EngineInfo& info) { contest.RunSteady(info); });
      continue;
    }
    if (flags.space) {
      RunAll<EngineInfo>(engines, flags, round,
                         [&](const EngineInfo& info) { contest.RunSpace(info); });
      continue;
    }
    RunAll<EngineInfo>(engines, flags, round, [&](const EngineInfo& info) { contest.Run(info); });
    RunAll<HeapInfo>(Heaps(), flags, round, [&](const HeapInfo& info) { contest.Run(info); });
  }
  results.Write(flags.json, flags.scale, engines);
  return 0;
}

}  // namespace
}  // namespace commy::compare

int main(int argc, char** argv) {
  return commy::compare::Main(argc, argv);
}
