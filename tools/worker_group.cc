#include "worker_group.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"

namespace commy::tools {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(1);

// Runs between fork and exec: system calls only.
[[noreturn]] void BecomeWorker(pid_t parent, WorkerGroup::Streams streams, char* const* argv) {
  std::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent && ::dup2(streams.input, STDIN_FILENO) >= 0 &&
      ::dup2(streams.output, STDOUT_FILENO) >= 0) {
    ::execv("/proc/self/exe", argv);
  }
  ::_exit(127);
}

std::string EndText(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("was ended by signal ", WTERMSIG(status))
                             : absl::StrCat("ended with exit status ", WEXITSTATUS(status));
}

}  // namespace

WorkerGroup::WorkerGroup(std::vector<std::string> names) {
  workers_.reserve(names.size());
  for (std::string& name : names) {
    workers_.push_back({.name = std::move(name)});
  }
}

WorkerGroup::~WorkerGroup() {
  for (Worker& worker : workers_) {
    Kill(worker);
  }
}

absl::Status WorkerGroup::Start(std::size_t worker, std::vector<std::string> arguments,
                                Streams streams) {
  std::string program = "commy";
  std::vector<char*> argv = {program.data()};
  argv.reserve(arguments.size() + 2);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return base::ErrnoStatus(errno, "cannot start a process: fork");
  }
  if (pid == 0) {
    BecomeWorker(parent, streams, argv.data());
  }
  workers_[worker].running = pid;
  workers_[worker].started = pid;
  return absl::OkStatus();
}

void WorkerGroup::Kill(std::size_t worker) {
  Kill(workers_[worker]);
}

void WorkerGroup::Kill(Worker& worker) {
  if (worker.running == 0) {
    return;
  }
  ::kill(worker.running, SIGKILL);
  while (::waitpid(worker.running, nullptr, 0) < 0 && errno == EINTR) {
  }
  worker.running = 0;
}

void WorkerGroup::Stop(std::size_t worker) {
  const pid_t pid = workers_[worker].running;
  if (pid == 0) {
    return;
  }
  ::kill(pid, SIGSTOP);
  siginfo_t stopped = {};
  while (::waitid(P_PID, static_cast<id_t>(pid), &stopped, WSTOPPED | WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
}

void WorkerGroup::Continue(std::size_t worker) {
  if (workers_[worker].running != 0) {
    ::kill(workers_[worker].running, SIGCONT);
  }
}

absl::Status WorkerGroup::Reap(Worker& worker) {
  int status = 0;
  if (worker.running == 0 || ::waitpid(worker.running, &status, WNOHANG) != worker.running) {
    return absl::OkStatus();
  }
  worker.running = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return absl::OkStatus();
  }
  return base::Internal(worker.name, " ", EndText(status));
}

absl::Status WorkerGroup::CheckAlive() {
  for (Worker& worker : workers_) {
    const bool was_running = worker.running != 0;
    COMMY_RETURN_IF_ERROR(Reap(worker));
    if (was_running && worker.running == 0) {
      return base::Internal(worker.name, " ended too early");
    }
  }
  return absl::OkStatus();
}

bool WorkerGroup::AnyRunning() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const Worker& worker) { return worker.running != 0; });
}

absl::Status WorkerGroup::WaitForAll(absl::Duration limit) {
  absl::Status first;
  for (const absl::Time end = absl::Now() + limit; AnyRunning() && absl::Now() < end;) {
    for (Worker& worker : workers_) {
      first.Update(Reap(worker));
    }
    absl::SleepFor(kLook);
  }
  for (Worker& worker : workers_) {
    if (worker.running != 0) {
      first.Update(base::Internal(worker.name, " did not end when it was told to"));
      Kill(worker);
    }
  }
  return first;
}

}  // namespace commy::tools
