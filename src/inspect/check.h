// `Store::Check` and `commy check`: walks the whole file.
#pragma once

#include "absl/status/statusor.h"

#include "commy/info.h"
#include "engine/engine.h"

namespace commy::inspect {

absl::StatusOr<CheckReport> Check(const engine::Engine& engine);

}  // namespace commy::inspect
