#include "transactions/read_set.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"

namespace commy::transactions {
namespace {

using base::Outcome;
using base::Result;
using engine::NamespaceRef;
using versions::AsOf;
using versions::RecordView;

// The time of the version, which no other version of its key has; 0: the key was not there. (Its
// place would not do: it may be moved meanwhile.)
Result VersionOf(const engine::Engine& engine, const NamespaceRef& ns, std::string_view key,
                 const AsOf& as_of, std::uint64_t* version) {
  RecordView found;
  const Result result = engine.map.Find(ns, key, as_of, &found);
  *version = result.done() ? found.record->commit.load(std::memory_order_acquire) : 0;
  return result.is(Outcome::kAbsent) ? Result() : result;
}

bool Within(const ReadRange& range, std::string_view key) {
  return key >= range.low && (!range.high.has_value() || key < *range.high);
}

// The versions of a range, by their times: what has changed since `then` has a later time, or is
// not there.
Result VersionsOf(const engine::Engine& engine, const ReadRange& range, const NamespaceRef& ns,
                  const AsOf& as_of, absl::FunctionRef<void()> step,
                  std::vector<std::uint64_t>* versions) {
  versions->clear();
  const bool ordered = range.ns->order == Order::kOrdered;
  index::ScanCursor cursor;
  cursor.open = range.low.empty();
  cursor.bound = range.low;
  bool more = true;
  while (more && (ordered || range.hash_end == 0 || cursor.hash < range.hash_end)) {
    step();
    COMMY_TRY(engine.map.Scan(
        ns, as_of, false, &cursor,
        [&](const RecordView& view) {
          const bool seen =
              ordered || range.hash_end == 0 || engine.map.Hash(view.key) < range.hash_end;
          if (seen && Within(range, view.key)) {
            versions->push_back(view.record->commit.load(std::memory_order_acquire));
          } else if (ordered) {
            return false;  // Behind the range.
          }
          return true;
        },
        &more));
    more = more && (!ordered || !range.high.has_value() || cursor.bound < *range.high);
  }
  if (!ordered) {
    std::sort(versions->begin(), versions->end());
  }
  return Outcome::kDone;
}

}  // namespace

void ReadSet::AddKey(const std::shared_ptr<const engine::NamespaceState>& ns,
                     std::string_view key) {
  Keys& keys = keys_[ns->key.id];
  if (keys.ns == nullptr) {
    keys.ns = ns;
  }
  keys.keys.emplace(key);
}

std::shared_ptr<transactions::ReadRange> ReadSet::AddRange(
    const std::shared_ptr<const engine::NamespaceState>& ns) {
  auto range = std::make_shared<transactions::ReadRange>();
  range->ns = ns;
  ranges_.push_back(range);
  return range;
}

Result ReadSet::SameAsOf(const engine::Engine& engine, const AsOf& then, std::uint64_t time,
                         std::uint64_t own_intent, absl::FunctionRef<void()> step) const {
  COMMY_DCHECK(versions::IsIntent(own_intent));
  // By the same wall time, so that a record that has merely expired meanwhile is no difference.
  const AsOf now{time, then.store_ns, own_intent};
  const Result same = Compare(engine, then, now, step);
  // A namespace that was dropped is one that has changed.
  return same.is(Outcome::kDropped) ? Result(Outcome::kConflict) : same;
}

Result ReadSet::Compare(const engine::Engine& engine, const AsOf& then, const AsOf& now,
                        absl::FunctionRef<void()> step) const {
  NamespaceRef ns;
  for (const auto& [id, read] : keys_) {
    COMMY_TRY(engine::FindNamespace(engine, read.ns->key, &ns));
    for (const std::string& key : read.keys) {
      step();
      std::uint64_t before = 0;
      std::uint64_t after = 0;
      COMMY_TRY(VersionOf(engine, ns, key, then, &before));
      COMMY_TRY(VersionOf(engine, ns, key, now, &after));
      if (before != after) {
        return Outcome::kConflict;
      }
    }
  }
  std::vector<std::uint64_t> before;
  std::vector<std::uint64_t> after;
  for (const std::shared_ptr<ReadRange>& range : ranges_) {
    if (!range->any) {
      continue;
    }
    COMMY_TRY(engine::FindNamespace(engine, range->ns->key, &ns));
    COMMY_TRY(VersionsOf(engine, *range, ns, then, step, &before));
    COMMY_TRY(VersionsOf(engine, *range, ns, now, step, &after));
    if (before != after) {
      return Outcome::kConflict;
    }
  }
  return Outcome::kDone;
}

}  // namespace commy::transactions
