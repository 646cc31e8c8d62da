// The tables in docs/file-format.md against the compiler's layout, in both directions: a field that
// moved, grew, came or went makes the document wrong, and this test fail.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "commy/store.h"

namespace commy {
namespace {

using Lines = std::set<std::string>;

std::string Describe(const std::string& type, const std::string& field, std::uint64_t offset,
                     std::uint64_t size_bytes) {
  std::ostringstream line;
  line << type << (field.empty() ? "" : ".") << field << " at 0x" << std::hex << offset << std::dec
       << ", " << size_bytes << " bytes";
  return line.str();
}

// From "<struct>\t<field>\t<offset>\t<size>"; an empty field is the struct as a whole.
Lines FromCompiler(const std::string& layout) {
  Lines lines;
  std::istringstream rows(layout);
  for (std::string row; std::getline(rows, row);) {
    std::istringstream columns(row);
    std::string type;
    std::string field;
    std::string offset;
    std::string size;
    std::getline(columns, type, '\t');
    std::getline(columns, field, '\t');
    std::getline(columns, offset, '\t');
    std::getline(columns, size, '\t');
    lines.insert(Describe(type, field, std::stoull(offset), std::stoull(size)));
  }
  return lines;
}

// From headings "### `Struct`, <size> bytes" and the rows "| 0x<offset> | <size> | `field` | ..."
// below each.
Lines FromDocument(std::istream& document) {
  static const std::regex heading(R"(^### `(\w+)`, (\d+) bytes$)");
  static const std::regex field(R"(^\| 0x([0-9a-f]+) \| (\d+) \| `(\w+)` \|.*$)");
  Lines lines;
  std::string type;
  for (std::string row; std::getline(document, row);) {
    std::smatch found;
    if (std::regex_match(row, found, heading)) {
      type = found[1];
      lines.insert(Describe(type, "", 0, std::stoull(found[2])));
    } else if (std::regex_match(row, found, field)) {
      lines.insert(
          Describe(type, found[3], std::stoull(found[1], nullptr, 16), std::stoull(found[2])));
    }
  }
  return lines;
}

// The members of `lines` that are not in `others`, one a line.
std::string Without(const Lines& lines, const Lines& others) {
  std::string missing;
  for (const std::string& line : lines) {
    missing += others.contains(line) ? "" : line + "\n";
  }
  return missing;
}

TEST(FileFormatDocTest, TablesOfTheDocumentMatchTheCompiler) {
  const std::string path = std::string(COMMY_TESTS_DIR) + "/../docs/file-format.md";
  std::ifstream document(path);
  ASSERT_TRUE(document.is_open()) << path;
  const Lines written = FromDocument(document);
  const Lines actual = FromCompiler(DescribeLayout());
  ASSERT_GT(actual.size(), 100U);
  EXPECT_EQ(Without(actual, written), "") << "^ in the code, but not in " << path;
  EXPECT_EQ(Without(written, actual), "") << "^ in " << path << ", but not in the code";
}

TEST(FileFormatDocTest, AMovedAndAMissingFieldAreNoticed) {
  const std::string layout = "Pair\t\t0\t16\nPair\tfirst\t0\t8\nPair\tsecond\t8\t8\n";
  std::istringstream document(
      "### `Pair`, 16 bytes\n| offset | size | field | content |\n| 0x04 | 8 | `first` | moved "
      "|\n");
  const Lines written = FromDocument(document);
  EXPECT_EQ(Without(FromCompiler(layout), written),
            "Pair.first at 0x0, 8 bytes\nPair.second at 0x8, 8 bytes\n");
  EXPECT_EQ(Without(written, FromCompiler(layout)), "Pair.first at 0x4, 8 bytes\n");
}

}  // namespace
}  // namespace commy
