#include "salvage/transactions.h"

#include <vector>

#include "versions/record.h"
#include "versions/transaction_layout.h"

namespace commy::salvage {
namespace {

using versions::TransactionEntry;
using versions::TransactionHead;
using versions::TransactionPage;

constexpr std::uint64_t kTotalLimit = std::uint64_t{1} << 32U;

}  // namespace

struct SalvageTransactions::List {
  std::vector<std::uint64_t> records;  // Those that verify.
  bool right = false;                  // They are all, and the sum says so.
};

bool SalvageTransactions::LooksLikeBlock(std::uint64_t offset) const {
  const auto* const head = image_.At<TransactionHead>(offset);
  return head != nullptr && head->magic == versions::kTransactionMagic &&
         (head->isolation == versions::kSnapshotIsolation ||
          head->isolation == versions::kSerializable) &&
         head->total_capacity <= kTotalLimit;
}

bool SalvageTransactions::ReadPage(std::uint64_t offset, versions::ListSum* sum, List* list) const {
  const auto* const page = image_.At<TransactionPage>(offset);
  const std::uint64_t count = page == nullptr ? 0 : page->count.load(std::memory_order_relaxed);
  if (page == nullptr || count > page->capacity ||
      image_.At(offset, versions::PageBytes(count), 16) == nullptr) {
    return false;
  }
  const auto* const entries = reinterpret_cast<const TransactionEntry*>(page + 1);
  bool all = true;
  for (std::uint64_t i = 0; i < count; ++i) {
    const TransactionEntry entry = entries[i];
    const versions::RecordView view =
        versions::ViewRecordIn(image_.base(), image_.size_bytes(), entry.record);
    if (!view.valid() || !versions::VerifyRecord(view)) {
      all = false;
      continue;
    }
    sum->Add(entry, view.record->checksum);
    list->records.push_back(entry.record);
  }
  return all;
}

SalvageTransactions::List SalvageTransactions::ReadList(std::uint64_t head_offset) const {
  List list;
  if (!LooksLikeBlock(head_offset)) {
    return list;
  }
  const auto* const head = image_.At<TransactionHead>(head_offset);
  versions::ListSum sum(head_offset, head->isolation);
  absl::flat_hash_set<std::uint64_t> pages;
  std::uint64_t offset = head_offset + versions::FirstPageStart(head->total_capacity);
  bool all = true;
  while (offset != 0 && pages.insert(offset).second) {
    all &= ReadPage(offset, &sum, &list);
    const auto* const page = image_.At<TransactionPage>(offset);
    offset = page == nullptr ? 0 : page->next.load(std::memory_order_relaxed);
  }
  list.right = all && sum.value() == head->list_sum.load(std::memory_order_relaxed);
  return list;
}

// False: status and stamps contradict each other.
bool SalvageTransactions::Decide(std::uint64_t head_offset, const List& list) {
  const std::uint64_t status =
      image_.At<TransactionHead>(head_offset)->status.load(std::memory_order_relaxed);
  bool open = (status & versions::kStatusOpen) != 0;
  std::uint64_t fate = open ? versions::kCommitAborted : status;
  std::vector<std::uint64_t> intents;
  for (const std::uint64_t record : list.records) {
    const std::uint64_t commit =
        image_.At<versions::Record>(record)->commit.load(std::memory_order_relaxed);
    if (commit == versions::IntentOf(head_offset)) {
      intents.push_back(record);
      continue;
    }
    fate = open ? commit : fate;
    open = false;
    if (commit != fate || versions::IsIntent(commit)) {
      return false;
    }
  }
  if (fate == versions::kUndecided) {
    return false;
  }
  for (const std::uint64_t record : intents) {
    fates_.emplace(record, fate);
  }
  return true;
}

void SalvageTransactions::Examine(std::uint64_t head_offset) {
  if (!examined_.insert(head_offset).second) {
    return;
  }
  if (const List list = ReadList(head_offset); list.right && !Decide(head_offset, list)) {
    torn_.insert(head_offset);
  }
}

void SalvageTransactions::ExamineInUse(std::uint64_t head_offset) {
  examined_.insert(head_offset);
  const auto* const head = image_.At<TransactionHead>(head_offset);
  if (head->list_sum.load(std::memory_order_relaxed) == 0) {
    return;
  }
  const List list = ReadList(head_offset);
  bool torn = list.right && !Decide(head_offset, list);
  if (!list.right) {
    torn = versions::IsCommitTime(head->status.load(std::memory_order_relaxed));
    for (const std::uint64_t record : list.records) {
      torn |= versions::IsCommitTime(
          image_.At<versions::Record>(record)->commit.load(std::memory_order_relaxed));
    }
  }
  if (torn) {
    torn_.insert(head_offset);
  }
}

std::optional<std::uint64_t> SalvageTransactions::FateOf(std::uint64_t record_offset) const {
  const auto found = fates_.find(record_offset);
  return found == fates_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace commy::salvage
