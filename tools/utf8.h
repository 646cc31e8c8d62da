// Which bytes of a string are UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace commy::tools {

// U+FEFF, which some editors put invisibly before a text.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The length of the well-formed UTF-8 sequence at the start of `text`; 0: there is none. Overlong
// forms, surrogates and code points past U+10FFFF are not well-formed.
std::size_t Utf8SequenceBytes(std::string_view text);

// Whether all of `text` is UTF-8. The empty string is.
bool IsUtf8(std::string_view text);

}  // namespace commy::tools
