#include "inspect/space_map.h"

#include <algorithm>
#include <string_view>

#include "absl/container/flat_hash_set.h"

#include "base/check.h"
#include "engine/access.h"
#include "engine/quotas.h"

namespace commy::inspect {
namespace {

using Kind = alloc::SpanSpace::Kind;

// Counts the blocks of one namespace after another, by the spans that they lie in.
class Attribution {
 public:
  Attribution(const engine::Engine& engine, SpaceMap* map)
      : engine_(engine),
        map_(*map),
        seen_(map->spans.size()),
        bytes_(map->spans.size()),
        best_(map->spans.size()) {}

  void Walk(std::string_view path, std::uint64_t object) {
    SpaceMap::Owner owner{.path = std::string(path), .hidden = engine::IsHiddenPath(path)};
    const absl::StatusOr<engine::NamespaceRef> ns = engine::NamespaceAt(engine_, object);
    if (ns.ok()) {
      Add(object, &owner);
      index::Counts counts;
      // What is damaged is left out: `commy check` tells of it.
      (void)engine_.map.ForEachEdge(
          *ns, [&](const index::Edge& edge) { return Add(edge.offset, &owner); },
          [](const std::string&) {}, &counts);
    }
    map_.namespaces.push_back(std::move(owner));
    for (const std::uint64_t span : touched_) {
      if (bytes_[span] > best_[span]) {
        best_[span] = bytes_[span];
        map_.spans[span].owner = static_cast<std::uint32_t>(map_.namespaces.size());
      }
      bytes_[span] = 0;
    }
    touched_.clear();
  }

  // The further spans of a run are of the one that has its head.
  void Finish() {
    for (SpanPlace& place : map_.spans) {
      if (place.space.kind == Kind::kRun) {
        COMMY_DCHECK(place.space.run_head < map_.spans.size());
        place.owner = map_.spans[place.space.run_head].owner;
      }
    }
  }

 private:
  // Whether the block was met for the first time.
  bool Add(std::uint64_t offset, SpaceMap::Owner* owner) {
    const std::uint64_t size_bytes = engine_.allocator.BlockBytes(offset);
    if (size_bytes == 0) {
      return false;
    }
    const std::uint64_t span = (offset - map_.data_offset) / map_.span_bytes;
    if (span >= map_.spans.size()) {
      return later_.insert(offset).second;  // The file has grown.
    }
    const std::uint64_t unit =
        std::max<std::uint64_t>(map_.spans[span].space.block_bytes, region::kBlockAlignBytes);
    // No two blocks of a size begin in the same unit. If it served another size a moment ago, some
    // may: then something is left out.
    if (!IsNew(&seen_[span], (offset - map_.data_offset) % map_.span_bytes / unit)) {
      return false;
    }
    if (bytes_[span] == 0) {
      touched_.push_back(span);
    }
    bytes_[span] += size_bytes;
    owner->bytes += size_bytes;
    return true;
  }

  static bool IsNew(std::vector<bool>* seen, std::uint64_t at) {
    if (at >= seen->size()) {
      seen->resize(at + 1);
    }
    const bool is_new = !(*seen)[at];
    (*seen)[at] = true;
    return is_new;
  }

  const engine::Engine& engine_;
  SpaceMap& map_;
  std::vector<std::vector<bool>> seen_;       // Of each span, the blocks that were met.
  absl::flat_hash_set<std::uint64_t> later_;  // Likewise, by offset.
  std::vector<std::uint64_t> bytes_;          // Of each span, those of the present namespace,
  std::vector<std::uint64_t> best_;           // and those of the one that has the most.
  std::vector<std::uint64_t> touched_;
};

}  // namespace

absl::StatusOr<SpaceMap> MapSpace(const engine::OpenStore& store) {
  const engine::Engine& engine = store.engine();
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  COMMY_ASSIGN_OR_RETURN(process::Lane * lane, engine.session.ThisLane());
  const process::Pin pin(*lane);
  if (!pin.entered()) {
    return engine::NotEntered(engine);
  }
  SpaceMap map;
  map.span_bytes = engine.region.geometry().span_bytes;
  map.data_offset = engine.region.geometry().data_offset;
  engine.allocator.ForEachSpan([&](std::uint64_t, const alloc::SpanSpace& space) {
    map.spans.push_back({.space = space, .owner = 0});
  });
  COMMY_ASSIGN_OR_RETURN(map.file_bytes, engine.region.FileBytes());
  Attribution attribution(engine, &map);
  COMMY_RETURN_IF_ERROR(
      engine.catalog.ForEach("", [&](std::string_view path, std::uint64_t object) {
        attribution.Walk(path, object);
        return true;
      }));
  attribution.Finish();
  return map;
}

}  // namespace commy::inspect
