// The text format of db_dump and db_load (Berkeley DB), and mdb_dump and mdb_load (LMDB).
//
//   VERSION=3
//   format=bytevalue              or print
//   database=acme/config          a name, if the section is one of several databases
//   type=btree                    or hash; other header lines are allowed and mean nothing here
//   namespace_type=map<i64,bytes> of a namespace with a type; mdb_load ignores these three lines
//   namespace_ordered=1           if the namespace is an ordered one and has a type
//   namespace_value=42            the value of a counter, which has no records
//   HEADER=END
//    6b6579                       a key, after one space; then its value
//    76616c7565
//   DATA=END
//
// A file has one section a database, perhaps with blank lines before, between and after the
// sections. If the first line of a section ends in CR LF, its other lines may, too. bytevalue is
// two hexadecimal digits a byte; print has printable bytes as they are and \HH for others. A
// backslash is written as \5c, since mdb_load misreads \\; both are read. The format has no place
// for a time to live, and none for a line end in the name of a database: such a name is escaped
// (see DumpName()). db_load refuses header lines that it does not know, so it gets none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "line_reader.h"
#include "record.h"

namespace commy::tools {

struct DumpHeader {
  std::string database;  // Empty: the section has no name.
  bool print = false;
  std::uint64_t map_bytes = 0;  // For mdb_load, which makes its file that large; 0: not given.
  // Of a namespace with a type; empty, and the others without meaning: it has none.
  std::string type;
  bool ordered = false;
  std::optional<std::int64_t> counter;
};

// The longest type that mdb_load can read past.
inline constexpr std::size_t kDumpTypeBytesMax = 4000;

// A namespace's name in a dump: itself, or "commy-escaped:" and the name in the form print. It is
// escaped if it has a line feed, a carriage return or a NUL, or begins like an escaped one.
// Different names stay different, also for other readers, which take the escaped text for the name.
// A DumpReader reverses it.
std::string DumpName(std::string_view name);

void AppendDumpHeader(const DumpHeader& header, std::string& out);
void AppendDumpRecord(std::string_view key, std::string_view value, bool print, std::string& out);
void AppendDumpEnd(std::string& out);

// Reads sections one after the other, each record by record.
class DumpReader {
 public:
  explicit DumpReader(LineReader& lines) : lines_(lines) {}

  // Moves to the next section. False: there is none. InvalidArgument describes the fault at line().
  absl::StatusOr<bool> NextSection(DumpHeader& header);
  // The next record of the section. False: the section has ended. InvalidArgument as above, also
  // if the file ends before the section does.
  absl::StatusOr<bool> NextRecord(Record& record);

  // The number of the last line that was read, from 1.
  [[nodiscard]] std::uint64_t line() const { return line_; }

 private:
  absl::StatusOr<bool> NextLine(std::string_view& line);
  // The first line of a section that is not blank. False: there is none.
  absl::StatusOr<bool> FirstLine(std::string_view& line);
  absl::Status ReadHeaderLine(std::string_view line, DumpHeader& header);

  LineReader& lines_;
  std::uint64_t line_ = 0;
  bool print_ = false;
  bool begun_ = false;             // A section was read.
  bool carriage_returns_ = false;  // The lines of this section end in CR LF.
};

}  // namespace commy::tools
