// What both kinds of index have in common: a key's place is one slot word, which names the newest
// record of the key, and every change of a key is one CAS of that word. Where the slots are, and how
// their arrays are replaced, is what hash_index.h and ordered_index.h say.
//
// CHANGES   of shape, one at a time in a namespace, each posted in the root's baton:
//             S1  the poster allocates and zeroes what will replace the old, makes a descriptor,
//                 and posts it: CAS baton 0 -> descriptor
//                 A post may come too late, when the old one has been replaced already; then the
//                 memory of the old one may be reused while later comers read the baton. So who
//                 helps first looks whether the old one is still in place, and then whether the
//                 baton still names the descriptor (which keeps the poster's pin up, and so the
//                 old one's memory); only then does he touch the old one. If it is not in place he
//                 goes to S5 at once. The poster retires targets that are nowhere.
//             S2  set the frozen bit in every slot of the old one (what only who holds the baton
//                 changes needs none: directories, and the child words of inner nodes)
//             S3  fill the replacements: CAS of each word from 0
//             S4  CAS the word that names the old one: old -> replacement
//             S5  CAS baton descriptor -> 0
//             S6  retire the old one and the descriptor
//           S2 to S5 are done by whoever comes, any number at once: what is frozen does not
//           change, so all fill in the same words in the same order, and a late CAS from 0 fails,
//           since a word never goes back to 0 in its array's life. The poster noted the old one,
//           the replacements and the descriptor, and does S6; else his recoverer does.
// CLEAR     C1  build an empty root whose prev is the old root; CAS old.successor 0 -> new
//           C2  look through the transactions that lanes have noted: one that is active and writes in the
//               namespace is aborted, one that is committing gets its time
//           C3  CAS the namespace's root word old -> new; settle the new root
//           then, when no snapshot needs the old root, in pieces, each under a pin of its own:
//           C4  finish a posted change there; CAS baton 0 -> closed: nothing changes shape any more
//           C5  take the old root's memory back, array by array: freeze its slots, make every head final
//               (what is active is aborted), and then block by block: note, CAS its word away, retire
//           C2 and C3 are done by each writer that meets a successor, and take microseconds however
//           many keys there are.
//           A writer that found the old root before C3 may still change it afterwards. It began before
//           the clear was over, so its change counts as one before the clear, whatever its commit time
//           says: nobody that comes later looks there. A transaction must not do so, since it may have
//           other keys elsewhere: after C1 it helps, and what it had installed by then C2 finds, for a
//           transaction completes its list, and fences, before it installs.
// DROP      D1  the mark 1 as successor: from here on every use answers that it was dropped, at once
//           D2  C4 and C5, in pieces
//           D3  take the object out of the catalog's names, and then the root, and the object
//           Only who drops, and heartbeats, do D2 and D3.
// SNAPSHOTS A reader at S takes the newest root that is not newer, and there of each key the newest
//           version that is not. Clears and puts leave what a snapshot needs (versions/snapshots.h).
//           A drop leaves nothing: who reads in a dropped namespace hears so, at whatever time.
// VERSIONS  o below n is dropped so: frozen bit into o.prev; CAS n.prev o -> o.prev without the bit;
//           retire o. It may be anywhere in a chain, and the same goes for roots. If n.prev is frozen,
//           n itself is being dropped. A record that is frozen is needed by nobody, and stays so.
// DEATH     after each step the next comer goes on; what nobody can reach is in the notes.
// INTENTS   records of transactions, which are settled by what their transaction says: intents.h
// READERS   read frozen slots like others, and never help but to settle what they return.
// TESTED    tests/model/, tests/index/, tests/crash/
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "base/hash.h"
#include "base/status.h"
#include "index/changes.h"
#include "index/index_layout.h"
#include "process/operation.h"
#include "process/session.h"
#include "versions/intents.h"
#include "versions/record.h"
#include "versions/snapshots.h"

namespace commy::index {

// A namespace as an operation addresses it. Found under a pin, and good under that pin.
struct Anchor {
  std::uint64_t offset = 0;
  NamespaceObject* object = nullptr;
  std::uint64_t id = 0;
};

// A record that counts no more: a newer one of its key has taken its place, or a clear has.
struct OldVersion {
  std::uint64_t from = 0;   // Commit time.
  std::uint64_t until = 0;  // The one of what took its place.
  std::uint64_t block_bytes = 0;
};

enum class Decide : std::uint8_t {
  kKeep,
  kPut,
  kDelete,
  kExpire,  // Delete it if it has expired.
};

// What a writer wants, having seen the present record.
struct Decision {
  Decide kind = Decide::kKeep;
  std::string_view value;
  std::int64_t expiry_ns = 0;
  bool buffer_reused = false;  // The same bytes may hold another value at the next call.
};

// Called with the live record, or null, each time that it has to be decided anew. Must not use the
// store.
using Decider = absl::FunctionRef<Decision(const versions::RecordView* live)>;

struct WriteOutcome {
  bool changed = false;
  bool existed = false;  // A live record was there before.
};

struct InstallOutcome {
  enum class Result : std::uint8_t {
    kInstalled,
    kConflict,  // Somebody committed a version since the snapshot.
    kOver,      // The transaction is active no more.
    kBehind,    // An older one goes first, or the time is over.
  };
  Result result = Result::kInstalled;
  std::uint64_t root_offset = 0;  // In which it is.
  int delta = 0;                  // Of the number of keys, if it is committed.
  versions::Ahead ahead;          // Of kBehind.
};

// Blocks of one namespace, for walks over everything. Returns whether it was met for the first time.
using BlockVisitor = absl::FunctionRef<bool(process::NoteKind kind, std::uint64_t offset_bytes)>;
using FaultVisitor = absl::FunctionRef<void(const std::string& fault)>;

// Where a walk over segments or leaves goes on: at what holds this hash, or this key. A bound, since what
// is there is replaced meanwhile. At first: the first one.
struct SlotPlace {
  std::uint64_t hash = 0;
  std::string key;
};

// A look of the expiry sweep through a namespace, in pieces. Of one process, which may forget it.
struct ExpiryPass {
  std::uint64_t root_offset = 0;  // In which it is; 0: it has not begun, or is over.
  std::uint64_t claim = 0;
  std::uint64_t next = 0;    // When something behind the place it has come to is due again.
  SlotPlace place;           // Up to which nothing is due.
  std::uint64_t rounds = 0;  // Pieces that found something there and so stayed.
  bool stuck = false;        // Set by who could delete nothing of what the last one found.
  std::uint64_t visits = 0;  // Of segments or leaves, so far.

  [[nodiscard]] bool under_way() const { return root_offset != 0; }
};

// Every method works on what `anchor` names and needs a pin (or the operation's) around it.
// Aborted means that the namespace is being dropped: the caller finishes the drop. DataLoss names
// the offset that does not make sense.
class Index {
 public:
  Index(process::Session& session, alloc::Allocator& allocator);
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;
  virtual ~Index() = default;

  [[nodiscard]] std::uint64_t Hash(std::string_view key) const {
    return base::HashKey(key, region_.geometry().hash_seed);
  }

  // The namespace's present root. Aborted: being dropped.
  absl::StatusOr<std::uint64_t> RootOffset(const Anchor& anchor) const {
    std::uint64_t offset = 0;
    COMMY_RETURN_IF_ERROR(CurrentRoot(anchor, &offset).status());
    return offset;
  }

  // Builds an empty, unpublished root and returns its offset.
  absl::StatusOr<std::uint64_t> BuildRoot(process::Operation& op, std::uint64_t namespace_id,
                                          std::uint64_t prev, alloc::Purpose purpose);

  absl::Status Write(process::Operation& op, const Anchor& anchor, std::string_view key,
                     Decider decide, WriteOutcome* outcome);

  // Installs an intent, a record that was built with a reference to its transaction: makes it the
  // newest version of its key. Aborted: being dropped.
  absl::StatusOr<InstallOutcome> Install(process::Operation& op, const Anchor& anchor,
                                         const versions::Installing& transaction,
                                         const versions::RecordView& intent);
  // What is left to do for an installed intent when its transaction is final: stamps it, prunes
  // below it, and takes it away if it was aborted or is a tombstone that nobody needs. Any number of
  // times, by the owner or his recoverer; `op` needs a note.
  absl::Status TidyIntent(process::Operation& op, const Anchor& anchor,
                          const versions::RecordView& intent);
  // Announces that the operation changes the number of keys in the root by `delta`. False: the root was
  // cleared, and its memory taken back.
  absl::StatusOr<bool> PlanTotal(process::Operation& op, const Anchor& anchor,
                                 std::uint64_t root_offset, std::int64_t delta,
                                 versions::TransactionTotal* total);

  absl::StatusOr<std::uint64_t> Size(const Anchor& anchor);

  absl::Status Clear(process::Operation& op, const Anchor& anchor);
  // D1. Idempotent. True: it was this call that marked the namespace.
  absl::StatusOr<bool> MarkForDrop(process::Operation& op, const Anchor& anchor);

  // Work on all of a namespace is done in pieces. False: the time (monotonic) was over before the work
  // was; whoever goes on finds what is left.

  // C4 and C5 for every root that was cleared away and that no snapshot needs. Cheap if there is none.
  absl::StatusOr<bool> ReclaimCleared(process::Operation& op, const Anchor& anchor,
                                      std::int64_t deadline_ns);
  // D2: all that a dropped namespace had, but for its root and the object.
  absl::StatusOr<bool> ReclaimDropped(process::Operation& op, const Anchor& anchor,
                                      std::int64_t deadline_ns);
  // The root of one of which nothing else is left.
  absl::Status ReclaimDroppedRoot(process::Operation& op, const Anchor& anchor);
  // Prunes versions and removes tombstones in what is marked; `waiting`: also in what was left for a
  // snapshot, since one has ended. Cheap if nothing is.
  absl::StatusOr<bool> Sweep(process::Operation& op, const Anchor& anchor, bool waiting,
                             std::int64_t deadline_ns);

  // Recovery, R1: finishes what is posted in the namespace's index.
  absl::Status FinishPosted(process::Operation& own, const Anchor& anchor);
  // Recovery, R2: whether a noted block can be reached.
  absl::StatusOr<bool> IsReachable(const Anchor& anchor, process::NoteKind kind,
                                   std::uint64_t offset_bytes);
  // Marks the slots among which the key is for sweeping.
  absl::Status MarkForSweep(process::Operation& op, const Anchor& anchor, std::string_view key);
  // Recovery of a sweeper: what it was at is swept again.
  absl::Status ResumeSweep(const Anchor& anchor);

  // When a record of the namespace that is written now expires: what is given, but for kExpiryByDefault.
  [[nodiscard]] std::int64_t ExpiryFor(const Anchor& anchor, std::int64_t expiry_ns) const {
    if (expiry_ns != versions::kExpiryByDefault) {
      return expiry_ns;
    }
    const auto ttl_ns =
        static_cast<std::int64_t>(anchor.object->default_ttl_ns.load(std::memory_order_relaxed));
    return ttl_ns <= 0 ? 0 : versions::ExpiryIn(ttl_ns, session_.clock().NowNs());
  }
  // Wakes who waits for a change of the namespace. Called after each by which no key has come.
  void TellChange(const Anchor& anchor) const {
    index::TellChange(session_.platform(), *anchor.object);
  }
  // The same, and who waits for the key. Called after each by which a key may have come.
  void TellPut(const Anchor& anchor, std::uint64_t hash) const {
    index::TellPut(session_.platform(), region_, *anchor.object, anchor.id, hash);
  }
  // Who waits for the key, alone: for who tells of several at once.
  void TellKey(const Anchor& anchor, std::string_view key) const {
    if (index::KeysAwaited(*anchor.object)) [[unlikely]] {
      index::TellKeyWord(session_.platform(), index::KeyWord(region_, anchor.id, Hash(key)));
    }
  }
  // Wakes who waits for a change, or for whatever key. Called after a drop, and for who died inside an operation.
  void TellAll(const Anchor& anchor) const {
    index::TellAll(session_.platform(), region_, *anchor.object);
  }
  // Tells the expiry sweep that the key's record expires then; called once it was published. (A key that
  // it was not told of, since its writer was stopped in between, is not there, but takes room.)
  absl::Status NoteExpiry(const Anchor& anchor, std::string_view key, std::int64_t expiry_ns);
  // A piece of a pass: adds the keys that have expired in the next segment or leaf where there are any
  // to `keys`; the pass stays there until it finds none, or cannot delete them. None: they are further
  // on, or the pass is over, if it is not under way then. Begins one if something is due. Cost: some
  // thousand slots.
  absl::Status FindExpired(const Anchor& anchor, std::int64_t now_ns, ExpiryPass* pass,
                           std::vector<std::string>* keys);
  // Deletes the key if it is one that has expired. Whether it was.
  absl::StatusOr<bool> DeleteExpired(process::Operation& op, const Anchor& anchor,
                                     std::string_view key);

  // Calls `use` for what is kept in the namespace though it counts no more. Cost: a load a segment or
  // leaf, and what is found.
  absl::Status ForEachOld(const Anchor& anchor,
                          absl::FunctionRef<void(const OldVersion&)> use) const;

  // Visits every block that the namespace's index consists of, and reports what does not make
  // sense. Counts live keys.
  absl::Status Walk(const Anchor& anchor, BlockVisitor visit, FaultVisitor fault,
                    std::uint64_t* keys);

 protected:
  // Where a key is, or would be.
  struct Position {
    std::uint64_t root_offset = 0;
    IndexRoot* root = nullptr;
    std::uint64_t place_offset = 0;  // Of the segment or leaf.
    Shared64* slot = nullptr;        // Of the key, or the first empty one; null: there is no room.
    std::uint64_t word = 0;          // What was seen in it.
    versions::RecordView head;       // Not valid(): the key has no slot.
  };
  // The slots of one segment or leaf.
  struct SlotArray {
    std::uint64_t offset = 0;  // Of the segment or leaf; 0: it is being taken back, look again.
    Shared64* words = nullptr;
    std::uint64_t count = 0;
    Shared64* mark = nullptr;
    Shared64* due = nullptr;
  };
  enum class Found : std::uint8_t {
    kKey,     // In a slot.
    kNoKey,   // None of the slots has it.
    kRoom,    // It has no slot before the first empty one.
    kFrozen,  // A frozen slot was in the way.
    kGone,    // The structure is being taken back; look at the namespace again.
    kDamage,  // A slot names no record.
  };

  // --- What differs by the order of the keys -------------------------------------------------

  // Where a writer finds the key; `at` knows the root already.
  virtual absl::StatusOr<Found> FindPlace(std::string_view key, std::uint64_t hash,
                                          Position* at) const = 0;
  // The array in which the key would be.
  virtual absl::StatusOr<SlotArray> SlotsOf(const IndexRoot& root, std::string_view key,
                                            std::uint64_t hash) const = 0;
  // Calls `use` for the array of slots at the place and those behind it, as far as none of them is
  // replaced meanwhile, until it says false. Then the place is the beginning of the array that it said
  // that of, or before. True: there is no further one.
  virtual absl::StatusOr<bool> ForEachSlotsFrom(
      const IndexRoot& root, SlotPlace* place,
      absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const = 0;
  // The same for all.
  absl::Status ForEachSlots(const IndexRoot& root,
                            absl::FunctionRef<absl::Status(const SlotArray&)> use) const;
  // Makes room where `at` found none, or lets others do it; then look again.
  virtual absl::Status MakeRoom(process::Operation& op, const Anchor& anchor, const Position& at,
                                std::string_view key, std::uint64_t hash) = 0;
  // A slot of the key's array went dead. An occasion to shrink; a failure leaves that for later.
  virtual void AfterDeath(process::Operation& op, const Anchor& anchor, std::string_view key);
  // The structure of an empty index: what the root's directory word will name.
  virtual absl::StatusOr<std::uint64_t> BuildEmpty(process::Operation& op,
                                                   alloc::Purpose purpose) = 0;
  // Whether what a posted change replaces is still in place. False, and no error, if what is found
  // there makes no sense: then it is somebody else's memory by now.
  virtual absl::StatusOr<bool> IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const = 0;
  // S2 to S4.
  virtual absl::Status Carry(IndexRoot& root, std::uint64_t descriptor) = 0;
  // C5 for everything below the root's directory word. False: the time was over before.
  virtual absl::StatusOr<bool> ReclaimStructure(process::Operation& op, IndexRoot& root,
                                                std::int64_t deadline_ns) = 0;
  virtual absl::StatusOr<bool> IsStructureReachable(const IndexRoot& root, process::NoteKind kind,
                                                    std::uint64_t offset) const = 0;
  // `current`: it is the root of a namespace that is not being dropped, so nothing may be missing.
  virtual absl::Status WalkStructure(const Anchor& anchor, const IndexRoot& root, bool current,
                                     BlockVisitor visit, FaultVisitor fault,
                                     std::uint64_t* keys) const = 0;

  // --- What the two share ---------------------------------------------------------------------

  [[nodiscard]] absl::Status Damaged(std::string_view what, std::uint64_t offset) const;
  [[nodiscard]] absl::Status LeadsInACircle(const Anchor& anchor) const;
  // Here is what a read of one key consists of, so that it is one function when compiled.
  absl::StatusOr<IndexRoot*> RootAt(const Anchor& anchor, std::uint64_t offset) const {
    auto* const root = region_.At<IndexRoot>(offset);
    if (root == nullptr || root->namespace_id != anchor.id) [[unlikely]] {
      return Damaged("an index root", offset);
    }
    return root;
  }
  // The present root, settled. Aborted: being dropped.
  absl::StatusOr<IndexRoot*> CurrentRoot(const Anchor& anchor, std::uint64_t* offset) const {
    *offset = anchor.object->root.load(std::memory_order_acquire);
    if (*offset == 0) [[unlikely]] {
      return absl::AbortedError("dropped");
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, *offset));
    versions::SettleWord(region_, root->commit);
    if (root->successor.load(std::memory_order_acquire) == kDropMark) [[unlikely]] {
      return absl::AbortedError("being dropped");
    }
    return root;
  }
  // The root that counted then. Null: there was none yet.
  absl::StatusOr<IndexRoot*> RootAsOf(const Anchor& anchor, const versions::AsOf& as_of) const {
    std::uint64_t offset = 0;
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, CurrentRoot(anchor, &offset));
    if (root->commit.load(std::memory_order_relaxed) > as_of.time) [[unlikely]] {
      return OlderRoot(anchor, *root, as_of);
    }
    return root;
  }
  // From a key's newest record to the version that counted then: not valid() if the key was not there.
  // (An intent's commit is above every time.) Cancelled: see Intents::Read.
  absl::Status ToVersionAsOf(const versions::AsOf& as_of, versions::RecordView* view) const {
    if (view->record->commit.load(std::memory_order_relaxed) > as_of.time) [[unlikely]] {
      return ToOlderVersion(as_of, view);
    }
    return absl::OkStatus();
  }
  [[nodiscard]] bool IsLive(const versions::RecordView& view,
                            const versions::AsOf& as_of = versions::AsOf()) const {
    return view.valid() && !view.tombstone() &&
           (view.record->expiry_ns == 0 ||
            view.record->expiry_ns >
                (as_of.store_ns != 0 ? as_of.store_ns : session_.clock().NowNs()));
  }

  // A reader's look for a key among `count` slots: kKey (then `found` is its newest record,
  // settled), kNoKey, kRoom or kDamage (then only `found->offset` means something).
  Found ReadSlots(const Shared64* slots, std::uint64_t count, std::string_view key,
                  std::uint64_t hash, versions::RecordView* found) const {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t word = slots[i].load(std::memory_order_acquire);
      if (SlotIsEmpty(word)) {
        return Found::kRoom;
      }
      if (!SlotHasTag(word, hash) || SlotIsDead(word)) {
        continue;
      }
      const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
      if (!view.valid()) [[unlikely]] {
        found->offset = SlotOffset(word);
        return Found::kDamage;
      }
      if (view.key == key) {
        versions::SettleWord(region_, view.record->commit);
        *found = view;
        return Found::kKey;
      }
    }
    return Found::kNoKey;
  }
  // A writer's: sets what `at` says of slot, word and head. Stops at a frozen slot.
  absl::StatusOr<Found> WalkSlots(Shared64* slots, std::uint64_t count, std::string_view key,
                                  std::uint64_t hash, Position* at) const;
  // In a namespace that is being dropped slots go dead before the walk ends: then the key is not
  // what is missing.
  static absl::Status MissingIn(const IndexRoot& root) {
    return root.successor.load(std::memory_order_acquire) == kDropMark
               ? absl::AbortedError("being dropped")
               : absl::OkStatus();
  }
  // The same for what was read in `root` as of some time.
  absl::Status MissingAsOf(const Anchor& anchor, const IndexRoot& root,
                           const versions::AsOf& as_of) const {
    return as_of.is_now() ? MissingIn(root) : MissingInOlder(anchor);
  }

  // Makes a due word say `due` or earlier.
  static void LowerDue(Shared64& word, std::uint64_t due);
  // The same for what another one says.
  static void PassDueOn(const Shared64& from, Shared64& to);
  // False: it is not due, or others are at it.
  static bool ClaimDue(Shared64& word, std::int64_t now_ns, std::uint64_t claim);
  // False: nothing is due.
  bool BeginPass(IndexRoot& root, std::uint64_t root_offset, std::int64_t now_ns, ExpiryPass* pass);
  // Adds those that have expired to `keys`; returns when there will be something again.
  std::uint64_t ListExpired(const SlotArray& slots, std::int64_t now_ns,
                            std::vector<std::string>* keys) const;

  // Marks for the sweep, or passes a mark on. One that says more stays; one that is being worked on
  // gives way, so that the new one outlasts that.
  static void SetMark(Shared64& word, std::uint64_t mark);

  // Helps whatever froze the slots, or holds the baton.
  absl::Status HelpFrozen(const Anchor& anchor, const Position& at);
  // S2 to S5.
  absl::Status Help(IndexRoot& root, std::uint64_t descriptor);
  [[nodiscard]] bool IsTimeUp(std::int64_t deadline_ns) const {
    return session_.platform().MonotonicNs() >= deadline_ns;
  }
  // C5 for a slot and the records that it leads to; two notes from `first_note` on are its own.
  void ReclaimChain(process::Operation& op, Shared64& slot, std::uint64_t word,
                    std::uint32_t first_note);
  // The same for a whole array, whose slots it freezes first.
  absl::Status ReclaimSlots(process::Operation& op, const SlotArray& slots);
  // Visits the records of a slot. `belongs` says whether a key may be there.
  void WalkChain(const Anchor& anchor, std::uint64_t word, bool current, BlockVisitor visit,
                 FaultVisitor fault, std::uint64_t* keys,
                 absl::FunctionRef<bool(std::string_view key, std::uint64_t hash)> belongs) const;

  process::Session& session_;
  region::Region& region_;
  alloc::Allocator& allocator_;
  const versions::Intents intents_;

  // A reader that meets structure that is being taken back looks again at the namespace, which has
  // moved on. More often than this in a row means that the file contradicts itself.
  static constexpr int kStaleLimit = 1000;
  // Chains of versions or of roots that are longer are damage.
  static constexpr int kChainLimit = 1'000'000;

 private:
  // An unpublished record, and what it was made from.
  struct Draft {
    std::uint64_t offset = 0;
    std::uint64_t block_bytes = 0;
    versions::Record* record = nullptr;
    Decision from;
    std::uint32_t notes_end = 0;
  };

  absl::Status LocateForWrite(const Anchor& anchor, std::string_view key, std::uint64_t hash,
                              Position* at);
  // The lane's cell of the root's counters. Null: the root's memory is being taken back.
  absl::StatusOr<Shared64*> CounterCell(process::Operation& op, IndexRoot& root,
                                        alloc::Purpose purpose);
  // One attempt of Write. False: look again.
  absl::StatusOr<bool> TryWrite(process::Operation& op, const Anchor& anchor, std::string_view key,
                                std::uint64_t hash, Decider decide, std::uint32_t first_note,
                                Draft* draft, WriteOutcome* outcome);
  absl::Status PrepareDraft(process::Operation& op, const Anchor& anchor, std::string_view key,
                            const Decision& decision, std::uint32_t first_note, Draft* draft);
  void Finish(process::Operation& op, const Anchor& anchor, std::uint64_t hash, const Position& at,
              Draft& draft, std::uint32_t old_note);
  // What is left of the versions below a record.
  enum class Left : std::uint8_t {
    kNothing,  // Or what others are at.
    kWaits,    // Something that a snapshot needs.
    kDirty,    // Something to look at again.
  };
  // Removes a tombstone that nothing is below. What is still to do after it.
  Left RemoveTombstone(process::Operation& op, const Anchor& anchor, std::uint64_t hash,
                       Position at, const versions::RecordView& tombstone);
  // For who has decided what the head is, which is an intent: takes it away if that was aborted. Then
  // look again.
  absl::Status SettleHead(process::Operation& op, const Anchor& anchor, const Position& at,
                          std::uint64_t commit);
  // Takes an aborted intent out of its slot, which says `word`, and retires it; the note at `place` is
  // for it. False: the slot says something else by now.
  bool UnlinkAborted(process::Operation& op, Shared64& slot, std::uint64_t word,
                     std::uint32_t place, const versions::RecordView& intent);
  absl::Status TidyAborted(process::Operation& op, const Anchor& anchor,
                           const versions::RecordView& intent);
  Left SweepIntent(process::Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                   const versions::RecordView& intent, std::optional<std::string>* died);
  // Drops what is below `head`, as far as no snapshot needs it. `whole`: also what is below something
  // needed. That was looked at when it was put there, and is when a snapshot ends.
  Left Prune(process::Operation& op, std::uint32_t note_place, versions::SnapshotTimes& times,
             versions::Record& head, bool whole);
  absl::Status Mark(const Anchor& anchor, std::string_view key, std::uint64_t mark);
  // Marks what was left. `ended`: snapshots_ended before anything was left.
  absl::Status MarkLeft(const Anchor& anchor, std::string_view key, Left left, std::uint64_t ended);
  // `died`: a key of a slot that went dead, if any did.
  absl::Status SweepSlots(process::Operation& op, const Anchor& anchor, const SlotArray& slots,
                          versions::SnapshotTimes& times, std::optional<std::string>* died);
  // `until` 0: the newest root, where heads count.
  absl::Status ForEachOldIn(const SlotArray& slots, std::uint64_t until,
                            absl::FunctionRef<void(const OldVersion&)> use) const;
  Left SweepSlot(process::Operation& op, Shared64& slot, std::uint64_t word, std::uint32_t place,
                 versions::SnapshotTimes& times, std::optional<std::string>* died);

  // C4.
  absl::Status CloseBaton(IndexRoot& root);
  // C2 and C3.
  absl::Status CompleteClear(const Anchor& anchor, std::uint64_t root_offset,
                             std::uint64_t successor);
  // C4 and C5, but for the root itself.
  absl::StatusOr<bool> ReclaimContent(process::Operation& op, IndexRoot& root,
                                      std::int64_t deadline_ns);
  // `times` null: whatever snapshots need.
  absl::StatusOr<bool> ReclaimOlder(process::Operation& op, const Anchor& anchor,
                                    versions::SnapshotTimes* times, std::int64_t deadline_ns);

  absl::StatusOr<IndexRoot*> OlderRoot(const Anchor& anchor, const IndexRoot& root,
                                       const versions::AsOf& as_of) const;
  absl::Status ToOlderVersion(const versions::AsOf& as_of, versions::RecordView* view) const;
  absl::Status MissingInOlder(const Anchor& anchor) const;

  absl::StatusOr<bool> IsRecordReachable(const IndexRoot& root, std::uint64_t offset) const;
  absl::Status ForEachRoot(
      const Anchor& anchor,
      absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, IndexRoot&)> visit) const;
};

}  // namespace commy::index
