// The chain of one key's versions, and the slots that lead to it.
//
// A State has `slot`, words that name a record or say kDeadSlot, whereupon the next one counts, and
// `record`, whose elements have `prev`: the version below, with a frozen bit when it is final.
#pragma once

#include "model/lib/words.h"

namespace commy::model {

constexpr U8 kFrozenPrev = 0x40;
constexpr U8 kDeadSlot = 0xff;

// The version below `name`, or 0.
template <typename State>
U8 Prev(const State& state, U8 name) {
  return state.record[name].prev & static_cast<U8>(~kFrozenPrev);
}

// The newest version, or 0.
template <typename State>
U8 Head(const State& state) {
  for (const U8 word : state.slot) {
    if (word != kDeadSlot) {
      return word;
    }
  }
  return 0;
}

template <typename State>
bool IsReachable(const State& state, U8 name) {
  for (U8 at = Head(state); at != 0; at = Prev(state, at)) {
    if (at == name) {
      return true;
    }
  }
  return false;
}

}  // namespace commy::model
