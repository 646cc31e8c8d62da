#include "top/screen.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "absl/time/clock.h"

#include "base/status.h"

namespace commy::tools::top {
namespace {

// Alternate screen, cursor hidden, no wrapping; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearToLineEnd = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

sigset_t SetOf(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : signals) {
    sigaddset(&set, each);
  }
  return set;
}

int OpenFor(std::initializer_list<int> signals) {
  const sigset_t set = SetOf(signals);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, written)));
  }
  return true;
}

const sigset_t& Held() {
  static const sigset_t set = SetOf({SIGINT, SIGTERM, SIGWINCH, SIGTSTP});
  return set;
}

}  // namespace

Signals::Signals() {
  Hold();
  ending_fd_ = OpenFor({SIGINT, SIGTERM});
  screen_fd_ = OpenFor({SIGWINCH, SIGTSTP});
}

Signals::~Signals() {
  ::close(ending_fd_);
  ::close(screen_fd_);
  Release();
}

void Signals::Release() {
  ::pthread_sigmask(SIG_UNBLOCK, &Held(), nullptr);
}

void Signals::Hold() {
  ::pthread_sigmask(SIG_BLOCK, &Held(), nullptr);
}

Signals::Event Signals::Wait(absl::Time until, bool keys) {
  while (true) {
    const absl::Duration left = std::max(until - absl::Now(), absl::ZeroDuration());
    std::array<pollfd, 3> fds = {{{ending_fd_, POLLIN, 0},
                                  {screen_fd_, POLLIN, 0},
                                  {keys && input_open_ ? STDIN_FILENO : -1, POLLIN, 0}}};
    const auto milliseconds = absl::ToInt64Milliseconds(std::min(left, absl::Hours(1)));
    // One millisecond more, since a wait rounded down to milliseconds would end too early.
    const int ready =
        ::poll(fds.data(), fds.size(),
               static_cast<int>(milliseconds) + (left > absl::ZeroDuration() ? 1 : 0));
    if (ready > 0 && fds[0].revents != 0) {
      return Event::kEnd;
    }
    signalfd_siginfo info{};
    if (ready > 0 && fds[1].revents != 0 &&
        ::read(screen_fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      return info.ssi_signo == static_cast<std::uint32_t>(SIGTSTP) ? Event::kSuspend
                                                                   : Event::kResize;
    }
    if (ready > 0 && fds[2].revents != 0) {
      std::array<char, 64> typed{};
      const ssize_t count = ::read(STDIN_FILENO, typed.data(), typed.size());
      input_open_ = count > 0;
      if (std::find(typed.begin(), typed.end(), 'q') != typed.end()) {
        return Event::kQuit;
      }
    }
    if (absl::Now() >= until) {
      return Event::kTime;
    }
  }
}

Screen::Screen() {
  keys_saved_ = ::tcgetattr(STDIN_FILENO, &keys_) == 0;
  Enter();
}

Screen::~Screen() {
  Leave();
}

void Screen::Enter() {
  if (keys_saved_) {
    termios keys = keys_;
    keys.c_iflag &= ~static_cast<tcflag_t>(IXON);  // Ctrl-S must not stop the program by accident.
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C stays a signal.
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  }
  WriteAll(kEnter);
}

void Screen::Leave() {
  WriteAll(kLeave);
  if (keys_saved_) {
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys_);
  }
}

ScreenSize Screen::Size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return ScreenSize{};
  }
  return {.rows = size.ws_row, .columns = size.ws_col};
}

absl::Status Screen::Show(const std::vector<std::string>& lines) {
  std::string text(kHome);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // No newline after the last line: it would scroll a full screen.
    text += i == 0 ? "" : "\r\n";
    text += lines[i];
    text += kClearToLineEnd;
  }
  text += kClearBelow;
  return WriteAll(text) ? absl::OkStatus() : base::ErrnoStatus(errno, "the terminal: cannot write");
}

void Screen::Suspend() {
  Leave();
  ::raise(SIGSTOP);
  Enter();
}

}  // namespace commy::tools::top
