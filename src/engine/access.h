// Reaching a namespace: every use of one is a function that runs under a pin, with the namespace's
// anchor, which is good under that pin alone.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine/engine.h"

namespace commy::engine {

using ReadUse = absl::FunctionRef<absl::Status(process::Lane&, const index::Anchor&)>;
using WriteUse = absl::FunctionRef<absl::Status(process::Operation&, const index::Anchor&)>;

// Runs `use` under a pin with the namespace's anchor. NotFound: it was dropped, or is marked for it.
absl::Status Read(const Engine& engine, const NamespaceKey& key, ReadUse use);
// The same in an operation with notes. FailedPrecondition: the store was opened read-only. A full store
// is tried again once room was sought: more often for what makes room itself, by its purpose.
absl::Status Write(const Engine& engine, const NamespaceKey& key, process::OpKind kind,
                   alloc::Purpose purpose, WriteUse use);
// One attempt of that in the caller's lane. Aborted: the namespace is being dropped.
absl::Status TryWrite(const Engine& engine, process::Lane& lane, const NamespaceKey& key,
                      process::OpKind kind, WriteUse use);

// For a caller that is in an operation of its own: the anchor, good under the pin. NotFound: dropped.
absl::Status FindAnchor(const Engine& engine, const NamespaceKey& key, index::Anchor* anchor);
// The anchor of whatever namespace the object is of; its id is 0 if it is of none. DataLoss.
absl::StatusOr<index::Anchor> AnchorAt(const Engine& engine, std::uint64_t object);

// For a call that met a namespace that was dropped: returns the status that says so. No transaction that
// writes there is committed afterwards. Requires: the thread is in no operation.
absl::Status AfterDrop(const Engine& engine, const NamespaceKey& key);
// "namespace <id> was dropped".
absl::Status DroppedStatus(std::uint64_t id);

}  // namespace commy::engine
