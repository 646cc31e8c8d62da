// Makes the stores that the operations of the kill and stop harness start from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "crash/actor.h"
#include "crash/model.h"
#include "crash/steps.h"
#include "index/hash/layout.h"

namespace commy::test {

struct Prepared {
  std::string image;  // The bytes of the file; empty: there is no file yet.
  Model model;
  std::string key;  // The key that the operation is about.
};

// A store with the namespaces "a" and "b" and a few keys in both.
class Preparer {
 public:
  static constexpr std::uint64_t kSlots = index::kSlotsPerBucket;
  static constexpr std::uint64_t kDeadForRebuild = 4;  // With fewer dead slots, a segment splits.

  // The part of the hash index that a new key of "a" belongs to.
  struct Shape {
    std::uint64_t directory_depth = 0;
    std::uint64_t segment_depth = 0;
    std::uint64_t taken = 0;   // Slots of the bucket.
    std::uint64_t dead = 0;    // Those of them that are dead.
    std::uint64_t bucket = 0;  // Of its segment.
    bool upper = false;        // In the upper half of all hashes.

    [[nodiscard]] bool full() const { return taken == kSlots; }
    [[nodiscard]] bool splits() const { return full() && dead < kDeadForRebuild; }
    [[nodiscard]] bool rebuilds() const { return full() && dead >= kDeadForRebuild; }
  };
  // The part of the ordered index that a key above all others belongs to.
  struct TreeShape {
    std::vector<std::uint64_t> children;  // Of the nodes on the way, from the root.
    std::uint64_t live = 0;               // In the leaf.
    std::uint64_t free = 0;               // Words of its append area.
  };

  // The random numbers of the store come from `seed`. `order` is that of "a". `max_bytes`: of the
  // store; 0: the usual size.
  Preparer(std::string path, std::uint64_t seed, Order order, std::uint64_t max_bytes = 0);

  void Do(const Step& step);
  // Puts keys of "b" until the store is full.
  void FillStore();
  // By another thread, and so with another lane.
  void DoInThread(const std::vector<Step>& steps);
  // Puts keys until an absent one has the wanted shape; returns that one. `deletes`: half of the
  // keys are deleted again.
  template <typename Wanted>
  std::string FillUntil(Wanted wanted, bool deletes = false) {
    for (int i = 0; i < 400; ++i) {
      for (int j = 0; j < 64; ++j) {
        const std::string key = absl::StrCat("new", i, "_", j);
        if (wanted(ShapeFor(key))) {
          return key;
        }
      }
      Do(Put(kA, absl::StrCat("fill", i), "f"));
      if (deletes && i % 2 == 0) {
        Do(Delete(kA, absl::StrCat("fill", i)));
      }
    }
    COMMY_CHECK(false);
    return "";
  }
  // Puts keys in their order until the last leaf has the wanted shape; returns the next key.
  template <typename Wanted>
  std::string AscendUntil(Wanted wanted) {
    for (int i = 1000; i < 1400; ++i) {
      if (wanted(LastLeaf())) {
        return absl::StrCat("z", i);
      }
      Do(Put(kA, absl::StrCat("z", i), "f"));
    }
    COMMY_CHECK(false);
    return "";
  }
  Shape ShapeFor(const std::string& key);
  TreeShape LastLeaf();

  // Closes the store. `key` is the one that the operation is about.
  Prepared Finish(const std::string& key);

 private:
  void Attach();

  const std::string path_;
  Actor actor_;
  Model model_;
};

}  // namespace commy::test
