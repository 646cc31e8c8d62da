// The commit clock: a number in the file's header that every change of the store moves on by one.
//
// This is the only place that draws a time. A change is published first. The process that first
// meets it then draws its time and publishes that by a CAS of the change's commit word. So no
// process waits for one that was stopped in between. A time that loses its CAS is used by nothing.
#pragma once

#include <cstdint>

#include "region/region.h"

namespace commy::versions {

inline std::uint64_t DrawCommitTime(const region::Region& region) {
  return region.header().commit_clock.fetch_add(1, std::memory_order_seq_cst) + 1;
}

// The last time that was drawn: every change with a later one comes after this call.
inline std::uint64_t CommitTimeNow(const region::Region& region) {
  return region.header().commit_clock.load(std::memory_order_seq_cst);
}

}  // namespace commy::versions
