// A picture of a store as text and as JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "jsonl.h"
#include "top/rates.h"

namespace commy::tools::top {

// All of it, as lines without newlines.
std::vector<std::string> ToLines(const Picture& picture);

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

// The part that fits a screen: at most `rows` lines of at most `columns` characters. Participants
// and namespaces share the rows below the head, and a line says how many are left out.
std::vector<std::string> ToScreen(const Picture& picture, ScreenSize size);

// The first `columns` characters; a control character becomes a question mark.
std::string Cut(std::string_view line, std::size_t columns);

Json ToJson(const Picture& picture);

}  // namespace commy::tools::top
