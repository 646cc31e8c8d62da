// The content of one line of an input or output file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace commy::tools {

struct Record {
  std::string key;
  std::string value;
  absl::Duration ttl = absl::InfiniteDuration();  // Time left from now; infinite: none.
  // When it expires, in nanoseconds of store time. A record has only one of the two.
  std::optional<std::int64_t> expiry_ns = std::nullopt;
  // A key in the namespace of a counter, where the API of bytes puts some; else its value.
  bool beside_counter = false;
};

}  // namespace commy::tools
