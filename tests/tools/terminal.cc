#include "tools/terminal.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace commy::test {

Terminal::Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
  if (master_ >= 0 && ::grantpt(master_) == 0 && ::unlockpt(master_) == 0) {
    side_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    Resize(24, 80);
  }
}

Terminal::~Terminal() {
  ::close(side_);
  ::close(master_);
}

void Terminal::Resize(unsigned short rows, unsigned short columns) const {
  winsize size{};
  size.ws_row = rows;
  size.ws_col = columns;
  ::ioctl(master_, TIOCSWINSZ, &size);
}

void Terminal::Type(std::string_view keys) const {
  if (::write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    std::perror("pseudo-terminal");
    std::abort();
  }
}

termios Terminal::Modes() const {
  termios modes{};
  ::tcgetattr(side_, &modes);
  return modes;
}

const std::string& Terminal::Written() {
  std::array<char, 4096> buffer;
  ssize_t got = 0;
  while ((got = ::read(master_, buffer.data(), buffer.size())) > 0) {
    written_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return written_;
}

}  // namespace commy::test
