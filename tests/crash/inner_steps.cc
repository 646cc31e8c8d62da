#include "crash/inner_steps.h"

#include <cstdint>
#include <future>
#include <thread>

#include "api/open.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/maintenance.h"

namespace commy::test {

Step Attach() {
  return Unseen("attach", [](Actor& actor) { return actor.Attach(Model(), false); });
}

Step Detach() {
  return Unseen("detach", [](Actor& actor) { return actor.Close(); });
}

Step PushEpochs() {
  return Unseen("push epochs", [](Actor& actor) {
    for (int i = 0; i < 4; ++i) {
      (void)actor.inside().session.PushEpoch();
    }
    return absl::OkStatus();
  });
}

Step GrowFile() {
  return Unseen("grow", [](Actor& actor) {
    region::Region& region = actor.inside().region;
    return region.Grow(region.span_count(), 20);
  });
}

Step GrowAhead() {
  return Unseen("grow ahead", [](Actor& actor) -> absl::Status {
    region::Region& region = actor.inside().region;
    region.PrepareToGrow(region.span_count());
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, actor.inside().session.ThisLane());
    for (int i = 0; i < 3; ++i) {
      process::Operation op(*lane, process::OpKind::kAllocate, 0);
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                             actor.inside().allocator.Allocate(op, region::BlockKind::kRaw,
                                                               12 * region.geometry().span_bytes));
      actor.inside().allocator.KeepRoom();
      actor.inside().allocator.Retire(op, offset);
    }
    return absl::OkStatus();
  });
}

Step GrowLanes() {
  return Unseen("grow lanes", [](Actor& actor) { return actor.inside().region.GrowLanes(32); });
}

Step RawBlocks() {
  return Unseen("raw blocks", [](Actor& actor) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, actor.inside().session.ThisLane());
    process::Operation op(*lane, process::OpKind::kAllocate, 0);
    for (const std::uint64_t bytes : {40, 700, 9000}) {
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                             actor.inside().allocator.Allocate(op, region::BlockKind::kRaw, bytes));
      actor.inside().allocator.Retire(op, offset);
    }
    return absl::OkStatus();
  });
}

Step RunsBack() {
  return Unseen("runs back", [](Actor& actor) -> absl::Status {
    const engine::Engine& store = actor.inside();
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, store.session.ThisLane());
    for (int round = 0; round < 6; ++round) {
      {
        process::Operation op(*lane, process::OpKind::kAllocate, 0);
        COMMY_ASSIGN_OR_RETURN(
            const std::uint64_t offset,
            store.allocator.Allocate(op, region::BlockKind::kRaw,
                                     (3 + round) * store.region.geometry().span_bytes));
        store.allocator.Retire(op, offset);
      }
      for (int epoch = 0; epoch < 4; ++epoch) {
        (void)store.session.PushEpoch();
      }
    }
    return absl::OkStatus();
  });
}

Step TakeFromTheLiving() {
  return Unseen("take from the living", [](Actor& actor) -> absl::Status {
    const engine::Engine& store = actor.inside();
    std::promise<void> has_lane;
    std::promise<void> end;
    std::thread owner([&] {
      (void)store.session.ThisLane();  // An idle one, with its spans.
      has_lane.set_value();
      end.get_future().wait();
    });
    has_lane.get_future().wait();
    absl::Status status;
    for (int i = 0; i < 4 && status.ok(); ++i) {
      const absl::StatusOr<process::Lane*> lane = store.session.ThisLane();
      status = lane.status();
      if (status.ok()) {
        process::Operation op(**lane, process::OpKind::kAllocate, 0);
        (void)store.allocator.TakeFromOthers(op,
                                             {.class_max = store.allocator.classes().count() - 1,
                                              .share = UINT32_MAX,
                                              .of_the_living = true},
                                             store.region.span_count());
      }
    }
    end.set_value();
    owner.join();
    return status;
  });
}

Step EmptyOthers() {
  return Unseen("empty others' spans", [](Actor& actor) -> absl::Status {
    (void)actor.inside().allocator.EmptyOthers();
    (void)actor.inside().session.TryAdvanceEpoch();
    return absl::OkStatus();
  });
}

Step MarkAll() {
  return Unseen("mark and sweep", [](Actor& actor) -> absl::Status {
    const engine::Engine& store = actor.inside();
    COMMY_ASSIGN_OR_RETURN(process::Lane * lane, store.session.ThisLane());
    {
      process::Operation op(*lane, process::OpKind::kSweep, 0);
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, store.catalog.Find("a"));
      if (object == 0) {
        return absl::OkStatus();  // Renamed meanwhile.
      }
      COMMY_ASSIGN_OR_RETURN(const engine::NamespaceRef ns, engine::NamespaceAt(store, object));
      op.SetObject(object);
      const base::Result marked = store.map.sweeper().Mark(ns, "k");
      if (!marked.done()) {
        return marked.status().ok() ? absl::AbortedError("dropped") : marked.status();
      }
    }
    store.maintenance.Background();
    return absl::OkStatus();
  });
}

Step Beat() {
  return Unseen("beat", [](Actor& actor) {
    (void)actor.inside().session.PushEpoch();
    actor.inside().maintenance.Background();
    return absl::OkStatus();
  });
}

Step RecoverDead() {
  return Unseen("recover", [](Actor& actor) { return actor.inside().session.RecoverDead(); });
}

}  // namespace commy::test
