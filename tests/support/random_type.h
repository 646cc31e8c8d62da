// Types made at random, as ParseType() takes them.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "types/descriptor.h"

namespace commy::test {

using Random = std::mt19937_64;

// See below.
types::Type RandomType(Random& random, int depth);

// Adds the parts of a composite type.
inline void AddRandomParts(Random& random, int depth, types::Type& type) {
  using types::Kind;
  const bool has_list = type.kind == Kind::kStruct || type.kind == Kind::kTuple;
  const std::uint64_t count = has_list ? 1 + random() % 4 : 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    type.parts.push_back(RandomType(random, depth - 1));
    if (type.kind == Kind::kStruct) {
      type.field_names.push_back("f" + std::to_string(i));
    }
  }
  if (type.kind == Kind::kOptional && type.parts[0].kind == Kind::kOptional) {
    type.kind = Kind::kVector;
  }
}

// Some plain structs are aligned more than their fields ask for.
inline std::uint32_t RandomAlign(Random& random, const types::Type& type) {
  const auto layout = types::LayoutOf(type);
  const bool may = layout.has_value() && layout->align < 32;
  return may && random() % 4 == 0 ? 32U << (random() % 2) : 0;
}

// A type that is nested at most `depth` deep. Its keys and values have few parts.
inline types::Type RandomType(Random& random, int depth) {
  using types::Kind;
  types::Type type;
  do {
    type.kind = static_cast<Kind>(random() % (static_cast<std::uint64_t>(Kind::kCustom) + 1));
  } while (depth <= 1 && types::IsComposite(type.kind));
  if (type.kind == Kind::kEnum || type.kind == Kind::kStruct || types::IsOpaque(type.kind)) {
    type.name = "acme.N" + std::to_string(random() % 10);
  }
  if (types::IsComposite(type.kind)) {
    AddRandomParts(random, depth, type);
  }
  if (type.kind == Kind::kEnum) {
    type.integer = static_cast<Kind>(static_cast<std::uint64_t>(Kind::kU8) + random() % 8);
  } else if (type.kind == Kind::kArray) {
    type.count = 1 + random() % 3;
  } else if (type.kind == Kind::kStruct) {
    type.align = RandomAlign(random, type);
  }
  return type;
}

}  // namespace commy::test
