// Question: do several processes that put, get, delete, swap, update, scan and add on overlapping
// keys of one store ever read or lose a wrong value? Also when some of them are killed and
// replaced, or stopped and continued, at random moments?
//
//   commy_stress [--seconds=30] [--processes=8] [--keys=1000] [--seed=N] [--kill] [--stop]
//                [--store=PATH] [--self-test]
//
// Fixed: the mix of operations (stress_worker.cc; of typed containers and loans, stress_typed.cc;
// of sequences, stress_sequences.cc).
// Varies: the options. Verified: every value read, the order of each process's own keys, the
// counters, and at the end the whole file (0 leaked blocks); see stress_log.h. Not measured: speed;
// the numbers only show the amount of work. Exit status 1: a check failed. The seed repeats the
// choices, not the interleaving.

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "commy/commy.h"
#include "stress_log.h"
#include "stress_sequences.h"
#include "stress_typed.h"
#include "stress_value.h"
#include "stress_worker.h"

namespace commy::stress {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kDeadline{60};  // For steps that take no time unless they hang.

struct Flags {
  double seconds = 30;
  std::uint64_t processes = 8;
  std::uint64_t keys = 1000;
  std::uint64_t seed = 0;
  bool kill = false;
  bool stop = false;
  bool self_test = false;
  std::string store;
};

struct Process {
  pid_t pid = 0;
  std::uint64_t incarnation = 0;
  bool stopped = false;
  Clock::time_point until;  // End of a stop.
};

struct Totals {
  std::uint64_t kills = 0;
  std::uint64_t stops = 0;
  std::vector<std::string> failures;
};

absl::StatusOr<Store> Open(const std::string& path, bool create) {
  Options options;
  options.create_if_missing = create;
  options.error_if_exists = create;
  options.process_name = "stress";
  return Store::Open(path, options);
}

// --- processes -----------------------------------------------------------------------------------

class Herd {
 public:
  Herd(const Flags& flags, StressLog& log, int log_fd)
      : flags_(flags),
        log_(log),
        log_fd_(log_fd),
        random_(flags.seed),
        processes_(flags.processes) {}
  ~Herd() {
    for (Process& process : processes_) {
      if (process.pid > 0) {
        ::kill(process.pid, SIGKILL);
        ::waitpid(process.pid, nullptr, 0);
      }
    }
  }
  Herd(const Herd&) = delete;
  Herd& operator=(const Herd&) = delete;

  void Run();
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  void Start(std::size_t slot);
  bool AllReady();
  void KillOne();
  void StopOne();
  void ContinueDue(bool all);
  void TakeUpEnds(int flags);
  [[nodiscard]] bool AnyRunning() const;
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  const Flags& flags_;
  StressLog& log_;
  const int log_fd_;
  std::mt19937_64 random_;
  std::vector<Process> processes_;
  Totals totals_;
};

void Herd::Start(std::size_t slot) {
  Process& process = processes_[slot];
  std::array<std::string, 6> words = {"commy_stress",       "--worker",
                                      flags_.store,         std::to_string(log_fd_),
                                      std::to_string(slot), std::to_string(process.incarnation++)};
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  process.pid = ::fork();
  if (process.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) {
      // Each process then maps the file at its own address.
      ::execv("/proc/self/exe", argv.data());
    }
    ::_exit(127);
  }
  if (process.pid < 0) {
    totals_.failures.push_back(absl::StrCat("fork: ", std::strerror(errno)));
  }
}

void Herd::KillOne() {
  const std::size_t slot = Below(processes_.size());
  Process& process = processes_[slot];
  if (process.pid <= 0) {
    return;
  }
  ::kill(process.pid, SIGKILL);
  int status = 0;
  ::waitpid(process.pid, &status, 0);
  process.stopped = false;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    ++totals_.kills;
  } else {
    totals_.failures.push_back(absl::StrCat("process ", slot, " ended on its own"));
  }
  Start(slot);
}

void Herd::StopOne() {
  Process& process = processes_[Below(processes_.size())];
  if (process.pid <= 0 || process.stopped) {
    return;
  }
  ::kill(process.pid, SIGSTOP);
  process.stopped = true;
  process.until = Clock::now() + milliseconds(1 + Below(150));
  ++totals_.stops;
}

void Herd::ContinueDue(bool all) {
  for (Process& process : processes_) {
    if (process.stopped && (all || Clock::now() >= process.until)) {
      ::kill(process.pid, SIGCONT);
      process.stopped = false;
    }
  }
}

void Herd::TakeUpEnds(int flags) {
  for (std::size_t slot = 0; slot < processes_.size(); ++slot) {
    Process& process = processes_[slot];
    int status = 0;
    if (process.pid <= 0 || ::waitpid(process.pid, &status, flags) != process.pid) {
      continue;
    }
    process.pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      totals_.failures.push_back(
          absl::StrCat("process ", slot, " ended with wait status ", status));
    }
  }
}

bool Herd::AnyRunning() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& process) { return process.pid > 0; });
}

bool Herd::AllReady() {
  TakeUpEnds(WNOHANG);
  for (std::size_t slot = 0; slot < processes_.size(); ++slot) {
    if (log_.slots[slot].ready.load(std::memory_order_acquire) == 0) {
      return !totals_.failures.empty();
    }
  }
  return true;
}

void Herd::Run() {
  for (std::size_t slot = 0; slot < processes_.size(); ++slot) {
    Start(slot);
  }
  const Clock::time_point given_up = Clock::now() + kDeadline;
  while (!AllReady() && Clock::now() < given_up) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  const Clock::time_point end =
      Clock::now() + milliseconds(static_cast<std::int64_t>(flags_.seconds * 1000));
  while (Clock::now() < end && totals_.failures.empty()) {
    std::this_thread::sleep_for(milliseconds(1 + Below(20)));
    ContinueDue(/*all=*/false);
    TakeUpEnds(WNOHANG);
    if (flags_.kill && Below(2) == 0) {
      KillOne();
    }
    if (flags_.stop && Below(4) == 0) {
      StopOne();
    }
  }
  log_.stop.store(1, std::memory_order_release);
  ContinueDue(/*all=*/true);
  const Clock::time_point deadline = Clock::now() + kDeadline;
  while (AnyRunning() && Clock::now() < deadline) {
    TakeUpEnds(WNOHANG);
    std::this_thread::sleep_for(milliseconds(1));
  }
  if (AnyRunning()) {
    totals_.failures.emplace_back("a process did not end when it was told to");
  }
}

// --- the end -------------------------------------------------------------------------------------

absl::Status CheckAtTheEnd(const Flags& flags, const StressLog& log, std::uint64_t kills) {
  COMMY_ASSIGN_OR_RETURN(const Store store, Open(flags.store, /*create=*/false));
  COMMY_ASSIGN_OR_RETURN(const CheckReport report, store.Check());
  std::printf("check: %s, %llu keys, %llu blocks in use, %llu leaked\n",
              report.sound() ? "sound" : "NOT sound", static_cast<unsigned long long>(report.keys),
              static_cast<unsigned long long>(report.blocks_used),
              static_cast<unsigned long long>(report.blocks_leaked));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, store.OpenNamespace(kNamespace));
  for (std::size_t slot = 0; slot < flags.processes; ++slot) {
    for (std::size_t number = 0; number < kOwnKeys; ++number) {
      COMMY_RETURN_IF_ERROR(CheckOwnKey(ns, log, slot, number));
    }
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t counter, ns.Add(kCounterKey, 0));
  const std::uint64_t acknowledged = Sum(log, &SlotLog::adds_acknowledged);
  std::printf("counter: %lld, acknowledged adds %llu\n", static_cast<long long>(counter),
              static_cast<unsigned long long>(acknowledged));
  COMMY_RETURN_IF_ERROR(CheckSum("the counter", counter, acknowledged, kills));
  COMMY_ASSIGN_OR_RETURN(const TypedPart typed, TypedPart::Open(store));
  COMMY_RETURN_IF_ERROR(typed.CheckAtTheEnd(log, kills));
  COMMY_ASSIGN_OR_RETURN(const SequencePart sequences, SequencePart::Open(store));
  COMMY_RETURN_IF_ERROR(sequences.CheckAtTheEnd(log, kills));
  if (!report.sound()) {
    return base::DataLoss("check: ", report.blocks_leaked, " blocks leaked, first fault: ",
                          report.faults.empty() ? std::string("none") : report.faults.front());
  }
  return absl::OkStatus();
}

int Report(const Flags& flags, const StressLog& log, const Totals& totals,
           const absl::Status& end) {
  const std::uint64_t operations = Sum(log, &SlotLog::operations);
  std::uint64_t slowest_ns = 0;
  for (const SlotLog& slot : log.slots) {
    slowest_ns = std::max(slowest_ns, slot.slowest_ns.load(std::memory_order_relaxed));
  }
  std::printf("operations: %llu (%.0f a second), values verified %llu, slowest %.1f ms\n",
              static_cast<unsigned long long>(operations),
              static_cast<double>(operations) / flags.seconds,
              static_cast<unsigned long long>(Sum(log, &SlotLog::values_verified)),
              static_cast<double>(slowest_ns) / 1e6);
  std::printf("killed and replaced: %llu; stopped and continued: %llu\n",
              static_cast<unsigned long long>(totals.kills),
              static_cast<unsigned long long>(totals.stops));
  bool failed = false;
  const auto fail = [&](std::string_view text) {
    std::printf("WRONG: %.*s\n", static_cast<int>(text.size()), text.data());
    failed = true;
  };
  for (const SlotLog& slot : log.slots) {
    if (slot.wrong.load(std::memory_order_acquire) > 0) {
      fail(slot.first_wrong.data());
    }
  }
  for (const std::string& failure : totals.failures) {
    fail(failure);
  }
  if (!end.ok()) {
    fail(base::ToStd(end.message()));
  }
  if (operations == 0 || (flags.kill && totals.kills == 0) || (flags.stop && totals.stops == 0)) {
    fail("no operation, kill or stop happened, although it was asked for");
  }
  std::printf("%s\n", failed ? "FAILED" : "OK");
  return failed ? 1 : 0;
}

int RunJob(const Flags& flags) {
  int log_fd = -1;
  StressLog* const log = CreateLog(&log_fd);
  if (log == nullptr) {
    std::perror("commy_stress: shared memory");
    return 3;
  }
  log->seed.store(flags.seed);
  log->slot_count.store(flags.processes);
  log->key_count.store(flags.keys);
  std::printf("commy_stress: %llu processes, %llu keys, %.1f s%s%s, seed %llu, store %s\n",
              static_cast<unsigned long long>(flags.processes),
              static_cast<unsigned long long>(flags.keys), flags.seconds,
              flags.kill ? ", kills" : "", flags.stop ? ", stops" : "",
              static_cast<unsigned long long>(flags.seed), flags.store.c_str());
  std::fflush(stdout);
  {
    const absl::StatusOr<Store> created = Open(flags.store, /*create=*/true);
    if (!created.ok() || !created->OpenNamespace(kNamespace).ok()) {
      std::fprintf(stderr, "commy_stress: %s\n", created.status().ToString().c_str());
      return 3;
    }
  }
  Herd herd(flags, *log, log_fd);
  herd.Run();
  return Report(flags, *log, herd.totals(), CheckAtTheEnd(flags, *log, herd.totals().kills));
}

// --- can it fail? --------------------------------------------------------------------------------

// Each check must detect the fault that it exists for.
bool SelfTest() {
  std::string value;
  MakeValue("key", {3, 7}, 100, value);
  std::string flipped = value;
  flipped[50] = static_cast<char>(flipped[50] ^ 1);
  const std::optional<Author> author = VerifyValue("key", value);
  return author.has_value() && author->writer == 3 && author->seq == 7 &&
         !VerifyValue("yek", value) && !VerifyValue("key", flipped) && IsSigned(5, Sign(5, 3, 7)) &&
         !IsSigned(6, Sign(5, 3, 7)) && !VerifyValue("key", std::string_view(value).substr(1)) &&
         !VerifyValue("key", "") && IsPossible(5, 5, 5) && IsPossible(6, 5, 6) &&
         !IsPossible(4, 5, 6) && !IsPossible(7, 5, 8) && !IsPossible(9, 5, 8) &&
         !IsPossible(std::nullopt, 5, 6) && IsPossible(std::nullopt, 5, 7) &&
         IsPossible(std::nullopt, 7, 8) && !IsPossible(std::nullopt, 8, 9) &&
         IsPossible(std::nullopt, 8, 15) && CheckSum("a sum", 10, 10, 0).ok() &&
         CheckSum("a sum", 12, 10, 2).ok() && !CheckSum("a sum", 9, 10, 5).ok() &&
         !CheckSum("a sum", 13, 10, 2).ok();
}

int RunAsWorker(char** argv) {
  StressLog* const log = AttachLog(std::atoi(argv[3]));
  const auto slot = static_cast<std::size_t>(std::atoi(argv[4]));
  if (log == nullptr || slot >= kSlotsMax) {
    return 3;
  }
  const absl::Status status =
      RunWorker(argv[2], *log, slot, static_cast<std::uint64_t>(std::atoll(argv[5])));
  if (!status.ok()) {
    log->slots[slot].RecordWrong(absl::StrCat("process ", slot, ": ", status.ToString()));
  }
  return status.ok() ? 0 : 1;
}

// --- flags ---------------------------------------------------------------------------------------

template <typename Number>
bool TakeNumber(std::string_view argument, std::string_view name, Number& number) {
  if (!argument.starts_with(name)) {
    return false;
  }
  argument.remove_prefix(name.size());
  const char* const end = argument.data() + argument.size();
  const auto [stop, error] = std::from_chars(argument.data(), end, number);
  return error == std::errc() && stop == end;
}

std::optional<Flags> ParseFlags(int argc, char** argv) {
  Flags flags;
  flags.seed = std::random_device{}();
  constexpr std::string_view kStore = "--store=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--kill") {
      flags.kill = true;
    } else if (argument == "--stop") {
      flags.stop = true;
    } else if (argument == "--self-test") {
      flags.self_test = true;
    } else if (argument.starts_with(kStore)) {
      flags.store = argument.substr(kStore.size());
    } else if (!TakeNumber(argument, "--seconds=", flags.seconds) &&
               !TakeNumber(argument, "--processes=", flags.processes) &&
               !TakeNumber(argument, "--keys=", flags.keys) &&
               !TakeNumber(argument, "--seed=", flags.seed)) {
      return std::nullopt;
    }
  }
  const bool sane =
      flags.processes >= 1 && flags.processes <= kSlotsMax && flags.keys >= 1 && flags.seconds > 0;
  return sane ? std::optional<Flags>(flags) : std::nullopt;
}

int Main(int argc, char** argv) {
  if (argc == 6 && std::string_view(argv[1]) == "--worker") {
    return RunAsWorker(argv);
  }
  std::optional<Flags> flags = ParseFlags(argc, argv);
  if (!flags.has_value()) {
    std::fprintf(stderr,
                 "usage: commy_stress [--seconds=N] [--processes=N] [--keys=N] [--seed=N] [--kill] "
                 "[--stop] [--store=PATH] [--self-test]\n");
    return 2;
  }
  if (flags->self_test) {
    const bool passed = SelfTest();
    std::printf("self-test %s\n", passed ? "OK" : "FAILED");
    return passed ? 0 : 1;
  }
  if (!flags->store.empty()) {
    return RunJob(*flags);
  }
  std::string directory = "/tmp/commy_stress.XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror("commy_stress: a directory for the store");
    return 3;
  }
  flags->store = directory + "/stress.commy";
  const int result = RunJob(*flags);
  if (result == 0) {  // The store of a failed run is kept for inspection.
    ::unlink(flags->store.c_str());
    ::rmdir(directory.c_str());
  }
  return result;
}

}  // namespace
}  // namespace commy::stress

int main(int argc, char** argv) {
  return commy::stress::Main(argc, argv);
}
