// The demo's progress: one line that is redrawn on a terminal, else a line per event.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "demo/counters.h"
#include "progress.h"

namespace commy::tools::demo {

class StatusLine {
 public:
  explicit StatusLine(const Counters& counters);

  // Counts the time from now on.
  void Restart() { start_ = absl::Now(); }
  // Redraws the line if it is due. Cheap.
  void Update();
  // Prints a line of its own.
  void Event(std::string_view text);
  // Erases the line.
  void End();

 private:
  struct Sums {
    std::uint64_t puts = 0;
    std::uint64_t reads = 0;
    std::uint64_t adds = 0;
    std::uint64_t wrong = 0;
  };
  [[nodiscard]] Sums Sum() const;

  const Counters& counters_;
  std::unique_ptr<Progress> progress_;
  absl::Time start_;
  absl::Time last_;
  Sums last_sums_;
};

}  // namespace commy::tools::demo
