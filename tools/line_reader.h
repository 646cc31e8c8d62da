// Lines of a file or of standard input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace commy::tools {

class LineReader {
 public:
  // `path` "-": standard input. Errors name the path.
  static absl::StatusOr<LineReader> Open(const std::string& path);
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader();

  // Sets `line` to the next line without its newline; valid until the next call. False: the end.
  // Cancelled: Ctrl-C. A last line may lack its newline. A byte order mark (UTF-8) before the first
  // line is dropped.
  absl::StatusOr<bool> Next(std::string_view& line);
  // The first byte ahead that is no white space, and no part of a byte order mark; 0: there is
  // none. It is still there for Next(), as is all before it.
  absl::StatusOr<char> PeekByte();
  // The rest of the input, up to `bytes_max`; longer input is cut one byte past that.
  absl::StatusOr<std::string> ReadRest(std::uint64_t bytes_max);

  // The path, or "standard input".
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Size of the file; 0: unknown.
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  // The cost of making room for reads: bytes that were zeroed, copied or moved. At most a fixed
  // multiple of bytes_read(), however small the pieces of a long line from a pipe are.
  [[nodiscard]] std::uint64_t bytes_prepared() const { return bytes_prepared_; }

 private:
  LineReader(std::string name, int fd);
  // Moves the unread bytes to the front, and grows the buffer if they fill it.
  void MakeRoom();
  // Next(), including a byte order mark before the first line.
  absl::StatusOr<bool> Take(std::string_view& line);
  // Appends more input to the buffer. False: the end.
  absl::StatusOr<bool> Fill();

  std::string name_;
  int fd_ = -1;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_prepared_ = 0;
  bool begun_ = false;      // A line was returned.
  std::string buffer_;      // Its size is its capacity for input.
  std::size_t start_ = 0;   // Of the unread bytes.
  std::size_t filled_ = 0;  // Their end.
};

}  // namespace commy::tools
