#include "namespaces/expiry.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using index::IndexRoot;

constexpr int kScheduleAttempts = 1000;
// A piece of a pass ends after this many slots, or words of segments and leaves.
constexpr std::uint64_t kLooksAtOnce = 4096;
// A pass stays for at most this many rounds where it goes on finding something. Neighbouring keys
// come there as leaves are merged, and keys that expire at once may be put there.
constexpr std::uint64_t kRoundsMax = 256;
// A record of an undecided transaction is looked at again after this time.
constexpr std::int64_t kUndecidedAgainNs = 1'000'000'000;

// The earlier of two times, of which 0 is none.
std::uint64_t Earlier(std::uint64_t a, std::uint64_t b) {
  return a == 0 || (b != 0 && b < a) ? b : a;
}

}  // namespace

Result Expiry::Schedule(const NamespaceRef& ns, std::string_view key,
                        std::int64_t expiry_ns) const {
  const auto due = static_cast<std::uint64_t>(std::max<std::int64_t>(expiry_ns, index::kDueAtOnce));
  const std::uint64_t hash = core_.Hash(key);
  for (int attempt = 0; attempt < kScheduleAttempts; ++attempt) {
    std::uint64_t root_offset = 0;
    IndexRoot* root = nullptr;
    COMMY_TRY(roots_.Current(ns, &root_offset, &root));
    COMMY_ASSIGN_OR_RETURN(const index::SlotArray at, core_.ShapeOf(ns).SlotsOf(*root, key, hash));
    if (at.offset == 0) {
      continue;
    }
    index::LowerDue(*at.due, due);
    index::LowerDue(root->due, due);
    // A reshape that is in flight may have passed the word on before; but it froze first.
    if (!index::SlotIsFrozen(at.words[0].load(std::memory_order_seq_cst))) {
      return Outcome::kDone;
    }
    COMMY_TRY(roots_.HelpFrozen(ns, root_offset, *root));
  }
  return Outcome::kDone;
}

std::uint64_t Expiry::ListExpired(const index::SlotArray& slots, std::int64_t now_ns,
                                  std::vector<std::string>* keys) const {
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (index::SlotIsEmpty(word) || index::SlotIsClosed(word)) {
      continue;
    }
    const versions::RecordView view = versions::ViewRecord(core_.region, index::SlotOffset(word));
    if (!view.valid()) {
      continue;  // Damaged; for `check` to report.
    }
    if (versions::ResolveCommit(core_.region, view.record->commit) > versions::kCommitTimeMax) {
      // The version below may come back, and expires, too.
      next = Earlier(next, static_cast<std::uint64_t>(now_ns + kUndecidedAgainNs));
    } else if (view.expiry_ns() != 0 && !view.tombstone()) {
      if (view.expiry_ns() <= now_ns) {
        keys->emplace_back(view.key);
        next = index::kDueAtOnce;  // Until a later look finds that they are gone.
      } else {
        next = Earlier(next, static_cast<std::uint64_t>(view.expiry_ns()));
      }
    }
  }
  return next;
}

bool Expiry::Begin(IndexRoot& root, std::uint64_t root_offset, std::int64_t now_ns,
                   ExpiryPass* pass) const {
  *pass = ExpiryPass();
  if (!index::IsDue(root.due.load(std::memory_order_acquire), now_ns)) {
    return false;
  }
  pass->claim = index::kDueClaim |
                (core_.region.header().due_claims.fetch_add(1, std::memory_order_seq_cst) + 1);
  if (!index::ClaimDue(root.due, now_ns, pass->claim)) {  // due-1
    return false;
  }
  pass->root_offset = root_offset;
  return true;
}

Result Expiry::FindExpired(const NamespaceRef& ns, std::int64_t now_ns, ExpiryPass* pass,
                           std::vector<std::string>* keys) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &root_offset, &root));
  if (pass->root_offset != root_offset && !Begin(*root, root_offset, now_ns, pass)) {
    return Outcome::kDone;
  }
  COMMY_DCHECK(pass->under_way() && index::IsDueClaim(pass->claim));
  // Keys that could not be deleted, or do not come to an end, are left to a later pass.
  bool skip = pass->stuck || pass->rounds == kRoundsMax;
  const std::uint64_t rounds = std::exchange(pass->rounds, 0);
  pass->stuck = false;
  bool is_first = true;
  std::uint64_t looks = 0;
  COMMY_ASSIGN_OR_RETURN(
      const bool all,
      core_.ShapeOf(ns).ForEachSlotsFrom(
          *root, &pass->place, [&](const index::SlotArray& slots) -> absl::StatusOr<bool> {
            const bool was_first = std::exchange(is_first, false);
            if (++looks > kLooksAtOnce) {
              return false;
            }
            ++pass->visits;
            const std::uint64_t due = slots.due->load(std::memory_order_seq_cst);
            if (!index::IsDue(due, now_ns)) {
              pass->next = Earlier(pass->next, due);
              return true;
            }
            if (std::exchange(skip, false) ||
                !index::ClaimDue(*slots.due, now_ns, pass->claim)) {  // due-2
              pass->next = index::kDueAtOnce;
              return true;
            }
            looks += slots.count;
            const std::uint64_t again = ListExpired(slots, now_ns, keys);
            const bool told =
                slots.due->CompareAndSet(pass->claim, again, std::memory_order_seq_cst);  // due-3
            if (!keys->empty()) {
              pass->rounds = was_first ? rounds + 1 : 1;
              return false;
            }
            pass->next = Earlier(pass->next, told ? again : index::kDueAtOnce);
            return true;
          }));
  if (all) {
    root->due.CompareAndSet(pass->claim, pass->next, std::memory_order_seq_cst);  // due-5
    pass->root_offset = 0;
  }
  return Outcome::kDone;
}

Result Expiry::FindExpiredBeside(const NamespaceRef& ns, std::string_view key, std::int64_t now_ns,
                                 std::vector<std::string>* keys) const {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &root_offset, &root));
  COMMY_ASSIGN_OR_RETURN(const index::SlotArray at,
                         core_.ShapeOf(ns).SlotsOf(*root, key, core_.Hash(key)));
  if (at.offset != 0) {
    (void)ListExpired(at, now_ns, keys);
  }
  return Outcome::kDone;
}

}  // namespace commy::namespaces
