// Whether some order of the calls of several participants explains all their outcomes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "crash/model.h"
#include "crash/steps.h"

namespace commy::test {

// One call of the survivor.
struct Seen {
  const Step* step;
  std::string result;
  bool after_victim;  // The victim had ended before it.
};

struct History {
  const Step* prior = nullptr;               // Of an earlier victim; null: there was none.
  std::span<const std::string> prior_told;   // Its outcome; empty: it was killed.
  std::span<const Step> victim;              // The victim's steps,
  std::span<const std::string> victim_told;  // and their outcomes; empty: it was killed.
  std::span<const Seen> survivor;
};

// Whether there is an order in which `model` answers every step as it was answered. The earlier
// victim's step, and the last steps of a killed victim, may be left out.
bool IsExplained(const History& history, const Model& model);
// The history as text.
std::string Told(const History& history);

}  // namespace commy::test
