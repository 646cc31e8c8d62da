// Expiry: the words that say when something expires, and the search for expired records.
//
// WORDS     due, of a segment, a leaf or a root: 0; a time before which nothing expires; or a claim
// WRITER    lower-1  publish the record that expires, give it its time
//           lower-2  lower the word of its segment or leaf; a claim becomes "at once", since the
//                    sweep may have passed the record
//           lower-3  lower the root's word likewise, even if lower-2 had nothing to do: the thread
//                    that lowered the segment's word may be stopped before it lowers the root's
//           lower-4  is the segment or leaf frozen? Help, and again from lower-2
// SWEEP     due-1  a pass claims the root's word, if it is due, with a number of its own
//           due-2  it claims the next segment's or leaf's word, if that is due; lists what has
//                  expired
//           due-3  CAS the claim -> when something expires there again, or "at once" if it listed
//                  any
//           due-4  delete what is listed, each by an operation like any delete, if it is still
//                  expired; then due-2 for what is at that place now
//           due-5  behind the last one: CAS the root's claim -> the earliest of all
// DEATH     of a writer: its recoverer does lower-2 and lower-3, for the record is in a note. Of a
//           sweeper: a claim is due as well, and the next pass takes it over.
// WHY       docs/decisions/0011-expiry.md
// TESTED    tests/model/expiry_model_test.cc, tests/engine/expiry_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "namespaces/core.h"
#include "namespaces/roots.h"

namespace commy::namespaces {

// A pass of the expiry sweep through a namespace, in pieces. Of one process, which may forget it.
struct ExpiryPass {
  std::uint64_t root_offset = 0;  // In which it is; 0: it has not begun, or is over.
  std::uint64_t claim = 0;
  std::uint64_t next = 0;    // When something behind the place reached is due again.
  index::SlotPlace place;    // Nothing before it is due.
  std::uint64_t rounds = 0;  // Pieces that found something there and so stayed.
  bool stuck = false;        // Set by the caller if it could delete nothing of the last piece.
  std::uint64_t visits = 0;  // Of segments or leaves, so far.

  [[nodiscard]] bool under_way() const { return root_offset != 0; }
};

class Expiry {
 public:
  Expiry(Core& core, const Roots& roots) : core_(core), roots_(roots) {}

  // When a record of the namespace that is written now expires: at the given time, but for
  // kExpiryByDefault.
  [[nodiscard]] std::int64_t For(const NamespaceRef& ns, std::int64_t expiry_ns) const {
    if (expiry_ns != versions::kExpiryByDefault) {
      return expiry_ns;
    }
    const auto ttl_ns =
        static_cast<std::int64_t>(ns.object->default_ttl_ns.load(std::memory_order_relaxed));
    return ttl_ns <= 0 ? 0 : versions::ExpiryIn(ttl_ns, core_.session.clock().NowNs());
  }

  // Tells the sweep that the key's record expires then; called once it was published. (If its
  // writer was stopped in between, the sweep does not know of the key: it reads as absent, but
  // takes room.)
  base::Result Schedule(const NamespaceRef& ns, std::string_view key, std::int64_t expiry_ns) const;

  // A piece of a pass: adds the keys that have expired in the next segment or leaf that has any to
  // `keys`. The pass stays there until it finds none, or cannot delete them. If it adds none, they
  // are further on, or the pass is over, if it is not in progress afterwards. Begins a pass if
  // something is due. Cost: some thousand slots.
  base::Result FindExpired(const NamespaceRef& ns, std::int64_t now_ns, ExpiryPass* pass,
                           std::vector<std::string>* keys) const;
  // Adds the keys that have expired in the segment or leaf of `key` to `keys`. Cost: some hundred
  // slots.
  base::Result FindExpiredBeside(const NamespaceRef& ns, std::string_view key, std::int64_t now_ns,
                                 std::vector<std::string>* keys) const;

 private:
  // due-1. False: nothing is due.
  bool Begin(index::IndexRoot& root, std::uint64_t root_offset, std::int64_t now_ns,
             ExpiryPass* pass) const;
  // Adds the expired keys to `keys`; returns when there will be some again.
  std::uint64_t ListExpired(const index::SlotArray& slots, std::int64_t now_ns,
                            std::vector<std::string>* keys) const;

  Core& core_;
  const Roots& roots_;
};

}  // namespace commy::namespaces
