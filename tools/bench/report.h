// The results of `commy bench`, as a table and as JSON.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/worker.h"
#include "jsonl.h"

namespace commy::tools::bench {

struct RowReport {
  std::vector<double> per_second;  // Of each round, of all processes together.
  std::uint64_t operations = 0;
  Histogram latency;  // Of all rounds.

  // Adds one round, with the results of each process. Its time runs from the first start to the
  // last end.
  void AddRound(const std::vector<RowResult>& results);
  [[nodiscard]] double Median() const;
  [[nodiscard]] double Least() const;
  [[nodiscard]] double Most() const;
};

struct Report {
  std::array<RowReport, kRowNames.size()> rows;
  std::uint64_t verified = 0;
};

std::string ToText(const Report& report);
Json ToJson(const Report& report, const Plan& plan, bool ordered);

}  // namespace commy::tools::bench
