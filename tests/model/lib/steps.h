// How a model lists the steps that are possible in a state.
#pragma once

#include "model/lib/explorer.h"
#include "model/lib/words.h"

namespace commy::model {

// Emits the state after the next step of `actor`. `step(next, move)` changes a copy of `state` and
// names the step; if it leaves `move.what` null, the actor has no step.
template <typename State, typename Emit, typename Step>
void EmitStep(const State& state, int actor, Emit&& emit, Step&& step) {
  State next = state;
  Move move{actor, nullptr, nullptr};
  step(next, move);
  if (move.what != nullptr) {
    emit(next, move);
  }
}

}  // namespace commy::model
