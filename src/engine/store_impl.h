// An open store: the floors put together, and the life of namespaces.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "commy/info.h"
#include "commy/options.h"
#include "index/hash/hash_index.h"
#include "index/tree/tree_index.h"
#include "namespaces/catalog.h"
#include "process/session.h"

namespace commy::engine {

// Which namespace a handle means. The object may be gone; every use looks.
struct NamespaceKey {
  std::uint64_t object = 0;
  std::uint64_t id = 0;
};

struct NamespaceState;

class StoreImpl {
 public:
  static absl::StatusOr<std::shared_ptr<StoreImpl>> Open(platform::Platform& platform,
                                                         const std::string& path,
                                                         const Options& options);
  StoreImpl(const StoreImpl&) = delete;
  StoreImpl& operator=(const StoreImpl&) = delete;
  ~StoreImpl();

  absl::Status Close();

  // --- Namespaces ----------------------------------------------------------------------------

  absl::StatusOr<std::pair<NamespaceKey, Order>> OpenNamespace(std::string_view path,
                                                               const NamespaceOptions& options);
  absl::Status DropNamespace(std::string_view path);
  absl::Status RenameNamespace(std::string_view from, std::string_view to);
  absl::StatusOr<std::vector<NamespaceInfo>> ListNamespaces(std::string_view prefix);

  // --- Access to one namespace -------------------------------------------------------------------

  // Runs `use` under a pin with the namespace's anchor. NotFound: it was dropped, or is marked for it.
  absl::Status Read(const NamespaceKey& key,
                    absl::FunctionRef<absl::Status(process::Lane&, const index::Anchor&)> use);
  // The same in an operation with notes. FailedPrecondition: the store was opened read-only. What makes
  // room, by its purpose, is tried more often in a full store.
  absl::Status Write(
      const NamespaceKey& key, process::OpKind kind, alloc::Purpose purpose,
      absl::FunctionRef<absl::Status(process::Operation&, const index::Anchor&)> use);

  // Clears the namespace, and takes back what it had.
  absl::Status Clear(const NamespaceKey& key);

  // For who is in an operation of his own: the anchor, good under the pin. NotFound: dropped.
  absl::Status FindAnchor(const NamespaceKey& key, index::Anchor* anchor) const;
  // For a call that met a namespace that was dropped: says so. No transaction that writes there will be
  // committed afterwards. Requires: the thread is in no operation.
  absl::Status AfterDrop(const NamespaceKey& key);

  // --- Times to live (expiry.cc) ---------------------------------------------------------------

  // When something that is written there now expires: see index::Index::ExpiryFor. Of a namespace that
  // is gone: what no operation will use.
  [[nodiscard]] std::int64_t ExpiryFor(const NamespaceKey& key, std::int64_t expiry_ns);
  absl::Status SetDefaultTtl(const NamespaceKey& key, absl::Duration ttl);

  // InvalidArgument unless the namespace is of this very Open().
  absl::Status CheckOwn(const NamespaceState& ns) const;

  // --- The whole store -----------------------------------------------------------------------

  absl::StatusOr<StoreStats> Stats();
  absl::StatusOr<MemoryInfo> Memory();
  absl::StatusOr<CheckReport> Check();
  absl::StatusOr<std::vector<ParticipantInfo>> Participants();
  // Without a slot or a lane: nothing about snapshots, and no bytes.
  static absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(platform::Platform& platform,
                                                                     const std::string& path);
  // Retired blocks that the present epoch does not let anybody reuse; 0 where no lane is left.
  std::uint64_t WaitingBytes();

  [[nodiscard]] process::Session& session() { return *session_; }
  [[nodiscard]] region::Region& region() const { return session_->region(); }
  [[nodiscard]] alloc::Allocator& allocator() { return allocator_; }
  [[nodiscard]] index::HashIndex& hash_index() { return hash_index_; }
  [[nodiscard]] index::OrderedIndex& ordered_index() { return ordered_index_; }
  // The one that a namespace's order says.
  [[nodiscard]] index::Index& IndexFor(Order order) {
    return order == Order::kOrdered ? static_cast<index::Index&>(ordered_index_) : hash_index_;
  }
  [[nodiscard]] index::Index& IndexOf(const index::Anchor& anchor) {
    return IndexFor(static_cast<Order>(anchor.object->order.load(std::memory_order_relaxed)));
  }
  [[nodiscard]] namespaces::Catalog& catalog() { return catalog_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  // What the heartbeat does; also called by tests. Buries dropped namespaces, takes cleared roots
  // back, deletes what has expired, sweeps marked segments, keeps room for growth. True: of what has
  // expired something is left, for GoOn().
  bool Background();
  // Another piece of that. False: nothing was left.
  bool GoOn();

  // --- A full store (room.cc) ------------------------------------------------------------------

  // For an operation that found no room, when it is over: whether to try it again. Perhaps the store is
  // full only of what was retired a moment ago, of spans that are empty by now, of what has expired, or of
  // what a participant holds that was killed: sees to all that, and moves the epoch.
  enum class Room : std::uint8_t {
    kNone,  // It cannot look: the thread is inside a callback, or the store is closed.
    kSome,
    kMore,  // And the next call will make some more, of what has expired.
  };
  // `more`: how often it has said kMore to this operation; then it takes longer.
  Room FindRoom(const process::Lane& lane, int more = 0);
  // So often that does not count as an attempt.
  static constexpr int kMoreRoomMax = 20;
  // Runs `attempt`, and again after FindRoom as long as it finds the store full: once, or more often if
  // that makes room itself. Requires: the thread is in no operation.
  absl::Status WithRoom(alloc::Purpose purpose, absl::FunctionRef<absl::Status()> attempt);
  // How often what has such a purpose is tried again.
  static int RoomAttempts(alloc::Purpose purpose);
  // The status that the store is full, with whose snapshots keep what was deleted.
  [[nodiscard]] absl::Status WhyFull(const absl::Status& full, alloc::Purpose purpose) const;

  // --- Snapshots -----------------------------------------------------------------------------

  absl::StatusOr<versions::HeldSnapshot> TakeSnapshot() {
    return versions::TakeSnapshot(*session_);
  }
  void ReleaseSnapshot(const versions::HeldSnapshot& held) {
    versions::ReleaseSnapshot(*session_, held);
  }

  // What is held, and what that keeps.
  struct SnapshotUse {
    std::uint64_t owner = 0;
    std::uint64_t count = 0;
    std::int64_t oldest_store_ns = 0;
    std::uint64_t kept_bytes = 0;  // Of records that one of these sees and that count no more.
  };
  struct SnapshotUses {
    std::vector<SnapshotUse> owners;
    SnapshotUse all;
  };
  absl::StatusOr<SnapshotUses> UsesOfSnapshots();

 private:
  StoreImpl(std::shared_ptr<process::Session> session, std::string path, const Options& options);

  absl::Status TryWrite(
      process::Lane& lane, const NamespaceKey& key, process::OpKind kind,
      absl::FunctionRef<absl::Status(process::Operation&, const index::Anchor&)> use) const;
  absl::Status SetDefaultTtlAsAsked(const NamespaceKey& key, const NamespaceOptions& options);

  // --- Expiry (expiry.cc) ---
  struct ExpiryWork {
    std::int64_t budget_ns = 0;
    bool begin = true;  // Also where something has become due; else only go on.
    bool wait =
        false;  // For another thread that is at it; and longer than the budget if nothing is found.
  };
  // Deletes keys that have expired. True: some are left.
  bool ExpireKeys(const ExpiryWork& work);
  void QueueDue(process::Lane& lane, std::int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(expiry_mutex_);
  // What a namespace gets until it is the next one's turn. Returns how many keys were deleted; the pass
  // is not under way any more: it is done, or cannot be.
  std::uint64_t ExpireTurn(process::Lane& lane, const NamespaceKey& key, index::ExpiryPass* pass);

  // A short piece of Background() for a session that has written and lived for less than a beat: so what
  // only such processes use is swept, too.
  void WorkBeforeTheEnd();

  absl::StatusOr<index::Anchor> AnchorAt(std::uint64_t object) const;
  absl::StatusOr<std::uint64_t> FindObject(std::string_view path);
  // Whether a namespace was dropped and is only a name. Requires: pinned.
  absl::StatusOr<bool> IsMarkedForDrop(std::uint64_t object, NamespaceKey* key) const;
  // Of the catalog as it is at one moment; `dropped`: which it names though they are gone.
  absl::Status ListOnce(std::string_view prefix, std::vector<NamespaceInfo>* all,
                        std::vector<std::pair<NamespaceKey, std::string>>* dropped);
  absl::StatusOr<std::uint64_t> CreateAsAsked(std::string_view path,
                                              const NamespaceOptions& options);
  // 0: somebody else made one of that path first.
  absl::StatusOr<std::uint64_t> CreateNamespace(std::string_view path, Order order,
                                                std::int64_t default_ttl_ns);

  // --- Work on whole namespaces, in pieces: each has a pin of its own, so that the epoch can move. ---
  static constexpr std::int64_t kPieceNs = 2'000'000;
  static constexpr std::int64_t kNoDeadline = INT64_MAX;
  [[nodiscard]] std::int64_t PieceDeadline() const {
    return session_->platform().MonotonicNs() + kPieceNs;
  }
  // Takes a marked namespace out of the catalog's names; if there is no room for that, makes some of what
  // it had. `path_hint`: where it was, if that is known.
  absl::Status FinishDrop(const NamespaceKey& key, std::string_view path_hint);
  absl::Status TakeOutDropped(const NamespaceKey& key, std::string_view path_hint);
  // Takes back what dropped namespaces had, until the time (monotonic) is over.
  absl::Status BuryDead(std::int64_t deadline_ns);
  // A piece of it. True: nothing is left.
  absl::StatusOr<bool> BurySome(std::uint64_t object);
  void TendNamespaces(std::int64_t deadline_ns);
  // Those that have something to do.
  std::vector<NamespaceKey> ListUntended(process::Lane& lane, bool waiting);
  // A piece. True: nothing is left.
  absl::StatusOr<bool> TendNamespace(process::Lane& lane, const NamespaceKey& key, bool waiting);

  absl::Status RecoverLane(process::Operation& own, region::LaneLayout& dead);
  // Of what the lane was publishing: commit_recover.cc.
  absl::Status RecoverTransactions(process::Operation& own, region::LaneLayout& dead);
  // All but to retire the block itself.
  absl::Status RecoverTransaction(process::Operation& own, std::uint64_t head_offset);
  // Decides what a participant is publishing that has been silent for operation_timeout: STALLED in
  // versions/intents.h.
  void SettleStalled(std::uint32_t slot);
  absl::Status RecoverIntent(process::Operation& own, const versions::Intents& intents,
                             const versions::TransactionEntry& entry, bool named);
  absl::Status SettleNotes(process::Operation& own, region::LaneLayout& dead,
                           const index::Anchor* anchor);
  absl::Status SettleCounter(process::Operation& own, region::LaneLayout& dead,
                             const index::Anchor* anchor);

  const std::string path_;
  const bool background_;
  std::atomic<bool> worked_{false};  // Background() was called, or is not needed any more.
  std::shared_ptr<process::Session> session_;
  alloc::Allocator allocator_;
  index::HashIndex hash_index_;
  index::OrderedIndex ordered_index_;
  namespaces::Catalog catalog_;
  std::vector<std::string> differences_;
  // How long a beat may take for tending, and with which namespace it begins.
  static constexpr std::int64_t kTendBudgetNs = 50'000'000;
  static constexpr std::int64_t kTendBudgetMaxNs = 400'000'000;
  std::atomic<std::int64_t> tend_budget_ns_{kTendBudgetNs};
  std::atomic<std::uint64_t> tend_turn_{0};
  // snapshots_ended when this process last swept what waits for that; not yet: all ones.
  std::atomic<std::uint64_t> swept_ended_{UINT64_MAX};

  // Namespaces whose turn it is in the expiry sweep, one after the other, and how far it has come.
  struct ExpiryTurn {
    NamespaceKey key;
    index::ExpiryPass pass;
  };
  std::mutex expiry_mutex_;
  std::deque<ExpiryTurn> expiry_queue_ ABSL_GUARDED_BY(expiry_mutex_);
};

// InvalidArgument unless `path` has 1 to 1,024 bytes of non-empty parts between slashes.
absl::Status CheckPath(std::string_view path);

// A time to live in nanoseconds; 0: infinite. InvalidArgument: not more than nothing.
absl::StatusOr<std::int64_t> CheckTtl(absl::Duration ttl);
// And back.
absl::Duration ToTtl(std::int64_t ttl_ns);

// "namespace <id> was dropped".
absl::Status DroppedStatus(std::uint64_t id);

}  // namespace commy::engine
