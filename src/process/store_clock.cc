#include "process/store_clock.h"

#include <algorithm>
#include <cstdlib>

namespace commy::process {

using base::Shared64;

namespace {

// What the two clocks may differ by without anybody having set one: the wall clock is slewed as the
// other is, so this is what lies between two looks at them.
constexpr std::int64_t kStepNs = 20'000'000;
constexpr std::int64_t kReadNs = 1'000'000;
constexpr int kReadAttempts = 8;

// What the header says, which may be anything in a damaged file; implausible: 0. A store time later
// than this would be 130 years away.
constexpr std::int64_t kPlausibleMaxNs = 6'000'000'000'000'000'000;
constexpr std::int64_t kSkewMaxNs = 2'000'000'000'000'000'000;

std::int64_t ReadWord(const Shared64& word, std::int64_t least, std::int64_t most) {
  const auto value = static_cast<std::int64_t>(word.load(std::memory_order_acquire));
  return value < least || value > most ? 0 : value;
}

}  // namespace

StoreClock::Reading StoreClock::Read() const {
  Reading reading;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    reading.boot_ns = platform_.BootNs();
    reading.wall_ns = platform_.WallNs();
    if (platform_.BootNs() - reading.boot_ns < kReadNs) {
      break;  // Else it lost the processor between the two.
    }
  }
  return reading;
}

std::int64_t StoreClock::Skew() const {
  return ReadWord(region_.header().clock_skew_ns, -kSkewMaxNs, kSkewMaxNs);
}

void StoreClock::SetSkew(std::int64_t skew_ns) {
  if (!read_only_) {
    region_.header().clock_skew_ns.store(static_cast<std::uint64_t>(skew_ns),
                                         std::memory_order_release);
  }
}

void StoreClock::RaiseSeen() {
  const std::int64_t now = NowNs();
  while (!read_only_) {
    Shared64& seen = region_.header().clock_seen_ns;
    const std::uint64_t before = seen.load(std::memory_order_relaxed);
    if (ReadWord(seen, 0, kPlausibleMaxNs) >= now ||
        seen.CompareAndSet(before, static_cast<std::uint64_t>(now), std::memory_order_seq_cst)) {
      return;
    }
  }
}

StoreClock::StoreClock(region::Region& region, platform::Platform& platform, bool read_only)
    : region_(region), platform_(platform), read_only_(read_only) {
  const Reading now = Read();
  skew_at_start_ns_ = Skew();
  const std::int64_t seen = ReadWord(region_.header().clock_seen_ns, 0, kPlausibleMaxNs);
  base_ns_.store(std::max(now.wall_ns + skew_at_start_ns_, seen) - now.boot_ns,
                 std::memory_order_relaxed);
  wall_less_boot_ns_ = now.wall_ns - now.boot_ns;
}

void StoreClock::Beat() {
  const Reading now = Read();
  const std::int64_t own = now.boot_ns + base_ns_.load(std::memory_order_relaxed);
  const std::int64_t less = now.wall_ns - now.boot_ns;
  const bool was_set = std::abs(less - wall_less_boot_ns_) > kStepNs;
  wall_less_boot_ns_ = less;
  const std::uint32_t beats = beats_.load(std::memory_order_relaxed);
  const std::int64_t skew = Skew();
  const bool nobody_else = beats == 1 && skew == skew_at_start_ns_;
  if (was_set) {
    SetSkew(own - now.wall_ns);
  } else if (std::abs(own - now.wall_ns - skew) > kStepNs) {
    if (nobody_else) {
      SetSkew(own - now.wall_ns);
    } else if (beats != 0) {
      base_ns_.store(now.wall_ns + skew - now.boot_ns, std::memory_order_relaxed);
    }
  }
  if (beats < 2) {
    beats_.store(beats + 1, std::memory_order_relaxed);
  } else {
    RaiseSeen();
  }
}

}  // namespace commy::process
