#include "sequences/root_change.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"
#include "namespaces/write_op.h"

namespace commy::sequences {

std::uint64_t FreshNode(const engine::NamespaceState& ns) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, ns.engine().session.clock().NowNs()));
}

RootChange AddAt(RootView& root, bool back, const ElementRun& run, std::uint64_t most_bytes) {
  // The first element is at both ends.
  const bool to_back = back || (root.front.count == 0 && root.tree_count == 0);
  const ElementRun& there = to_back ? root.back : root.front;
  if ((there.count != 0 && there.width != run.width) ||
      there.bytes.size() + run.bytes.size() > most_bytes) {
    return {};
  }
  RootChange change = AsItIs(root);
  (to_back ? change.back : change.front) = back ? RunPieces{there, run} : RunPieces{run, there};
  return change;
}

bool TakeAt(RootView& root, bool back, std::uint64_t most,
            absl::FunctionRef<void(std::string_view)> use) {
  const ElementRun& near = back ? root.back : root.front;
  if (root.tree_count != 0 && near.count < most) {
    return false;
  }
  for (; most > 0 && root.count() > 0; --most) {
    const bool from_back = (near.count != 0) == back;  // Else the run at the other end.
    ElementRun& run = from_back ? root.back : root.front;
    const std::uint64_t last = run.count - 1;
    use(*ElementOf(run, back ? last : 0));
    run = *Slice(run, back ? 0 : 1, last);
  }
  return true;
}

absl::Status ChangeRoot(const engine::NamespaceState& ns, bool frees, DecideRoot decide) {
  std::string buffer;
  absl::Status parsed;
  const auto decide_write = [&](const versions::RecordView* live) {
    RootView root;
    if (live == nullptr) {
      parsed = absl::OkStatus();
      root.next_node = FreshNode(ns);
    } else {
      parsed = ParseRoot(live->value, &root);
    }
    if (!parsed.ok()) {
      return namespaces::Decision{};
    }
    const RootChange change = decide(root);
    if (!change.changes) {
      return namespaces::Decision{};
    }
    EncodeRoot(root, change.front, change.back, &buffer);
    return namespaces::Decision{.kind = namespaces::Decision::Kind::kPut,
                                .value = buffer,
                                .expiry_ns = 0,
                                .buffer_reused = true,
                                .frees = frees};
  };
  const namespaces::Compute compute = decide_write;
  namespaces::WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(engine::WriteKey(
      ns.engine(), ns.key,
      {.kind = namespaces::WriteOp::Kind::kCompute, .compute = &compute, .frees = frees},
      &outcome));
  return parsed;
}

}  // namespace commy::sequences
