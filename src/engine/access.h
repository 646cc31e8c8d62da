// Reaching a namespace: every use of one runs under a pin, with a reference to the namespace that
// is good under that pin alone.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/check.h"
#include "base/result.h"
#include "engine/engine.h"

namespace commy::engine {

// A namespace for a reader, pinned for the length of a scope.
class Access {
 public:
  Access(const Engine& engine, const NamespaceKey& key);
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  [[nodiscard]] bool ok() const { return status_.ok(); }
  // Why there is no access: the store was closed, or the namespace dropped.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] const NamespaceRef& ns() const {
    COMMY_DCHECK(ok() && pin_.has_value());  // Good under the pin alone.
    return ns_;
  }
  [[nodiscard]] process::Lane& lane() const {
    COMMY_DCHECK(pin_.has_value());
    return *lane_;
  }

  // Ends the access, and returns the caller's status for a result other than kDone and kAbsent.
  absl::Status Finish(const base::Result& result);

 private:
  const Engine& engine_;
  const NamespaceKey key_;
  process::Lane* lane_ = nullptr;
  std::optional<process::Pin> pin_;
  NamespaceRef ns_;
  absl::Status status_;
};

using WriteUse = absl::FunctionRef<base::Result(process::Operation&, const NamespaceRef&)>;

// Writes a key. If the store is full, looks for room and tries again, more often for writes that
// make room themselves. FailedPrecondition: the store was opened read-only.
absl::Status WriteKey(const Engine& engine, const NamespaceKey& key,
                      const namespaces::WriteOp& write, namespaces::WriteOutcome* outcome);
// The same for any other work in an operation with notes.
absl::Status Write(const Engine& engine, const NamespaceKey& key, process::OpKind kind,
                   alloc::Purpose purpose, WriteUse use);
// One attempt of that in the caller's lane.
base::Result TryWrite(const Engine& engine, process::Lane& lane, const NamespaceKey& key,
                      process::OpKind kind, WriteUse use);

// For a caller that is in an operation of its own: the reference, good under the pin. kDropped.
base::Result FindNamespace(const Engine& engine, const NamespaceKey& key, NamespaceRef* ns);
// The reference to the namespace that the object is of; its id is 0 if it is of none. DataLoss.
absl::StatusOr<NamespaceRef> NamespaceAt(const Engine& engine, std::uint64_t object);

// For a call that met a namespace that was dropped: returns the status that says so. No transaction
// that writes there is committed afterwards. Requires: the thread is in no operation.
absl::Status AfterDrop(const Engine& engine, const NamespaceKey& key);
// Why a pin was not entered. Never OK, even if the reason is over by now.
absl::Status NotEntered(const Engine& engine);
// The caller's status for a result. Requires: as AfterDrop; it is not kAbsent.
absl::Status ToStatus(const Engine& engine, const NamespaceKey& key, const base::Result& result);
// "namespace <id> was dropped", and whether a status is that one.
absl::Status DroppedStatus(std::uint64_t id);
bool IsDroppedStatus(const absl::Status& status);

}  // namespace commy::engine
