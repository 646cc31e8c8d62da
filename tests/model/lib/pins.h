// Pins, and blocks that wait for them.
//
// The engine gives a retired block a tag, and takes it back when the epoch has moved on twice. A
// model keeps the meaning of the tag: the set of processes that were pinned when the block was
// retired. The tags themselves are in epoch_model_test.cc.
#pragma once

#include <cstddef>
#include <iterator>

#include "model/lib/words.h"

namespace commy::model {

// Bit i: process i is pinned. `processes` has a `pinned` for each of them.
template <typename Processes>
U8 PinnedMask(const Processes& processes) {
  U8 mask = 0;
  int i = 0;
  for (const auto& process : processes) {
    if (process.pinned != 0) {
      mask |= Bit(i);
    }
    ++i;
  }
  return mask;
}

struct Block {
  enum State : U8 { kFree, kUsed, kRetired };
  U8 state;
  U8 waits;  // Bit i: process i was pinned when the block was retired, and has been since.
};

// CAS used -> retired. Returns whether it succeeded.
inline bool Retire(Block& block, U8 pinned) {
  if (block.state != Block::kUsed) {
    return false;
  }
  block = {Block::kRetired, pinned};
  return true;
}

// Calls `give_back(name)` for each retired block of `pool` that waits for no process in `pinned`.
// Names are indices from 1; each element of a pool has a `block`.
template <typename Pool, typename GiveBack>
void Collect(Pool& pool, U8 pinned, GiveBack&& give_back) {
  for (std::size_t name = 1; name < std::size(pool); ++name) {
    Block& block = pool[name].block;
    block.waits &= pinned;
    if (block.state == Block::kRetired && block.waits == 0) {
      give_back(static_cast<U8>(name));
    }
  }
}

// The name of the first free block that is not `except`, or 0.
template <typename Pool>
U8 FirstFree(const Pool& pool, U8 except = 0) {
  for (std::size_t name = 1; name < std::size(pool); ++name) {
    if (pool[name].block.state == Block::kFree && name != except) {
      return static_cast<U8>(name);
    }
  }
  return 0;
}

}  // namespace commy::model
