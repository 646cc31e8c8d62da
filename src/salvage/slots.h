// Where the index of a namespace has its slots, in a file of which any part may be wrong.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

#include "base/shared_atomic.h"
#include "salvage/image.h"
#include "salvage/names.h"

namespace commy::salvage {

// Calls `use` for every array of slots that the index of `ns` leads to and that makes sense. False:
// some part of the index does not, so there may be more.
bool ForEachSlots(const Image& image, const SalvagedNamespace& ns,
                  absl::FunctionRef<void(const base::Shared64* slots, std::uint64_t count)> use);

}  // namespace commy::salvage
