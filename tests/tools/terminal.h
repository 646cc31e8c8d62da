// A pseudo-terminal on which a program runs, and the output there.
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

  // False without /dev/pts.
  [[nodiscard]] bool ok() const { return side_ >= 0; }
  // For ProgramOptions::terminal_fd.
  [[nodiscard]] int fd() const { return side_; }

  void Resize(unsigned short rows, unsigned short columns) const;
  void Type(std::string_view keys) const;
  [[nodiscard]] termios Modes() const;

  // All output so far. Does not wait.
  const std::string& Written();
  // Forgets that output.
  void Clear() { written_.clear(); }

 private:
  int master_ = -1;
  int side_ = -1;
  std::string written_;
};

}  // namespace commy::test
