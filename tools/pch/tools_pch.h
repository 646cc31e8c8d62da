// The headers that most of the command line includes, precompiled. CLI11 and nlohmann-json are not
// among them: they would cost the files that do not include them more time than they save the
// others. A source still includes all that it uses: -Db_pch=false builds without this.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

#include "commy/commy.h"
