#include "progress.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>

#include <unistd.h>

#include "absl/time/clock.h"

namespace commy::tools {
namespace {

constexpr std::uint64_t kBarCells = 30;
constexpr absl::Duration kInterval = absl::Milliseconds(100);
constexpr std::uint64_t kCallsBetweenLooks = 256;

std::string Bar(std::uint64_t done, std::uint64_t total) {
  const double share = std::min(
      1.0, static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(1, total)));
  const auto cells = static_cast<std::size_t>(share * kBarCells);
  return "[" + std::string(cells, '#') + std::string(kBarCells - cells, '.') + "] " +
         std::to_string(static_cast<int>(share * 100)) + " % ";
}

}  // namespace

Progress::Progress() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
  }
}

bool Progress::Due() {
  if (!is_terminal_ || calls_++ % kCallsBetweenLooks != 0) {
    return false;
  }
  return absl::Now() >= next_;
}

void Progress::Show(std::uint64_t done, std::uint64_t total, std::string_view text) {
  ShowText((total == 0 ? std::string() : Bar(done, total)) + std::string(text));
}

void Progress::ShowText(std::string_view text) {
  if (!is_terminal_) {
    return;
  }
  next_ = absl::Now() + kInterval;
  drawn_ = true;
  std::fprintf(stderr, "\r%.*s\x1b[K", static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
}

}  // namespace commy::tools
