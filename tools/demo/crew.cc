#include "demo/crew.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"

namespace commy::tools::demo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(1);

// Ctrl-C goes to all processes of a terminal: it is for the director, who tells the others. None
// outlives the director. Runs between fork and exec: system calls only.
[[noreturn]] void BecomeWorker(pid_t director, char* const* argv) {
  std::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == director) {
    ::execv("/proc/self/exe", argv);
  }
  ::_exit(127);
}

std::string EndText(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("was ended by signal ", WTERMSIG(status))
                             : absl::StrCat("ended with exit status ", WEXITSTATUS(status));
}

}  // namespace

Crew::~Crew() {
  for (std::size_t part = 0; part < running_.size(); ++part) {
    Kill(part);
  }
}

absl::Status Crew::Start(std::size_t part) {
  std::vector<std::string> words = {"commy",
                                    "demo-worker",
                                    arguments_.store,
                                    std::to_string(part),
                                    std::to_string(arguments_.panel_fd),
                                    arguments_.files.unicode,
                                    arguments_.files.words};
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const pid_t director = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return base::ErrnoStatus(errno, "cannot start a process: fork");
  }
  if (pid == 0) {
    BecomeWorker(director, argv.data());
  }
  running_[part] = pid;
  started_[part] = pid;
  return absl::OkStatus();
}

void Crew::Kill(std::size_t part) {
  if (running_[part] == 0) {
    return;
  }
  ::kill(running_[part], SIGKILL);
  while (::waitpid(running_[part], nullptr, 0) < 0 && errno == EINTR) {
  }
  running_[part] = 0;
}

void Crew::Stop(std::size_t part) {
  if (running_[part] == 0) {
    return;
  }
  ::kill(running_[part], SIGSTOP);
  siginfo_t stopped = {};
  while (::waitid(P_PID, static_cast<id_t>(running_[part]), &stopped,
                  WSTOPPED | WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
}

void Crew::Continue(std::size_t part) {
  if (running_[part] != 0) {
    ::kill(running_[part], SIGCONT);
  }
}

absl::Status Crew::Reap(std::size_t part) {
  int status = 0;
  if (running_[part] == 0 || ::waitpid(running_[part], &status, WNOHANG) != running_[part]) {
    return absl::OkStatus();
  }
  running_[part] = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return absl::OkStatus();
  }
  return base::Internal("the demo's ", base::ToAbsl(kParts[part].name), " ", EndText(status));
}

absl::Status Crew::CheckAlive() {
  for (std::size_t part = 0; part < running_.size(); ++part) {
    const bool was_running = running_[part] != 0;
    COMMY_RETURN_IF_ERROR(Reap(part));
    if (was_running && running_[part] == 0) {
      return base::Internal("the demo's ", base::ToAbsl(kParts[part].name), " ended too early");
    }
  }
  return absl::OkStatus();
}

bool Crew::AnyRunning() const {
  return std::any_of(running_.begin(), running_.end(), [](pid_t pid) { return pid != 0; });
}

absl::Status Crew::WaitForAll(absl::Duration limit) {
  absl::Status first;
  for (const absl::Time end = absl::Now() + limit; AnyRunning() && absl::Now() < end;) {
    for (std::size_t part = 0; part < running_.size(); ++part) {
      first.Update(Reap(part));
    }
    absl::SleepFor(kLook);
  }
  for (std::size_t part = 0; part < running_.size(); ++part) {
    if (running_[part] != 0) {
      first.Update(base::Internal("the demo's ", base::ToAbsl(kParts[part].name),
                                  " did not end when it was told to"));
      Kill(part);
    }
  }
  return first;
}

}  // namespace commy::tools::demo
