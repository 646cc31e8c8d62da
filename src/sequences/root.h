// The root of a sequence: the record under the empty key of its namespace. It has the elements at
// both ends, and the tree of those between them; each change of a sequence replaces it, so that a
// change has one moment.
//
//   sequence = what was returned to a queue, front run, tree, back run
//
//   offset  size  field
//   0x00       4  magic          "CSQ1"
//   0x04       4  height         of the tree: 0: its entries are leaves
//   0x08       8  tree_count     elements in the tree
//   0x10       8  next_node      the id of the next new node; ids are never used twice
//   0x18       4  entries        number of the tree's entries
//   0x1c       4  queue_bytes    of a queue's own part, at the end; see queue_state.h
//   0x20       4  front_width    0: elements of any sizes, each with its length before it
//   0x24       4  front_count
//   0x28       4  front_bytes
//   0x2c       4  back_width
//   0x30       4  back_count
//   0x34       4  back_bytes
//   0x38       8  reserved
//   0x40          the entries; the front run; the back run; the queue's part: each from the next
//                 multiple of 16 on
//
// An entry is {id:64, count:64, bytes:32, variable:32}: a leaf, whose bytes are its elements and
// nothing else, or an inner node, whose bytes are entries and nothing else. The key of a node is
// its id, 8 bytes, the highest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "sequences/run.h"

namespace commy::sequences {

struct RootHead {
  std::uint32_t magic = 0;
  std::uint32_t height = 0;
  std::uint64_t tree_count = 0;
  std::uint64_t next_node = 0;
  std::uint32_t entries = 0;
  std::uint32_t queue_bytes = 0;
  std::uint32_t front_width = 0;
  std::uint32_t front_count = 0;
  std::uint32_t front_bytes = 0;
  std::uint32_t back_width = 0;
  std::uint32_t back_count = 0;
  std::uint32_t back_bytes = 0;
  std::uint64_t reserved = 0;
};
static_assert(sizeof(RootHead) == 0x40);

struct Entry {
  std::uint64_t id = 0;
  std::uint64_t count = 0;
  std::uint32_t bytes = 0;     // Of a leaf; UINT32_MAX: at least that many.
  std::uint32_t variable = 0;  // 1: a leaf of elements of any sizes.
};
static_assert(sizeof(Entry) == 24);

inline constexpr std::uint32_t kRootMagic = 0x31515343;
inline constexpr std::uint32_t kHeightMax = 16;
inline constexpr std::uint64_t kRunAlign = 16;

// A root where it lies. The views are good as long as its bytes are.
struct RootView {
  std::uint32_t height = 0;
  std::uint64_t tree_count = 0;
  std::uint64_t next_node = 0;
  std::string_view entries;
  ElementRun front;
  ElementRun back;
  std::string_view queue;

  [[nodiscard]] std::uint64_t count() const { return front.count + tree_count + back.count; }
};

// DataLoss: the bytes are not those of a root. `what` is for people: which sequence.
absl::Status ParseRoot(std::string_view bytes, RootView* root);

// The bytes of a root. Of the runs up to three pieces, one behind the other; all of one width.
struct RunPieces {
  ElementRun first;
  ElementRun second;
};
// Overwrites `bytes`.
void EncodeRoot(const RootView& root, const RunPieces& front, const RunPieces& back,
                std::string* bytes);
void EncodeRoot(const RootView& root, std::string* bytes);

// The entries of a node, or of a root. nullopt: the bytes make no sense.
std::optional<std::vector<Entry>> ParseEntries(std::string_view bytes);
// Whether they have that many elements together, and each has some.
bool HaveTogether(const std::vector<Entry>& entries, std::uint64_t count);
inline std::string_view BytesOf(const std::vector<Entry>& entries) {
  return {reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry)};
}

// The key of a node.
class NodeKey {
 public:
  explicit NodeKey(std::uint64_t id) {
    for (int i = 7; i >= 0; --i) {
      bytes_[i] = static_cast<char>(id);
      id >>= 8U;
    }
  }
  [[nodiscard]] std::string_view view() const { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[8];
};

}  // namespace commy::sequences
