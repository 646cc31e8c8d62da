// Opening the namespace of a typed container.
#include "absl/strings/escaping.h"

#include "base/status.h"
#include "commy/shared_options.h"
#include "commy/store.h"
#include "engine/namespace_state.h"
#include "engine/namespace_types.h"

namespace commy::internal {
namespace {

constexpr std::size_t kKeyBytesShown = 60;

absl::Status VerifyAll(const Namespace& ns, std::string_view type, Verify verify) {
  ScanRange scan = ns.Scan();
  for (const Entry& entry : scan) {
    if (const absl::Status fits = verify(entry.key(), entry.value()); !fits.ok()) {
      return base::InvalidArgument(
          "namespace \"", ns.path(), "\" cannot become a ", base::ToAbsl(type), ": the key \"",
          absl::CEscape(entry.key().substr(0, kKeyBytesShown)), "\": ", fits.message());
    }
  }
  return scan.status();
}

}  // namespace

absl::StatusOr<Namespace> OpenTyped(const Store& store, std::string_view path, Order order,
                                    std::string_view type, const SharedOptions& options,
                                    Verify verify) {
  if ((options.capacity.has_value() || options.max_deliveries.has_value() ||
       options.dead_letters.has_value()) &&
      !type.starts_with("deque<")) {
    return base::InvalidArgument(
        "namespace \"", base::ToAbsl(path),
        "\": capacity, max_deliveries and dead_letters are of deques, and a ", base::ToAbsl(type),
        " has none");
  }
  const NamespaceOptions wanted{.order = order,
                                .create_if_missing = options.create_if_missing,
                                .type = std::string(type),
                                .default_ttl = options.default_ttl};
  absl::StatusOr<Namespace> opened = store.OpenNamespace(path, wanted);
  if (opened.ok() || !options.adopt_untyped || !absl::IsFailedPrecondition(opened.status())) {
    return opened;
  }
  absl::StatusOr<Namespace> untyped =
      store.OpenNamespace(path, {.order = order, .create_if_missing = false});
  if (!untyped.ok()) {
    return opened;
  }
  COMMY_RETURN_IF_ERROR(VerifyAll(*untyped, type, verify));
  // The very namespace that was read, whatever the path names by now.
  const engine::NamespaceState& state = *untyped->state_;
  COMMY_ASSIGN_OR_RETURN(const engine::WantedType adopted, engine::ParseWanted(path, wanted));
  COMMY_RETURN_IF_ERROR(
      engine::AgreeOnType(state.engine(), state.key, path, adopted, /*adopt=*/true));
  if (options.default_ttl.has_value()) {
    COMMY_RETURN_IF_ERROR(untyped->SetDefaultTtl(*options.default_ttl));
  }
  return untyped;
}

}  // namespace commy::internal
