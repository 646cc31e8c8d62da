// What a line of an input or output file stands for.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace commy::tools {

struct Record {
  std::string key;
  std::string value;
  absl::Duration ttl = absl::InfiniteDuration();  // Left from now; infinite: none.
};

}  // namespace commy::tools
