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
#include "utf8.h"

namespace commy::tools {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;
// The largest value as JSON with every byte escaped, and some slack.
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
      bytes_prepared_(other.bytes_prepared_),
      begun_(other.begun_),
      buffer_(std::move(other.buffer_)),
      start_(other.start_),
      filled_(std::exchange(other.filled_, 0)) {}

LineReader::~LineReader() {
  if (fd_ > STDIN_FILENO) {
    ::close(fd_);
  }
}

void LineReader::MakeRoom() {
  if (start_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + start_, filled_ - start_);
    filled_ -= std::exchange(start_, 0);
    bytes_prepared_ += filled_;
  }
  if (filled_ == buffer_.size()) {
    buffer_.resize(std::max(kReadBytes, 2 * filled_));
    bytes_prepared_ += buffer_.size();
  }
}

absl::StatusOr<bool> LineReader::Fill() {
  if (filled_ - start_ > kLineBytesMax) {
    return base::InvalidArgument(name_, ": a line of more than ", kLineBytesMax, " bytes");
  }
  MakeRoom();
  for (;;) {
    if (Interrupted()) {
      return absl::CancelledError("interrupted");
    }
    const ssize_t got = ::read(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return base::FailedPrecondition(name_, ": cannot read it: ", std::strerror(errno),
                                      "; give a file to read, or - for standard input");
    }
    filled_ += static_cast<std::size_t>(got);
    bytes_read_ += static_cast<std::uint64_t>(got);
    return got > 0;
  }
}

absl::StatusOr<bool> LineReader::Next(std::string_view& line) {
  COMMY_ASSIGN_OR_RETURN(const bool more, Take(line));
  if (!std::exchange(begun_, true) && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  return more;
}

absl::StatusOr<char> LineReader::PeekByte() {
  for (;;) {
    std::string_view ahead(buffer_.data() + start_, filled_ - start_);
    if (ahead.starts_with(kByteOrderMark)) {
      ahead.remove_prefix(kByteOrderMark.size());
    }
    const std::size_t at = ahead.find_first_not_of(" \t\r\n");
    const bool may_be_mark = at != std::string_view::npos && ahead.size() < kByteOrderMark.size();
    if (at != std::string_view::npos && !may_be_mark) {
      return ahead[at];
    }
    COMMY_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) {
      return may_be_mark ? ahead[at] : '\0';
    }
  }
}

absl::StatusOr<bool> LineReader::Take(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    const std::string_view rest(buffer_.data() + start_, filled_ - start_);
    const std::size_t newline = rest.find('\n', searched);
    if (newline != std::string_view::npos) {
      line = rest.substr(0, newline);
      start_ += newline + 1;
      return true;
    }
    searched = rest.size();
    COMMY_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) {
      line = std::string_view(buffer_.data() + start_, filled_ - start_);
      start_ = filled_;
      return !line.empty();
    }
  }
}

absl::StatusOr<std::string> LineReader::ReadRest(std::uint64_t bytes_max) {
  for (;;) {
    COMMY_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more || filled_ > bytes_max) {
      buffer_.resize(std::min<std::uint64_t>(std::exchange(filled_, 0), bytes_max + 1));
      return std::exchange(buffer_, std::string());
    }
  }
}

}  // namespace commy::tools
