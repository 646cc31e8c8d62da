// The version of this library, as `commy --version` prints it.
#pragma once

#include <string_view>

namespace commy::base {

extern const std::string_view kVersion;  // "major.minor.patch"; meson.build has the number.

}  // namespace commy::base
