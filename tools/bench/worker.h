// One process of `commy bench`: does a row when it is told to, and tells what came of it.
//
// It reads the number of a row, one byte, from standard input, and writes a RowResult to standard
// output; at the end of the input it ends. Both ends are the same program, so bytes will do.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "bench/histogram.h"

namespace commy::tools::bench {

// In the order in which a round does them. The first puts all keys, and the last deletes them all;
// the others go on for the given time.
enum class Row : std::uint8_t { kPutNew, kOverwrite, kGetHit, kGetMiss, kAdd, kDelete };
inline constexpr std::array<std::string_view, 6> kRowNames = {"put new",  "overwrite", "get hit",
                                                              "get miss", "add",       "delete"};

// Keys of the namespace besides those of load.h.
inline constexpr std::string_view kMarkerKey = "commy-bench";
inline constexpr std::string_view kCounterKey = "counter";

struct Plan {
  std::string store;
  std::string path = "commy-bench";  // The namespace.
  std::uint64_t keys = 100'000;
  std::uint64_t value_bytes = 100;
  std::uint64_t processes = 1;
  double seconds = 0.5;  // Of each row that is not bound by the number of keys.
};

struct RowResult {
  std::uint64_t operations = 0;
  std::uint64_t verified = 0;  // Values that were read and found right.
  std::int64_t start_ns = 0;   // By the clock that all processes have in common.
  std::int64_t end_ns = 0;
  Histogram latency;              // Of one operation in 32.
  std::array<char, 512> error{};  // Text that ends with a zero; empty: all went well.
};

absl::Status RunWorker(const Plan& plan, std::uint64_t part);

}  // namespace commy::tools::bench
