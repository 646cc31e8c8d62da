// Room ahead of need: the file grows before a thread has to wait for it, and the pages that this
// process is about to write to are in its page table before it faults on each of them.
//
// All of it is advice. A participant that finds no free span makes the file grow itself, by the
// small step of Region::Grow, whatever has been done here.
//
// STEPS   When fewer free spans than half a chunk are left at the end of the file, it grows by one
//         chunk: small stores stay small. For a large file the limit is a thirty-second of the
//         file, and the file grows until twice that is free. Free spans further in front do not
//         count. Before the first of the spans at the end is taken, other lanes' spans are searched
//         (other_lanes.cc), so that the reserve is not used up while there is room elsewhere.
// ACTORS  A thread that takes one of the last spans wakes the heartbeat thread of its own process.
//         Those of several processes may grow the file at once: of equal steps one counts.
// PAGES   Each process has a page table of its own, which lacks what another process has grown and
//         what was there before. A span is made writable by one call when its blocks begin to be
//         handed out. In a process that goes on writing, the heartbeat thread also maps the rest of
//         what is in memory, piece by piece: the state bytes of old blocks and the index lie
//         anywhere.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

#include "process/session.h"
#include "region/region.h"

namespace commy::alloc {

class Room {
 public:
  explicit Room(process::Session& session);

  // Whether a free span lies in the reserve at the end, and no thread of this process has looked
  // for room elsewhere at about this size: then it should. ReserveReached says that it was in vain.
  [[nodiscard]] bool IsReserve(std::uint64_t span, std::uint64_t span_count) const;
  void ReserveReached(std::uint64_t span_count);
  // The first span of the reserve.
  [[nodiscard]] std::uint64_t ReserveStart(std::uint64_t span_count) const {
    return span_count - std::min(span_count, AheadSpans(span_count));
  }
  // The number of free spans at the end of the file, counted only up to `limit`.
  [[nodiscard]] std::uint64_t FreeAtTheEnd(std::uint64_t span_count, std::uint64_t limit) const;
  // A span, or a run, that ends before `end_span` was taken while the file had `span_count` spans.
  // Cost: a load or three; a system call when the heartbeat thread must be woken.
  void Taken(std::uint64_t end_span, std::uint64_t span_count);
  // For a thread that finds no free span at all: as Region::Grow.
  absl::Status Grow(std::uint64_t seen_span_count, std::uint64_t span_count);
  // Before blocks of a span are written to. A system call of about a microsecond, or three if the
  // pages are not there yet. An error: they cannot be written to, and a store would be a signal.
  absl::Status Open(std::uint64_t span);
  // Background; called when it was nudged, and each heartbeat.
  void Keep();

 private:
  // True: it did what was called for, and should look again.
  bool GrowAhead();
  // False: nothing is left to map, or it is not called for.
  bool MapSomeOfTheRest();
  // The least number of free spans that the end of the file should have.
  [[nodiscard]] std::uint64_t AheadSpans(std::uint64_t span_count) const;
  // About how large it is.
  [[nodiscard]] std::uint64_t About(std::uint64_t span_count) const;

  process::Session& session_;
  region::Region& region_;
  const std::uint64_t chunk_spans_;
  std::atomic<std::uint64_t> asked_at_{UINT64_MAX};  // Spans that there were at the last nudge,
  std::atomic<std::uint64_t> reached_at_{
      UINT64_MAX};                            // and about where the reserve was last reached.
  std::atomic<std::uint64_t> growing_to_{0};  // Spans that the heartbeat thread makes; 0: none.
  std::atomic<std::uint32_t> opened_{0};      // Spans, until they are enough.
  const std::uint64_t spans_at_open_;         // What lies behind them was mapped as it came.
  std::uint64_t mapped_spans_ = 0;            // Of the heartbeat thread.
};

}  // namespace commy::alloc
