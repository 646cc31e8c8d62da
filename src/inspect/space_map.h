// A picture of the file, as figures: what each span is, and which namespace has most of it. For
// `commy stat --map`, which draws it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "engine/open_store.h"

namespace commy::inspect {

struct SpanPlace {
  alloc::SpanSpace space;
  // The namespace with the most bytes in it, as its place in SpaceMap::namespaces, plus one. 0: no
  // block of a namespace was met there.
  std::uint32_t owner = 0;
};

struct SpaceMap {
  struct Owner {
    std::string path;
    bool hidden = false;      // Of the library itself.
    std::uint64_t bytes = 0;  // Blocks that its index leads to, with their rounding.
  };
  std::uint64_t file_bytes = 0;
  std::uint64_t span_bytes = 0;
  std::uint64_t data_offset = 0;  // Where the spans begin; a multiple of span_bytes.
  std::vector<SpanPlace> spans;
  std::vector<Owner> namespaces;  // In the order of their paths.
};

// Walks all spans and all namespaces. Others may write: what they change meanwhile is seen before
// or after the change. Cost: linear in the number of blocks, and a bit of memory for each; nothing
// that is replaced is reused while it runs.
absl::StatusOr<SpaceMap> MapSpace(const engine::OpenStore& store);

}  // namespace commy::inspect
