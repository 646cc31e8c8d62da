#include "salvage/salvage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/hash.h"
#include "base/status.h"
#include "index/slots.h"
#include "index/tree/layout.h"
#include "namespaces/object_layout.h"
#include "salvage/slots.h"

namespace commy::salvage {
namespace {

// Of a namespace; more are damage.
constexpr int kRootsMax = 1000;

using versions::Record;
using versions::RecordView;

constexpr std::size_t kFaultsListed = 100;
constexpr std::size_t kKeyBytesShown = 64;

// Above the last number that is known to be given out: of namespaces that were created after the
// pages that tell of them were written.
constexpr std::uint64_t kNumbersUnknown = std::uint64_t{1} << 20U;
// No store commits so often, and the ids of namespaces are above it.
constexpr std::uint64_t kCommitTimeSense = std::uint64_t{1} << 48U;

std::uint64_t IdOf(const RecordView& view) {
  return index::NamespaceIdOf(view.namespace_number());
}

// Of an inner node, what stands where a record has the number of its namespace is a part of a key.
bool LooksLikeInnerNode(const Record& record) {
  const std::uint64_t word = record.commit.load(std::memory_order_relaxed);
  const std::uint64_t level = word & UINT32_MAX;
  const std::uint64_t children = word >> 32U;
  return level > 0 && level <= index::kLevelLimit && children > 0 &&
         children <= index::kChildrenLimit;
}

}  // namespace

Salvage::Salvage(const Image& image) : image_(image), transactions_(image) {}

void Salvage::Fault(std::string text) {
  ++fault_count_;
  if (faults_.size() < kFaultsListed) {
    faults_.push_back(std::move(text));
  }
}

RecordView Salvage::View(std::uint64_t offset) const {
  return versions::ViewRecordIn(image_.base(), image_.size_bytes(), offset);
}

void Salvage::CountNamespaces() {
  for (const SalvagedNamespace& ns : namespaces_) {
    numbers_given_ = std::max(numbers_given_, index::NamespaceNumber(ns.id));
  }
  for (const std::uint64_t id : dropped_ids_) {
    numbers_given_ = std::max(numbers_given_, index::NamespaceNumber(id));
  }
  if (image_.geometry().has_value()) {
    numbers_given_ =
        std::max(numbers_given_, image_.header().next_namespace_id.load(std::memory_order_relaxed));
  }
  numbers_given_ = std::min(numbers_given_, versions::kNamespaceNumberMax);
}

bool Salvage::WordsMakeSense(const Record& record) const {
  const std::uint64_t commit = record.commit.load(std::memory_order_relaxed);
  const std::uint64_t prev = record.prev.load(std::memory_order_relaxed) & ~versions::kPrevFrozen;
  const bool known = versions::IsIntent(commit)
                         ? commit == versions::IntentOf(versions::TransactionOffset(commit))
                         : commit < kCommitTimeSense || commit == versions::kCommitAborted;
  return known && prev < region::kMaxSizeLimitBytes &&
         base::IsAligned(prev, region::kBlockAlignBytes);
}

// Each suspect is summed up, and there may be one at every 16 bytes. So that this takes no time
// that matters, also where large values were that are full of such words, one of which the
// allocator does not say that it begins a block has to be small, or at the start of a span, as all
// large blocks are.
RecordView Salvage::Suspect(std::uint64_t offset, const Area& area) const {
  const auto* const record = image_.At<Record>(offset);
  const std::uint64_t number = record == nullptr ? 0 : versions::NamespaceNumberOf(*record);
  if (number == 0 || number > numbers_given_ + kNumbersUnknown) {
    return {};
  }
  const RecordView view = View(offset);
  if (!view.valid() || !versions::FlagsMakeSense(view.flags)) {
    return {};
  }
  if (!area.block) {
    const std::uint64_t span_bytes =
        image_.geometry().has_value() ? image_.geometry()->span_bytes : region::kSpanBytesMax;
    const bool large =
        base::IsAligned(offset, image_.geometry().has_value() ? span_bytes : region::kSpanBytesMin);
    if (!WordsMakeSense(*record) || (!large && view.bytes() > span_bytes / 2)) {
      return {};
    }
  }
  return view;
}

bool Salvage::WasRecord(const RecordView& suspect, const Area& area) const {
  return area.block && area.use == Use::kUsed && suspect.bytes() <= area.size_bytes &&
         suspect.namespace_number() <= numbers_given_ && WordsMakeSense(*suspect.record) &&
         !LooksLikeInnerNode(*suspect.record);
}

// The index cannot name the part of itself that it has lost, so that a part is missing is said
// here.
void Salvage::CompareSizes() {
  const std::uint64_t told = image_.header().size_bytes.load(std::memory_order_relaxed);
  if (image_.geometry().has_value() && told > image_.size_bytes()) {
    Fault(absl::StrCat("the file is cut short or damaged: it has ", image_.size_bytes(),
                       " bytes, its header says ", told, "; keys in the rest cannot be counted"));
  }
}

void Salvage::Run(absl::FunctionRef<void(std::uint64_t)> progress) {
  CompareSizes();
  SalvagedNames names = FindNames(image_);
  namespaces_ = std::move(names.namespaces);
  dropped_ids_ = std::move(names.dropped_ids);
  names_whole_ = names.faults.empty();
  for (std::string& fault : names.faults) {
    Fault(std::move(fault));
  }
  for (std::size_t i = 0; i < namespaces_.size(); ++i) {
    by_id_.emplace(namespaces_[i].id, i);
  }
  CountNamespaces();
  CollectRecords(progress);
  ExamineTransactions();
  if (image_.geometry().has_value()) {  // Without it, hashes are not known.
    ReadSlots(progress);
  }
  Choose();
  CountTorn();
}

// --- Records
// ---------------------------------------------------------------------------------------

std::uint64_t Salvage::CollectAt(std::uint64_t offset, const Area& area) {
  if (area.block && area.use == Use::kUsed && transactions_.LooksLikeBlock(offset)) {
    blocks_in_use_.push_back(offset);
    return region::kBlockAlignBytes;
  }
  const RecordView view = Suspect(offset, area);
  if (!view.valid()) {
    return region::kBlockAlignBytes;
  }
  if (versions::VerifyRecord(view)) {
    candidates_.push_back(offset | (area.use == Use::kNotUsed ? 0 : kInUse));
    counts_.versions += area.use == Use::kNotUsed ? 0 : 1;
    return base::AlignUp(view.bytes(), region::kBlockAlignBytes);
  }
  if (WasRecord(view, area)) {
    ++counts_.damaged;
    Fault(absl::StrCat("the record at ", base::Hex(offset),
                       " does not verify; its key was perhaps \"",
                       base::ToAbsl(view.key.substr(0, kKeyBytesShown)), "\""));
  }
  return region::kBlockAlignBytes;
}

void Salvage::CollectRecords(absl::FunctionRef<void(std::uint64_t)> progress) {
  image_.ForEachArea([&](const Area& area) {
    if (area.block) {
      CollectAt(area.offset_bytes, area);
    } else {
      const std::uint64_t end = area.offset_bytes + area.size_bytes;
      for (std::uint64_t at = area.offset_bytes; at < end;) {
        at += CollectAt(at, area);
      }
    }
    progress((area.offset_bytes + area.size_bytes) / 2);
  });
  // A record that reaches from one area into the next was followed by what lies inside it.
  std::sort(candidates_.begin(), candidates_.end());
}

Salvage::Candidate* Salvage::Find(std::uint64_t offset) {
  const auto at = std::lower_bound(candidates_.begin(), candidates_.end(), offset);
  return at != candidates_.end() && (*at & ~kFlags) == offset ? &*at : nullptr;
}

// --- Transactions
// ----------------------------------------------------------------------------------

void Salvage::ExamineTransactions() {
  for (const std::uint64_t offset : blocks_in_use_) {
    transactions_.ExamineInUse(offset);
  }
  for (const Candidate candidate : candidates_) {
    const std::uint64_t commit =
        View(candidate & ~kFlags).record->commit.load(std::memory_order_relaxed);
    if (versions::IsIntent(commit)) {
      transactions_.Examine(versions::TransactionOffset(commit));
    }
  }
  torn_ = transactions_.torn();
}

std::uint64_t Salvage::CommitOf(const RecordView& view) const {
  const std::uint64_t commit = view.record->commit.load(std::memory_order_relaxed);
  return versions::IsIntent(commit)
             ? transactions_.FateOf(view.offset).value_or(versions::kCommitAborted)
             : commit;
}

void Salvage::NoteIfUnknown(const RecordView& view) {
  const std::uint64_t commit = view.record->commit.load(std::memory_order_relaxed);
  if (versions::IsIntent(commit) && !transactions_.FateOf(view.offset).has_value()) {
    torn_.insert(versions::TransactionOffset(commit));
  }
}

// A late put into a root that was cleared away counts as one before the clear, whatever its time
// says: see namespaces/roots.h.
void Salvage::MarkOlderRoots(const SalvagedNamespace& ns) {
  SalvagedNamespace older = ns;
  for (int step = 0; step < kRootsMax; ++step) {
    const auto* const root = image_.At<index::IndexRoot>(older.root_offset);
    older.root_offset =
        root == nullptr ? 0 : root->prev.load(std::memory_order_relaxed) & ~versions::kPrevFrozen;
    const auto* const next = image_.At<index::IndexRoot>(older.root_offset);
    if (older.root_offset == 0 || next == nullptr || next->namespace_id != ns.id) {
      return;
    }
    (void)ForEachSlots(image_, older, [&](const region::Shared64* slots, std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) {
        if (Candidate* const found = NamedBy(slots[i].load(std::memory_order_relaxed));
            found != nullptr) {
          *found |= kOfOlderRoot;
        }
      }
    });
  }
}

void Salvage::MarkBelow(const SalvagedNamespace& ns, std::uint64_t word, const RecordView& view) {
  const std::uint64_t below =
      view.record->prev.load(std::memory_order_relaxed) & ~versions::kPrevFrozen;
  if (CommitOf(view) != versions::kCommitAborted || below == 0) {
    return;
  }
  Candidate* const found = Find(below);
  if (found != nullptr && IdOf(View(below)) == ns.id && View(below).key == view.key) {
    *found |= kNamedBySlot;
  } else {
    NoteLost(ns, word, below);
  }
}

void Salvage::CountTorn() {
  counts_.transactions_torn = torn_.size();
  for (const std::uint64_t offset : std::set<std::uint64_t>(torn_.begin(), torn_.end())) {
    Fault(absl::StrCat("the transaction of the block at ", base::Hex(offset),
                       " is torn: some of its keys may be as they were before it"));
  }
}

// --- Slots
// -----------------------------------------------------------------------------------------

void Salvage::ReadSlots(absl::FunctionRef<void(std::uint64_t)> progress) {
  for (const SalvagedNamespace& ns : namespaces_) {
    ReadSlotsOf(ns);
  }
  if (names_whole_ && whole_ids_.size() == namespaces_.size()) {
    return;
  }
  // Where the way to the slots is lost, they may be anywhere.
  image_.ForEachArea([&](const Area& area) {
    if (area.use != Use::kNotUsed && !(area.block && IsRecord(area))) {
      SearchSlotsIn(area.offset_bytes, area.offset_bytes + area.size_bytes);
    }
    progress((image_.size_bytes() + area.offset_bytes + area.size_bytes) / 2);
  });
}

Salvage::Candidate* Salvage::NamedBy(std::uint64_t word) {
  const std::uint64_t offset = index::SlotOffset(word);
  if (index::SlotIsClosed(word) || offset < image_.geometry()->data_offset ||
      offset >= image_.size_bytes()) {
    return nullptr;
  }
  Candidate* const found = Find(offset);
  if (found == nullptr) {
    return nullptr;
  }
  const std::uint64_t hash = base::HashKey(View(offset).key, image_.geometry()->hash_seed);
  return index::SlotHasPrefix(word, hash) ? found : nullptr;
}

void Salvage::NoteLost(const SalvagedNamespace& ns, std::uint64_t word, std::uint64_t offset) {
  if (lost_.emplace(ns.id, index::SlotPrefixOf(word)).second) {
    ++counts_.slots_to_nothing;
    Fault(absl::StrCat("the newest version of a key in ", ns.path, " is lost; it was at ",
                       base::Hex(offset)));
  }
}

void Salvage::ReadSlotsOf(const SalvagedNamespace& ns) {
  const bool whole =
      ForEachSlots(image_, ns, [&](const region::Shared64* slots, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
          const std::uint64_t word = slots[i].load(std::memory_order_relaxed);
          if (Candidate* const found = NamedBy(word); found != nullptr) {
            *found |= kNamedBySlot;
            MarkBelow(ns, word, View(*found & ~kFlags));
          } else if (!index::SlotIsEmpty(word) && !index::SlotIsClosed(word)) {
            NoteLost(ns, word, index::SlotOffset(word));
          }
        }
      });
  MarkOlderRoots(ns);
  if (whole) {
    whole_ids_.insert(ns.id);
  } else {
    Fault(absl::StrCat("a part of the index of ", ns.path,
                       " makes no sense, so other losses in it are unknown"));
  }
}

// A block of one: what else it holds are no slots.
bool Salvage::IsRecord(const Area& area) {
  if (Find(area.offset_bytes) != nullptr) {
    return true;
  }
  const RecordView suspect = Suspect(area.offset_bytes, area);
  return suspect.valid() && WasRecord(suspect, area);
}

// Words that look like slots. The rest of a block may hold some that were slots once, so only for
// records to which there is no better way.
void Salvage::SearchSlotsIn(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t at = begin; at + sizeof(std::uint64_t) <= end; at += sizeof(std::uint64_t)) {
    Candidate* const found =
        NamedBy(image_.At<region::Shared64>(at)->load(std::memory_order_relaxed));
    if (found != nullptr && !whole_ids_.contains(IdOf(View(*found & ~kFlags)))) {
      *found |= kNamedBySlot;
    }
  }
}

// --- Which versions
// --------------------------------------------------------------------------------

void Salvage::Offer(Candidate candidate) {
  const RecordView view = View(candidate & ~kFlags);
  const std::uint64_t id = IdOf(view);
  if (dropped_ids_.contains(id) || (candidate & (kOfOlderRoot | kNamedBySlot)) == kOfOlderRoot) {
    return;
  }
  // An intent that no slot names was never installed, or is superseded.
  if ((candidate & kNamedBySlot) != 0 || !whole_ids_.contains(id)) {
    NoteIfUnknown(view);
  }
  const std::uint64_t commit = CommitOf(view);
  // Of a transaction that is not known to be committed: the version below is offered too.
  if (commit > versions::kCommitTimeMax) {
    return;
  }
  if (const auto known = by_id_.find(id); known != by_id_.end() && commit != versions::kUndecided &&
                                          commit < namespaces_[known->second].since_commit) {
    return;
  }
  // Published and not stamped yet: the newest. Not published: no caller was told that it is there.
  if (commit == versions::kUndecided && (candidate & kNamedBySlot) == 0) {
    return;
  }
  const auto [at, is_new] = best_.emplace(std::pair(id, view.key), candidate);
  if (is_new) {
    return;
  }
  const RecordView other = View(at->second & ~kFlags);
  const std::uint64_t other_commit = CommitOf(other);
  if (other_commit != versions::kUndecided &&
      (commit == versions::kUndecided || commit > other_commit)) {
    at->second = candidate;
  }
}

void Salvage::Choose() {
  for (const Candidate candidate : candidates_) {
    if ((candidate & (kInUse | kNamedBySlot)) != 0) {
      Offer(candidate);
    }
  }
  if (!lost_.empty()) {
    ChooseOlderOnes();
  }
  NameNamespaces();
  Keep();
}

// Blocks not in use are taken only for keys of which nothing else is left although a slot was.
void Salvage::ChooseOlderOnes() {
  auto newest = std::exchange(best_, {});
  for (const Candidate candidate : candidates_) {
    if ((candidate & (kInUse | kNamedBySlot)) != 0) {
      continue;
    }
    const RecordView view = View(candidate & ~kFlags);
    const std::uint64_t hash = base::HashKey(view.key, image_.geometry()->hash_seed);
    if (lost_.contains({IdOf(view), index::HashPrefix(hash)}) &&
        !newest.contains({IdOf(view), view.key})) {
      Offer(candidate);
    }
  }
  counts_.older_taken = best_.size();
  newest.insert(best_.begin(), best_.end());
  best_ = std::move(newest);
}

void Salvage::NameNamespaces() {
  absl::flat_hash_set<std::string> taken;
  for (const SalvagedNamespace& ns : namespaces_) {
    taken.insert(ns.path);
  }
  std::set<std::uint64_t> nameless;
  for (const auto& [key, candidate] : best_) {
    if (!by_id_.contains(key.first)) {
      nameless.insert(key.first);
    }
  }
  for (const std::uint64_t id : nameless) {
    SalvagedNamespace ns;
    ns.id = id;
    ns.path = MadeUpPath(id, taken);
    ns.named = false;
    taken.insert(ns.path);
    Fault(absl::StrCat("a namespace has lost its path; its keys are in ", ns.path));
    by_id_.emplace(id, namespaces_.size());
    namespaces_.push_back(std::move(ns));
  }
}

void Salvage::Keep() {
  for (const auto& [key, candidate] : best_) {
    const std::uint64_t offset = candidate & ~kFlags;
    if (View(offset).tombstone()) {
      ++counts_.deleted;
    } else {
      kept_.emplace_back(by_id_.at(key.first), offset);
    }
  }
  counts_.keys = kept_.size();
  best_ = {};
  std::sort(kept_.begin(), kept_.end(), [this](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : View(a.second).key < View(b.second).key;
  });
}

absl::Status Salvage::ForEachRecord(
    absl::FunctionRef<absl::Status(const SalvagedNamespace&, const RecordView&)> visit) const {
  for (const auto& [ns, offset] : kept_) {
    COMMY_RETURN_IF_ERROR(visit(namespaces_[ns], View(offset)));
  }
  return absl::OkStatus();
}

}  // namespace commy::salvage
