#include "demo/counters.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"

namespace commy::tools::demo {
namespace {

void RaiseTo(std::atomic<std::uint64_t>& word, std::uint64_t value) {
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  while (seen < value && !word.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// Of a word that only this process writes.
void Increment(std::atomic<std::uint64_t>& word) {
  word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace

void WorkerCounters::Record(std::chrono::nanoseconds elapsed) {
  const auto elapsed_ns = static_cast<std::uint64_t>(elapsed.count());
  const auto width = static_cast<std::size_t>(std::bit_width(elapsed_ns));
  Increment(histogram[std::min(width, histogram.size() - 1)]);
  RaiseTo(slowest_ns, elapsed_ns);
  RaiseTo(recent_slowest_ns, elapsed_ns);
  Increment(operations);
}

void WorkerCounters::RecordWrong(std::string_view text) {
  if (wrong.load(std::memory_order_relaxed) == 0) {
    first_wrong[text.copy(first_wrong.data(), first_wrong.size() - 1)] = '\0';
  }
  Increment(wrong);
}

absl::Duration WorkerCounters::Quantile(double share) const {
  std::uint64_t total = 0;
  for (const auto& count : histogram) {
    total += count.load(std::memory_order_relaxed);
  }
  const double wanted = share * static_cast<double>(total);
  std::uint64_t below = 0;
  for (std::size_t width = 0; width < histogram.size() && total > 0; ++width) {
    below += histogram[width].load(std::memory_order_relaxed);
    if (static_cast<double>(below) >= wanted) {
      return absl::Nanoseconds(std::int64_t{1} << std::min<std::size_t>(width, 62));
    }
  }
  return absl::ZeroDuration();
}

absl::StatusOr<SharedCounters> SharedCounters::Create() {
  const int fd = ::memfd_create("commy-demo", 0);
  if (fd < 0) {
    return base::ErrnoStatus(errno, "memory for the demo's processes: memfd_create");
  }
  if (::ftruncate(fd, sizeof(Counters)) != 0) {
    const int error = errno;
    ::close(fd);
    return base::ErrnoStatus(error, "memory for the demo's processes: ftruncate");
  }
  return Attach(fd);
}

absl::StatusOr<SharedCounters> SharedCounters::Attach(int fd) {
  void* const memory = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    return base::ErrnoStatus(errno, "memory for the demo's processes: mmap");
  }
  return SharedCounters(static_cast<Counters*>(memory), fd);
}

SharedCounters::SharedCounters(SharedCounters&& other) noexcept
    : counters_(std::exchange(other.counters_, nullptr)), fd_(std::exchange(other.fd_, -1)) {}

SharedCounters::~SharedCounters() {
  if (counters_ != nullptr) {
    ::munmap(counters_, sizeof(Counters));
    ::close(fd_);
  }
}

}  // namespace commy::tools::demo
