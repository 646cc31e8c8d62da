// The slots of a bucket or a leaf, and the operations on them.
//
// A slot is 0 or a key with its value; it may be closed (deleted) or frozen (never changed again).
#pragma once

#include "model/lib/words.h"

namespace commy::model {

constexpr U8 kDead = 0x20;
constexpr U8 kFrozen = 0x40;

constexpr U8 Pack(U8 key, U8 value) {
  return static_cast<U8>(key | (value << 2U));
}
constexpr U8 KeyOf(U8 word) {
  return word & 3U;
}
constexpr U8 ValueOf(U8 word) {
  return (word >> 2U) & 7U;
}
constexpr U8 Thawed(U8 word) {
  return word & static_cast<U8>(~kFrozen);
}

// The operation of a process: a kind, which is a model's own, on a key.
template <typename Kind>
struct Operation {
  Kind kind{};
  U8 key = 0;
  U8 value = 0;
};

// Counts the live slots with `key`, frozen or not, and takes the value of the last one.
struct Found {
  int count = 0;
  U8 value = 0;
};
template <typename Slots>
Found Find(const Slots& slots, U8 key) {
  Found found;
  for (const U8 word : slots) {
    if ((word & kDead) == 0 && KeyOf(word) == key) {
      ++found.count;
      found.value = ValueOf(word);
    }
  }
  return found;
}

}  // namespace commy::model
