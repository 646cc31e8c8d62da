#include "engine/store_impl.h"

#include <algorithm>

#include "base/status.h"
#include "engine/namespace_state.h"

namespace commy::engine {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

// What the expiry sweep may take at once, between which the heartbeat thread rests as long.
constexpr std::int64_t kExpiryBudgetNs = 20'000'000;
// What a session that ends before its first beat takes for each kind of work.
constexpr std::int64_t kWorkAtEndNs = 3'000'000;

std::uint64_t Ns(absl::Duration duration) {
  const std::int64_t ns = absl::ToInt64Nanoseconds(duration);
  return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

region::CreateOptions CreateOptionsOf(const Options& options) {
  region::CreateOptions create;
  create.max_size_bytes = options.max_size;
  create.chunk_bytes = options.testing.chunk_bytes;
  create.span_bytes = options.testing.span_bytes;
  create.segment_buckets = options.testing.segment_buckets;
  create.participant_count = options.testing.participant_count;
  create.lane_count = options.testing.lane_count;
  create.snapshot_count = options.testing.snapshot_count;
  create.stale_after_ns = Ns(options.stale_after);
  create.operation_timeout_ns = Ns(options.operation_timeout);
  create.heartbeat_interval_ns = Ns(options.heartbeat_interval);
  return create;
}

std::vector<std::string> Differences(const region::CreateOptions& asked,
                                     const region::Geometry& found) {
  std::vector<std::string> differences;
  const auto compare = [&](const char* name, std::uint64_t want, std::uint64_t have) {
    if (want != have) {
      differences.push_back(
          absl::StrCat(name, ": ", want, " was asked for, the store was created with ", have));
    }
  };
  compare("max_size", asked.max_size_bytes, found.max_size_bytes);
  compare("stale_after in ns", asked.stale_after_ns, found.stale_after_ns);
  compare("operation_timeout in ns", asked.operation_timeout_ns, found.operation_timeout_ns);
  compare("heartbeat_interval in ns", asked.heartbeat_interval_ns, found.heartbeat_interval_ns);
  return differences;
}

}  // namespace

absl::StatusOr<std::shared_ptr<StoreImpl>> StoreImpl::Open(platform::Platform& platform,
                                                           const std::string& path,
                                                           const Options& options) {
  region::RegionOptions region_options;
  region_options.create_if_missing = options.create_if_missing;
  region_options.error_if_exists = options.error_if_exists;
  region_options.role = options.read_only ? region::RegionOptions::Role::kReader
                                          : region::RegionOptions::Role::kWriter;
  region_options.create = CreateOptionsOf(options);
  COMMY_ASSIGN_OR_RETURN(std::unique_ptr<region::Region> region,
                         region::Region::Open(platform, path, region_options));
  process::SessionOptions session_options;
  session_options.process_name = options.process_name;
  session_options.read_only = options.read_only;
  session_options.background = options.testing.background;
  auto session = std::make_shared<process::Session>(std::move(region), session_options);
  std::shared_ptr<StoreImpl> store(new StoreImpl(session, path, options));
  StoreImpl* const impl = store.get();
  process::Session::Hooks hooks;
  versions::AddSnapshotHooks(session->region(), &hooks);
  hooks.recover_lane.emplace_back(
      [impl](Operation& own, region::LaneLayout& dead) { return impl->RecoverLane(own, dead); });
  hooks.recover_lane.emplace_back([impl](Operation& own, region::LaneLayout& dead) {
    return impl->allocator_.RecoverLane(own, dead);
  });
  hooks.stalled = [impl](std::uint32_t slot) { impl->SettleStalled(slot); };
  hooks.urgent.emplace_back([impl] { impl->allocator_.KeepRoom(); });
  hooks.background.emplace_back([impl] { return impl->Background(); });
  hooks.go_on.emplace_back([impl] { return impl->GoOn(); });
  COMMY_RETURN_IF_ERROR(session->Start(std::move(hooks)));
  return store;
}

StoreImpl::StoreImpl(std::shared_ptr<process::Session> session, std::string path,
                     const Options& options)
    : path_(std::move(path)),
      background_(options.testing.background),
      session_(std::move(session)),
      allocator_(*session_),
      hash_index_(*session_, allocator_),
      ordered_index_(
          *session_, allocator_,
          {options.testing.leaf_keys, options.testing.leaf_append, options.testing.node_children}),
      catalog_(session_->region(), allocator_),
      differences_(Differences(CreateOptionsOf(options), session_->region().geometry())) {}

absl::Status StoreImpl::Close() {
  WorkBeforeTheEnd();
  return session_->Close();
}

StoreImpl::~StoreImpl() {
  WorkBeforeTheEnd();
  // The heartbeat calls into this object, so the session ends first.
  session_->End();
}

absl::Status DroppedStatus(std::uint64_t id) {
  return base::NotFound("namespace ", id & index::kIdMask, " was dropped");
}

absl::StatusOr<index::Anchor> StoreImpl::AnchorAt(std::uint64_t object) const {
  index::Anchor anchor;
  anchor.offset = object;
  anchor.object = session_->region().At<index::NamespaceObject>(object);
  if (anchor.object == nullptr) {
    return base::DataLoss(path_, ": a namespace object at ", base::Hex(object),
                          " lies outside the file");
  }
  anchor.id = anchor.object->id.load(std::memory_order_acquire);
  return anchor;
}

absl::Status StoreImpl::FindAnchor(const NamespaceKey& key, index::Anchor* anchor) const {
  auto* const object = session_->region().At<index::NamespaceObject>(key.object);
  if (object == nullptr) [[unlikely]] {
    return AnchorAt(key.object).status();
  }
  if (object->id.load(std::memory_order_acquire) != key.id) [[unlikely]] {
    return DroppedStatus(key.id);
  }
  *anchor = {key.object, object, key.id};
  return absl::OkStatus();
}

absl::Status StoreImpl::CheckOwn(const NamespaceState& ns) const {
  return ns.store.get() == this
             ? absl::OkStatus()
             : base::InvalidArgument(path_, ": the namespace ", ns.path, " is of another store, ",
                                     ns.store->path(), ", or of another Open() of this one");
}

absl::Status StoreImpl::AfterDrop(const NamespaceKey& key) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return session_->CheckUsable();
  }
  const versions::Intents intents(region(), session_->platform());
  intents.SettleWriters(key.object);
  return DroppedStatus(key.id);
}

absl::Status StoreImpl::Clear(const NamespaceKey& key) {
  COMMY_RETURN_IF_ERROR(Write(key, OpKind::kClear, alloc::Purpose::kClears,
                              [this](Operation& op, const index::Anchor& anchor) {
                                return IndexOf(anchor).Clear(op, anchor);
                              }));
  bool done = false;
  while (!done) {
    // What fails here is for the heartbeat to see to; and a drop may have come.
    const absl::Status piece = TryWrite(
        **session_->ThisLane(), key, OpKind::kSweep,
        [&](Operation& op, const index::Anchor& anchor) -> absl::Status {
          COMMY_ASSIGN_OR_RETURN(done, IndexOf(anchor).ReclaimCleared(op, anchor, PieceDeadline()));
          return absl::OkStatus();
        });
    done = done || !piece.ok();
  }
  return absl::OkStatus();
}

absl::Status StoreImpl::Read(const NamespaceKey& key,
                             absl::FunctionRef<absl::Status(Lane&, const index::Anchor&)> use) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  absl::Status status;
  {
    const Pin pin(*lane);
    if (!pin.entered()) [[unlikely]] {
      return session_->CheckUsable();
    }
    index::Anchor anchor;
    COMMY_RETURN_IF_ERROR(FindAnchor(key, &anchor));
    status = use(*lane, anchor);
  }
  if (!status.ok() && absl::IsAborted(status)) [[unlikely]] {
    return AfterDrop(key);
  }
  return status;
}

absl::Status StoreImpl::Write(
    const NamespaceKey& key, OpKind kind, alloc::Purpose purpose,
    absl::FunctionRef<absl::Status(Operation&, const index::Anchor&)> use) {
  if (session_->read_only()) [[unlikely]] {
    return base::FailedPrecondition(path_, ": the store was opened read-only");
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, session_->ThisLane());
  absl::Status status = TryWrite(*lane, key, kind, use);
  if (status.ok()) [[likely]] {
    return status;
  }
  if (absl::IsResourceExhausted(status)) {
    status = WithRoom(purpose, [&] { return TryWrite(*lane, key, kind, use); });
  }
  return absl::IsAborted(status) ? AfterDrop(key) : status;
}

absl::Status StoreImpl::TryWrite(
    Lane& lane, const NamespaceKey& key, OpKind kind,
    absl::FunctionRef<absl::Status(Operation&, const index::Anchor&)> use) const {
  Operation op(lane, kind, key.object);
  if (!op.entered()) [[unlikely]] {
    return op.status();
  }
  index::Anchor anchor;
  COMMY_RETURN_IF_ERROR(FindAnchor(key, &anchor));
  return use(op, anchor);
}

// --- Recovery --------------------------------------------------------------------------------

absl::Status StoreImpl::RecoverLane(Operation& own, region::LaneLayout& dead) {
  const std::uint64_t object = dead.op_object.load(std::memory_order_acquire);
  index::Anchor anchor;
  bool published = false;
  if (object != 0) {
    COMMY_ASSIGN_OR_RETURN(published, catalog_.IsReachable(process::NoteKind::kNamespace, object));
    COMMY_ASSIGN_OR_RETURN(anchor, AnchorAt(object));
    published = published && anchor.id != 0;
  }
  if (published) {
    const absl::Status finished = IndexOf(anchor).FinishPosted(own, anchor);
    if (!absl::IsAborted(finished)) {  // Marked for a drop: a heartbeat goes on with that.
      COMMY_RETURN_IF_ERROR(finished);
    }
  }
  if (published) {
    IndexOf(anchor).TellAll(anchor);  // Of what it changed, if it did.
  }
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  if (published && op.kind == OpKind::kSweep) {
    (void)IndexOf(anchor).ResumeSweep(anchor);  // Aborted: being dropped, and nothing to sweep.
  }
  COMMY_RETURN_IF_ERROR(RecoverTransactions(own, dead));
  COMMY_RETURN_IF_ERROR(SettleCounter(own, dead, published ? &anchor : nullptr));
  return SettleNotes(own, dead, published ? &anchor : nullptr);
}

absl::Status StoreImpl::SettleCounter(Operation& own, region::LaneLayout& dead,
                                      const index::Anchor* anchor) {
  const process::OpWord op = process::UnpackOp(dead.op.load(std::memory_order_acquire));
  if (op.kind != OpKind::kWrite || anchor == nullptr) {
    return absl::OkStatus();
  }
  // The first noted record is the one that the operation made.
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind != process::NoteKind::kRecord) {
      continue;
    }
    const versions::RecordView made = versions::ViewRecord(region(), note.offset_bytes);
    if (!made.valid()) {
      return absl::OkStatus();
    }
    COMMY_ASSIGN_OR_RETURN(const bool reachable,
                           IndexOf(*anchor).IsReachable(*anchor, note.kind, note.offset_bytes));
    if (reachable) {
      versions::SettleWord(region(), made.record->commit);
      // What it left to prune is for the sweep.
      (void)IndexOf(*anchor).MarkForSweep(own, *anchor, made.key);  // Advice.
      if (made.record->expiry_ns != 0) {
        (void)IndexOf(*anchor).NoteExpiry(*anchor, made.key, made.record->expiry_ns);
      }
    }
    if (!op.armed || made.record->commit.load(std::memory_order_acquire) == versions::kUndecided) {
      return absl::OkStatus();
    }
    auto* const cell = region().At<base::Shared64>(dead.op_counter.load(std::memory_order_acquire));
    if (cell == nullptr) {
      return absl::OkStatus();
    }
    std::uint64_t seen = cell->load(std::memory_order_acquire);
    if (index::CellSeq(seen) != op.seq) {
      // Once, also if a recoverer before us did it: then the cell carries the seq.
      cell->compare_exchange(seen, index::PackCell(index::CellValue(seen) + op.delta, op.seq),
                             std::memory_order_seq_cst);
    }
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status StoreImpl::SettleNotes(Operation& own, region::LaneLayout& dead,
                                    const index::Anchor* anchor) {
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    bool reachable = false;
    switch (note.kind) {
      case process::NoteKind::kRecord:
      case process::NoteKind::kSegment:
      case process::NoteKind::kDirectory:
      case process::NoteKind::kIndexRoot:
      case process::NoteKind::kDescriptor:
      case process::NoteKind::kCounters:
      case process::NoteKind::kLeaf:
      case process::NoteKind::kInner:
      case process::NoteKind::kSeparator:
        if (anchor != nullptr) {
          COMMY_ASSIGN_OR_RETURN(
              reachable, IndexOf(*anchor).IsReachable(*anchor, note.kind, note.offset_bytes));
        }
        break;
      case process::NoteKind::kNamespace:
      case process::NoteKind::kCatalogRoot:
      case process::NoteKind::kCatalogNode: {
        COMMY_ASSIGN_OR_RETURN(reachable, catalog_.IsReachable(note.kind, note.offset_bytes));
        auto* const object = region().At<index::NamespaceObject>(note.offset_bytes);
        if (!reachable && note.kind == process::NoteKind::kNamespace && object != nullptr &&
            allocator_.IsUsed(note.offset_bytes)) {
          object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
        }
        break;
      }
      default:
        continue;  // Empty, or the allocator's.
    }
    if (!reachable) {
      allocator_.Retire(own, note.offset_bytes);
    }
  }
  return absl::OkStatus();
}

// --- Background ------------------------------------------------------------------------------

bool StoreImpl::Background() {
  worked_.store(true, std::memory_order_relaxed);
  const std::int64_t budget_ns = tend_budget_ns_.load(std::memory_order_relaxed);
  const std::int64_t deadline_ns = session_->platform().MonotonicNs() + budget_ns;
  (void)BuryDead(deadline_ns);
  const bool more = ExpireKeys({.budget_ns = kExpiryBudgetNs});
  TendNamespaces(std::max(deadline_ns, PieceDeadline()));
  // While there is more to do, a beat takes longer.
  const bool late = session_->platform().MonotonicNs() > deadline_ns;
  tend_budget_ns_.store(late ? std::min(2 * budget_ns, kTendBudgetMaxNs) : kTendBudgetNs,
                        std::memory_order_relaxed);
  return more;
}

bool StoreImpl::GoOn() {
  return ExpireKeys({.budget_ns = kExpiryBudgetNs, .begin = false});
}

void StoreImpl::WorkBeforeTheEnd() {
  if (!background_ || !session_->usable() || session_->read_only() || !region().made_dirty() ||
      worked_.exchange(true, std::memory_order_relaxed)) {
    return;
  }
  const process::Session::Call call(*session_);
  const absl::StatusOr<Lane*> lane = session_->ThisLane();
  if (!call.status().ok() || !lane.ok() || (*lane)->active()) {
    return;
  }
  (void)ExpireKeys({.budget_ns = kWorkAtEndNs});
  TendNamespaces(session_->platform().MonotonicNs() + kWorkAtEndNs);
}

std::vector<NamespaceKey> StoreImpl::ListUntended(Lane& lane, bool waiting) {
  std::vector<NamespaceKey> untended;
  const Pin pin(lane);
  if (!pin.entered()) {
    return untended;
  }
  (void)catalog_.ForEach("", [&](std::string_view, std::uint64_t object) {
    const auto* const words = region().At<index::NamespaceObject>(object);
    const auto* const root =
        words == nullptr
            ? nullptr
            : region().At<index::IndexRoot>(words->root.load(std::memory_order_acquire));
    if (root == nullptr) {
      return true;
    }
    const std::uint64_t marks = root->marks.load(std::memory_order_relaxed);
    if ((marks != 0 && (waiting || marks != index::kWaiting)) ||
        root->prev.load(std::memory_order_relaxed) != 0 ||
        root->successor.load(std::memory_order_relaxed) != 0) {
      untended.push_back({object, words->id.load(std::memory_order_acquire)});
    }
    return true;
  });
  return untended;
}

void StoreImpl::TendNamespaces(std::int64_t deadline_ns) {
  absl::StatusOr<Lane*> lane = session_->ThisLane();
  if (!lane.ok()) {
    return;
  }
  const std::uint64_t ended = region().header().snapshots_ended.load(std::memory_order_seq_cst);
  // Also what waited for a snapshot, since one has ended.
  const bool waiting = ended != swept_ended_.load(std::memory_order_relaxed);
  std::vector<NamespaceKey> untended = ListUntended(**lane, waiting);
  if (untended.empty()) {
    swept_ended_.store(ended, std::memory_order_relaxed);
    return;
  }
  // Each in its turn, whether the others were finished or not.
  const std::uint64_t turn = tend_turn_.load(std::memory_order_relaxed) % untended.size();
  std::rotate(untended.begin(), untended.begin() + static_cast<std::ptrdiff_t>(turn),
              untended.end());
  // At least a piece of one.
  const auto is_late = [&] {
    return session_->platform().MonotonicNs() >= deadline_ns || session_->ending();
  };
  bool all = true;
  std::uint64_t seen = 0;
  for (bool late = false; seen < untended.size() && !late; late = is_late()) {
    const absl::StatusOr<bool> done = TendNamespace(**lane, untended[seen], waiting);
    all = all && done.ok();
    seen += done.value_or(true) ? 1 : 0;
  }
  all = all && seen == untended.size();
  tend_turn_.store(turn + seen, std::memory_order_relaxed);
  if (all) {
    swept_ended_.store(ended, std::memory_order_relaxed);
  }
}

absl::StatusOr<bool> StoreImpl::TendNamespace(Lane& lane, const NamespaceKey& key, bool waiting) {
  bool done = false;
  const absl::Status status = TryWrite(
      lane, key, OpKind::kSweep, [&](Operation& op, const index::Anchor& anchor) -> absl::Status {
        index::Index& index = IndexOf(anchor);
        const std::int64_t deadline_ns = PieceDeadline();
        COMMY_RETURN_IF_ERROR(index.FinishPosted(op, anchor));
        COMMY_ASSIGN_OR_RETURN(done, index.ReclaimCleared(op, anchor, deadline_ns));
        if (done) {
          COMMY_ASSIGN_OR_RETURN(done, index.Sweep(op, anchor, waiting, deadline_ns));
        }
        return absl::OkStatus();
      });
  if (absl::IsNotFound(status)) {
    return true;  // Buried since.
  }
  if (!absl::IsAborted(status)) {
    return status.ok() ? absl::StatusOr<bool>(done) : status;
  }
  COMMY_RETURN_IF_ERROR(FinishDrop(key, ""));
  return true;
}

}  // namespace commy::engine
