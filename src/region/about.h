// What an error is about.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "base/status.h"

namespace commy::region {

// Prefixes a status with the path that it is about, unless it names it already.
inline absl::Status About(const std::string& path, const absl::Status& status) {
  if (status.ok() || base::ToStd(status.message()).find(path) != std::string_view::npos) {
    return status;
  }
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace commy::region
