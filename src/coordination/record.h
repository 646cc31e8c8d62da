// Records: how they become bytes and back, and how they are changed. What is read is not trusted.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "coordination/holder.h"

namespace commy::coordination {

// The first 4 bytes of a record: which one it is, and the version of its form.
constexpr std::uint32_t Tag(char a, char b, char c, std::uint8_t version) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(a)) |
         static_cast<std::uint32_t>(static_cast<unsigned char>(b)) << 8U |
         static_cast<std::uint32_t>(static_cast<unsigned char>(c)) << 16U |
         static_cast<std::uint32_t>(version) << 24U;
}

// Appends, little-endian.
class RecordWriter {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> RecordWriter& Add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  RecordWriter& Add(const HolderId& id) { return Add(id.store).Add(id.owner).Add(id.number); }
  RecordWriter& AddText(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  [[nodiscard]] std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Takes one after the other. Zeros and empty texts once too few bytes are left: ask WasWhole() at
// the end.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  requires std::is_arithmetic_v<T>
  [[nodiscard]] T Take() {
    T value{};
    const std::string_view bytes = TakeText(sizeof(T));
    if (bytes.size() == sizeof(T)) {
      std::memcpy(&value, bytes.data(), sizeof(T));
    }
    return value;
  }
  [[nodiscard]] HolderId TakeHolder() {
    HolderId id;
    id.store = Take<std::uint64_t>();
    id.owner = Take<std::uint64_t>();
    id.number = Take<std::uint64_t>();
    return id;
  }
  [[nodiscard]] std::string_view TakeText(std::size_t size_bytes) {
    if (size_bytes > rest_.size()) {
      whole_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view text = rest_.substr(0, size_bytes);
    rest_.remove_prefix(size_bytes);
    return text;
  }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  // Whether all bytes were taken, and none was missing.
  [[nodiscard]] bool WasWhole() const { return whole_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool whole_ = true;
};

// DataLoss: the record of this namespace, under the key, is none of a `kind`.
absl::Status BadRecord(std::string_view path, std::string_view kind, std::string_view bytes,
                       std::string_view why);

// Namespace::Update() with a `decide` that may fail: then nothing has changed, and its error is
// returned. Records do not expire. `decide` may run several times; the last run counts.
absl::Status UpdateRecord(
    const Namespace& ns, std::string_view key,
    absl::FunctionRef<absl::StatusOr<Change>(std::optional<std::string_view>)> decide);

// What such a function decides: a record that never expires.
Change PutRecord(std::string bytes);

// For SharedOptions::adopt_untyped: what stands under the empty key, and nothing else, is taken.
absl::Status VerifyOnlyRecord(std::string_view key, std::string_view kind);

}  // namespace commy::coordination
