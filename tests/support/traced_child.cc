#include "support/traced_child.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace commy::test {
namespace {

constexpr int kCannotBeTraced = 99;
constexpr int kSystemCallStop = SIGTRAP | 0x80;

}  // namespace

TracedChild::TracedChild(const std::function<int()>& body) {
  pid_ = ::fork();
  if (pid_ == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      ::_exit(kCannotBeTraced);
    }
    ::raise(SIGSTOP);
    ::_exit(body());
  }
  constexpr auto kOptions = static_cast<std::uintptr_t>(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  if (pid_ < 0) {
    pid_ = 0;
  } else if (WaitForStop()) {
    traced_ = ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, kOptions) == 0;
    signal_ = 0;
  }
  if (!traced_) {
    error_ = std::string("cannot trace a child: ") + std::strerror(errno);
  }
}

TracedChild::~TracedChild() {
  Kill();
}

bool TracedChild::WaitForStop() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSTOPPED(status)) {
    signal_ = WSTOPSIG(status);
    return true;
  }
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  pid_ = 0;
  return false;
}

bool TracedChild::Next() {
  while (pid_ != 0) {
    const int signal = signal_ == kSystemCallStop ? 0 : signal_;
    if (::ptrace(PTRACE_SYSCALL, pid_, nullptr, static_cast<std::uintptr_t>(signal)) != 0) {
      Kill();
    } else if (WaitForStop() && signal_ == kSystemCallStop) {
      return true;
    }
  }
  return false;
}

void TracedChild::Kill() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    while (WaitForStop()) {
    }
  }
}

}  // namespace commy::test
