// Containers of one record, under the empty key, that has what the container was created with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/shared_options.h"
#include "commy/store.h"

namespace commy::coordination {

// Says whether the bytes are a record of the namespace at `path`, and whether they agree with what
// the caller wants.
using AgreesWith = absl::FunctionRef<absl::Status(std::string_view bytes)>;

// Opens the container. If it has no record, puts `initial` there; nullopt: NotFound, and nothing is
// created. Else `agrees` is asked. `kind` is the type of the namespace, and `lacks` names what a
// record would say: "number of permits".
struct OnlyRecord {
  std::string_view path;
  std::string_view kind;
  std::string_view lacks;
  std::optional<std::string> initial;
};
absl::StatusOr<Namespace> OpenOnlyRecord(const Store& store, const OnlyRecord& wanted,
                                         const SharedOptions& options, AgreesWith agrees);

// NotFound: the namespace has no record.
absl::Status NoRecord(std::string_view path, std::string_view kind, std::string_view lacks);

}  // namespace commy::coordination
