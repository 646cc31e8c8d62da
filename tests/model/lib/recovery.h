// Processes that are killed, and those that recover the lanes that they leave.
//
// A State has `process`, the registers of each process, and `lane`, its words in the file:
// `pinned`, its notes, `life` and `locked_by`, the process that holds the lane's lock, plus 1.
#pragma once

#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {

enum Life : U8 { kAlive, kKilled, kRecovered };

// A killed process loses its registers and its locks. Its pin and its notes stay.
template <typename State>
void KillProcess(State& state, int process) {
  --state.kills;
  state.process[process] = {};
  state.lane[process].life = kKilled;
  for (auto& lane : state.lane) {
    Cas(lane.locked_by, static_cast<U8>(process + 1), 0);
  }
}

// The registers of a killed process in a model that has its notes and its pin among them: it keeps
// the pin and the noted descriptor.
template <typename Process>
Process Killed(const Process& process) {
  Process killed{};
  killed.note_d = process.note_d;
  killed.pinned = 1;
  killed.life = kKilled;
  return killed;
}

// Emits, for each dead lane that no process recovers yet, that `recoverer` takes its lock and pins;
// `begin(registers, lane)` sets the recoverer's registers.
template <typename State, typename Emit, typename Begin>
void EmitRecoveries(const State& state, int recoverer, Emit&& emit, Begin&& begin) {
  U8 dead = 0;
  for (const auto& lane : state.lane) {
    if (lane.life == kKilled && lane.locked_by == 0) {
      EmitStep(state, recoverer, emit, [&](State& next, Move& move) {
        move.what = "takes a dead lane's lock and pins";
        next.lane[dead].locked_by = static_cast<U8>(recoverer + 1);
        next.lane[recoverer].pinned = 1;
        begin(next.process[recoverer], dead);
      });
    }
    ++dead;
  }
}

// Frees a recovered lane. No process of a model takes it again.
template <typename Lane>
void FreeLane(Lane& lane) {
  lane.life = kRecovered;
  lane.locked_by = 0;
}

// Clears the registers that no later step reads, so that equal states are found equal.
template <typename Process>
void Rest(Process& process) {
  const U8 ops = process.ops;
  process = {};
  process.ops = ops;
}

}  // namespace commy::model
