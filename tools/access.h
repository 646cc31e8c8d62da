// Opening stores and namespaces for a command, with errors that say what to do.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/commy.h"

namespace commy::tools {

enum class Use {
  kRead,    // Changes nothing, creates nothing.
  kChange,  // Changes what is there.
  kCreate,  // Creates the store if it is missing.
};

// Opens a store; `command` is shown by `commy ps`. A missing store is FailedPrecondition, not
// NotFound (see ExitFor).
absl::StatusOr<Store> OpenStore(const std::string& path, Use use, std::string_view command);

// FailedPrecondition: standard output or standard error is the store at `path`.
absl::Status KeepPrintsOut(const std::string& path);

// NotFound says that the store has no such namespace. With kCreate it is created.
absl::StatusOr<Namespace> OpenNamespace(const Store& store, const std::string& path, Use use,
                                        bool ordered = false);
// The same with a type (see NamespaceOptions::type); empty: of any type. A new namespace gets it.
absl::StatusOr<Namespace> OpenTypedNamespace(const Store& store, const std::string& path, Use use,
                                             bool ordered, const std::string& type);

// For an operation on an open store: the same error, with the store's name and advice.
absl::Status Explain(const Store& store, const absl::Status& status);
// The same for an error of opening it.
absl::Status ExplainOpen(const std::string& path, const absl::Status& status);

// NotFound: "<store>: <namespace> has no key <key>".
absl::Status NoKey(const Store& store, std::string_view path, std::string_view key);

}  // namespace commy::tools
