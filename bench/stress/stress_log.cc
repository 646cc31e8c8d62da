#include "stress_log.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"

namespace commy::stress {

bool IsPossible(std::optional<std::uint64_t> found_seq, std::uint64_t acknowledged,
                std::uint64_t begun) {
  if (found_seq.has_value()) {
    return *found_seq >= acknowledged && *found_seq <= begun && !IsDelete(*found_seq);
  }
  // Absent: never written, or one of the possible last steps is a deletion.
  return acknowledged == 0 || IsDelete(acknowledged) ||
         (begun + 1) / kDeleteEvery > (acknowledged + 1) / kDeleteEvery;
}

void SlotLog::RecordWrong(std::string_view text) {
  if (wrong.load(std::memory_order_relaxed) == 0) {
    first_wrong[text.copy(first_wrong.data(), first_wrong.size() - 1)] = '\0';
  }
  wrong.fetch_add(1, std::memory_order_release);
}

StressLog* CreateLog(int* fd) {
  *fd = ::memfd_create("commy-stress", 0);
  if (*fd < 0 || ::ftruncate(*fd, sizeof(StressLog)) != 0) {
    return nullptr;
  }
  return AttachLog(*fd);
}

StressLog* AttachLog(int fd) {
  void* const memory =
      ::mmap(nullptr, sizeof(StressLog), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<StressLog*>(memory);
}

absl::Status CheckSum(std::string_view name, std::int64_t value, std::uint64_t acknowledged,
                      std::uint64_t kills) {
  const auto sum = static_cast<std::uint64_t>(value);
  if (value < 0 || sum < acknowledged || sum > acknowledged + kills) {
    return base::DataLoss(base::ToAbsl(name), " is ", value, "; ", acknowledged,
                          " adds were acknowledged, ", kills, " processes killed");
  }
  return absl::OkStatus();
}

std::uint64_t Sum(const StressLog& log, std::atomic<std::uint64_t> SlotLog::*member) {
  std::uint64_t sum = 0;
  for (const SlotLog& slot : log.slots) {
    sum += (slot.*member).load(std::memory_order_acquire);
  }
  return sum;
}

}  // namespace commy::stress
