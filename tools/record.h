// The content of one line of an input or output file.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace commy::tools {

struct Record {
  std::string key;
  std::string value;
  absl::Duration ttl = absl::InfiniteDuration();  // Time left from now; infinite: none.
};

}  // namespace commy::tools
