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

  // Sets `line` to the next line without its newline; good until the next call. False: no more.
  // Cancelled: Ctrl-C. A last line may lack its newline. A byte order mark (UTF-8) before the first
  // line is dropped.
  absl::StatusOr<bool> Next(std::string_view& line);
  // All that is left, up to `bytes_max`; longer input is cut one byte past that.
  absl::StatusOr<std::string> ReadRest(std::uint64_t bytes_max);

  // The path, or "standard input".
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Of a file; 0: not known.
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  // What making room for reads has cost: bytes that were zeroed, copied or moved. A fixed multiple
  // of bytes_read(), however small the pieces are in which a pipe hands out a long line.
  [[nodiscard]] std::uint64_t bytes_prepared() const { return bytes_prepared_; }

 private:
  LineReader(std::string name, int fd);
  // Moves what is left to the front, and grows the buffer if that fills it.
  void MakeRoom();
  // Next(), with what stands before the first line.
  absl::StatusOr<bool> Take(std::string_view& line);
  // Reads more behind what is in the buffer. False: the end.
  absl::StatusOr<bool> Fill();

  std::string name_;
  int fd_ = -1;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_prepared_ = 0;
  bool begun_ = false;      // A line was handed out.
  std::string buffer_;      // Its size is the room that there is.
  std::size_t start_ = 0;   // Of what was not handed out yet.
  std::size_t filled_ = 0;  // The end of it.
};

}  // namespace commy::tools
