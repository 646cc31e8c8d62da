// Expiry: the words that say when something expires, and the search for expired records.
//
// WORDS     due, of a segment, a leaf or a root: 0; a time before which nothing expires; or a claim
// STEPS     due-1  a pass claims the root's word, with a number of its own
//           due-2  it claims each segment's or leaf's word that is due
//           due-3  looks through its slots; CAS the claim -> when something expires there again
//           due-4  CAS the root's claim -> the earliest of these
//           A writer lowers the word of its segment or leaf, and then the root's, once its record
//           is published. Where it meets a claim, it lowers it to "at once", since the sweep may
//           have passed its record.
// DEATH     a claim is due as well: the next pass takes it over.
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
