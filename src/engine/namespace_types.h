// The type of a namespace: what a program asks for, and whether it fits what is there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "commy/options.h"
#include "engine/engine.h"
#include "types/descriptor.h"

namespace commy::engine {

// A type that a program asks for. An empty text: none, so that every namespace fits.
struct WantedType {
  std::string text;
  types::ContainerType type;
  std::uint64_t value_align = 16;
  [[nodiscard]] bool is_counter() const {
    return !text.empty() && type.kind == types::ContainerKind::kCounter;
  }
};

// InvalidArgument: the text in the options describes no type.
absl::StatusOr<WantedType> ParseWanted(std::string_view path, const NamespaceOptions& options);

// Makes sure that the namespace is of the wanted type. If it has none, gives it that type if
// `adopt`, else FailedPrecondition. If the wanted one has more fields at the end of a struct, makes
// it the namespace's. InvalidArgument, with both types: they do not fit.
absl::Status AgreeOnType(const Engine& engine, const NamespaceKey& key, std::string_view path,
                         const WantedType& wanted, bool adopt);

// The type of a namespace; empty: it has none.
absl::StatusOr<std::string> TypeOf(const Engine& engine, const NamespaceKey& key);

}  // namespace commy::engine
