#include "coordination/only_record.h"

#include "base/status.h"
#include "coordination/record.h"

namespace commy::coordination {

absl::Status NoRecord(std::string_view path, std::string_view kind, std::string_view lacks) {
  return base::NotFound("the ", base::ToAbsl(kind), " \"", base::ToAbsl(path), "\" has no ",
                        base::ToAbsl(lacks), " yet: open it with one");
}

absl::StatusOr<Namespace> OpenOnlyRecord(const Store& store, const OnlyRecord& wanted,
                                         const SharedOptions& options, AgreesWith agrees) {
  const auto verify = [&](std::string_view key, std::string_view value) {
    absl::Status status = VerifyOnlyRecord(key, wanted.kind);
    status.Update(agrees(value));
    return status;
  };
  SharedOptions used = options;
  used.create_if_missing = options.create_if_missing && wanted.initial.has_value();
  COMMY_ASSIGN_OR_RETURN(Namespace ns, internal::OpenTyped(store, wanted.path, Order::kHash,
                                                           wanted.kind, used, verify));
  // A read first, which a read-only store allows.
  const absl::StatusOr<std::string> present = ns.Get("");
  if (present.ok()) {
    COMMY_RETURN_IF_ERROR(agrees(*present));
    return ns;
  }
  if (!absl::IsNotFound(present.status())) {
    return present.status();
  }
  if (!used.create_if_missing) {
    return NoRecord(wanted.path, wanted.kind, wanted.lacks);
  }
  COMMY_RETURN_IF_ERROR(
      UpdateRecord(ns, "", [&](std::optional<std::string_view> bytes) -> absl::StatusOr<Change> {
        if (bytes.has_value()) {
          COMMY_RETURN_IF_ERROR(agrees(*bytes));
          return Change::Keep();
        }
        return PutRecord(*wanted.initial);
      }));
  return ns;
}

}  // namespace commy::coordination
