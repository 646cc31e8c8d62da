#include "typed/addition.h"

#include <cstddef>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace commy::tools {
namespace {

using types::Type;

std::size_t SizeOf(const Type& type) {
  const std::uint64_t size = types::FixedSize(type).value_or(1);
  return size >= 1 && size <= 8 ? size : 1;  // Of an integer it is.
}

// The number in the low bits.
absl::int128 ToNumber(const Type& type, std::uint64_t bits) {
  if (!types::IsSigned(type.kind)) {
    return bits;
  }
  const auto unused = static_cast<unsigned>(64 - 8 * SizeOf(type));
  return static_cast<std::int64_t>(bits << unused) >> unused;
}

std::uint64_t LowBits(const Type& type, absl::int128 number) {
  return absl::Int128Low64(number) & (UINT64_MAX >> (64 - 8 * SizeOf(type)));
}

std::uint64_t ReadBits(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    bits = bits << 8U | static_cast<unsigned char>(bytes[i - 1]);
  }
  return bits;
}

}  // namespace

absl::StatusOr<std::string> AddToInteger(const Type& type, std::optional<std::string_view> bytes,
                                         std::int64_t delta) {
  const std::size_t size = SizeOf(type);
  if (bytes.has_value() && bytes->size() != size) {
    return base::InvalidArgument("the value has ", bytes->size(), " bytes, not the ", size,
                                 " of the type ", types::ToText(type));
  }
  const absl::int128 old = bytes.has_value() ? ToNumber(type, ReadBits(*bytes)) : 0;
  const absl::int128 sum = old + delta;
  const std::uint64_t bits = LowBits(type, sum);
  if (ToNumber(type, bits) != sum) {
    const std::string shown = old < 0 ? absl::StrCat(static_cast<std::int64_t>(old))
                                      : absl::StrCat(absl::Int128Low64(old));
    return absl::OutOfRangeError(absl::StrCat("the sum of ", shown, " and ", delta,
                                              " does not fit into the type ", types::ToText(type)));
  }
  std::string made;
  for (std::size_t i = 0; i < size; ++i) {
    made += static_cast<char>(bits >> (8 * i));
  }
  return made;
}

}  // namespace commy::tools
