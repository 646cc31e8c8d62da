// Structs through pipes.
#pragma once

#include <cstddef>

namespace commy::tools::bench {

// Whether all of it was read, or written. Goes on when a signal interrupts it.
bool ReadAll(int fd, void* bytes, std::size_t size);
bool WriteAll(int fd, const void* bytes, std::size_t size);

}  // namespace commy::tools::bench
