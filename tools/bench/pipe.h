// Structs through pipes.
#pragma once

#include <cstddef>

namespace commy::tools::bench {

// Return whether all bytes were read or written. A signal does not end them.
bool ReadAll(int fd, void* bytes, std::size_t size);
bool WriteAll(int fd, const void* bytes, std::size_t size);

}  // namespace commy::tools::bench
