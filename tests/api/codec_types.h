// Types of a program, for tests of codecs. What they are called in the store begins with "acme.".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/codec.h"
#include "commy/key_codec.h"

// A zero, to which clang-tidy wants a null pointer, is in each comparison that is defaulted.
// NOLINTBEGIN(modernize-use-nullptr)

namespace acme {

enum class Color : std::uint8_t { kRed = 1, kGreen = 2, kNone = 255 };
enum class Level : std::int16_t { kLow = -300, kMid = 0, kHigh = 300 };

struct Position {
  double x = 0;
  double y = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};
COMMY_STRUCT(Position, "acme.Position", x, y);

// Seven bytes of padding inside, two at the end.
struct Padded {
  std::uint8_t tag = 0;
  std::uint64_t id = 0;
  bool on = false;
  Color color = Color::kRed;
  std::uint32_t count = 0;
  std::uint16_t last = 0;
  friend auto operator<=>(const Padded&, const Padded&) = default;
};
COMMY_STRUCT(Padded, "acme.Padded", tag, id, on, color, count, last);

struct Nested {
  std::array<Padded, 2> pair;
  std::uint8_t end = 0;
  friend auto operator<=>(const Nested&, const Nested&) = default;
};
COMMY_STRUCT(Nested, "acme.Nested", pair, end);

struct alignas(64) Line {
  std::uint32_t value = 0;
  friend auto operator<=>(const Line&, const Line&) = default;
};
COMMY_STRUCT(Line, "acme.Line", value);

struct Person {
  std::string name;
  std::uint8_t age = 0;
  std::optional<std::string> mail;
  std::vector<std::uint16_t> rooms;
  friend auto operator<=>(const Person&, const Person&) = default;
};
COMMY_STRUCT(Person, "acme.Person", name, age, mail, rooms);

// A class with the two functions of a message.
class Note {
 public:
  Note() = default;
  explicit Note(std::string text) : text_(std::move(text)) {}
  bool SerializeToString(std::string* bytes) const {
    *bytes = "note:" + text_;
    return true;
  }
  bool ParseFromString(const std::string& bytes) {
    if (!bytes.starts_with("note:")) {
      return false;
    }
    text_ = bytes.substr(5);
    return true;
  }
  friend auto operator<=>(const Note&, const Note&) = default;

 private:
  std::string text_;
};

// With a codec of its own, below.
struct Blob {
  std::string text;
  friend auto operator<=>(const Blob&, const Blob&) = default;
};

}  // namespace acme

// NOLINTEND(modernize-use-nullptr)

template <>
struct commy::Codec<acme::Blob> {
  static constexpr std::string_view kDescriptor = "acme.Blob";
  static void Encode(const acme::Blob& value, std::string* bytes) {
    bytes->append("<" + value.text + ">");
  }
  static absl::StatusOr<acme::Blob> Decode(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.front() != '<' || bytes.back() != '>') {
      return absl::DataLossError("no blob");
    }
    return acme::Blob{std::string(bytes.substr(1, bytes.size() - 2))};
  }
};
