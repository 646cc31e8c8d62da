// Memory that the demo's processes share outside the store, so that claims about the store are
// checked against an independent record.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace commy::tools::demo {

enum class Role : std::uint8_t { kWriter, kGetter, kViewer, kScanner, kCounter };

// The demo's processes, in the order of Counters::workers.
struct Part {
  Role role;
  std::string_view name;
  std::string_view does;
};
inline constexpr std::array<Part, 6> kParts = {{
    {Role::kWriter, "writer 1", "puts, in rounds"},
    {Role::kWriter, "writer 2", "puts, takes over"},
    {Role::kGetter, "reader 1", "gets copies"},
    {Role::kViewer, "reader 2", "reads in place"},
    {Role::kScanner, "reader 3", "scans"},
    {Role::kCounter, "counter", "adds 1"},
}};
inline constexpr std::size_t kWriter1 = 0;
inline constexpr std::size_t kWriter2 = 1;
inline constexpr std::size_t kReader2 = 3;
inline constexpr std::size_t kCounter = 5;

// The counters of one process. Written by that process, unless a comment says otherwise.
struct WorkerCounters {
  std::atomic<std::uint64_t> ready;
  std::atomic<std::uint64_t> operations;
  std::atomic<std::uint64_t> wrong;                      // Values that did not verify, and errors.
  std::atomic<std::uint64_t> slowest_ns;                 // Of an operation.
  std::atomic<std::uint64_t> recent_slowest_ns;          // Since DemoRun set it to 0.
  std::array<std::atomic<std::uint64_t>, 64> histogram;  // By the bit width of the nanoseconds.
  std::array<char, 320> first_wrong;                     // Text; complete once `wrong` is not 0.

  void Record(std::chrono::nanoseconds elapsed);
  void RecordWrong(std::string_view text);
  // An upper bound of the time of this share of the operations; 0 without any.
  [[nodiscard]] absl::Duration Quantile(double share) const;
};

// The writers' progress: all keys below `position` have been written in `round` and acknowledged,
// every other key in the round before.
struct WriterProgress {
  std::uint64_t round = 0;
  std::uint64_t position = 0;
};

struct Counters {
  std::atomic<std::uint64_t> stop;  // Set by DemoRun: workers end.
  std::atomic<std::uint64_t> writer_progress;
  std::atomic<std::uint64_t> acknowledged_adds;
  std::array<WorkerCounters, kParts.size()> workers;

  [[nodiscard]] WriterProgress progress() const {
    const std::uint64_t word = writer_progress.load(std::memory_order_acquire);
    return {word >> 32U, word & 0xffffffffU};
  }
  void set_progress(WriterProgress progress) {
    writer_progress.store(progress.round << 32U | progress.position, std::memory_order_release);
  }
  [[nodiscard]] bool stopping() const { return stop.load(std::memory_order_acquire) != 0; }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A mapping of Counters. Its descriptor survives exec, so that the workers inherit it.
class SharedCounters {
 public:
  static absl::StatusOr<SharedCounters> Create();
  static absl::StatusOr<SharedCounters> Attach(int fd);
  SharedCounters(SharedCounters&& other) noexcept;
  SharedCounters& operator=(SharedCounters&&) = delete;
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  ~SharedCounters();

  [[nodiscard]] Counters& operator*() const { return *counters_; }
  [[nodiscard]] Counters* operator->() const { return counters_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  SharedCounters(Counters* counters, int fd) : counters_(counters), fd_(fd) {}

  Counters* counters_ = nullptr;
  int fd_ = -1;
};

}  // namespace commy::tools::demo
