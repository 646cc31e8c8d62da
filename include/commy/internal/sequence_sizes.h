// How large the pieces of sequences become. Not for users.
#pragma once

#include <cstdint>

#include "commy/export.h"

namespace commy::internal {

// Of what this process writes; it reads pieces of any sizes.
struct SequenceSizes {
  std::uint64_t run_bytes = 1024;       // At the ends, in the root: from here on they go to a leaf,
  std::uint64_t run_bytes_most = 8192;  // or, where others are in the way, from here on.
  std::uint64_t leaf_bytes = 4032;      // With its record's header a block of 4 KiB.
  std::uint64_t bulk_leaf_bytes = 65024;  // Where many elements come at once.
  std::uint64_t root_entries = 16;
  std::uint64_t node_entries = 64;
};

// The present ones. Small ones make rare paths happen often. Not while another thread uses a
// sequence.
COMMY_EXPORT const SequenceSizes& SizesOfSequences();
COMMY_EXPORT void SetSequenceSizes(const SequenceSizes& sizes);

}  // namespace commy::internal
