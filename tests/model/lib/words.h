// The words of a model's state, and the changes that one step may make to one of them.
#pragma once

#include <cstdint>
#include <type_traits>

namespace commy::model {

// All of a state is made of these, so that every bit of it is significant.
using U8 = std::uint8_t;

constexpr U8 Bit(int index) {
  return static_cast<U8>(1U << static_cast<unsigned>(index));
}

// Compare and swap. Returns whether `word` was `expected`, and therefore is `desired` now.
template <typename Word>
constexpr bool Cas(Word& word, std::type_identity_t<Word> expected,
                   std::type_identity_t<Word> desired) {
  if (!(word == expected)) {
    return false;
  }
  word = desired;
  return true;
}

// Gives an undecided commit word the next time, in a model to which the two steps are one.
constexpr void Resolve(U8& commit, U8& clock) {
  if (commit == 0) {
    commit = ++clock;
  }
}

}  // namespace commy::model
