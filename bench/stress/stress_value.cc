#include "stress_value.h"

#include <cstddef>
#include <cstring>

#include "base/hash.h"

namespace commy::stress {
namespace {

constexpr std::size_t kNumberBytes = sizeof(std::uint64_t);
constexpr std::size_t kFillerStart = 2 * kNumberBytes;

void AppendNumber(std::uint64_t number, std::string& out) {
  out.append(reinterpret_cast<const char*>(&number), kNumberBytes);
}

std::uint64_t NumberAt(std::string_view bytes, std::size_t offset) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, kNumberBytes);
  return number;
}

std::uint64_t ChecksumOf(std::string_view key, std::string_view bytes) {
  const std::uint64_t parts[2] = {base::Checksum(key.data(), key.size()),
                                  base::Checksum(bytes.data(), bytes.size())};
  return base::Checksum(parts, sizeof(parts));
}

}  // namespace

void MakeValue(std::string_view key, Author author, std::uint64_t filler_bytes,
               std::string& value) {
  value.clear();
  AppendNumber(author.writer, value);
  AppendNumber(author.seq, value);
  const std::uint64_t fill = (author.writer * 31 + author.seq) * 0x9e3779b97f4a7c15U;
  while (value.size() < kFillerStart + filler_bytes) {
    AppendNumber(fill + value.size(), value);
  }
  value.resize(kFillerStart + filler_bytes);
  AppendNumber(ChecksumOf(key, value), value);
}

std::optional<Author> VerifyValue(std::string_view key, std::string_view value) {
  if (value.size() < kFillerStart + kNumberBytes) {
    return std::nullopt;
  }
  const std::string_view content = value.substr(0, value.size() - kNumberBytes);
  if (NumberAt(value, content.size()) != ChecksumOf(key, content)) {
    return std::nullopt;
  }
  return Author{NumberAt(value, 0), NumberAt(value, kNumberBytes)};
}

}  // namespace commy::stress
