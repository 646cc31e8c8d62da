// Identity, clocks, random bytes, barriers and futexes.
#include <algorithm>
#include <array>
#include <climits>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/random.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

namespace commy::platform {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// The first bytes of a small file of the kernel's, "" if there is none.
std::string ReadKernelFile(const char* path) {
  const Descriptor opened(OpenRegistered([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }));
  if (!opened.valid()) {
    return {};
  }
  std::array<char, 128> text{};
  const ssize_t got =
      RetryInterrupted([&] { return ::read(opened.fd(), text.data(), text.size()); });
  return got <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(got));
}

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

std::int64_t ClockNs(clockid_t clock) {
  struct timespec now {};
  COMMY_CHECK(::clock_gettime(clock, &now) == 0);
  return static_cast<std::int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

// By how much the time namespace of this process shifts the clock since boot.
std::int64_t BootOffsetNs() {
  // "monotonic           0         0\nboottime         3600         0\n": seconds, nanoseconds.
  std::istringstream text(ReadKernelFile("/proc/self/timens_offsets"));
  std::string clock;
  std::int64_t seconds = 0;
  std::int64_t ns = 0;
  while (text >> clock >> seconds >> ns) {
    if (clock == "boottime") {
      return seconds * kNsPerSecond + ns;
    }
  }
  return 0;
}

absl::Status Membarrier(int command, const char* what) {
  if (::syscall(SYS_membarrier, command, 0, 0) != 0) {
    const int error = errno;
    return base::FailedPrecondition(what, ": this kernel has no global expedited memory barriers ",
                                    "(error ", error, ")");
  }
  return absl::OkStatus();
}

}  // namespace

Platform& Platform::Real() {
  static LinuxPlatform* const real = new LinuxPlatform;
  return *real;
}

BootId LinuxPlatform::boot_id() {
  // "7b2d1a56-....-............\n": 32 hexadecimal digits among dashes.
  const std::string text = ReadKernelFile("/proc/sys/kernel/random/boot_id");
  BootId id{};
  std::size_t digits = 0;
  for (const char character : text) {
    const int digit = HexDigit(character);
    if (digit >= 0 && digits < 2 * id.size()) {
      std::uint8_t& byte = id.at(digits / 2);
      byte = static_cast<std::uint8_t>(byte << 4U | static_cast<unsigned>(digit));
      ++digits;
    }
  }
  return digits == 2 * id.size() ? id : BootId{};
}

std::uint64_t LinuxPlatform::process_id() {
  return static_cast<std::uint64_t>(::getpid());
}

std::string LinuxPlatform::process_name() {
  std::string name = ReadKernelFile("/proc/self/comm");
  while (!name.empty() && name.back() == '\n') {
    name.pop_back();
  }
  return name;
}

std::int64_t LinuxPlatform::MonotonicNs() {
  return ClockNs(CLOCK_MONOTONIC);
}

std::int64_t LinuxPlatform::BootNs() {
  static const std::int64_t offset_ns = BootOffsetNs();
  return ClockNs(CLOCK_BOOTTIME) - offset_ns;
}

std::int64_t LinuxPlatform::WallNs() {
  return ClockNs(CLOCK_REALTIME);
}

void LinuxPlatform::RandomBytes(void* buffer, std::size_t size_bytes) {
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got = RetryInterrupted(
        [&] { return ::getrandom(static_cast<std::byte*>(buffer) + done, size_bytes - done, 0); });
    COMMY_CHECK(got > 0);
    COMMY_DCHECK(static_cast<std::size_t>(got) <= size_bytes - done);
    done += static_cast<std::size_t>(got);
  }
}

bool LinuxPlatform::single_threaded() {
  // The C library's own note, cleared by the first pthread_create().
  return __libc_single_threaded != 0;
}

absl::Status LinuxPlatform::RegisterBarrier() {
  return Membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, "register for memory barriers");
}

absl::Status LinuxPlatform::GlobalBarrier() {
  return Membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, "issue a memory barrier");
}

bool LinuxPlatform::FutexWait(const std::uint32_t* word, std::uint32_t expected,
                              std::int64_t timeout_ns) {
  COMMY_DCHECK(reinterpret_cast<std::uintptr_t>(word) % sizeof(*word) == 0);
  const std::int64_t wait_ns = timeout_ns < 0 ? 0 : timeout_ns;
  struct timespec timeout {};
  timeout.tv_sec = static_cast<time_t>(wait_ns / kNsPerSecond);
  timeout.tv_nsec = static_cast<long>(wait_ns % kNsPerSecond);
  // Not FUTEX_PRIVATE_FLAG: the waker is usually another process. Every result, a changed word, a
  // signal, the timeout, means the same to the caller: look again.
  return ::syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0;
}

void LinuxPlatform::FutexWakeAll(const std::uint32_t* word) {
  COMMY_DCHECK(reinterpret_cast<std::uintptr_t>(word) % sizeof(*word) == 0);
  ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void LinuxPlatform::FutexWake(const std::uint32_t* word, std::uint32_t count) {
  COMMY_DCHECK(reinterpret_cast<std::uintptr_t>(word) % sizeof(*word) == 0);
  const std::uint32_t most = std::min<std::uint32_t>(count, INT_MAX);
  ::syscall(SYS_futex, word, FUTEX_WAKE, most, nullptr, nullptr, 0);
}

}  // namespace commy::platform
