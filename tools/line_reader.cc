#include "line_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "signals.h"

namespace commy::tools {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;
// The largest value as JSON with every byte escaped, and some more.
constexpr std::uint64_t kLineBytesMax = std::uint64_t{7} << 30U;

std::uint64_t FileBytes(int fd) {
  struct stat facts = {};
  const bool known = ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
  return known ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

}  // namespace

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  if (path == "-") {
    return LineReader("standard input", STDIN_FILENO);
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return base::FailedPrecondition(path, ": cannot open it: ", std::strerror(errno),
                                    "; give the path of a file to read, or - for standard input");
  }
  return LineReader(path, fd);
}

LineReader::LineReader(std::string name, int fd)
    : name_(std::move(name)), fd_(fd), bytes_total_(FileBytes(fd)) {}

LineReader::LineReader(LineReader&& other) noexcept
    : name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      bytes_total_(other.bytes_total_),
      bytes_read_(other.bytes_read_),
      buffer_(std::move(other.buffer_)),
      start_(other.start_) {}

LineReader::~LineReader() {
  if (fd_ > STDIN_FILENO) {
    ::close(fd_);
  }
}

absl::StatusOr<bool> LineReader::Fill() {
  if (start_ > 0) {
    buffer_.erase(0, std::exchange(start_, 0));
  }
  if (buffer_.size() > kLineBytesMax) {
    return base::InvalidArgument(name_, ": a line of more than ", kLineBytesMax, " bytes");
  }
  const std::size_t filled = buffer_.size();
  buffer_.resize(filled + std::max(kReadBytes, filled));
  for (;;) {
    if (Interrupted()) {
      return absl::CancelledError("interrupted");
    }
    const ssize_t got = ::read(fd_, buffer_.data() + filled, buffer_.size() - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    const int error = errno;
    buffer_.resize(filled + static_cast<std::size_t>(std::max(got, ssize_t{0})));
    if (got < 0) {
      return base::FailedPrecondition(name_, ": cannot read it: ", std::strerror(error),
                                      "; give a file to read, or - for standard input");
    }
    bytes_read_ += static_cast<std::uint64_t>(got);
    return got > 0;
  }
}

absl::StatusOr<bool> LineReader::Next(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    const std::size_t newline = rest.find('\n', searched);
    if (newline != std::string_view::npos) {
      line = rest.substr(0, newline);
      start_ += newline + 1;
      return true;
    }
    searched = rest.size();
    COMMY_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) {
      line = std::string_view(buffer_).substr(start_);
      start_ = buffer_.size();
      return !line.empty();
    }
  }
}

absl::StatusOr<std::string> LineReader::ReadRest(std::uint64_t bytes_max) {
  for (;;) {
    COMMY_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more || buffer_.size() > bytes_max) {
      buffer_.resize(std::min<std::uint64_t>(buffer_.size(), bytes_max + 1));
      return std::exchange(buffer_, std::string());
    }
  }
}

}  // namespace commy::tools
