// One process of `commy bench`: runs a row when told to, and reports the result.
//
// It reads the number of a row, one byte, from standard input, and writes a RowResult to standard
// output. It ends at the end of the input. Both ends run the same program, so plain bytes suffice.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "bench/histogram.h"

namespace commy::tools::bench {

// In the order of a round. The first puts all keys, and the last deletes them; the others run for
// the given time.
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
  std::uint64_t verified = 0;  // Values that were read and verified.
  std::int64_t start_ns = 0;   // By a clock that all processes share.
  std::int64_t end_ns = 0;
  Histogram latency;              // Of one operation in 32.
  std::array<char, 512> error{};  // Text that ends with a zero; empty: no error.
};

absl::Status RunWorker(const Plan& plan, std::uint64_t part);

}  // namespace commy::tools::bench
