// Expiry: the words that say when something expires, and the look for what has.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::Operation;

// How often a word that others change is tried again before it is left to the next beat.
constexpr int kClaimAttempts = 4;
constexpr int kNoteAttempts = 1000;
// A piece of a pass ends when it has looked at so many slots, or words of segments and leaves.
constexpr std::uint64_t kLooksAtOnce = 4096;
// A pass stays so long where it goes on finding something: what is next to it comes there as leaves are
// merged, and somebody may put what expires at once.
constexpr std::uint64_t kRoundsMax = 256;
// What a transaction has not decided yet is looked at again after this time.
constexpr std::int64_t kUndecidedAgainNs = 1'000'000'000;

// The earlier of two times, of which 0 is none.
std::uint64_t Earlier(std::uint64_t a, std::uint64_t b) {
  return a == 0 || (b != 0 && b < a) ? b : a;
}

}  // namespace

void Index::LowerDue(Shared64& word, std::uint64_t due) {
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while (seen == 0 || due < seen) {
    // Who looks at that moment may have passed by what this is about: then at once again.
    const std::uint64_t wanted = IsDueClaim(seen) ? kDueAtOnce : due;
    if (word.compare_exchange(seen, wanted, std::memory_order_seq_cst)) {
      return;
    }
  }
}

void Index::PassDueOn(const Shared64& from, Shared64& to) {
  const std::uint64_t due = from.load(std::memory_order_seq_cst);
  if (due != 0) {
    LowerDue(to, IsDueClaim(due) ? kDueAtOnce : due);
  }
}

absl::Status Index::NoteExpiry(const Anchor& anchor, std::string_view key, std::int64_t expiry_ns) {
  const auto due = static_cast<std::uint64_t>(std::max<std::int64_t>(expiry_ns, kDueAtOnce));
  const std::uint64_t hash = Hash(key);
  for (int attempt = 0; attempt < kNoteAttempts; ++attempt) {
    std::uint64_t root_offset = 0;
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
    COMMY_ASSIGN_OR_RETURN(const SlotArray at, SlotsOf(*root, key, hash));
    if (at.offset == 0) {
      continue;
    }
    LowerDue(*at.due, due);
    LowerDue(root->due, due);
    // A change that is under way may have passed the word on before; but it froze first.
    if (!SlotIsFrozen(at.words[0].load(std::memory_order_seq_cst))) {
      return absl::OkStatus();
    }
    Position frozen;
    frozen.root = root;
    frozen.root_offset = root_offset;
    COMMY_RETURN_IF_ERROR(HelpFrozen(anchor, frozen));
  }
  return absl::OkStatus();
}

std::uint64_t Index::ListExpired(const SlotArray& slots, std::int64_t now_ns,
                                 std::vector<std::string>* keys) const {
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word) || SlotIsDead(word)) {
      continue;
    }
    const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
    if (!view.valid()) {
      continue;  // Damaged; for `check` to report.
    }
    if (versions::SettleWord(region_, view.record->commit) > versions::kCommitTimeMax) {
      // What is below may come back, and expires, too.
      next = Earlier(next, static_cast<std::uint64_t>(now_ns + kUndecidedAgainNs));
    } else if (view.record->expiry_ns != 0 && !view.tombstone()) {
      if (view.record->expiry_ns <= now_ns) {
        keys->emplace_back(view.key);
        next = kDueAtOnce;  // Until a later look finds that they are gone.
      } else {
        next = Earlier(next, static_cast<std::uint64_t>(view.record->expiry_ns));
      }
    }
  }
  return next;
}

bool Index::ClaimDue(Shared64& word, std::int64_t now_ns, std::uint64_t claim) {
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  for (int attempt = 0; attempt < kClaimAttempts && IsDue(seen, now_ns); ++attempt) {
    if (word.compare_exchange(seen, claim, std::memory_order_seq_cst)) {
      return true;
    }
  }
  return false;
}

bool Index::BeginPass(IndexRoot& root, std::uint64_t root_offset, std::int64_t now_ns,
                      ExpiryPass* pass) {
  *pass = ExpiryPass();
  if (!IsDue(root.due.load(std::memory_order_acquire), now_ns)) {
    return false;
  }
  pass->claim =
      kDueClaim | (region_.header().due_claims.fetch_add(1, std::memory_order_seq_cst) + 1);
  if (!ClaimDue(root.due, now_ns, pass->claim)) {  // E1
    return false;
  }
  pass->root_offset = root_offset;
  return true;
}

absl::Status Index::FindExpired(const Anchor& anchor, std::int64_t now_ns, ExpiryPass* pass,
                                std::vector<std::string>* keys) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &root_offset));
  if (pass->root_offset != root_offset && !BeginPass(*root, root_offset, now_ns, pass)) {
    return absl::OkStatus();
  }
  // What could not be deleted, or does not come to an end, is left to a later pass.
  bool skip = pass->stuck || pass->rounds == kRoundsMax;
  const std::uint64_t rounds = std::exchange(pass->rounds, 0);
  pass->stuck = false;
  bool is_first = true;
  std::uint64_t looks = 0;
  COMMY_ASSIGN_OR_RETURN(
      const bool all,
      ForEachSlotsFrom(*root, &pass->place, [&](const SlotArray& slots) -> absl::StatusOr<bool> {
        const bool was_first = std::exchange(is_first, false);
        if (++looks > kLooksAtOnce) {
          return false;
        }
        ++pass->visits;
        const std::uint64_t due = slots.due->load(std::memory_order_seq_cst);
        if (!IsDue(due, now_ns)) {
          pass->next = Earlier(pass->next, due);
          return true;
        }
        if (std::exchange(skip, false) || !ClaimDue(*slots.due, now_ns, pass->claim)) {  // E2
          pass->next = kDueAtOnce;
          return true;
        }
        looks += slots.count;
        const std::uint64_t again = ListExpired(slots, now_ns, keys);
        const bool told =
            slots.due->CompareAndSet(pass->claim, again, std::memory_order_seq_cst);  // E3
        if (!keys->empty()) {
          pass->rounds = was_first ? rounds + 1 : 1;
          return false;
        }
        pass->next = Earlier(pass->next, told ? again : kDueAtOnce);
        return true;
      }));
  if (all) {
    root->due.CompareAndSet(pass->claim, pass->next, std::memory_order_seq_cst);  // E4
    pass->root_offset = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Index::DeleteExpired(Operation& op, const Anchor& anchor,
                                          std::string_view key) {
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(Write(
      op, anchor, key,
      [](const versions::RecordView* /*live*/) {
        return Decision{Decide::kExpire, std::string_view(), 0};
      },
      &outcome));
  return outcome.changed;
}

absl::Status Index::ForEachSlots(const IndexRoot& root,
                                 absl::FunctionRef<absl::Status(const SlotArray&)> use) const {
  SlotPlace place;
  return ForEachSlotsFrom(root, &place,
                          [&](const SlotArray& slots) -> absl::StatusOr<bool> {
                            COMMY_RETURN_IF_ERROR(use(slots));
                            return true;
                          })
      .status();
}

}  // namespace commy::index
