#include "versions/intents.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "process/notes.h"
#include "versions/commit_clock.h"

namespace commy::versions {
namespace {

constexpr std::uint64_t kTotalLimit = std::uint64_t{1} << 32U;
// A transaction's status moves three times.
constexpr int kStatusLimit = 1'000;
// Looks at a status before the processor is yielded, and at most in all (should the clock stand
// still).
constexpr int kSpins = 200;
constexpr int kSpinLimit = 1'000'000;
// Between two later looks of a transaction, and how many there are at most.
constexpr std::chrono::microseconds kPause{100};
constexpr int kLookLimit = 100'000;

void Stamp(Shared64& commit, std::uint64_t intent, std::uint64_t final_status) {
  COMMY_DCHECK(IsIntent(intent) && (final_status & kStatusOpen) == 0);
  commit.CompareAndSet(intent, final_status, std::memory_order_seq_cst);
  COMMY_DCHECK(!IsIntent(commit.load(std::memory_order_relaxed)));  // V2
}

}  // namespace

absl::StatusOr<TransactionHead*> Intents::HeadAt(std::uint64_t offset) const {
  auto* const head = region_.At<TransactionHead>(offset);
  const bool good =
      head != nullptr &&
      (head->isolation == kSnapshotIsolation || head->isolation == kSerializable) &&
      head->total_capacity <= kTotalLimit &&
      region_.At(offset, FirstPageStart(head->total_capacity) + PageBytes(0), 16) != nullptr;
  if (!good) [[unlikely]] {
    return base::DataLoss(region_.path(), ": a transaction at ", base::Hex(offset),
                          " does not make sense; `commy check` tells more");
  }
  return head;
}

void Intents::GiveTime(TransactionHead& head) const {
  const std::uint64_t now = DrawCommitTime(region_);
  head.status.CompareAndSet(kStatusCommitting,
                            head.isolation == kSerializable ? kStatusPrepared | now : now,
                            std::memory_order_seq_cst);
  // The status only moves on.
  COMMY_DCHECK(head.status.load(std::memory_order_relaxed) != kStatusCommitting);
}

void Intents::ResolveWriters(std::uint64_t object_offset) const {
  for (std::uint32_t i = 0; i < region_.lanes_ready(); ++i) {
    // The note of a transaction is the first of its lane. The pin was there before it is read, so
    // the block stays what it is: see STALLED.
    const process::Note note =
        process::ReadNote(region_.lane(i).notes[0].load(std::memory_order_seq_cst));
    if (note.kind != region::BlockKind::kTransaction) {
      continue;
    }
    const absl::StatusOr<TransactionHead*> head = HeadAt(note.offset_bytes);
    if (!head.ok() || !WritesIn(**head, object_offset)) {
      continue;  // Or damaged; for `check` to report.
    }
    // clear-2.
    (*head)->status.CompareAndSet(kStatusActive, kCommitAborted, std::memory_order_seq_cst);
    if ((*head)->status.load(std::memory_order_seq_cst) == kStatusCommitting) {
      GiveTime(**head);
    }
  }
}

bool Intents::WritesIn(const TransactionHead& head, std::uint64_t object_offset) {
  if (head.list_sum.load(std::memory_order_seq_cst) == 0) {  // CLEAR: after the mark
    return false;
  }
  const auto* const totals = reinterpret_cast<const TransactionTotal*>(&head + 1);
  for (std::uint64_t i = 0; i < head.total_capacity; ++i) {
    if (totals[i].object == object_offset) {
      return true;
    }
  }
  return false;
}

const region::LaneLayout* Intents::LaneOf(const TransactionHead& head) const {
  return head.lane < region_.lanes_ready() ? &region_.lane(head.lane) : nullptr;
}

Intents::Stand Intents::WaitAsPut(const TransactionHead& head, std::uint64_t seen) const {
  const region::LaneLayout* const lane = LaneOf(head);
  const std::int64_t start = platform_.MonotonicNs();
  const std::int64_t patience_ns =
      lane == nullptr ? 0 : kPutPatienceNs << std::min(head.attempt, kPutPatienceDoublings);
  Watch watch(lane == nullptr ? head.status : lane->progress, start);
  for (int spin = 0; spin < kSpinLimit; ++spin) {
    if (head.status.load(std::memory_order_acquire) != seen) {
      return Stand::kLookAgain;
    }
    if (spin >= kSpins) {
      const std::int64_t now = platform_.MonotonicNs();
      if (now - start >= patience_ns || watch.StillFor(now) >= kPutPatienceNs) {
        break;
      }
      std::this_thread::yield();
    }
  }
  return Stand::kAbort;
}

Intents::Stand Intents::WaitAs(const Installing& own, const TransactionHead& head,
                               std::uint64_t seen, Ahead* ahead) const {
  const region::LaneLayout* const lane = LaneOf(head);
  if (lane == nullptr) {
    return Stand::kAbort;
  }
  const bool has_snapshot = own.snapshot_time != kCommitTimeMax;
  const bool older = IsOlder(head, *own.head);
  const std::int64_t start = platform_.MonotonicNs();
  // The younger one's commit would be a conflict for a transaction with a snapshot, and it has
  // waited before.
  const bool at_once = !older && has_snapshot && own.head->attempt >= kPatientAttempts;
  const std::int64_t until = start + (at_once                  ? 0
                                      : older && !has_snapshot ? kHoldNs
                                                               : kTransactionPatienceNs);
  ahead->lane = head.lane;
  // AHEAD: before the next look at the status.
  ahead->operations = lane->operations.load(std::memory_order_acquire);
  Watch watch(lane->progress, start);
  for (int look = 0; look < kLookLimit; ++look) {
    if (head.status.load(std::memory_order_acquire) != seen) {
      return Stand::kLookAgain;
    }
    const std::int64_t now = platform_.MonotonicNs();
    if (own.head->status.load(std::memory_order_acquire) != kStatusActive ||
        now >= own.deadline_ns) {
      return Stand::kYield;
    }
    const std::int64_t still_ns = watch.StillFor(now);
    if (still_ns >= kStalledNs || (!older && now >= until)) {
      return Stand::kAbort;
    }
    // If it gave up for one that it has not seen move, it would meet it again and know no more.
    if (now >= until && still_ns < now - start) {
      return Stand::kYield;
    }
    StepAhead(*own.progress);
    if (look < kSpins) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kPause);
    }
  }
  return Stand::kAbort;
}

base::Result Intents::Read(Shared64& commit, const AsOf& as_of, std::uint64_t* time) const {
  for (int attempt = 0; attempt < kStatusLimit; ++attempt) {
    const std::uint64_t intent = commit.load(std::memory_order_acquire);
    if (!IsIntent(intent)) {
      *time = intent;
      return base::Outcome::kDone;
    }
    if (intent == as_of.own_intent) {
      *time = kCommitAborted;
      return base::Outcome::kDone;
    }
    COMMY_ASSIGN_OR_RETURN(TransactionHead * head, HeadAt(TransactionOffset(intent)));
    const std::uint64_t status = head->status.load(std::memory_order_seq_cst);
    if ((status & kStatusOpen) == 0) {
      Stamp(commit, intent, status);
      *time = status;
      return base::Outcome::kDone;
    }
    if (status == kStatusActive || (IsPrepared(status) && PreparedTime(status) > as_of.time)) {
      *time = kCommitAborted;
      return base::Outcome::kDone;
    }
    if (status == kStatusCommitting) {
      GiveTime(*head);
    } else if (as_of.own_intent != kUndecided) {
      return base::Outcome::kConflict;
    } else if (WaitAsPut(*head, status) == Stand::kAbort) {
      head->status.CompareAndSet(status, kCommitAborted, std::memory_order_seq_cst);
    }
  }
  return base::DataLoss(region_.path(), ": the status of a transaction never becomes final");
}

absl::StatusOr<std::uint64_t> Intents::ResolveAfter(Shared64& commit, Waiter wait) const {
  for (int attempt = 0; attempt < kStatusLimit; ++attempt) {
    const std::uint64_t intent = commit.load(std::memory_order_acquire);
    if (!IsIntent(intent)) {
      return intent;
    }
    COMMY_ASSIGN_OR_RETURN(TransactionHead * head, HeadAt(TransactionOffset(intent)));
    const std::uint64_t status = head->status.load(std::memory_order_seq_cst);
    if ((status & kStatusOpen) == 0) {
      Stamp(commit, intent, status);
      return status;
    }
    if (status == kStatusCommitting) {
      GiveTime(*head);
      continue;
    }
    switch (wait(*head, status)) {
      case Stand::kAbort:
        head->status.CompareAndSet(status, kCommitAborted, std::memory_order_seq_cst);
        break;
      case Stand::kLookAgain:
        break;
      case Stand::kYield:
        return kUndecided;
    }
  }
  return base::DataLoss(region_.path(), ": the status of a transaction never becomes final");
}

absl::StatusOr<std::uint64_t> Intents::Resolve(Shared64& commit) const {
  return ResolveAfter(commit, [](const TransactionHead&, std::uint64_t) { return Stand::kAbort; });
}

absl::StatusOr<std::uint64_t> Intents::ResolveForPut(Shared64& commit) const {
  return ResolveAfter(commit, [this](const TransactionHead& head, std::uint64_t status) {
    return WaitAsPut(head, status);
  });
}

absl::StatusOr<std::uint64_t> Intents::ResolveFor(const Installing& own, Shared64& commit,
                                                  Ahead* ahead) const {
  return ResolveAfter(commit, [&](const TransactionHead& head, std::uint64_t status) {
    return WaitAs(own, head, status, ahead);
  });
}

std::uint64_t Intents::ResolveNow(TransactionHead& head) const {
  for (int attempt = 0; attempt < kStatusLimit; ++attempt) {
    const std::uint64_t status = head.status.load(std::memory_order_seq_cst);
    if ((status & kStatusOpen) == 0) {
      return status;
    }
    if (status == kStatusCommitting) {
      GiveTime(head);
    } else {
      head.status.CompareAndSet(status, kCommitAborted, std::memory_order_seq_cst);
    }
  }
  return kCommitAborted;
}

absl::StatusOr<std::uint64_t> Intents::StatusOf(const Shared64& commit) const {
  const std::uint64_t seen = commit.load(std::memory_order_acquire);
  if (!IsIntent(seen)) {
    return seen;
  }
  COMMY_ASSIGN_OR_RETURN(const TransactionHead* head, HeadAt(TransactionOffset(seen)));
  return head->status.load(std::memory_order_seq_cst);
}

absl::StatusOr<TransactionPage*> Intents::PageAt(std::uint64_t offset) const {
  auto* const page = region_.At<TransactionPage>(offset);
  if (page == nullptr || page->count.load(std::memory_order_acquire) > page->capacity ||
      region_.At(offset, PageBytes(page->capacity), 16) == nullptr) {
    return base::DataLoss(region_.path(), ": a page of a transaction's list at ", base::Hex(offset),
                          " does not make sense");
  }
  return page;
}

absl::Status Intents::WalkPages(
    std::uint64_t head_offset,
    absl::FunctionRef<absl::Status(std::uint64_t offset, const TransactionPage&)> use) const {
  COMMY_ASSIGN_OR_RETURN(const TransactionHead* head, HeadAt(head_offset));
  std::uint64_t offset = head_offset + FirstPageStart(head->total_capacity);
  // A page seen before, replaced by a later one from time to time: a circular list comes back to
  // it.
  std::uint64_t seen = 0;
  for (std::uint64_t step = 0; offset != 0; ++step) {
    if (offset == seen) {
      return base::DataLoss(region_.path(), ": the list of the transaction at ",
                            base::Hex(head_offset), " leads in a circle");
    }
    if ((step & (step + 1)) == 0) {
      seen = offset;
    }
    COMMY_ASSIGN_OR_RETURN(const TransactionPage* page, PageAt(offset));
    const std::uint64_t next = page->next.load(std::memory_order_acquire);
    COMMY_RETURN_IF_ERROR(use(offset, *page));
    offset = next;
  }
  return absl::OkStatus();
}

absl::Status Intents::ForEachEntry(
    std::uint64_t head_offset, absl::FunctionRef<absl::Status(const TransactionEntry&)> use) const {
  return WalkPages(head_offset, [&](std::uint64_t, const TransactionPage& page) -> absl::Status {
    const auto* const entries = reinterpret_cast<const TransactionEntry*>(&page + 1);
    const std::uint64_t count = page.count.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < count; ++i) {
      COMMY_RETURN_IF_ERROR(use(entries[i]));
    }
    return absl::OkStatus();
  });
}

absl::Status Intents::ForEachPage(std::uint64_t head_offset,
                                  absl::FunctionRef<void(std::uint64_t)> use) const {
  bool first = true;
  return WalkPages(head_offset, [&](std::uint64_t offset, const TransactionPage&) -> absl::Status {
    if (!first) {
      use(offset);
    }
    first = false;
    return absl::OkStatus();
  });
}

void Intents::ApplyTotals(std::uint64_t head_offset) const {
  const absl::StatusOr<TransactionHead*> head = HeadAt(head_offset);
  if (!head.ok()) {
    return;
  }
  const auto* const totals = reinterpret_cast<const TransactionTotal*>(*head + 1);
  const std::uint64_t count =
      std::min((*head)->total_count.load(std::memory_order_acquire), (*head)->total_capacity);
  for (std::uint64_t i = 0; i < count; ++i) {
    // Two words, each brought in by itself: keys and units.
    for (const auto& [offset, change] : {std::pair(totals[i].cell, totals[i].keys),
                                         std::pair(totals[i].cell + 8, totals[i].units)}) {
      auto* const word = totals[i].cell == 0 ? nullptr : region_.At<Shared64>(offset);
      if (word != nullptr) {
        word->CompareAndSet(change.before, change.after, std::memory_order_seq_cst);
      }
    }
  }
}

}  // namespace commy::versions
