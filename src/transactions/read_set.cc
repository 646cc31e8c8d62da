#include "transactions/read_set.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"

namespace commy::transactions {
namespace {

using index::Anchor;
using versions::AsOf;
using versions::RecordView;

absl::StatusOr<std::uint64_t> VersionOf(const engine::Engine& engine,
                                        const engine::NamespaceState& ns, const Anchor& anchor,
                                        std::string_view key, const AsOf& as_of) {
  RecordView found;
  COMMY_RETURN_IF_ERROR(ns.order == Order::kHash
                            ? engine.hash_index.Find(anchor, key, as_of, &found)
                            : engine.ordered_index.Find(anchor, key, as_of, &found));
  return found.offset;
}

bool Within(const transactions::ReadRange& range, std::string_view key) {
  return key >= range.low && (!range.high.has_value() || key < *range.high);
}

// The versions of a range, by their offsets.
absl::Status VersionsInHash(const engine::Engine& engine, const transactions::ReadRange& range,
                            const Anchor& anchor, const AsOf& as_of, absl::FunctionRef<void()> step,
                            std::vector<std::uint64_t>* versions) {
  std::uint64_t cursor = 0;
  bool more = true;
  while (more && (range.hash_end == 0 || cursor < range.hash_end)) {
    step();
    COMMY_ASSIGN_OR_RETURN(
        more, engine.hash_index.ScanSegment(anchor, as_of, &cursor, [&](const RecordView& view) {
          const bool seen =
              range.hash_end == 0 || engine.hash_index.Hash(view.key) < range.hash_end;
          if (seen && Within(range, view.key)) {
            versions->push_back(view.offset);
          }
        }));
  }
  std::sort(versions->begin(), versions->end());
  return absl::OkStatus();
}

absl::Status VersionsInOrder(const engine::Engine& engine, const transactions::ReadRange& range,
                             const Anchor& anchor, const AsOf& as_of,
                             absl::FunctionRef<void()> step, std::vector<std::uint64_t>* versions) {
  index::ScanCursor cursor{range.low.empty(), range.low};
  bool more = true;
  while (more) {
    step();
    COMMY_ASSIGN_OR_RETURN(more, engine.ordered_index.ScanLeaf(anchor, as_of, false, &cursor,
                                                               [&](const RecordView& view) {
                                                                 if (!Within(range, view.key)) {
                                                                   return false;
                                                                 }
                                                                 versions->push_back(view.offset);
                                                                 return true;
                                                               }));
    more = more && (!range.high.has_value() || cursor.bound < *range.high);
  }
  return absl::OkStatus();
}

absl::Status VersionsOf(const engine::Engine& engine, const transactions::ReadRange& range,
                        const Anchor& anchor, const AsOf& as_of, absl::FunctionRef<void()> step,
                        std::vector<std::uint64_t>* versions) {
  versions->clear();
  return range.ns->order == Order::kHash
             ? VersionsInHash(engine, range, anchor, as_of, step, versions)
             : VersionsInOrder(engine, range, anchor, as_of, step, versions);
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

absl::StatusOr<bool> ReadSet::SameAsOf(const engine::Engine& engine, const AsOf& then,
                                       std::uint64_t time, std::uint64_t own_intent,
                                       absl::FunctionRef<void()> step) const {
  // By the same clock on the wall, so that what has merely expired meanwhile is no difference.
  const AsOf now{time, then.store_ns, own_intent};
  const auto compare = [&]() -> absl::StatusOr<bool> {
    Anchor anchor;
    for (const auto& [id, read] : keys_) {
      COMMY_RETURN_IF_ERROR(engine::FindAnchor(engine, read.ns->key, &anchor));
      for (const std::string& key : read.keys) {
        step();
        COMMY_ASSIGN_OR_RETURN(const std::uint64_t before,
                               VersionOf(engine, *read.ns, anchor, key, then));
        COMMY_ASSIGN_OR_RETURN(const std::uint64_t after,
                               VersionOf(engine, *read.ns, anchor, key, now));
        if (before != after) {
          return false;
        }
      }
    }
    std::vector<std::uint64_t> before;
    std::vector<std::uint64_t> after;
    for (const std::shared_ptr<transactions::ReadRange>& range : ranges_) {
      if (!range->any) {
        continue;
      }
      COMMY_RETURN_IF_ERROR(engine::FindAnchor(engine, range->ns->key, &anchor));
      COMMY_RETURN_IF_ERROR(VersionsOf(engine, *range, anchor, then, step, &before));
      COMMY_RETURN_IF_ERROR(VersionsOf(engine, *range, anchor, now, step, &after));
      if (before != after) {
        return false;
      }
    }
    return true;
  };
  const absl::StatusOr<bool> same = compare();
  // A foreign transaction that is being validated (Cancelled), or a namespace that was dropped.
  const bool conflict = absl::IsCancelled(same.status()) || absl::IsNotFound(same.status()) ||
                        absl::IsAborted(same.status());
  return conflict ? absl::StatusOr<bool>(false) : same;
}

}  // namespace commy::transactions
