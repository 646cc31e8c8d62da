#include "sequences/root_change.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"
#include "namespaces/write_op.h"

namespace commy::sequences {

std::uint64_t FreshNode(const engine::NamespaceState& ns) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, ns.engine().session.clock().NowNs()));
}

absl::Status ChangeRoot(const engine::NamespaceState& ns, bool frees, DecideRoot decide) {
  // Roots are small, and threads that change sequences do it often.
  static thread_local std::string buffer;
  absl::Status parsed;
  const std::uint64_t fresh_node = FreshNode(ns);
  const auto decide_write = [&](const versions::RecordView* live) {
    RootView root;
    root.next_node = fresh_node;
    parsed = live == nullptr ? absl::OkStatus() : ParseRoot(live->value, &root);
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
