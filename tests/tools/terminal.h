// A pseudo-terminal on which a program runs, and what it has written there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <termios.h>

namespace commy::test {

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Without /dev/pts there are none.
  [[nodiscard]] bool ok() const { return side_ >= 0; }
  // For ProgramOptions::terminal_fd.
  [[nodiscard]] int fd() const { return side_; }

  void Resize(unsigned short rows, unsigned short columns) const;
  void Type(std::string_view keys) const;
  [[nodiscard]] termios Modes() const;

  // All that was written so far. Does not wait.
  const std::string& Written();
  // Forgets it.
  void Clear() { written_.clear(); }

 private:
  int master_ = -1;
  int side_ = -1;
  std::string written_;
};

}  // namespace commy::test
