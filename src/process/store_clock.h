// The time that expiry goes by. It continues through a change of the wall clock, a suspend and a
// reboot. Except for moments, it is the same for all processes that have the store open.
//
// WORDS     header: clock_skew_ns, store time less wall clock; clock_seen_ns, a store time that has
//           passed, which only grows; clock_base_ns, store time less clock since boot, with
//           clock_boot, which names the boot, and clock_seal, which holds for these two alone
// OWN       In a process, store time is the clock since boot plus a number, its base. So changes of
//           the wall clock do not affect it.
// START     clock-1  the words are of this boot, and its seal fits: base := clock_base_ns. This is
//                    the time of all processes that have had the store open since the machine was
//                    started. Settled. Is wall + skew another time? Then the wall clock was set:
//                    skew := own time - wall
//           clock-2  else now := the later of wall + skew and seen, base := now - clock since boot,
//                    which is published. Settled, if the words are of another boot: no process of
//                    that boot is left to know better
//           clock-3  the system names no boot: as clock-2, but nothing is published or settled
// BEAT      clock-4  has the wall clock moved against the clock since boot since the last beat?
//                    Then it was set: skew := own time - wall. All processes that notice store the
//                    same, within some microseconds.
//           clock-5  unsettled: are the words of this boot now? Take clock_base_ns. Else, is wall +
//                    skew different from the own time? If this is the second beat and skew is what
//                    it was at the start, then `seen` was later, and no other process corrects the
//                    skew: skew := own time - wall. Otherwise another process has corrected it, and
//                    this one started between the setting of the clock and that correction: take
//                    wall + skew as the own time.
//           clock-6  settled: take clock_base_ns, if it fits, else publish the own base. Is wall +
//                    skew off by a little? Then small steps have added up: take it as the own time,
//                    and publish that. By much: skew := own time - wall
//           clock-7  settled: raise seen to the own time
// PUBLISH   seal := 0, base, boot, seal. Several processes at once may leave a seal that does not
//           fit: then the next beat publishes again.
// SETTLED   as above, or from the second beat on. Before that no process sweeps by it, so that
//           nothing is deleted for a time that clock-5 corrects.
// DEATH     at any step: the next beat of any process does it.
// WHY       docs/decisions/0011-expiry.md
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

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
  // Cost: one reading of the clock.
  [[nodiscard]] std::int64_t NowNs() const {
    return platform_.BootNs() + base_ns_.load(std::memory_order_relaxed);
  }
  // The time that the wall clock shows, or showed, at a store time.
  [[nodiscard]] std::int64_t ToWallNs(std::int64_t store_ns) const {
    return store_ns - NowNs() + platform_.WallNs();
  }
  // By how much store time is ahead of the wall clock, because that was set while the store was in
  // use. Always the same until it is set again; 0 if it never was.
  [[nodiscard]] std::int64_t AheadNs() const;
  // BEAT. One thread at a time.
  void Beat();
  // Any thread.
  [[nodiscard]] bool settled() const { return settled_.load(std::memory_order_relaxed); }

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
  // clock-1 to clock-3.
  [[nodiscard]] bool IsBootKnown() const { return boot_name_ != 0; }
  [[nodiscard]] std::uint64_t SealOf(std::int64_t base_ns) const;
  // The base that was published in this boot, if its seal fits.
  [[nodiscard]] std::optional<std::int64_t> PublishedBase() const;
  void Publish();
  // clock-5, and clock-6.
  void BeatUnsettled(const Reading& now, bool was_set);
  void BeatSettled(const Reading& now, bool was_set);

  region::Region& region_;
  platform::Platform& platform_;
  const bool read_only_;
  std::atomic<std::int64_t> base_ns_{0};
  std::int64_t wall_less_boot_ns_ = 0;  // At the last beat.
  std::int64_t skew_at_start_ns_ = 0;
  std::uint32_t beats_ = 0;  // While it is unsettled.
  std::atomic<bool> settled_{false};
  platform::BootId boot_{};
  std::uint64_t boot_name_ = 0;  // 0: the system names none.
};

}  // namespace commy::process
