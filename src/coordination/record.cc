#include "coordination/record.h"

#include "absl/time/time.h"

#include "base/status.h"

namespace commy::coordination {

absl::Status BadRecord(std::string_view path, std::string_view kind, std::string_view bytes,
                       std::string_view why) {
  return base::DataLoss("namespace \"", base::ToAbsl(path), "\": the record of its ",
                        base::ToAbsl(kind), ", of ", bytes.size(), " bytes, is damaged or of a ",
                        "program that knows another form: ", base::ToAbsl(why));
}

absl::Status UpdateRecord(
    const Namespace& ns, std::string_view key,
    absl::FunctionRef<absl::StatusOr<Change>(std::optional<std::string_view>)> decide) {
  absl::Status failed;
  const auto try_to = [&](std::optional<std::string_view> present) {
    failed = absl::OkStatus();
    absl::StatusOr<Change> change = decide(present);
    if (!change.ok()) {
      failed = change.status();
      return Change::Keep();
    }
    return *std::move(change);
  };
  COMMY_RETURN_IF_ERROR(ns.Update(key, try_to).status());
  return failed;
}

Change PutRecord(std::string bytes) {
  return Change::Put(std::move(bytes), {.ttl = absl::InfiniteDuration()});
}

absl::Status VerifyOnlyRecord(std::string_view key, std::string_view kind) {
  return key.empty() ? absl::OkStatus()
                     : base::InvalidArgument("a ", base::ToAbsl(kind), " has no keys");
}

}  // namespace commy::coordination
