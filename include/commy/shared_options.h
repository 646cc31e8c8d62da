// How to open a typed container.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/options.h"

namespace commy {

class Namespace;
class Store;

struct SharedOptions {
  // Create the container if there is none at the path.
  bool create_if_missing = true;
  // Time to live of what is put without one; see NamespaceOptions.
  std::optional<absl::Duration> default_ttl = std::nullopt;
  // If there is a namespace without a type at the path, declare it to be this container. All its
  // keys and values are read first; one that is not of the type is an error, and nothing is
  // declared. While programs that know nothing of the type still write there, they may write
  // anything. Cost: a scan.
  bool adopt_untyped = false;
  // Of a SharedDeque: see QueueLimits. Those that are given are also set on a deque that is there;
  // the others stay.
  std::optional<std::uint64_t> capacity = std::nullopt;
  std::optional<std::uint32_t> max_deliveries = std::nullopt;
  std::optional<std::string> dead_letters = std::nullopt;
};

namespace internal {

// `verify` says whether a key and a value that are there already are of the type.
using Verify = absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)>;
COMMY_EXPORT absl::StatusOr<Namespace> OpenTyped(const Store& store, std::string_view path,
                                                 Order order, std::string_view type,
                                                 const SharedOptions& options, Verify verify);

}  // namespace internal
}  // namespace commy
