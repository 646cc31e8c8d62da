// The publish point: every change of a key, a root and the catalog is published here, but the mark
// of a drop (drop-1 in roots.cc).
//
// A function that publishes makes the one store by which it is visible, and mostly gives the change
// its time and notifies waiters. The time may be given elsewhere, by any process that meets a
// change without one. Dropped, Committed, CommittedPut and Recovered publish nothing: they notify.
// Code that follows a change, or has to know of it first, hangs here and nowhere else.
//
//   records        Record: the CAS of a slot word. Moved: of a copy, which is no change
//   transactions   BeginCommit, EndCommit: the CAS of the transaction's status; Committed: its
//                  keys, after
//   clears         Root: the CAS of the namespace's root word
//   drops          Dropped: after the mark
//   the catalog    Catalog: the CAS of the header's catalog_root word (create, drop, rename)
//   default TTL    DefaultTtl
//   quotas         Quota, QuotaByPath
//   the type       Type: the CAS of the object's type word
//   of the dead    Recovered: for an operation that was killed somewhere around its publish
#pragma once

#include <cstdint>
#include <string_view>

#include "index/slots.h"
#include "namespaces/namespace_ref.h"
#include "platform/platform.h"
#include "region/region.h"
#include "versions/intents.h"

namespace commy::namespaces {

// A record that is ready to become the newest version of its key.
struct RecordChange {
  const index::Position* at = nullptr;  // The slot, and the word seen in it.
  std::uint64_t hash = 0;
  std::uint64_t offset = 0;
  versions::Record* record = nullptr;
  bool is_put = false;  // Else a key goes.
};

class Publisher {
 public:
  Publisher(platform::Platform& platform, region::Region& region, const versions::Intents& intents)
      : platform_(platform), region_(region), intents_(intents) {}

  // False: the slot has another word now; nothing is published.
  bool Record(const NamespaceRef& ns, const RecordChange& change) const;

  // A copy of the same version takes the record's place: not a change that any process waits for.
  [[nodiscard]] bool Moved(base::Shared64& slot, std::uint64_t word, std::uint64_t record,
                           std::uint64_t copy) const;

  // The same for an intent, which counts when its transaction does.
  [[nodiscard]] bool Intent(const RecordChange& change) const;
  // active -> committing, and then its time, or prepared as of that time. False: it is aborted.
  [[nodiscard]] bool BeginCommit(versions::TransactionHead& head) const;
  // prepared -> the time as of which it was prepared. False: it is aborted.
  [[nodiscard]] bool EndCommit(versions::TransactionHead& head, std::uint64_t prepared) const;
  // A key that a committed transaction has put, and the end of its keys in a namespace. Any number
  // of times.
  void CommittedPut(const NamespaceRef& ns, std::string_view key) const;
  void Committed(const NamespaceRef& ns) const;

  // The namespace's root goes from `old` to `next`, and the new one gets its time. Any number of
  // times.
  void Root(const NamespaceRef& ns, std::uint64_t old, std::uint64_t next,
            index::IndexRoot& next_root) const;
  void Dropped(const NamespaceRef& ns) const;
  // False: another change of the catalog was faster.
  [[nodiscard]] bool Catalog(std::uint64_t old, std::uint64_t next) const;
  void DefaultTtl(const NamespaceRef& ns, std::int64_t ttl_ns) const;
  // The namespace's own; 0: none.
  void Quota(const NamespaceRef& ns, std::uint64_t bytes) const;
  // That one of a path may cover it.
  void QuotaByPath(const NamespaceRef& ns) const;
  // False: another change of the type was faster.
  [[nodiscard]] bool Type(const NamespaceRef& ns, std::uint64_t old, std::uint64_t next) const;
  // Some key of the namespace may have come, or gone, unnoticed.
  void Recovered(const NamespaceRef& ns) const;

 private:
  platform::Platform& platform_;
  region::Region& region_;
  const versions::Intents& intents_;
};

}  // namespace commy::namespaces
