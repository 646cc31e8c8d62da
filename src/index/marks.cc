#include "index/marks.h"

#include "base/check.h"

namespace commy::index {
namespace {

// How often a word that others change is tried again before it is left to the next beat.
constexpr int kClaimAttempts = 4;

}  // namespace

void SetMark(Shared64& word, std::uint64_t mark) {
  if (mark != kSweepAfterSnapshot) {
    word.store(kSweepNeeded, std::memory_order_seq_cst);  // sweep-1
    return;
  }
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while ((seen == 0 || seen == kSweepRunning) &&
         !word.compare_exchange(seen, mark, std::memory_order_seq_cst)) {
  }
}

void LowerDue(Shared64& word, std::uint64_t due) {
  COMMY_DCHECK(due != 0 && !IsDueClaim(due));
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while (seen == 0 || due < seen) {
    // A sweep that looks at this moment may have passed the record by: then at once again.
    const std::uint64_t wanted = IsDueClaim(seen) ? kDueAtOnce : due;
    if (word.compare_exchange(seen, wanted, std::memory_order_seq_cst)) {
      return;
    }
  }
}

void PassDueOn(const Shared64& from, Shared64& to) {
  const std::uint64_t due = from.load(std::memory_order_seq_cst);
  if (due != 0) {
    LowerDue(to, IsDueClaim(due) ? kDueAtOnce : due);
  }
}

bool ClaimDue(Shared64& word, std::int64_t now_ns, std::uint64_t claim) {
  COMMY_DCHECK(IsDueClaim(claim));
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  for (int attempt = 0; attempt < kClaimAttempts && IsDue(seen, now_ns); ++attempt) {
    if (word.compare_exchange(seen, claim, std::memory_order_seq_cst)) {  // due-1, due-2
      return true;
    }
  }
  return false;
}

}  // namespace commy::index
