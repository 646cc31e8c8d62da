#include "support/child_process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/wait_for.h"

namespace commy::test {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

// Reads exactly `size_bytes`; false at the end of the stream or the deadline.
bool ReadAll(int fd, void* buffer, std::size_t size_bytes,
             std::chrono::steady_clock::time_point end) {
  std::size_t done = 0;
  while (done < size_bytes) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    struct pollfd readable = {fd, POLLIN, 0};
    const int ready = ::poll(&readable, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (ready <= 0) {
      return false;
    }
    const ssize_t got = ::read(fd, static_cast<char*>(buffer) + done, size_bytes - done);
    if (got <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const void* buffer, std::size_t size_bytes) {
  std::size_t done = 0;
  while (done < size_bytes) {
    // A message to a process that has ended is an error here, not a signal.
    const ssize_t put =
        ::send(fd, static_cast<const char*>(buffer) + done, size_bytes - done, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(put);
  }
  return true;
}

}  // namespace

bool MessageEnd::Send(std::string_view message) const {
  const auto size_bytes = static_cast<std::uint32_t>(message.size());
  return WriteAll(write_fd_, &size_bytes, sizeof size_bytes) &&
         WriteAll(write_fd_, message.data(), message.size());
}

std::optional<std::string> MessageEnd::Receive() const {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  std::uint32_t size_bytes = 0;
  if (!ReadAll(read_fd_, &size_bytes, sizeof size_bytes, end)) {
    return std::nullopt;
  }
  std::string message(size_bytes, '\0');
  if (!ReadAll(read_fd_, message.data(), message.size(), end)) {
    return std::nullopt;
  }
  return message;
}

void MessageEnd::Close() {
  for (int* fd : {&read_fd_, &write_fd_}) {
    if (*fd >= 0) {
      ::close(*fd);
      *fd = -1;
    }
  }
}

ChildProcess::ChildProcess(const std::function<int(ChildSide&)>& body) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    Die("socketpair");
  }
  std::fflush(nullptr);  // Else the child could print the parent's buffered output again.
  const pid_t parent_pid = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) {
    Die("fork");
  }
  if (pid_ == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent_pid) {
      ::_exit(1);  // The parent ended before prctl() took effect.
    }
    MessageEnd side(ends[1], ::dup(ends[1]));
    const int code = body(side);
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(ends[1]);
  line_ = MessageEnd(ends[0], ::fcntl(ends[0], F_DUPFD_CLOEXEC, 0));
}

ChildProcess::~ChildProcess() {
  KillAndWait();
  line_.Close();
}

bool ChildProcess::Reap(int flags, int* status) {
  return !end_.has_value() && ::waitpid(pid_, status, flags | WNOHANG) == pid_;
}

void ChildProcess::Kill() {
  if (!end_.has_value()) {
    ::kill(pid_, SIGKILL);
  }
}

bool ChildProcess::Stop() {
  ::kill(pid_, SIGSTOP);
  return WaitFor([&] {
    int status = 0;
    return Reap(WSTOPPED, &status) && WIFSTOPPED(status);
  });
}

bool ChildProcess::Continue() {
  ::kill(pid_, SIGCONT);
  return WaitFor([&] {
    int status = 0;
    if (!Reap(WCONTINUED, &status)) {
      return false;
    }
    NoteEnd(status);  // The child may have ended earlier.
    return WIFCONTINUED(status) || end_.has_value();
  });
}

void ChildProcess::NoteEnd(int status) {
  if (WIFEXITED(status)) {
    end_ = ChildEnd{true, WEXITSTATUS(status), 0};
  } else if (WIFSIGNALED(status)) {
    end_ = ChildEnd{false, 0, WTERMSIG(status)};
  }
}

std::optional<ChildEnd> ChildProcess::Wait() {
  const auto ended = [&] {
    int status = 0;
    if (Reap(0, &status)) {
      NoteEnd(status);
    }
    return end_.has_value();
  };
  (void)WaitFor(ended);
  return end_;
}

bool ChildProcess::Succeeded() {
  return Wait() == ChildEnd{true, 0, 0};
}

bool ChildProcess::KillAndWait() {
  Kill();
  return Wait().has_value();
}

}  // namespace commy::test
