#include "output.h"

#include <cerrno>
#include <cstddef>

#include <unistd.h>

#include "base/status.h"
#include "signals.h"
#include "utf8.h"

namespace commy::tools {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10U;

}  // namespace

void Output::Write(std::string_view bytes) {
  buffer_ += bytes;
  Drain();
}

void Output::Line(std::string_view text) {
  buffer_ += text;
  buffer_ += '\n';
  Drain();
}

void Output::Report(const Json& json) {
  // Names and paths in a report may hold any bytes: those that are not UTF-8 are replaced.
  Line(json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
}

void Output::Drain() {
  if (buffer_.size() >= kBufferBytes) {
    Flush().IgnoreError();
  }
}

absl::Status Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && status_.ok()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      broken_pipe_ = errno == EPIPE;
      status_ = base::ErrnoStatus(errno, name_ + ": cannot write");
    } else if (Interrupted()) {
      status_ = absl::CancelledError("interrupted");
    }
  }
  buffer_.clear();
  return status_;
}

bool Output::is_terminal() const {
  return ::isatty(fd_) == 1;
}

void PrintFailure(std::string_view text) {
  std::string line = "commy: ";
  while (!text.empty()) {
    const std::size_t sequence = Utf8SequenceBytes(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (sequence == 0 || first < 0x20 || first == 0x7f) {
      line += first == '\n' ? ' ' : '?';
    } else {
      line += text.substr(0, sequence);
    }
    text.remove_prefix(sequence == 0 ? 1 : sequence);
  }
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) {
      return;  // There is no stream left for the message.
    }
    rest.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
}

void PrintWarning(std::string_view text) {
  PrintFailure("warning: " + std::string(text));
}

}  // namespace commy::tools
