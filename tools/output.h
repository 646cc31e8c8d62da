// The output of a command, to standard output or a file, with every error noticed; and the one line
// on standard error.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

#include "jsonl.h"

namespace commy::tools {

// Buffers the output of a command. The first error of write() is kept, since a full disk or a
// closed pipe must not look like success.
class Output {
 public:
  // `name` identifies it in errors.
  explicit Output(int fd, std::string name = "standard output") : fd_(fd), name_(std::move(name)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() = default;  // Unflushed bytes are dropped: the command has failed.

  void Write(std::string_view bytes);
  void Line(std::string_view text);
  // An object or array, on lines of its own.
  void Report(const Json& json);

  // Text may be appended here before a call of Drain().
  std::string& buffer() { return buffer_; }
  // Writes the buffer out if it has grown large.
  void Drain();
  // Writes the rest of the buffer. Returns the first error of any write.
  absl::Status Flush();

  [[nodiscard]] const absl::Status& status() const { return status_; }
  // The reader has closed the pipe: an error that is not reported.
  [[nodiscard]] bool broken_pipe() const { return broken_pipe_; }
  [[nodiscard]] bool is_terminal() const;

 private:
  const int fd_;
  const std::string name_;
  std::string buffer_;
  absl::Status status_;
  bool broken_pipe_ = false;
};

// "commy: <text>" on standard error, in one line whatever bytes `text` has.
void PrintFailure(std::string_view text);
// "commy: warning: <text>", for a success that may differ from the user's expectation.
void PrintWarning(std::string_view text);

}  // namespace commy::tools
