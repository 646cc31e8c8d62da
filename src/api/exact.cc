#include "api/exact.h"

#include "api/handle_access.h"
#include "api/snapshot_state.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "transactions/write_set.h"

namespace commy::api {

using engine::NamespaceState;

absl::StatusOr<StoreTime> ReadStoreTime(const Namespace& ns) {
  const engine::Engine& engine = HandleAccess::StateOf(ns)->engine();
  const process::Session::Call call(engine.session);
  COMMY_RETURN_IF_ERROR(call.status());
  const process::StoreClock& clock = engine.session.clock();
  return StoreTime{clock.NowNs(), clock.AheadNs()};
}

absl::StatusOr<std::int64_t> MomentOf(const Snapshot& snapshot, const Namespace& ns) {
  COMMY_ASSIGN_OR_RETURN(const versions::AsOf as_of,
                         SnapshotState::AsOfSnapshot(&snapshot, *HandleAccess::StateOf(ns)->store));
  return as_of.store_ns;
}

absl::Status PutUntil(const Namespace& ns, std::string_view key, std::string_view value,
                      std::int64_t expiry_ns) {
  COMMY_RETURN_IF_ERROR(transactions::CheckKey(key));
  COMMY_RETURN_IF_ERROR(transactions::CheckValue(value));
  if (expiry_ns <= 0) {
    return base::InvalidArgument("a key cannot expire at the store time ", expiry_ns,
                                 "; that is before 1970");
  }
  const NamespaceState& state = *HandleAccess::StateOf(ns);
  namespaces::WriteOutcome outcome;
  return engine::WriteKey(state.engine(), state.key,
                          {.key = key, .value = value, .expiry_ns = expiry_ns}, &outcome);
}

std::uint64_t ValueAlignOf(const Namespace& ns) {
  const NamespaceState& state = *HandleAccess::StateOf(ns);
  return engine::ValueAlignFor(state.engine(), state.key);
}

absl::Status AlignValues(const Namespace& ns, std::uint64_t align) {
  if (!versions::IsValueAlign(align)) {
    return base::InvalidArgument("values cannot be aligned to ", align, " bytes; 16, 32 and 64 ",
                                 "are possible");
  }
  const NamespaceState& state = *HandleAccess::StateOf(ns);
  const namespaces::Types& types = state.engine().map.types();
  return engine::Write(state.engine(), state.key, process::OpKind::kCatalog,
                       alloc::Purpose::kOrdinary,
                       [&](process::Operation&, const engine::NamespaceRef& ref) {
                         types.AlignValues(ref, align);
                         return base::Result();
                       });
}

}  // namespace commy::api
