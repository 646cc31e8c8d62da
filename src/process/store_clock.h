// The time that expiry goes by: runs on through a change of the wall clock, a suspend and a reboot,
// and is the same, but for moments, for all who have the store open.
//
// WORDS     header: clock_skew_ns, store time less wall clock; clock_seen_ns, a store time that was;
//           only grows; clock_base_ns, store time less clock since boot, with clock_boot, which names
//           the boot, and clock_seal, which holds for these two alone
// OWN       In a process, store time is the clock since boot plus a number, its base: it runs on
//           whatever happens to the wall clock.
// START     S1  the words are of this boot, and its seal fits: base := clock_base_ns. This is the time
//               of all who have had the store open since the machine was started. Settled. Is
//               wall + skew another time? Then the wall clock was set: skew := own time - wall
//           S2  else now := the later of wall + skew and seen, base := now - clock since boot, which is
//               published. Settled, if they are of another boot: nobody is left from then who knows
//               better
//           S3  the system names no boot: as S2, but nothing is published or settled
// BEAT      B1  has the wall clock moved against the clock since boot since the last beat? Then it was
//               set: skew := own time - wall. All who notice say the same, but for some microseconds.
//           B2  unsettled: are the words of this boot by now? Take clock_base_ns. Else, is wall + skew
//               not one's own time? At the second beat, if skew is what it was at the start: what had
//               been seen was later, and nobody puts it right: skew := own time - wall. Otherwise
//               somebody has, and this process started between the setting of the clock and his beat:
//               take wall + skew as one's own time.
//           B3  settled: take clock_base_ns, if it fits, else publish one's own. Is wall + skew off by
//               a little? Then small steps have added up: take it as one's own time, and publish that.
//               By much: skew := own time - wall
//           B4  settled: raise seen to one's own time
// PUBLISH   seal := 0, base, boot, seal. Several at once may leave a seal that does not fit: then the
//           next beat publishes again.
// SETTLED   or from the second beat on; before that nobody sweeps by it, so that nothing is deleted for
//           a time that B2 puts right.
// DEATH     at any step: the next who beats does it.
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
  // S1 to S3.
  [[nodiscard]] bool IsBootKnown() const { return boot_name_ != 0; }
  [[nodiscard]] std::uint64_t SealOf(std::int64_t base_ns) const;
  // What was published in this boot, if it fits.
  [[nodiscard]] std::optional<std::int64_t> PublishedBase() const;
  void Publish();
  // B2, and B3.
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
