// Lines and values that arrive in pieces, as from a pipe.
#include "line_reader.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "gtest/gtest.h"

#include "support/seed.h"

namespace commy::tools {
namespace {

constexpr std::uint64_t kMany = std::uint64_t{1} << 30U;

// A pipe whose other end gets `text` in pieces of this size.
class PipeReader {
 public:
  PipeReader(std::string text, std::size_t piece_bytes) {
    std::signal(SIGPIPE, SIG_IGN);
    int line[2] = {-1, -1};
    EXPECT_EQ(::pipe2(line, O_CLOEXEC), 0);
    reader_.emplace(LineReader::Open("/dev/fd/" + std::to_string(line[0])));
    EXPECT_TRUE(reader_->ok()) << reader_->status();
    ::close(line[0]);
    writer_ = std::thread([text = std::move(text), piece_bytes, out = line[1]] {
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t written =
            ::write(out, text.data() + at, std::min(piece_bytes, text.size() - at));
        if (written < 0) {
          break;
        }
        at += static_cast<std::size_t>(written);
      }
      ::close(out);
    });
  }
  ~PipeReader() {
    reader_.reset();  // Closes the pipe, since the writer may be waiting for room in it.
    writer_.join();
  }
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

  LineReader& operator*() { return **reader_; }
  LineReader* operator->() { return &**reader_; }

 private:
  std::optional<absl::StatusOr<LineReader>> reader_;
  std::thread writer_;
};

TEST(LineReaderTest, APeekTakesNothing) {
  for (const std::size_t piece_bytes : {1, 2, 100}) {
    for (const auto& [text, first] :
         std::vector<std::pair<std::string, char>>{{"\xef\xbb\xbf\r\n {x\ny\n", '{'},
                                                   {"Vx\ny", 'V'},
                                                   {"\xef", '\xef'},
                                                   {" \n", '\0'},
                                                   {"", '\0'}}) {
      PipeReader reader(text, piece_bytes);
      EXPECT_EQ(*reader->PeekByte(), first) << text;
      EXPECT_EQ(*reader->PeekByte(), first) << text;
      std::string lines;
      for (std::string_view line; *reader->Next(line);) {
        lines += std::string(line) + "\n";
      }
      const std::string wanted = text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
      EXPECT_EQ(lines, wanted.empty() || wanted.ends_with('\n') ? wanted : wanted + "\n");
    }
  }
}

TEST(LineReaderTest, ALongLineInSmallPiecesCostsWorkInProportionToItsLength) {
  const std::string text = std::string(std::size_t{16} << 20U, 'x') + "\nshort\n";
  PipeReader reader(text, 4096);
  std::string_view line;
  ASSERT_TRUE(reader->Next(line).value());
  EXPECT_EQ(line.size(), text.size() - 7);
  ASSERT_TRUE(reader->Next(line).value());
  EXPECT_EQ(line, "short");
  EXPECT_FALSE(reader->Next(line).value());
  EXPECT_EQ(reader->bytes_read(), text.size());
  EXPECT_LE(reader->bytes_prepared(), 6 * text.size());
}

TEST(LineReaderTest, AValueInSmallPiecesCostsWorkInProportionToItsLength) {
  const std::string text(std::size_t{16} << 20U, 'x');
  PipeReader reader(text, 4096);
  const absl::StatusOr<std::string> rest = reader->ReadRest(kMany);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_TRUE(*rest == text);
  EXPECT_LE(reader->bytes_prepared(), 6 * text.size());
}

TEST(LineReaderTest, ShortLinesInSmallPiecesAreRarelyMoved) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) {
    text += "key" + std::to_string(i) + "\tvalue\n";
  }
  PipeReader reader(text, 1000);
  std::string_view line;
  int lines = 0;
  while (reader->Next(line).value()) {
    ++lines;
  }
  EXPECT_EQ(lines, 200'000);
  EXPECT_LE(reader->bytes_prepared(), text.size() + (std::size_t{256} << 10U));
}

TEST(LineReaderTest, RandomLinesInRandomPiecesAreReadAsWritten) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> lines(random() % 30);
    std::string text;
    for (std::string& line : lines) {
      line.assign(random() % 4 == 0 ? random() % 1'000'000 : random() % 100, 'a');
      line += std::to_string(random());
      text += line + '\n';
    }
    const std::string tail(random() % 600'000, 't');
    text += tail;
    PipeReader reader(text, 1 + random() % 100'000);
    std::string_view line;
    for (const std::string& expected : lines) {
      ASSERT_TRUE(reader->Next(line).value());
      ASSERT_TRUE(line == expected);
    }
    EXPECT_TRUE(reader->ReadRest(kMany).value() == tail);
  }
}

TEST(LineReaderTest, ATooLongRestIsCutOneBytePastItsLimit) {
  const std::string text(1'000'000, 'x');
  PipeReader reader(text, text.size());
  EXPECT_EQ(reader->ReadRest(text.size()).value().size(), text.size());
  PipeReader cut(text + "y", text.size() + 1);
  EXPECT_EQ(cut->ReadRest(10).value().size(), 11U);
}

}  // namespace
}  // namespace commy::tools
