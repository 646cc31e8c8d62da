#include "tools/program.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/wait_for.h"

namespace commy::test {
namespace {

int NewMemoryFile(const std::string& content) {
  const int fd = ::memfd_create("commy-test", MFD_CLOEXEC);
  if (fd < 0 ||
      ::write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      ::lseek(fd, 0, SEEK_SET) != 0) {
    std::perror("memory file");
    std::abort();
  }
  return fd;
}

std::string TakeContent(int fd) {
  std::string content;
  std::array<char, 1 << 16> buffer;
  ssize_t got = 0;
  for (off_t at = 0; (got = ::pread(fd, buffer.data(), buffer.size(), at)) > 0; at += got) {
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  return content;
}

bool Become(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0;
}

// Makes it the controlling terminal of this process, which alone then gets its Ctrl-C.
bool TakeTerminal(int fd) {
  return fd < 0 || (::setsid() >= 0 && ::ioctl(fd, TIOCSCTTY, 0) == 0 && ::dup2(fd, 0) == 0 &&
                    ::dup2(fd, 1) == 1 && ::setenv("TERM", "xterm", 1) == 0);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const ProgramOptions& options)
    : out_fd_(NewMemoryFile("")), err_fd_(NewMemoryFile("")) {
  std::vector<std::string> words = {COMMY_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const int in = options.input_fd >= 0 ? options.input_fd : NewMemoryFile(options.input);
  int out = options.out_fd >= 0 ? options.out_fd : out_fd_;
  if (!options.out_path.empty()) {
    out = ::open(options.out_path.c_str(), O_WRONLY | O_CLOEXEC);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err_fd_, STDERR_FILENO);
    for (const int fd : options.closed) {
      ::close(fd);
    }
    std::signal(SIGPIPE, SIG_DFL);
    if (TakeTerminal(options.terminal_fd) && (!options.user.has_value() || Become(*options.user))) {
      ::execv(argv[0], argv.data());
    }
    ::_exit(127);
  }
  ::close(in);
  if (!options.out_path.empty()) {
    ::close(out);
  }
}

Program::~Program() {
  if (pid_ > 0 && !Ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_fd_, err_fd_}) {
    if (fd >= 0) {
      ::close(fd);
    }
  }
}

void Program::Signal(int signal_number) const {
  ::kill(pid_, signal_number);
}

bool Program::Ended() {
  int status = 0;
  if (!status_.has_value() && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = status;
  }
  return status_.has_value();
}

ProgramEnd Program::Wait() {
  ProgramEnd end;
  if (!WaitFor([this] { return Ended(); }, 2 * kDeadline)) {
    ::kill(pid_, SIGKILL);
    (void)WaitFor([this] { return Ended(); });
    end.err = "(killed by the test at its deadline) ";
  } else if (WIFEXITED(*status_)) {
    end.code = WEXITSTATUS(*status_);
  } else {
    end.signal = WTERMSIG(*status_);
  }
  end.out = TakeContent(out_fd_);
  end.err += TakeContent(err_fd_);
  out_fd_ = -1;
  err_fd_ = -1;
  return end;
}

ProgramEnd RunCommy(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  return Program(arguments, options).Wait();
}

}  // namespace commy::test
