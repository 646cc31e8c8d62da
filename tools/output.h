// What a command prints, to standard output or a file, with every error seen; and the one line on
// standard error.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

#include "jsonl.h"

namespace commy::tools {

// Buffers what a command prints. The first error of write() is kept: a full disk or a closed pipe
// must not look like success.
class Output {
 public:
  // `name` is what errors call it.
  explicit Output(int fd, std::string name = "standard output") : fd_(fd), name_(std::move(name)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() = default;  // What was not flushed is dropped: the command has failed.

  void Write(std::string_view bytes);
  void Line(std::string_view text);
  // An object or array, on lines of its own.
  void Report(const Json& json);

  // Where text may be appended before a call of Drain().
  std::string& buffer() { return buffer_; }
  // Writes the buffer out if it has grown large.
  void Drain();
  // Writes all that is left. Returns the first error of any write.
  absl::Status Flush();

  [[nodiscard]] const absl::Status& status() const { return status_; }
  // The reader has gone away: not an error to talk about.
  [[nodiscard]] bool broken_pipe() const { return broken_pipe_; }
  [[nodiscard]] bool is_terminal() const;

 private:
  const int fd_;
  const std::string name_;
  std::string buffer_;
  absl::Status status_;
  bool broken_pipe_ = false;
};

// "commy: <text>" on standard error, in one line whatever is in `text`.
void PrintFailure(std::string_view text);
// "commy: warning: <text>", of what was done, but not as somebody may expect.
void PrintWarning(std::string_view text);

}  // namespace commy::tools
