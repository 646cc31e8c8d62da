// Types made at random, as ParseType() takes them.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "types/descriptor.h"

namespace commy::test {

using Random = std::mt19937_64;

// A type that is nested at most `depth` deep. A key or value of it, opaque parts aside, has few
// parts.
inline types::Type RandomType(Random& random, int depth) {
  using types::Kind;
  types::Type type;
  const auto kinds = static_cast<std::uint64_t>(Kind::kCustom) + 1;
  do {
    type.kind = static_cast<Kind>(random() % kinds);
  } while (depth <= 1 && types::IsComposite(type.kind));
  if (type.kind == Kind::kEnum || type.kind == Kind::kStruct || types::IsOpaque(type.kind)) {
    type.name = "acme.N" + std::to_string(random() % 10);
  }
  if (type.kind == Kind::kEnum) {
    type.integer = static_cast<Kind>(static_cast<std::uint64_t>(Kind::kU8) + random() % 8);
  }
  if (types::IsComposite(type.kind)) {
    const bool has_list = type.kind == Kind::kStruct || type.kind == Kind::kTuple;
    for (std::uint64_t count = has_list ? 1 + random() % 4 : 1; count > 0; --count) {
      type.parts.push_back(RandomType(random, depth - 1));
      if (type.kind == Kind::kStruct) {
        type.field_names.push_back("f" + std::to_string(count));
      }
    }
    type.count = type.kind == Kind::kArray ? 1 + random() % 3 : 0;
    if (type.kind == Kind::kOptional && type.parts[0].kind == Kind::kOptional) {
      type.kind = Kind::kVector;
    }
    if (const auto layout = types::LayoutOf(type); type.kind == Kind::kStruct &&
                                                   layout.has_value() && layout->align < 32 &&
                                                   random() % 4 == 0) {
      type.align = random() % 2 == 0 ? 32 : 64;
    }
  }
  return type;
}

}  // namespace commy::test
