// What benchmarks that compare several things in one run share: the clock, and a table of medians.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "support/scratch.h"

namespace commy::bench {

inline std::uint64_t NowNs() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

template <typename T>
T Must(std::string_view what, absl::StatusOr<T> result) {
  if (!result.ok()) {
    Die(what, result.status().ToString());
  }
  return *std::move(result);
}
inline void Must(std::string_view what, const absl::Status& status) {
  if (!status.ok()) {
    Die(what, status.ToString());
  }
}

// Keeps what was computed from being left out.
template <typename T>
void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// The time that `work` takes, in nanoseconds for each of `count`.
template <typename Work>
double NsEach(std::uint64_t count, const Work& work) {
  const std::uint64_t begin_ns = NowNs();
  work();
  return static_cast<double>(NowNs() - begin_ns) / static_cast<double>(count);
}

// A table: each row has a value of each round, and is compared with a row of its group.
class Rounds {
 public:
  explicit Rounds(const char* unit) : unit_(unit) {}

  void Add(std::string_view group, std::string_view name, double value) {
    for (Row& row : rows_) {
      if (row.group == group && row.name == name) {
        row.values.push_back(value);
        return;
      }
    }
    rows_.push_back({std::string(group), std::string(name), {value}});
  }
  // Groups and rows in the order in which they came. The ratio is that to the first row of the
  // group; it says how many times as much this row has.
  void Print() const {
    std::vector<std::string_view> groups;
    for (const Row& row : rows_) {
      if (std::find(groups.begin(), groups.end(), row.group) == groups.end()) {
        groups.push_back(row.group);
      }
    }
    for (const std::string_view group : groups) {
      std::printf("\n%-44s %10s %10s %10s %8s  %s\n", std::string(group).c_str(), "median", "min",
                  "max", "ratio", unit_);
      double first = 0;
      for (const Row& row : rows_) {
        if (row.group == group) {
          std::vector<double> all = row.values;
          std::sort(all.begin(), all.end());
          const double median = all[all.size() / 2];
          first = first == 0 ? median : first;
          std::printf("  %-42s %10.2f %10.2f %10.2f %8.2f\n", row.name.c_str(), median, all.front(),
                      all.back(), median / first);
        }
      }
    }
    std::fflush(stdout);
  }

 private:
  struct Row {
    std::string group;
    std::string name;
    std::vector<double> values;
  };
  const char* unit_;
  std::deque<Row> rows_;
};

// [--smoke] [--rounds N]
struct Arguments {
  bool smoke = false;
  std::uint64_t rounds = 5;

  static Arguments Parse(int argc, char** argv) {
    Arguments parsed;
    for (int i = 1; i < argc; ++i) {
      const std::string_view name = argv[i];
      const std::string_view text = i + 1 < argc ? argv[i + 1] : "";
      if (name == "--smoke") {
        parsed.smoke = true;
        parsed.rounds = 1;
        continue;
      }
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), parsed.rounds);
      (void)end;
      if (name != "--rounds" || error != std::errc() || parsed.rounds == 0) {
        Die("usage", "[--smoke] [--rounds N]");
      }
      ++i;
    }
    return parsed;
  }
};

}  // namespace commy::bench
