#include "base/version.h"

namespace commy::base {

const std::string_view kVersion = COMMY_VERSION;

}  // namespace commy::base
