#include "namespaces/publish.h"

#include "base/check.h"
#include "base/hash.h"
#include "namespaces/notify.h"
#include "namespaces/quota_gate.h"
#include "versions/transaction_layout.h"

namespace commy::namespaces {

bool Publisher::Intent(const RecordChange& change) const {
  // The record was written for the word that was seen: it stands on that version.
  COMMY_DCHECK(change.record->prev.load(std::memory_order_relaxed) == change.at->head.offset);
  COMMY_DCHECK(!index::SlotIsFrozen(change.at->word) && !index::SlotIsClosed(change.at->word));
  COMMY_DCHECK(region_.At<versions::Record>(change.offset) == change.record);
  COMMY_DCHECK(base::HashKey(versions::ViewRecord(region_, change.offset).key,
                             region_.geometry().hash_seed) == change.hash);
  return change.at->slot->CompareAndSet(
      change.at->word, index::PackSlot(change.hash, change.offset), std::memory_order_seq_cst);
}

bool Publisher::Record(const NamespaceRef& ns, const RecordChange& change) const {
  COMMY_DCHECK(index::NamespaceIdOf(versions::NamespaceNumberOf(*change.record)) == ns.id);
  COMMY_DCHECK(change.record->commit.load(std::memory_order_relaxed) == versions::kUndecided);
  if (!Intent(change)) {
    return false;
  }
  versions::ResolveCommit(region_, change.record->commit);
  if (change.is_put) {
    NotifyPut(platform_, region_, *ns.object, ns.id, change.hash);
  } else {
    NotifyChange(platform_, *ns.object);
  }
  return true;
}

bool Publisher::Moved(base::Shared64& slot, std::uint64_t word, std::uint64_t record,
                      std::uint64_t copy) const {
  COMMY_DCHECK(index::SlotOffset(word) == record && record != copy);
  COMMY_DCHECK(!index::SlotIsFrozen(word) && !index::SlotIsClosed(word));
  COMMY_DCHECK(versions::IsCommitTime(
      region_.At<versions::Record>(copy)->commit.load(std::memory_order_relaxed)));  // V2
  COMMY_DCHECK(region_.At<versions::Record>(copy)->commit.load(std::memory_order_relaxed) ==
               region_.At<versions::Record>(record)->commit.load(std::memory_order_relaxed));
  const std::uint64_t offset_bits = record / region::kBlockAlignBytes;
  const std::uint64_t next = (word - offset_bits) | (copy / region::kBlockAlignBytes);
  return slot.CompareAndSet(word, next, std::memory_order_seq_cst);  // move-3
}

bool Publisher::BeginCommit(versions::TransactionHead& head) const {
  // Complete before it is committed: a recoverer walks the list.
  COMMY_DCHECK(head.list_sum.load(std::memory_order_relaxed) != 0);
  if (!head.status.CompareAndSet(versions::kStatusActive, versions::kStatusCommitting,
                                 std::memory_order_seq_cst)) {
    return false;
  }
  intents_.GiveTime(head);
  return true;
}

bool Publisher::EndCommit(versions::TransactionHead& head, std::uint64_t prepared) const {
  COMMY_DCHECK(versions::IsPrepared(prepared));
  const bool committed = head.status.CompareAndSet(prepared, versions::PreparedTime(prepared),
                                                   std::memory_order_seq_cst);
  // Final, by this or by an abort.
  COMMY_DCHECK((head.status.load(std::memory_order_relaxed) & versions::kStatusOpen) == 0);
  return committed;
}

void Publisher::CommittedPut(const NamespaceRef& ns, std::string_view key) const {
  if (KeysAwaited(*ns.object)) [[unlikely]] {
    const std::uint64_t hash = base::HashKey(key, region_.geometry().hash_seed);
    NotifyKeyWord(platform_, KeyWord(region_, ns.id, hash));
  }
}

void Publisher::Committed(const NamespaceRef& ns) const {
  NotifyChange(platform_, *ns.object);
}

void Publisher::Root(const NamespaceRef& ns, std::uint64_t old, std::uint64_t next,
                     index::IndexRoot& next_root) const {
  COMMY_DCHECK(next_root.namespace_id == ns.id);
  ns.object->root.CompareAndSet(old, next, std::memory_order_seq_cst);  // clear-3
  // A root that was replaced does not come back under this pin.
  COMMY_DCHECK(old == next || ns.object->root.load(std::memory_order_relaxed) != old);
  versions::ResolveCommit(region_, next_root.commit);
  NotifyChange(platform_, *ns.object);
}

void Publisher::Dropped(const NamespaceRef& ns) const {
  NotifyAll(platform_, region_, *ns.object);
}

bool Publisher::Catalog(std::uint64_t old, std::uint64_t next) const {
  COMMY_DCHECK(next != 0 && next != old);
  return region_.header().catalog_root.CompareAndSet(old, next, std::memory_order_seq_cst);
}

void Publisher::DefaultTtl(const NamespaceRef& ns, std::int64_t ttl_ns) const {
  COMMY_DCHECK(ttl_ns >= 0);
  ns.object->default_ttl_ns.store(static_cast<std::uint64_t>(ttl_ns), std::memory_order_seq_cst);
}

void Publisher::Quota(const NamespaceRef& ns, std::uint64_t bytes) const {
  COMMY_DCHECK(bytes <= kQuotaBytesMax);
  std::uint64_t seen = ns.object->quota_bytes.load(std::memory_order_relaxed);
  while (!ns.object->quota_bytes.compare_exchange(seen, (seen & kQuotaByPath) | bytes,
                                                  std::memory_order_seq_cst)) {
  }
}

void Publisher::QuotaByPath(const NamespaceRef& ns) const {
  std::uint64_t seen = ns.object->quota_bytes.load(std::memory_order_relaxed);
  while ((seen & kQuotaByPath) == 0 && !ns.object->quota_bytes.compare_exchange(
                                           seen, seen | kQuotaByPath, std::memory_order_seq_cst)) {
  }
}

bool Publisher::Type(const NamespaceRef& ns, std::uint64_t old, std::uint64_t next) const {
  COMMY_DCHECK(old != kPartGone && next > kPartGone);
  return ns.object->type.CompareAndSet(old, next, std::memory_order_seq_cst);  // type-2
}

void Publisher::Recovered(const NamespaceRef& ns) const {
  NotifyAll(platform_, region_, *ns.object);
}

}  // namespace commy::namespaces
