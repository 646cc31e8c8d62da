#include "child.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scale.h"
#include "support/scratch.h"

namespace commy::compare {

Child::Child(const std::vector<std::string>& arguments, const std::string& program) {
  const std::string path = program.empty() ? "/proc/self/exe" : program;
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), {"commy_compare", "--worker"});
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
    bench::Die("pipe", std::strerror(errno));
  }
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) {
    bench::Die("fork", std::strerror(errno));
  }
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    if (::getppid() == parent) {
      ::execv(path.c_str(), argv.data());
    }
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

Child::~Child() {
  Kill();
  ::close(to_);
  ::close(from_);
}

std::optional<std::string> Child::ReadLine(std::chrono::milliseconds hang) {
  const Clock::time_point deadline = Clock::now() + hang;
  while (end_ == End::kNot) {
    if (const std::size_t newline = buffer_.find('\n'); newline != std::string::npos) {
      std::string line = buffer_.substr(0, newline);
      buffer_.erase(0, newline + 1);
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wanted{from_, POLLIN, 0};
    if (left <= 0 || ::poll(&wanted, 1, static_cast<int>(left)) == 0) {
      Reap(true);
      break;
    }
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(from_, bytes.data(), bytes.size());
    if (got > 0) {
      buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      Reap(false);
    }
  }
  return std::nullopt;
}

void Child::Go() {
  if (::write(to_, "\n", 1) != 1) {
    Kill();  // The child has ended; ReadLine() reports that.
  }
}

void Child::Kill() {
  if (end_ == End::kNot) {
    Reap(true);
  }
}

void Child::Reap(bool hung) {
  if (hung) {
    ::kill(pid_, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  const bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  end_ = hung ? End::kHung : done ? End::kDone : End::kFailed;
}

}  // namespace commy::compare
