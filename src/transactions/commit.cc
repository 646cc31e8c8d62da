#include "transactions/commit.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/room.h"

namespace commy::transactions {
namespace {

using base::Outcome;
using base::Result;
using namespaces::InstallOutcome;
using process::BlockNote;
using process::Operation;
using region::BlockKind;
using versions::TransactionEntry;
using versions::TransactionHead;
using versions::TransactionPage;
using versions::TransactionTotal;

// Records between two looks at the clock.
constexpr std::size_t kDeadlineStride = 64;
// Between two looks at the older transaction.
constexpr std::chrono::microseconds kPause{100};

constexpr const char* kConflictTexts[] = {
    "the transaction was aborted: another write, a clear or a drop needed one of its keys, or it "
    "made "
    "no progress for longer than operation_timeout",
    "the transaction was aborted: one of its keys was written since it began",
    "the transaction was aborted: something that it read was written since",
};

}  // namespace

Commit::Commit(const engine::Engine& engine, const WriteSet& writes, const CommitTerms& terms)
    : engine_(engine),
      region_(engine.region),
      intents_(engine.map.intents()),
      writes_(writes),
      terms_(terms),
      purpose_(writes.frees() ? alloc::Purpose::kMakesRoom : alloc::Purpose::kOrdinary) {
  COMMY_DCHECK(writes_.size() != 0);
}

base::Result Commit::Met(Conflict conflict) {
  conflict_ = conflict;
  return Outcome::kConflict;
}

absl::StatusOr<std::uint64_t> Commit::Run() {
  process::Session& session = engine_.session;
  if (session.read_only()) {
    return base::FailedPrecondition(engine_.path, ": the store was opened read-only");
  }
  COMMY_ASSIGN_OR_RETURN(process::Lane * lane, session.ThisLane());
  std::uint64_t time = 0;
  const Result result = engine::WithRoom(engine_, purpose_, [&] { return Attempt(*lane, &time); });
  switch (result.outcome()) {
    case Outcome::kDone:
      return time;
    case Outcome::kDropped:
      return engine::AfterDrop(engine_, dropped_->key);
    case Outcome::kConflict:
      return absl::AbortedError(kConflictTexts[static_cast<std::size_t>(conflict_)]);
    default:
      return result.status();
  }
}

Result Commit::Attempt(process::Lane& lane, std::uint64_t* time) {
  Operation op(lane, process::OpKind::kTransaction, 0);
  if (!op.entered()) {
    return op.status();
  }
  head_ = nullptr;
  dropped_ = nullptr;
  ahead_.reset();
  records_.clear();
  installed_ = 0;
  growths_.clear();
  Result result = Build(op);
  if (result.done()) {
    result = InstallAll(op);
  }
  if (result.done()) {
    result = Publish();
  }
  if (head_ == nullptr) {
    return result;
  }
  head_->status.CompareAndSet(versions::kStatusActive, versions::kCommitAborted,
                              std::memory_order_seq_cst);
  *time = head_->status.load(std::memory_order_seq_cst);
  // Final: no process gives it another status from here on.
  COMMY_DCHECK((*time & versions::kStatusOpen) == 0);
  COMMY_DCHECK(result.done() == (*time != versions::kCommitAborted));
  base::Shared64& progress = lane.words().progress;
  progress.store(progress.load(std::memory_order_relaxed) | versions::kProgressDecided,
                 std::memory_order_release);
  if (result.done()) {
    terms_.committed();
  }
  Finish(op);
  COMMY_DCHECK(head_->status.load(std::memory_order_relaxed) == *time);
  return result;
}

// --- commit-1 -----------------------------------------------------------------------------------

absl::Status Commit::BuildHead(Operation& op) {
  const std::uint64_t totals = writes_.all().size();
  const std::uint64_t capacity = std::min(writes_.size(), versions::kEntriesPerPage);
  const std::uint64_t bytes = versions::FirstPageStart(totals) + versions::PageBytes(capacity);
  // Until its note says what it is, a recoverer only has to give it back.
  COMMY_ASSIGN_OR_RETURN(head_offset_,
                         engine_.allocator.Allocate(op, BlockKind::kRaw, bytes, purpose_));
  auto* const head = reinterpret_cast<TransactionHead*>(region_.At(head_offset_, bytes, 16));
  if (head == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(head_offset_));
  }
  COMMY_DCHECK(engine_.allocator.BlockBytes(head_offset_) >= bytes);
  COMMY_DCHECK(
      process::ReadNote(op.lane().words().notes[0].load(std::memory_order_relaxed)).offset_bytes ==
      head_offset_);  // O1: the first note is the block's.
  base::ZeroIn(head, versions::FirstPageStart(totals) + sizeof(TransactionPage));
  head->isolation = static_cast<std::uint32_t>(terms_.isolation);
  head->magic = versions::kTransactionMagic;
  list_sum_ = versions::ListSum(head_offset_, terms_.isolation);
  head->total_capacity = totals;
  auto* total = reinterpret_cast<TransactionTotal*>(head + 1);
  for (const auto& [id, writes] : writes_.all()) {
    *total++ = {.object = writes.ns->key.object, .cell = 0, .keys = {}, .units = {}};
  }
  head->age = terms_.age;
  head->lane = op.lane().index();
  head->attempt = terms_.attempt;
  base::Shared64& progress = op.lane().words().progress;
  progress.store((progress.load(std::memory_order_relaxed) + 1) & ~versions::kProgressDecided,
                 std::memory_order_relaxed);
  page_ = region_.At<TransactionPage>(head_offset_ + versions::FirstPageStart(totals));
  page_->capacity = static_cast<std::uint32_t>(capacity);
  head->status.store(versions::kStatusActive, std::memory_order_release);
  op.SetNote(0, BlockNote(BlockKind::kTransaction, head_offset_));
  head_ = head;
  return absl::OkStatus();
}

absl::Status Commit::AddPage(Operation& op) {
  const std::uint64_t capacity =
      std::min<std::uint64_t>(writes_.size() - records_.size(), versions::kEntriesPerPage);
  const std::uint64_t bytes = versions::PageBytes(capacity);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         engine_.allocator.Allocate(op, BlockKind::kRaw, bytes, purpose_));
  auto* const page = reinterpret_cast<TransactionPage*>(region_.At(offset, bytes, 16));
  if (page == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(page, sizeof(TransactionPage));
  page->capacity = static_cast<std::uint32_t>(capacity);
  COMMY_DCHECK(page_->next.load(std::memory_order_relaxed) == 0);
  COMMY_DCHECK(page_->count.load(std::memory_order_relaxed) == page_->capacity);
  page_->next.store(offset, std::memory_order_release);
  op.DropNotes(1);
  page_ = page;
  return absl::OkStatus();
}

absl::Status Commit::AddRecord(Operation& op, const NamespaceWrites& writes, std::string_view key,
                               const transactions::PendingWrite& write) {
  const std::uint64_t align = engine::ValueAlignFor(engine_, writes.ns->key);
  const std::int64_t expiry_ns =
      write.tombstone ? 0 : engine::ExpiryFor(engine_, writes.ns->key, write.expiry_ns);
  const std::uint64_t bytes =
      versions::RecordBytes(key.size(), write.bytes().size(), align, expiry_ns != 0);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         engine_.allocator.Allocate(op, BlockKind::kRaw, bytes, purpose_));
  std::byte* const block = region_.At(offset, bytes, alignof(versions::Record));
  if (block == nullptr) {
    return base::DataLoss(region_.path(), ": no block at ", base::Hex(offset));
  }
  versions::WriteRecord(block,
                        {.namespace_number = index::NamespaceNumber(writes.ns->key.id),
                         .key = key,
                         .value = write.bytes(),
                         .expiry_ns = expiry_ns,
                         .flags = write.tombstone ? versions::kRecordTombstone : std::uint8_t{0},
                         .commit = versions::IntentOf(head_offset_),
                         .align = align});
  // Entered, it needs no note of its own.
  const std::uint64_t count = page_->count.load(std::memory_order_relaxed);
  COMMY_DCHECK(count < page_->capacity);
  COMMY_DCHECK(versions::IsNoted(op, offset));  // O1, until it is in the list.
  const TransactionEntry entry{offset, writes.ns->key.object};
  reinterpret_cast<TransactionEntry*>(page_ + 1)[count] = entry;
  list_sum_.Add(entry, reinterpret_cast<const versions::Record*>(block)->checksum);
  page_->count.store(count + 1, std::memory_order_release);
  op.DropNotes(1);
  records_.push_back(offset);
  return absl::OkStatus();
}

absl::Status Commit::Build(Operation& op) {
  COMMY_RETURN_IF_ERROR(BuildHead(op));
  records_.reserve(writes_.size());
  for (const auto& [id, writes] : writes_.all()) {
    for (const auto& [key, write] : writes.keys) {
      if (page_->count.load(std::memory_order_relaxed) == page_->capacity) {
        COMMY_RETURN_IF_ERROR(AddPage(op));
      }
      COMMY_RETURN_IF_ERROR(AddRecord(op, writes, key, write));
      if (records_.size() % kDeadlineStride == 0) {
        COMMY_RETURN_IF_ERROR(CheckDeadline());
      }
    }
  }
  COMMY_DCHECK(records_.size() == writes_.size());
  COMMY_DCHECK(head_->list_sum.load(std::memory_order_relaxed) == 0);
  head_->list_sum.store(list_sum_.value(), std::memory_order_release);
  base::FullFence();  // Before the first look for a root: see CLEAR in versions/intents.h.
  return absl::OkStatus();
}

absl::Status Commit::CheckDeadline() const {
  return engine_.session.platform().MonotonicNs() < terms_.deadline_ns
             ? absl::OkStatus()
             : absl::DeadlineExceededError(
                   "the transaction timed out before it was committed; nothing was changed");
}

// --- commit-2 -----------------------------------------------------------------------------------

Result Commit::InstallIn(Operation& op, const NamespaceWrites& writes) {
  engine::NamespaceRef ns;
  COMMY_TRY(engine::FindNamespace(engine_, writes.ns->key, &ns));
  op.SetObject(ns.offset);
  const versions::Installing transaction{head_, &op.lane().words().progress, terms_.snapshot_time,
                                         terms_.deadline_ns};
  std::uint64_t root_offset = 0;
  index::Counts delta;
  for (std::size_t i = 0; i < writes.keys.size(); ++i) {
    const versions::RecordView intent = versions::ViewRecord(region_, records_[installed_]);
    InstallOutcome outcome;
    COMMY_TRY(engine_.map.writer().Install(op, ns, transaction, intent, &outcome));
    if (outcome.kind == InstallOutcome::Kind::kOver) {
      return Met(Conflict::kInTheWay);
    }
    if (outcome.kind == InstallOutcome::Kind::kBehind) {
      COMMY_TRY(CheckDeadline());
      if (head_->status.load(std::memory_order_seq_cst) == versions::kStatusActive) {
        ahead_ = outcome.ahead;
      }
      return Met(Conflict::kInTheWay);
    }
    if (outcome.kind == InstallOutcome::Kind::kConflict) {
      return Met(Conflict::kKeyWritten);
    }
    ++installed_;
    if (root_offset != 0 && outcome.root_offset != root_offset) {
      return Met(Conflict::kInTheWay);  // The namespace was cleared, which aborts it anyway.
    }
    root_offset = outcome.root_offset;
    delta.keys += outcome.delta.keys;
    delta.units += outcome.delta.units;
    if (installed_ % kDeadlineStride == 0) {
      COMMY_TRY(CheckDeadline());
    }
  }
  auto* const totals = reinterpret_cast<TransactionTotal*>(head_ + 1);
  const std::uint64_t count = head_->total_count.load(std::memory_order_relaxed);
  COMMY_DCHECK(count < head_->total_capacity);
  if (delta.keys != 0 || delta.units != 0) {
    COMMY_ASSIGN_OR_RETURN(const bool planned,
                           engine_.map.PlanTotal(op, ns, root_offset, delta, &totals[count]));
    if (!planned) {
      return Met(Conflict::kInTheWay);
    }
  }
  head_->total_count.store(count + 1, std::memory_order_release);
  if (namespaces::HasQuota(*ns.object)) [[unlikely]] {
    growths_.push_back({ns, delta.units});
  }
  return Outcome::kDone;
}

Result Commit::InstallAll(Operation& op) {
  for (const auto& [id, writes] : writes_.all()) {
    Result installed = InstallIn(op, writes);
    if (!installed.done()) {
      dropped_ = writes.ns.get();
      return installed;
    }
  }
  COMMY_DCHECK(installed_ == records_.size());
  COMMY_DCHECK(head_->total_count.load(std::memory_order_relaxed) == head_->total_capacity);
  if (!growths_.empty() && !writes_.frees()) [[unlikely]] {
    COMMY_TRY(engine_.map.Admit(growths_));
  }
  return CheckDeadline();
}

// --- commit-3, commit-4 -------------------------------------------------------------------------

Result Commit::Publish() {
  terms_.keep_since();
  const namespaces::Publisher& publisher = engine_.map.publisher();
  if (!publisher.BeginCommit(*head_)) {
    return Met(Conflict::kInTheWay);
  }
  Result answer;
  std::uint64_t status = head_->status.load(std::memory_order_seq_cst);
  if (versions::IsPrepared(status)) {
    answer = terms_.validate(versions::PreparedTime(status), versions::IntentOf(head_offset_));
    if (answer.done()) {
      (void)publisher.EndCommit(*head_, status);
    } else {
      head_->status.CompareAndSet(status, versions::kCommitAborted, std::memory_order_seq_cst);
      conflict_ = Conflict::kReadChanged;
    }
    status = head_->status.load(std::memory_order_seq_cst);
  }
  COMMY_DCHECK((status & versions::kStatusOpen) == 0);
  return status == versions::kCommitAborted && answer.done() ? Met(Conflict::kInTheWay) : answer;
}

// --- commit-5 -----------------------------------------------------------------------------------

void Commit::Finish(Operation& op) {
  op.DropNotes(1);
  if (head_->status.load(std::memory_order_seq_cst) != versions::kCommitAborted) {
    intents_.ApplyTotals(head_offset_);
  }
  std::size_t first = 0;
  for (const auto& [id, writes] : writes_.all()) {
    FinishIn(op, writes, first);
    first += writes.keys.size();
  }
  COMMY_DCHECK(first == writes_.size());
  // The next owner of this memory may die before it is overwritten.
  head_->list_sum.store(0, std::memory_order_release);
  alloc::Allocator& allocator = engine_.allocator;
  (void)intents_.ForEachPage(head_offset_, [&](std::uint64_t page) { allocator.Retire(op, page); });
  op.ReplaceNote(0, BlockNote(BlockKind::kRaw, head_offset_));
  allocator.Retire(op, head_offset_);
}

void Commit::FinishIn(Operation& op, const NamespaceWrites& writes, std::size_t first) {
  engine::NamespaceRef ns;
  const bool there = engine::FindNamespace(engine_, writes.ns->key, &ns).done();
  const bool aborted = head_->status.load(std::memory_order_seq_cst) == versions::kCommitAborted;
  if (there) {
    op.SetObject(ns.offset);
    if (!aborted) {
      for (const auto& [key, write] : writes.keys) {
        if (!write.tombstone) {
          engine_.map.publisher().CommittedPut(ns, key);
        }
      }
      engine_.map.publisher().Committed(ns);
    }
  }
  const std::size_t end = std::min(first + writes.keys.size(), records_.size());
  for (std::size_t i = first; i < end; ++i) {
    const bool installed = i < installed_;
    if (installed && there) {
      // A failure here is left to the sweep, or to the dropper of the namespace.
      (void)engine_.map.writer().FinishIntent(op, ns, versions::ViewRecord(region_, records_[i]));
    } else if (!installed || aborted) {
      // No other process has seen it; or it went with the namespace's content, unless it had been
      // removed before.
      engine_.allocator.Retire(op, records_[i]);
    }
  }
}

void WaitFor(const engine::Engine& engine, const versions::Ahead& ahead, std::int64_t deadline_ns) {
  process::Session& session = engine.session;
  platform::Platform& platform = session.platform();
  std::optional<versions::Watch> watch;
  while (true) {
    {
      const process::Session::Call call(session);
      if (!call.status().ok() || ahead.lane >= engine.region.lanes_ready()) {
        return;
      }
      const region::LaneLayout& lane = engine.region.lane(ahead.lane);
      const std::int64_t now = platform.MonotonicNs();
      if (!watch.has_value()) {
        watch.emplace(lane.progress, now);
      }
      if (lane.operations.load(std::memory_order_acquire) != ahead.operations ||
          (lane.progress.load(std::memory_order_acquire) & versions::kProgressDecided) != 0 ||
          watch->StillFor(now) >= versions::kStalledNs || now >= deadline_ns) {
        return;
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace commy::transactions
