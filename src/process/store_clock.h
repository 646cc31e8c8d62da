// The time that expiry goes by: runs on through a change of the wall clock, a suspend and a reboot,
// and is the same, but for moments, for all who have the store open.
//
// WORDS     header: clock_skew_ns, store time less wall clock; clock_seen_ns, a store time that was;
//           only grows
// OWN       In a process, store time is the clock since boot plus a number that is found at the start:
//           it runs on whatever happens to the wall clock.
// START     now := the later of wall + skew and seen
// BEAT      B1  has the wall clock moved against the clock since boot since the last beat? Then it was
//               set: skew := own time - wall. All who notice say the same, but for some microseconds.
//           B2  else, is wall + skew not one's own time? At the second beat, if skew is what it was at
//               the start: what had been seen was later, and nobody puts it right: skew := own time -
//               wall. Otherwise somebody has, and this process started between the setting of the
//               clock and his beat: take wall + skew as one's own time.
//           B3  from the third beat on: raise seen to one's own time
// SETTLED   from the second beat on; before that nobody sweeps by it, so that nothing is deleted for
//           a time that B2 puts right.
// DEATH     at any step: the next who beats does it.
// WHY       docs/decisions/0011-expiry.md
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/platform.h"
#include "region/region.h"

namespace commy::process {

class StoreClock {
 public:
  // START. `read_only`: never writes to the header.
  StoreClock(region::Region& region, platform::Platform& platform, bool read_only);
  StoreClock(const StoreClock&) = delete;
  StoreClock& operator=(const StoreClock&) = delete;

  // Nanoseconds since 1970, if the wall clock was never set while the store was in use. Any thread.
  // Cost: a look at the clock.
  [[nodiscard]] std::int64_t NowNs() const {
    return platform_.BootNs() + base_ns_.load(std::memory_order_relaxed);
  }
  // What the wall clock shows, or showed, at a store time.
  [[nodiscard]] std::int64_t ToWallNs(std::int64_t store_ns) const {
    return store_ns - NowNs() + platform_.WallNs();
  }
  // BEAT. One thread at a time.
  void Beat();
  // Any thread.
  [[nodiscard]] bool settled() const { return beats_.load(std::memory_order_relaxed) >= 2; }

 private:
  // The two clocks at one moment.
  struct Reading {
    std::int64_t boot_ns = 0;
    std::int64_t wall_ns = 0;
  };
  [[nodiscard]] Reading Read() const;
  [[nodiscard]] std::int64_t Skew() const;
  void SetSkew(std::int64_t skew_ns);
  void RaiseSeen();

  region::Region& region_;
  platform::Platform& platform_;
  const bool read_only_;
  std::atomic<std::int64_t> base_ns_{0};
  std::int64_t wall_less_boot_ns_ = 0;  // At the last beat.
  std::int64_t skew_at_start_ns_ = 0;
  std::atomic<std::uint32_t> beats_{0};
};

}  // namespace commy::process
