#include "bench/crew.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_format.h"

#include "base/status.h"
#include "bench/pipe.h"
#include "signals.h"

namespace commy::tools::bench {
namespace {

constexpr int kLookMs = 50;

// Runs between fork and exec: system calls only. Ctrl-C goes to all processes of a terminal, but is
// for the parent, whom none outlives.
[[noreturn]] void BecomeWorker(pid_t parent, int in, int out, char* const* argv) {
  std::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent && ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0) {
    ::execv("/proc/self/exe", argv);
  }
  ::_exit(127);
}

absl::Status WaitForInput(int fd) {
  while (true) {
    pollfd input = {fd, POLLIN, 0};
    const int ready = ::poll(&input, 1, kLookMs);
    if (Interrupted()) {
      return absl::CancelledError("interrupted");
    }
    if (ready > 0) {
      return absl::OkStatus();
    }
  }
}

}  // namespace

Crew::~Crew() {
  for (const Member& member : members_) {
    ::close(member.to);
    ::close(member.from);
    ::kill(member.pid, SIGKILL);
    while (::waitpid(member.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

absl::Status Crew::Start(const Plan& plan) {
  for (std::uint64_t part = 0; part < plan.processes; ++part) {
    COMMY_RETURN_IF_ERROR(StartOne(plan, part));
  }
  return absl::OkStatus();
}

absl::Status Crew::StartOne(const Plan& plan, std::uint64_t part) {
  std::vector<std::string> words = {"commy",
                                    "bench-worker",
                                    "--",
                                    plan.store,
                                    plan.path,
                                    std::to_string(plan.keys),
                                    std::to_string(plan.value_bytes),
                                    std::to_string(plan.processes),
                                    absl::StrFormat("%.9f", plan.seconds),
                                    std::to_string(part)};
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  std::array<int, 2> rows{};
  std::array<int, 2> results{};
  if (::pipe2(rows.data(), O_CLOEXEC) != 0) {
    return base::ErrnoStatus(errno, "cannot start a process: pipe");
  }
  if (::pipe2(results.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(rows[0]);
    ::close(rows[1]);
    return base::ErrnoStatus(error, "cannot start a process: pipe");
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    BecomeWorker(parent, rows[0], results[1], argv.data());
  }
  const int error = errno;
  ::close(rows[0]);
  ::close(results[1]);
  if (pid < 0) {
    ::close(rows[1]);
    ::close(results[0]);
    return base::ErrnoStatus(error, "cannot start a process: fork");
  }
  members_.push_back({.pid = pid, .to = rows[1], .from = results[0]});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RowResult>> Crew::Do(Row row) {
  const auto number = static_cast<std::uint8_t>(row);
  bool told = true;
  for (const Member& member : members_) {
    told = WriteAll(member.to, &number, sizeof(number)) && told;
  }
  std::vector<RowResult> results(members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    COMMY_RETURN_IF_ERROR(WaitForInput(members_[i].from));
    if (!told || !ReadAll(members_[i].from, &results[i], sizeof(RowResult))) {
      return base::Internal("a process of the benchmark has ended too early");
    }
    if (results[i].error[0] != '\0') {
      results[i].error.back() = '\0';
      return base::Internal(base::ToAbsl(kRowNames[number]), ": ", results[i].error.data());
    }
  }
  return results;
}

}  // namespace commy::tools::bench
