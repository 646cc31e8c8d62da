// Characters in bytes: UTF-8 as of RFC 3629, so no surrogates, nothing above U+10FFFF, and each
// character in its shortest form. All functions are pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace commy::sequences {

// Whether a byte goes on with a character that began before it.
constexpr bool GoesOn(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

inline constexpr int kNoCharacter = 0;
inline constexpr int kCutCharacter = -1;

// How many bytes the character at the start of `bytes` has; kNoCharacter: there is none;
// kCutCharacter: the bytes end inside it. Requires: not empty.
int CharacterAt(std::string_view bytes);

// The length of the longest start of `bytes` that is made of whole characters.
std::size_t WholeCharacters(std::string_view bytes);

// How many characters a text has.
std::size_t CountCharacters(std::string_view text);

// The offset of the character with this index, or the text's size.
std::size_t OffsetOfCharacter(std::string_view text, std::size_t index);

// The first character. Requires: `text` is not empty, and UTF-8.
char32_t FirstCharacter(std::string_view text);

// The offset of the last character: of the last byte that does not go on with one, or 0. Requires:
// `text` is not empty.
std::size_t LastOffset(std::string_view text);

// Appends a character. False: there is none of this number.
bool AppendCharacter(char32_t character, std::string* text);

// Whether it has the property White_Space of Unicode.
bool IsWhiteSpace(char32_t character);

// How many bytes of white space a text begins or ends with.
std::size_t SpaceAtStart(std::string_view text);
std::size_t SpaceAtEnd(std::string_view text);

}  // namespace commy::sequences
