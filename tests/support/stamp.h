// Values that identify themselves: their key, their writer, its sequence number, and a checksum
// over all bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace commy::test {

struct Stamp {
  std::uint64_t checksum = 0;  // Of all bytes after it, filling included.
  std::uint64_t key_hash = 0;
  std::uint64_t writer = 0;
  std::uint64_t seq = 0;
};

// A value of at least sizeof(Stamp) bytes.
inline std::string MakeStamped(std::string_view key, std::uint64_t writer, std::uint64_t seq,
                               std::size_t filling_bytes) {
  Stamp stamp{0, base::HashKey(key, 0), writer, seq};
  std::string value(sizeof(stamp) + filling_bytes, static_cast<char>(seq * 31 + writer));
  std::memcpy(value.data(), &stamp, sizeof(stamp));
  stamp.checksum = base::Checksum(value.data() + 8, value.size() - 8);
  std::memcpy(value.data(), &stamp, sizeof(stamp));
  return value;
}

// None if the value is torn, or another key's.
inline std::optional<Stamp> ReadStamped(std::string_view key, std::string_view value) {
  Stamp stamp;
  if (value.size() < sizeof(stamp)) {
    return std::nullopt;
  }
  std::memcpy(&stamp, value.data(), sizeof(stamp));
  if (stamp.checksum != base::Checksum(value.data() + 8, value.size() - 8) ||
      stamp.key_hash != base::HashKey(key, 0)) {
    return std::nullopt;
  }
  return stamp;
}

}  // namespace commy::test
