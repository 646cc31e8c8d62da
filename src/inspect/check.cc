// With writers attached, a walk sees changes half done: a block that was published behind it looks
// leaked, one that was retired in front of it looks reachable but free. Each of these is gone at
// the next look, so only faults that two walks agree on are reported.
//
// The counters of a namespace are compared with the walk (D1) only if no operation was between its
// publishing and its count at either end of the walk, and none has counted meanwhile: see
// CountersAtRest.
#include "inspect/check.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "base/status.h"
#include "engine/access.h"
#include "engine/block_owners.h"
#include "engine/quotas.h"

namespace commy::inspect {
namespace {

using region::BlockKind;

constexpr std::size_t kFaultsListed = 100;
constexpr std::size_t kFaultsKept = 10'000;
constexpr int kWalksMax = 4;

// The findings of one walk.
struct Walk {
  CheckReport report;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> leaks;  // Offset to size.
  std::vector<std::string> faults;
};

// A transaction block that is noted stands for all blocks that its list names.
void CollectTransaction(const versions::Intents& intents, std::uint64_t head_offset,
                        absl::flat_hash_set<std::uint64_t>* noted) {
  (void)intents.ForEachEntry(head_offset, [&](const versions::TransactionEntry& entry) {
    noted->insert(entry.record);
    return absl::OkStatus();
  });
  (void)intents.ForEachPage(head_offset, [&](std::uint64_t page) { noted->insert(page); });
}

void CollectNotes(const engine::Engine& engine, absl::flat_hash_set<std::uint64_t>* noted) {
  region::Region& region = engine.region;
  for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
    for (const region::Shared64& word : region.lane(i).notes) {
      const process::Note note = process::ReadNote(word.load(std::memory_order_seq_cst));
      if (note.kind == BlockKind::kRunClaim) {
        noted->insert(region.SpanOffset(note.first_span));
      } else if (note.offset_bytes != 0) {
        noted->insert(note.offset_bytes);
      }
      if (note.kind == BlockKind::kTransaction) {
        CollectTransaction(engine.map.intents(), note.offset_bytes, noted);
      }
    }
  }
}

// The counters of a namespace, if nothing is being counted there. One that had published before the
// walk and counts in it changes the stamp; one that has published and not counted is under way at
// one end of the walk. So at the first end the operations come before the stamp, and they do at the
// other one.
struct CountersAtRest {
  index::Counts counts;
  std::uint64_t stamp = 0;
};

std::optional<CountersAtRest> LookAtCounters(const engine::Engine& engine,
                                             const engine::NamespaceRef& ns) {
  for (std::uint32_t i = 0; i < engine.region.lanes_ready(); ++i) {
    const region::LaneLayout& lane = engine.region.lane(i);
    const process::OpKind kind = process::UnpackOp(lane.op.load(std::memory_order_acquire)).kind;
    if (kind == process::OpKind::kTransaction ||
        (kind == process::OpKind::kWrite &&
         lane.op_object.load(std::memory_order_acquire) == ns.offset)) {
      return std::nullopt;
    }
  }
  CountersAtRest at_rest;
  std::uint64_t again = 0;
  if (!engine.map.CountStamp(ns, &at_rest.stamp).done() ||
      !engine.map.Count(ns, &at_rest.counts).done() || !engine.map.CountStamp(ns, &again).done() ||
      again != at_rest.stamp) {
    return std::nullopt;
  }
  return at_rest;
}

class Walker {
 public:
  explicit Walker(const engine::Engine& engine) : engine_(engine) {}

  absl::StatusOr<Walk> Run() {
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, engine_.session.ThisLane());
    const process::Pin pin(*lane);
    if (!pin.entered()) {
      return engine::NotEntered(engine_);
    }
    CollectNotes(engine_, &noted_);
    absl::flat_hash_map<std::uint64_t, std::uint64_t> used;
    engine_.allocator.ForEachBlock([&](const alloc::BlockInfo& block) {
      if (block.used) {
        used.emplace(block.offset_bytes, block.size_bytes);
      }
    });
    for (std::string& fault : engine_.allocator.SpanFaults()) {
      Fault(std::move(fault));
    }
    COMMY_RETURN_IF_ERROR(WalkCatalog());
    CollectNotes(engine_, &noted_);
    walk_.report.blocks_used = used.size();
    walk_.report.blocks_reachable = reached_.size();
    for (const auto& [offset, size] : used) {
      if (reached_.contains(offset)) {
        continue;
      }
      if (noted_.contains(offset)) {
        ++walk_.report.blocks_in_flight;
      } else if (engine_.allocator.IsUsed(offset)) {
        walk_.leaks.emplace(offset, size);
      }
    }
    return std::move(walk_);
  }

 private:
  void Fault(std::string text) {
    if (walk_.faults.size() < kFaultsKept) {
      walk_.faults.push_back(std::move(text));
    }
  }

  bool Reach(BlockKind kind, std::uint64_t offset) {
    const engine::BlockOwner* const owner = engine::OwnerOf(kind);
    const std::string_view name = owner != nullptr ? owner->name : "block";
    if (!reached_.insert(offset).second) {
      Fault(absl::StrCat("the ", base::ToAbsl(name), " at ", base::Hex(offset),
                         " is reachable twice"));
      return false;
    }
    if (!engine_.allocator.IsUsed(offset)) {
      Fault(absl::StrCat("the ", base::ToAbsl(name), " at ", base::Hex(offset),
                         " is reachable but not in use"));
    }
    walk_.report.records += kind == BlockKind::kRecord ? 1 : 0;
    return true;
  }

  absl::Status WalkCatalog() {
    const namespaces::Catalog& catalog = engine_.catalog;
    const absl::Status blocks =
        catalog.WalkBlocks([&](BlockKind kind, std::uint64_t offset) { Reach(kind, offset); });
    std::vector<std::uint64_t> objects;
    const absl::Status named =
        catalog.ForEach("", [&](std::string_view path, std::uint64_t object) {
          walk_.report.namespaces += engine::IsHiddenPath(path) ? 0 : 1;
          objects.push_back(object);
          return true;
        });
    const absl::StatusOr<std::vector<std::uint64_t>> dropped = catalog.Dropped();
    for (const absl::Status& status : {blocks, named, dropped.status()}) {
      if (!status.ok()) {
        Fault(std::string(status.message()));
        return absl::OkStatus();
      }
    }
    objects.insert(objects.end(), dropped->begin(), dropped->end());
    for (const std::uint64_t object : objects) {
      WalkNamespace(object);
    }
    return absl::OkStatus();
  }

  void WalkNamespace(std::uint64_t object) {
    if (!Reach(BlockKind::kNamespace, object)) {
      return;
    }
    const absl::StatusOr<engine::NamespaceRef> ns = engine::NamespaceAt(engine_, object);
    if (!ns.ok()) {
      return;
    }
    if (ns->id != 0 && ns->order != namespaces::kOrderHash &&
        ns->order != namespaces::kOrderOrdered) {
      Fault(absl::StrCat("namespace ", ns->id & index::kNamespaceIdMask, ": unknown order ",
                         ns->order));
      return;
    }
    const std::optional<CountersAtRest> before = LookAtCounters(engine_, *ns);
    index::Counts found;
    const absl::Status walked = engine_.map.ForEachEdge(
        *ns, [&](const index::Edge& edge) { return Reach(edge.kind, edge.offset); },
        [&](const std::string& fault) { Fault(fault); }, &found);
    walk_.report.keys += static_cast<std::uint64_t>(found.keys);
    walk_.report.bytes += static_cast<std::uint64_t>(found.units) * versions::kUnitBytes;
    if (!walked.ok()) {
      Fault(std::string(walked.message()));
      return;
    }
    const std::optional<CountersAtRest> after =
        before.has_value() ? LookAtCounters(engine_, *ns) : std::nullopt;
    if (after.has_value() && after->stamp == before->stamp) {
      CompareCounts(*ns, after->counts, found);  // D1
    }
  }

  void CompareCounts(const engine::NamespaceRef& ns, const index::Counts& counted,
                     const index::Counts& found) {
    if (counted.keys != found.keys) {
      Fault(absl::StrCat("namespace ", ns.id & index::kNamespaceIdMask, ": its counters say ",
                         counted.keys, " keys, and it has ", found.keys));
    }
    if (counted.units != found.units) {
      Fault(absl::StrCat("namespace ", ns.id & index::kNamespaceIdMask, ": its counters say ",
                         counted.units * static_cast<std::int64_t>(versions::kUnitBytes),
                         " bytes, and its keys take ",
                         found.units * static_cast<std::int64_t>(versions::kUnitBytes)));
    }
  }

  const engine::Engine& engine_;
  Walk walk_;
  absl::flat_hash_set<std::uint64_t> noted_;
  absl::flat_hash_set<std::uint64_t> reached_;
};

// Keeps only the faults of `walk` that `other` found too.
void Intersect(Walk& walk, const Walk& other) {
  const absl::flat_hash_set<std::string> again(other.faults.begin(), other.faults.end());
  std::erase_if(walk.faults, [&](const std::string& fault) { return !again.contains(fault); });
  absl::erase_if(walk.leaks, [&](const auto& leak) { return !other.leaks.contains(leak.first); });
}

}  // namespace

absl::StatusOr<CheckReport> Check(const engine::Engine& engine) {
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  if (!engine.session.read_only()) {
    COMMY_RETURN_IF_ERROR(engine.session.RecoverDead());
  }
  COMMY_ASSIGN_OR_RETURN(Walk walk, Walker(engine).Run());
  for (int again = 1; again < kWalksMax && (!walk.faults.empty() || !walk.leaks.empty()); ++again) {
    COMMY_ASSIGN_OR_RETURN(Walk next, Walker(engine).Run());
    Intersect(next, walk);
    walk = std::move(next);
  }
  CheckReport report = std::move(walk.report);
  report.blocks_leaked = walk.leaks.size();
  for (const auto& [offset, size] : walk.leaks) {
    report.bytes_leaked += size;
    if (walk.faults.size() < kFaultsListed) {
      walk.faults.push_back(absl::StrCat("the block of ", size, " bytes at ", base::Hex(offset),
                                         " is in use but cannot be reached"));
    }
  }
  report.fault_count = walk.faults.size();
  walk.faults.resize(std::min(walk.faults.size(), kFaultsListed));
  report.faults = std::move(walk.faults);
  return report;
}

}  // namespace commy::inspect
