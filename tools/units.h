// Sizes, durations and counts, as people write and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace commy::tools {

// Bytes: "4096", "64GiB", "1.5 MiB", "10MB". K, M, G, T and KiB … TiB are powers of 1024; kB, MB,
// GB, TB of 1000. InvalidArgument: anything else, or more than 63 bits.
absl::StatusOr<std::uint64_t> ParseSize(std::string_view text);

// "500ms", "5s", "1h30m". InvalidArgument: anything else, or not above zero.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

// "1.5 MiB"; below a KiB "17 bytes".
std::string ShowSize(std::uint64_t bytes);

// "139,258"
std::string ShowCount(std::uint64_t count);

// Three digits are enough to read: "850 ns", "1.25 ms", "17.3 s".
std::string ShowDuration(absl::Duration duration);

}  // namespace commy::tools
