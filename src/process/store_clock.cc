#include "process/store_clock.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace commy::process {

using base::Shared64;

namespace {

// The two clocks may differ by this much though neither was set: the wall clock is slewed as the
// other is, so the difference is the time between two readings.
constexpr std::int64_t kStepNs = 20'000'000;
// The sum that small steps can reach until a beat sees it.
constexpr std::int64_t kSmallStepsNs = 2 * kStepNs;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kReadNs = 1'000'000;
constexpr int kReadAttempts = 8;

// Bounds for words of the header, which may hold anything in a damaged file; implausible: 0. A
// store time later than this would be 130 years away.
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
      break;  // Else the thread lost its processor between the two.
    }
  }
  return reading;
}

std::int64_t StoreClock::Skew() const {
  return ReadWord(region_.header().clock_skew_ns, -kSkewMaxNs, kSkewMaxNs);
}

// The word lags behind where the clock was set while no process, or only readers, had the store
// open.
std::int64_t StoreClock::AheadNs() const {
  const Reading now = Read();
  const std::int64_t ahead = now.boot_ns + base_ns_.load(std::memory_order_relaxed) - now.wall_ns;
  const std::int64_t skew = Skew();
  return std::abs(ahead - skew) > kSmallStepsNs ? ahead : skew;
}

void StoreClock::SetSkew(std::int64_t skew_ns) {
  if (!read_only_) {
    region_.header().clock_skew_ns.store(static_cast<std::uint64_t>(skew_ns),
                                         std::memory_order_release);
  }
}

void StoreClock::RaiseSeen() {
  COMMY_DCHECK(settled());  // clock-7
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

std::uint64_t StoreClock::SealOf(std::int64_t base_ns) const {
  std::array<std::byte, sizeof(platform::BootId) + sizeof(base_ns)> bytes;
  std::memcpy(bytes.data(), boot_.data(), boot_.size());
  std::memcpy(bytes.data() + boot_.size(), &base_ns, sizeof(base_ns));
  return base::Checksum(bytes.data(), bytes.size());
}

std::optional<std::int64_t> StoreClock::PublishedBase() const {
  const region::RegionHeader& header = region_.header();
  const auto base = static_cast<std::int64_t>(header.clock_base_ns.load(std::memory_order_acquire));
  return IsBootKnown() && header.clock_seal.load(std::memory_order_acquire) == SealOf(base)
             ? std::optional(base)
             : std::nullopt;
}

void StoreClock::Publish() {
  if (read_only_ || !IsBootKnown()) {
    return;
  }
  region::RegionHeader& header = region_.header();
  const std::int64_t base = base_ns_.load(std::memory_order_relaxed);
  header.clock_seal.store(0, std::memory_order_release);
  header.clock_base_ns.store(static_cast<std::uint64_t>(base), std::memory_order_release);
  header.clock_boot.store(boot_name_, std::memory_order_release);
  header.clock_seal.store(SealOf(base), std::memory_order_release);
}

StoreClock::StoreClock(region::Region& region, platform::Platform& platform, bool read_only)
    : region_(region), platform_(platform), read_only_(read_only), boot_(platform.boot_id()) {
  if (boot_ != platform::BootId{}) {
    boot_name_ = base::Checksum(boot_.data(), boot_.size());
  }
  const Reading now = Read();
  wall_less_boot_ns_ = now.wall_ns - now.boot_ns;
  skew_at_start_ns_ = Skew();
  const std::int64_t seen = ReadWord(region_.header().clock_seen_ns, 0, kPlausibleMaxNs);
  const std::optional<std::int64_t> published = PublishedBase();
  // If not, a boot id was used twice or `seen` is damaged, and the right time is unknown.
  if (published.has_value() && now.boot_ns + *published >= seen - kSecondNs) {
    base_ns_.store(*published, std::memory_order_relaxed);
    settled_.store(true, std::memory_order_relaxed);
    if (std::abs(now.boot_ns + *published - now.wall_ns - skew_at_start_ns_) > kStepNs) {
      SetSkew(now.boot_ns + *published - now.wall_ns);
    }
    return;
  }
  base_ns_.store(std::max(now.wall_ns + skew_at_start_ns_, seen) - now.boot_ns,
                 std::memory_order_relaxed);
  const bool is_new_boot =
      IsBootKnown() && region_.header().clock_boot.load(std::memory_order_acquire) != boot_name_;
  settled_.store(is_new_boot, std::memory_order_relaxed);
  Publish();
}

void StoreClock::Beat() {
  const Reading now = Read();
  const std::int64_t less = now.wall_ns - now.boot_ns;
  const bool was_set = std::abs(less - wall_less_boot_ns_) > kStepNs;
  wall_less_boot_ns_ = less;
  if (settled()) {
    BeatSettled(now, was_set);
    RaiseSeen();
  } else {
    BeatUnsettled(now, was_set);
  }
}

void StoreClock::BeatUnsettled(const Reading& now, bool was_set) {
  COMMY_DCHECK(!settled());
  COMMY_DCHECK(beats_ < 2);  // clock-5: the second beat settles.
  const std::int64_t base = base_ns_.load(std::memory_order_relaxed);
  if (const auto published = PublishedBase(); published.value_or(base) != base) {
    base_ns_.store(*published, std::memory_order_relaxed);
    settled_.store(true, std::memory_order_relaxed);
    return;
  }
  const std::int64_t own = now.boot_ns + base;
  const std::int64_t skew = Skew();
  const bool is_alone = beats_ == 1 && skew == skew_at_start_ns_;
  if (was_set) {
    SetSkew(own - now.wall_ns);
  } else if (std::abs(own - now.wall_ns - skew) > kStepNs) {
    if (is_alone) {
      SetSkew(own - now.wall_ns);
    } else if (beats_ != 0) {
      base_ns_.store(now.wall_ns + skew - now.boot_ns, std::memory_order_relaxed);
    }
  }
  if (++beats_ == 2) {
    Publish();
    settled_.store(true, std::memory_order_relaxed);
  }
}

void StoreClock::BeatSettled(const Reading& now, bool was_set) {
  const std::optional<std::int64_t> published = PublishedBase();
  if (published.has_value()) {
    base_ns_.store(*published, std::memory_order_relaxed);
  } else {
    Publish();
  }
  const std::int64_t own = now.boot_ns + base_ns_.load(std::memory_order_relaxed);
  const std::int64_t off = std::abs(own - now.wall_ns - Skew());
  if (was_set || (IsBootKnown() && off > kSmallStepsNs)) {
    SetSkew(own - now.wall_ns);
  } else if (off > kStepNs) {
    base_ns_.store(now.wall_ns + Skew() - now.boot_ns, std::memory_order_relaxed);
    Publish();
  }
}

}  // namespace commy::process
