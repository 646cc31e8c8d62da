// A namespace's object in the file, which its handles refer to and its catalog entry names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/shared_atomic.h"
#include "index/root_layout.h"

namespace commy::namespaces {

using base::Shared64;

// The object of a namespace: a block that never moves while the namespace lives. A handle that
// outlived it finds another id there, or something else: ids are never used twice, and their top
// bits are those of no other kind of block's first word: see index::kNamespaceIdTag.
//
//   offset  size  field
//   0x00       8  id             never reused; 0: not a namespace
//   0x08       8  order          order of the keys: 1 hash, 2 ordered
//   0x10       8  root           offset of the present IndexRoot
//   0x18       8  default_ttl_ns
//   0x20       8  quota_bytes    {by path:1, bytes:63}: see namespaces/quota_gate.h; 0: none
//   0x28       8  change_word    {keys:1, sleepers:7, generation:55, awaited:1}: see
//                                namespaces/notify.h
//   0x30       8  type           offset of the TypeBlock; 0: keys and values are any bytes; 1: the
//                                namespace is being dropped
//   0x38       8  value_align    of the values that are put from now on: 16, 32 or 64; 0: 16
//   0x40       8  sums           of a counter: offset of the SumRoot; 0: it is none; 1: dropped
//   0x48       8  element_word   of a deque: those that wait for an element; see
//                                namespaces/queue_words.h
//   0x50       8  room_word      of a deque: those that wait for room
struct NamespaceObject {
  Shared64 id;
  Shared64 order;
  Shared64 root;
  Shared64 default_ttl_ns;
  Shared64 quota_bytes;
  Shared64 change_word;
  Shared64 type;
  Shared64 value_align;
  Shared64 sums;
  Shared64 element_word;
  Shared64 room_word;
  std::uint8_t reserved_0[0x28];
};
static_assert(sizeof(NamespaceObject) == 0x80);
static_assert(offsetof(NamespaceObject, change_word) == 0x28);
static_assert(offsetof(NamespaceObject, sums) == 0x40);

// In `type` and `sums`, and where a SumRoot names cells: what was there has been reclaimed.
inline constexpr std::uint64_t kPartGone = 1;

// The alignment of a value that is put now. Bytes that make no sense are not obeyed.
inline std::uint64_t ValueAlign(const NamespaceObject& object) {
  const std::uint64_t align = object.value_align.load(std::memory_order_relaxed);
  return align == 32 || align == 64 ? align : 16;
}

inline constexpr std::uint64_t kOrderHash = 1;
inline constexpr std::uint64_t kOrderOrdered = 2;

}  // namespace commy::namespaces
