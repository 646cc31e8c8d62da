#include "crash/space_steps.h"

#include <cstdint>
#include <vector>

#include <unistd.h>

#include "absl/functional/function_ref.h"

#include "alloc/allocator.h"
#include "alloc/span_word.h"
#include "base/status.h"
#include "commy/compact.h"
#include "engine/access.h"
#include "namespaces/mover.h"

namespace commy::test {
namespace {

using alloc::SpanKind;
using alloc::SpanUse;
using engine::Engine;
using engine::NamespaceKey;
using process::Lane;
using process::Operation;
using process::OpKind;

constexpr double kFill = 0.8;
constexpr std::uint64_t kFreeSpans = 2;  // That are not punched.

void MoveEpochs(const Engine& store) {
  for (int i = 0; i < 4; ++i) {
    (void)store.session.PushEpoch();
  }
}

absl::Status ForEachSpan(const Engine& store,
                         absl::FunctionRef<void(Operation&, std::uint64_t span)> use) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, store.session.ThisLane());
  Operation op(*lane, OpKind::kMove, 0);
  for (std::uint64_t span = 0; span < store.region.span_count(); ++span) {
    use(op, span);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamespaceKey>> AllNamespaces(const Engine& store) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, store.session.ThisLane());
  const process::Pin pin(*lane);
  std::vector<NamespaceKey> all;
  COMMY_RETURN_IF_ERROR(store.catalog.ForEach("", [&](std::string_view, std::uint64_t object) {
    const auto* const words = store.region.At<namespaces::NamespaceObject>(object);
    all.push_back({object, words->id.load(std::memory_order_acquire)});
    return true;
  }));
  return all;
}

// Moves the blocks of the chosen spans.
absl::Status MoveFrom(const Engine& store, const std::vector<bool>& chosen) {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, store.session.ThisLane());
  COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceKey> all, AllNamespaces(store));
  const alloc::Allocator::Packing packing(store.allocator, *lane);
  const region::Geometry& geometry = store.region.geometry();
  const auto moves = [&](std::uint64_t offset) {
    const std::uint64_t span = (offset - geometry.data_offset) >> geometry.span_shift;
    return offset >= geometry.data_offset && span < chosen.size() && chosen[span];
  };
  namespaces::MoveTally tally;
  for (const NamespaceKey& key : all) {
    index::SlotPlace place;
    bool done = false;
    while (!done && !tally.no_room) {
      const base::Result moved = engine::TryWrite(
          store, *lane, key, OpKind::kMove, [&](Operation& op, const engine::NamespaceRef& ns) {
            return store.map.mover().Move(op, ns, moves, INT64_MAX, UINT64_MAX, &place, &tally,
                                          &done);
          });
      if (!moved.done()) {
        COMMY_RETURN_IF_ERROR(moved.is(base::Outcome::kDropped) ? absl::OkStatus()
                                                                : moved.status());
        done = true;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Leave(const Engine& store, double fill, std::vector<bool>* left) {
  left->assign(store.region.span_count(), false);
  return ForEachSpan(store, [&](Operation& op, std::uint64_t span) {
    const SpanUse use = store.allocator.UseOf(span);
    if (use.blocks != 0 && use.used <= fill * use.blocks && span < left->size()) {
      (void)store.allocator.Leave(op, span);
      left->at(span) = store.allocator.UseOf(span).word.kind == SpanKind::kLeaving;
    }
  });
}

absl::Status Free(const Engine& store) {
  MoveEpochs(store);
  COMMY_RETURN_IF_ERROR(ForEachSpan(store, [&](Operation& op, std::uint64_t span) {
    if (store.allocator.UseOf(span).word.kind == SpanKind::kLeaving &&
        !store.allocator.Release(op, span)) {
      (void)store.allocator.TakeBack(op, span);
    }
  }));
  MoveEpochs(store);
  return ForEachSpan(
      store, [&](Operation& op, std::uint64_t span) { store.allocator.ReclaimSpans(op, span, 1); });
}

absl::Status Punch(const Engine& store, std::uint64_t keep) {
  return ForEachSpan(store, [&](Operation& op, std::uint64_t span) {
    if (store.region.span_word(span).load(std::memory_order_relaxed) != 0) {
      return;
    }
    if (keep > 0) {
      --keep;
    } else {
      (void)store.allocator.Punch(op, span, store.allocator.HoleUnitSpans());
    }
  });
}

}  // namespace

Step Shrink() {
  return Unseen("shrink", [](Actor& actor) { return actor.store().ShrinkToUsage().status(); });
}

Step Backup() {
  return Unseen("backup", [](Actor& actor) {
    const std::string copy = actor.path() + ".copy";
    (void)unlink(copy.c_str());
    return actor.store().Backup(copy).status();
  });
}

Step LookAtBackup() {
  return Unseen("look at the backup", [](Actor& actor) -> absl::Status {
    Options options = CrashOptions();
    options.create_if_missing = false;
    const absl::StatusOr<Store> copy = Store::Open(actor.path() + ".copy", options);
    if (!copy.ok()) {
      return absl::IsNotFound(copy.status()) ? absl::OkStatus() : copy.status();
    }
    COMMY_ASSIGN_OR_RETURN(const CheckReport report, copy->Check());
    COMMY_ASSIGN_OR_RETURN(const Namespace a,
                           copy->OpenNamespace("a", {.create_if_missing = false}));
    return report.sound() && report.keys != 0 ? a.Size().status()
                                              : absl::DataLossError("the backup is not whole");
  });
}

Step CompactFile() {
  return Unseen("compact the file",
                [](Actor& actor) { return commy::Compact(actor.path()).status(); });
}

Step Compact(bool runs) {
  return Unseen("compact", [runs](Actor& actor) -> absl::Status {
    const Engine& store = actor.inside();
    std::vector<bool> chosen;
    COMMY_RETURN_IF_ERROR(Leave(store, kFill, &chosen));
    for (std::uint64_t span = 0; runs && span < chosen.size(); ++span) {
      chosen[span] = chosen[span] || store.allocator.UseOf(span).word.kind == SpanKind::kRunHead;
    }
    COMMY_RETURN_IF_ERROR(MoveFrom(store, chosen));
    COMMY_RETURN_IF_ERROR(Free(store));
    return Punch(store, kFreeSpans);
  });
}

Step LeaveSpans() {
  return Unseen("leave spans", [](Actor& actor) {
    std::vector<bool> left;
    return Leave(actor.inside(), 1, &left);
  });
}

Step FreeSpans() {
  return Unseen("free spans", [](Actor& actor) { return Free(actor.inside()); });
}

Step PunchSpans() {
  return Unseen("punch spans", [](Actor& actor) { return Punch(actor.inside(), 0); });
}

}  // namespace commy::test
