#include "demo/stamped_value.h"

#include <charconv>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace commy::tools::demo {
namespace {

constexpr std::string_view kRound = "; round ";
constexpr std::string_view kWriter = "; writer ";
constexpr std::string_view kCheck = "; check ";

// FNV-1a. The length of each part is included, so that bytes cannot move from one to the next.
class Fnv {
 public:
  void Add(std::string_view part) {
    for (const char character : part) {
      AddByte(static_cast<unsigned char>(character));
    }
    Add(part.size());
  }
  void Add(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      AddByte(number >> shift & 0xffU);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void AddByte(std::uint64_t byte) { value_ = (value_ ^ byte) * 0x100000001b3U; }

  std::uint64_t value_ = 0xcbf29ce484222325U;
};

std::uint64_t ChecksumOf(std::string_view key, std::string_view text, Stamp stamp) {
  Fnv fnv;
  fnv.Add(key);
  fnv.Add(text);
  fnv.Add(stamp.round);
  fnv.Add(stamp.writer);
  return fnv.value();
}

// Takes `label` and the number after it off `rest`.
bool TakeNumber(std::string_view label, int base, std::string_view& rest, std::uint64_t& number) {
  if (!rest.starts_with(label)) {
    return false;
  }
  rest.remove_prefix(label.size());
  const char* const end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, number, base);
  rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
  return error == std::errc();
}

}  // namespace

void MakeValue(std::string_view key, std::string_view text, Stamp stamp, std::string& value) {
  value.clear();
  absl::StrAppend(&value, base::ToAbsl(text), base::ToAbsl(kRound), stamp.round,
                  base::ToAbsl(kWriter), stamp.writer, base::ToAbsl(kCheck),
                  absl::Hex(ChecksumOf(key, text, stamp), absl::kZeroPad16));
}

absl::StatusOr<Stamp> VerifyValue(std::string_view key, std::string_view text,
                                  std::string_view value) {
  const auto wrong = [&](std::string_view what) {
    return base::DataLoss("key ", base::ToAbsl(key), ": ", base::ToAbsl(what), ": \"",
                          base::ToAbsl(value.substr(0, 100)), "\"");
  };
  if (!value.starts_with(text)) {
    return wrong("the value does not begin with the text of the source file");
  }
  std::string_view rest = value.substr(text.size());
  Stamp stamp;
  std::uint64_t checksum = 0;
  if (!TakeNumber(kRound, 10, rest, stamp.round) || !TakeNumber(kWriter, 10, rest, stamp.writer) ||
      !TakeNumber(kCheck, 16, rest, checksum) || !rest.empty()) {
    return wrong("the value does not have the form that writers give it");
  }
  if (checksum != ChecksumOf(key, text, stamp)) {
    return wrong("the value's checksum is wrong");
  }
  return stamp;
}

}  // namespace commy::tools::demo
