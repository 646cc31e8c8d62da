// The participants that hold back replaced and deleted bytes, as sentences for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace commy::engine {

// Whether the pins of this process count: a caller that has been pinned for long leaves them out.
enum class OwnPins : std::uint8_t { kCount, kLeftOut };

// The participants that have been pinned for 0.1 s or hold snapshots, as sentences: "process 4711
// (indexer) has been in a read or an operation for 3s", "process 4711 (indexer) holds 2 snapshots".
std::vector<std::string> Holders(const Engine& engine, OwnPins own);

}  // namespace commy::engine
