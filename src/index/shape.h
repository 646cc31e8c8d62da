// The shape of an index: where the slots of keys are, and how their arrays are replaced.
//
// This floor knows slots. Of namespaces it knows the id alone, of transactions their intents, of
// waiting nothing. It may touch versions/ and what is below. Two shapes implement this interface,
// hash/hash_shape.h and tree/tree_shape.h; the face that namespaces use is namespaces/map.h. Begin
// reading in slots.h, then here.
//
// RESHAPE   Changes of shape are made one at a time in a root, each posted in its `pending_reshape`
//           word (the literature calls one a structure modification operation):
//             reshape-1  the poster allocates and zeroes the replacements of the old array, makes a
//                        descriptor, and posts it: CAS pending 0 -> descriptor
//                        A post may come too late, when the old one has been replaced already; then
//                        the memory of the old one may be reused while later helpers read the word.
//                        So a helper first looks whether the old one is still in place, and then
//                        whether the word still names the descriptor (which keeps the poster's pin
//                        up, and so the old one's memory); only then does it touch the old one. If
//                        the old one is not in place, it goes to reshape-5 at once. The poster
//                        retires targets that nothing names.
//             reshape-2  set the frozen bit in every slot of the old one (words that are changed
//                        only by reshapes need none: directories, and the child words of inner
//                        nodes)
//             reshape-3  fill the replacements: CAS of each word from 0
//             reshape-4  CAS the word that names the old one: old -> replacement
//             reshape-5  CAS pending descriptor -> 0
//             reshape-6  retire the old one and the descriptor
//           reshape-2 to reshape-5 are done by every process that comes by, any number at once:
//           frozen slots do not change, so all fill in the same words in the same order, and a
//           late CAS from 0 fails, since a word never goes back to 0 in its array's life. A late
//           reshape-4 fails too: the old offset cannot come back while the helper is pinned. The
//           poster noted the old one, the replacements and the descriptor, and does reshape-6;
//           else its recoverer does.
// RECLAIM   of a root that was cleared away or dropped, when no snapshot needs it, in pieces:
//             reclaim-1  finish a posted reshape; CAS pending 0 -> closed: nothing changes shape
//                        any more
//             reclaim-2  array by array: freeze its slots, make every head final (an active
//                        transaction is aborted), and then block by block: note, CAS its word away,
//                        retire
// READERS   read frozen slots like others, and never help, except that they resolve each record
//           that they return.
// DEATH     after each step the next process that meets it goes on; blocks that nothing names are
//           in the notes.
// TESTED    tests/model/split_model_test.cc, tests/model/tree_model_test.cc, tests/index/,
//           tests/crash/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "base/hash.h"
#include "index/edges.h"
#include "index/marks.h"
#include "index/root_layout.h"
#include "index/slots.h"
#include "process/operation.h"
#include "process/session.h"
#include "versions/chain.h"

namespace commy::index {

class Shape {
 public:
  Shape(process::Session& session, alloc::Allocator& allocator, const versions::Chains& chains,
        const versions::Intents& intents);
  Shape(const Shape&) = delete;
  Shape& operator=(const Shape&) = delete;
  virtual ~Shape() = default;

  // All methods need the caller's pin, or its operation's. DataLoss names the offset of the damage.

  [[nodiscard]] std::uint64_t Hash(std::string_view key) const {
    return base::HashKey(key, region_.geometry().hash_seed);
  }

  // Builds an empty, unpublished root and returns its offset.
  absl::StatusOr<std::uint64_t> BuildRoot(process::Operation& op, std::uint64_t namespace_id,
                                          std::uint64_t prev, alloc::Purpose purpose);

  // --- Slots -----------------------------------------------------------------------------------

  // Where a writer finds the key; `at` knows the root already.
  virtual absl::StatusOr<Found> FindPlace(std::string_view key, std::uint64_t hash,
                                          Position* at) const = 0;
  // The array in which the key would be.
  virtual absl::StatusOr<SlotArray> SlotsOf(const IndexRoot& root, std::string_view key,
                                            std::uint64_t hash) const = 0;
  // Calls `use` for the array of slots at the place and those behind it, as far as none of them is
  // replaced meanwhile, until it returns false. Then the place is the beginning of the array for
  // which it returned false, or before that. True: there is no further one.
  virtual absl::StatusOr<bool> ForEachSlotsFrom(
      const IndexRoot& root, SlotPlace* place,
      absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const = 0;
  // The same for all arrays.
  absl::Status ForEachSlots(const IndexRoot& root,
                            absl::FunctionRef<absl::Status(const SlotArray&)> use) const;

  // --- Reshapes --------------------------------------------------------------------------------

  // Makes room where `at` found none, or helps another process to; the caller then looks again.
  virtual absl::Status MakeRoom(process::Operation& op, const Position& at, std::string_view key,
                                std::uint64_t hash) = 0;
  // A slot of the key's array was closed. An occasion to shrink; a failure leaves that for later.
  virtual void AfterClose(process::Operation& op, IndexRoot& root, std::string_view key);
  // Replaces by copies the array of slots at `array`, and the index's own blocks on the way to it,
  // as far as `moves` is true for their offsets; merges it with a neighbour instead where both are
  // sparse. An array that is not in place any more is passed by.
  virtual absl::Status MoveStructure(process::Operation& op, IndexRoot& root, std::uint64_t array,
                                     absl::FunctionRef<bool(std::uint64_t)> moves) = 0;
  // Helps with what is posted in the root, if anything is.
  absl::Status HelpPending(IndexRoot& root);

  // --- Whole roots -----------------------------------------------------------------------------

  // reclaim-1 and reclaim-2, for all but the root itself. False: the (monotonic) deadline passed
  // first.
  absl::StatusOr<bool> Reclaim(process::Operation& op, IndexRoot& root, std::int64_t deadline_ns);
  // Whether the root, or something below it, names the block.
  absl::StatusOr<bool> IsReachable(const IndexRoot& root, std::uint64_t root_offset,
                                   region::BlockKind kind, std::uint64_t offset) const;
  // The one walk over a root: see edges.h.
  absl::Status ForEachEdge(IndexRoot& root, const EdgeWalk& walk) const;

 protected:
  // The structure of an empty index: what the root's directory word will name.
  virtual absl::StatusOr<std::uint64_t> BuildEmpty(process::Operation& op,
                                                   alloc::Purpose purpose) = 0;
  // Whether the block that a posted reshape replaces is still in place. False, and no error, if the
  // content there makes no sense: then it is another block's memory now.
  virtual absl::StatusOr<bool> IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const = 0;
  // reshape-2 to reshape-4.
  virtual absl::Status Apply(IndexRoot& root, std::uint64_t descriptor) = 0;
  // reclaim-2 for everything below the root's directory word. False: the deadline passed first.
  virtual absl::StatusOr<bool> ReclaimStructure(process::Operation& op, IndexRoot& root,
                                                std::int64_t deadline_ns) = 0;
  virtual absl::StatusOr<bool> IsStructureReachable(const IndexRoot& root, region::BlockKind kind,
                                                    std::uint64_t offset) const = 0;
  // ForEachEdge below the root's directory word.
  virtual absl::Status WalkStructure(IndexRoot& root, const EdgeWalk& walk) const = 0;

  // For assertions: whether the root is as a reshape leaves it, around the place of this one. Only
  // words that never change are compared, so that others may go on meanwhile.
  [[nodiscard]] virtual bool IsConsistentAround(const IndexRoot& root,
                                                std::uint64_t descriptor) const = 0;

  // reshape-2 to reshape-5.
  absl::Status Help(IndexRoot& root, std::uint64_t descriptor);
  // reclaim-1.
  absl::Status ClosePending(IndexRoot& root);
  // reclaim-2 for a whole array.
  absl::Status ReclaimSlots(process::Operation& op, const SlotArray& slots);
  // Walks the records of a slot. `belongs` says whether a key may be there.
  void WalkSlot(const IndexRoot& root, Shared64& slot, const EdgeWalk& walk,
                absl::FunctionRef<bool(std::string_view key, std::uint64_t hash)> belongs) const;

  [[nodiscard]] absl::Status Damaged(std::string_view what, std::uint64_t offset) const {
    return versions::Damaged(region_, what, offset);
  }
  [[nodiscard]] bool IsTimeUp(std::int64_t deadline_ns) const {
    return session_.platform().MonotonicNs() >= deadline_ns;
  }
  absl::StatusOr<Found> WalkSlots(Shared64* slots, std::uint64_t count, std::string_view key,
                                  std::uint64_t hash, Position* at) const {
    return index::WalkSlots(region_, allocator_, slots, count, key, hash, at);
  }

  process::Session& session_;
  region::Region& region_;
  alloc::Allocator& allocator_;
  const versions::Chains& chains_;
  const versions::Intents& intents_;

 private:
  void ReclaimSlot(process::Operation& op, Shared64& slot, std::uint64_t word,
                   std::uint32_t first_note);
  void CloseCounters(process::Operation& op, IndexRoot& root);
};

}  // namespace commy::index
