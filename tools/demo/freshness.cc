#include "demo/freshness.h"

#include <cstdint>

#include "base/status.h"

namespace commy::tools::demo {

absl::Status CheckFresh(std::string_view key, Stamp stamp, std::size_t index, WriterProgress before,
                        WriterProgress after) {
  const std::uint64_t oldest = index < before.position ? before.round : before.round - 1;
  if (stamp.round < oldest) {
    return base::DataLoss("key ", base::ToAbsl(key), ": its value is of round ", stamp.round,
                          ", but round ", oldest, " was acknowledged");
  }
  if (stamp.round > after.round) {
    return base::DataLoss("key ", base::ToAbsl(key), ": its value is of round ", stamp.round,
                          ", but the writer is in round ", after.round);
  }
  return absl::OkStatus();
}

}  // namespace commy::tools::demo
