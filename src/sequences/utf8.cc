#include "sequences/utf8.h"

#include <cstdint>
#include <cstring>

namespace commy::sequences {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080U;

std::uint64_t EightBytes(const char* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof(bytes));
  return bytes;
}

int LengthByLead(unsigned char lead) {
  if (lead < 0x80) {
    return 1;
  }
  if (lead < 0xC2 || lead > 0xF4) {
    return kNoCharacter;
  }
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// Whether a second byte is possible: not in long forms, surrogates and what is above U+10FFFF.
bool MaySecond(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

}  // namespace

int CharacterAt(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  const int length = LengthByLead(lead);
  if (length <= 1) {
    return length;
  }
  if (bytes.size() == 1) {
    return kCutCharacter;
  }
  if (!MaySecond(lead, static_cast<unsigned char>(bytes[1]))) {
    return kNoCharacter;
  }
  for (std::size_t i = 2; i < static_cast<std::size_t>(length); ++i) {
    if (i == bytes.size()) {
      return kCutCharacter;
    }
    if (!GoesOn(bytes[i])) {
      return kNoCharacter;
    }
  }
  return length;
}

std::size_t WholeCharacters(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      while (bytes.size() - at >= sizeof(std::uint64_t) &&
             (EightBytes(bytes.data() + at) & kHighBits) == 0) {
        at += sizeof(std::uint64_t);
      }
      continue;
    }
    const int length = CharacterAt(bytes.substr(at));
    if (length <= 0) {
      break;
    }
    at += static_cast<std::size_t>(length);
  }
  return at;
}

std::size_t CountCharacters(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) {
    count += GoesOn(byte) ? 0 : 1;
  }
  return count;
}

std::size_t OffsetOfCharacter(std::string_view text, std::size_t index) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!GoesOn(text[at]) && index-- == 0) {
      return at;
    }
  }
  return text.size();
}

char32_t FirstCharacter(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const int length = LengthByLead(lead);
  char32_t character = length == 1 ? lead : lead & (0xFFU >> (static_cast<unsigned>(length) + 1U));
  for (int i = 1; i < length; ++i) {
    character = (character << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return character;
}

std::size_t LastOffset(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && GoesOn(text[at])) {
    --at;
  }
  return at;
}

bool AppendCharacter(char32_t character, std::string* text) {
  if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) {
    return false;
  }
  const auto add = [text](char32_t byte) { text->push_back(static_cast<char>(byte)); };
  const auto more = [&](unsigned shift) { add(0x80U | ((character >> shift) & 0x3FU)); };
  if (character < 0x80) {
    add(character);
  } else if (character < 0x800) {
    add(0xC0U | (character >> 6U));
    more(0);
  } else if (character < 0x10000) {
    add(0xE0U | (character >> 12U));
    more(6);
    more(0);
  } else {
    add(0xF0U | (character >> 18U));
    more(12);
    more(6);
    more(0);
  }
  return true;
}

bool IsWhiteSpace(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) || character == 0x20 || character == 0x85 ||
         character == 0xA0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200A) ||
         character == 0x2028 || character == 0x2029 || character == 0x202F || character == 0x205F ||
         character == 0x3000;
}

std::size_t SpaceAtStart(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && IsWhiteSpace(FirstCharacter(text.substr(at)))) {
    at += static_cast<std::size_t>(CharacterAt(text.substr(at)));
  }
  return at;
}

std::size_t SpaceAtEnd(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t last = LastOffset(rest);
    if (!IsWhiteSpace(FirstCharacter(rest.substr(last)))) {
      break;
    }
    rest = rest.substr(0, last);
  }
  return text.size() - rest.size();
}

}  // namespace commy::sequences
