#include "units.h"

#include <array>
#include <cmath>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "base/status.h"

namespace commy::tools {
namespace {

struct Unit {
  std::string_view name;  // In small letters.
  double bytes;
};

constexpr double kKibi = 1024;
constexpr std::array<Unit, 18> kUnits = {{
    {"", 1},
    {"b", 1},
    {"k", kKibi},
    {"kib", kKibi},
    {"kb", 1e3},
    {"m", kKibi* kKibi},
    {"mib", kKibi* kKibi},
    {"mb", 1e6},
    {"g", kKibi* kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"gb", 1e9},
    {"t", kKibi* kKibi* kKibi* kKibi},
    {"tib", kKibi* kKibi* kKibi* kKibi},
    {"tb", 1e12},
    {"p", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"pib", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"pb", 1e15},
    {"bytes", 1},
}};

// "<number> <unit>" with three significant digits.
std::string ThreeDigits(double number, std::string_view unit) {
  const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return absl::StrFormat("%.*f %s", decimals, number, unit);
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseSize(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  std::string_view unit = digits == std::string_view::npos ? "" : text.substr(digits);
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  const std::string small_unit = absl::AsciiStrToLower(base::ToAbsl(unit));
  std::uint64_t whole = 0;
  double value = 0;
  for (const Unit& known : kUnits) {
    if (known.name != small_unit) {
      continue;
    }
    if (known.bytes == 1 && absl::SimpleAtoi(base::ToAbsl(number), &whole) && whole <= INT64_MAX) {
      return whole;
    }
    if (known.bytes != 1 && absl::SimpleAtod(base::ToAbsl(number), &value) &&
        value * known.bytes < 0x1p63) {
      return static_cast<std::uint64_t>(std::llround(value * known.bytes));
    }
  }
  return base::InvalidArgument("\"", base::ToAbsl(text),
                               "\" is not a size such as 512MiB or 64GiB");
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(base::ToAbsl(text), &duration) || duration <= absl::ZeroDuration()) {
    return base::InvalidArgument(
        "\"", base::ToAbsl(text),
        "\" is not a duration above zero such as 500ms, 5s or 1h30m (units: ms, s, m, h)");
  }
  return duration;
}

std::string ShowSize(std::uint64_t bytes) {
  if (bytes < 1024) {
    return absl::StrFormat("%d bytes", bytes);
  }
  constexpr std::array<std::string_view, 6> kNames = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double number = static_cast<double>(bytes) / kKibi;
  std::size_t step = 0;
  while (number >= 1023.5 && step + 1 < kNames.size()) {
    number /= kKibi;
    ++step;
  }
  return ThreeDigits(number, kNames[step]);
}

std::string ShowCount(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string ShowDuration(absl::Duration duration) {
  const double nanoseconds = absl::ToDoubleNanoseconds(duration);
  if (nanoseconds < 999.5) {
    return absl::StrFormat("%.0f ns", nanoseconds);
  }
  if (nanoseconds < 999.5e3) {
    return ThreeDigits(nanoseconds / 1e3, "us");
  }
  if (nanoseconds < 999.5e6) {
    return ThreeDigits(nanoseconds / 1e6, "ms");
  }
  return ThreeDigits(nanoseconds / 1e9, "s");
}

}  // namespace commy::tools
