// Runs the command line as a user would, and captures its output and its end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace commy::test {

struct ProgramEnd {
  int code = -1;   // Exit status; -1: a signal ended it, or the deadline.
  int signal = 0;  // The signal that ended it.
  std::string out;
  std::string err;
};

struct ProgramOptions {
  std::string input = std::string();     // Standard input; see also `input_fd`.
  int input_fd = -1;                     // Used instead of `input`; closed by the program's end.
  std::string out_path = std::string();  // Where standard output goes instead of ProgramEnd::out.
  int out_fd = -1;                       // The same.
  int terminal_fd = -1;                  // The same, and input: its terminal, for signals too.
  std::optional<uid_t> user = std::nullopt;  // Become this user and group first.
  std::vector<int> closed = {};              // Of 0, 1 and 2.
};

class Program {
 public:
  // Starts `commy` with these arguments.
  explicit Program(const std::vector<std::string>& arguments, const ProgramOptions& options = {});
  ~Program();  // Kills it if it still runs.
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void Signal(int signal_number) const;
  // Whether it has ended. Does not wait.
  bool Ended();
  // Waits for its end, or kills it at the deadline.
  ProgramEnd Wait();

 private:
  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  std::optional<int> status_;
};

// From start to end.
ProgramEnd RunCommy(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

}  // namespace commy::test
