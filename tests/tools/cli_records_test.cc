// load and scan: the content of a store round-trips through text exactly.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/seed.h"
#include "support/wait_for.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

using nlohmann::json;
using Records = std::map<std::string, std::string>;

class CliRecordsTest : public CliFixture {
 protected:
  static Records Content(const std::string& store, std::string_view path) {
    Records records;
    ScanRange scan = MustOpen(store, path).Scan();
    for (const Entry& entry : scan) {
      EXPECT_TRUE(records.emplace(entry.key(), entry.value()).second) << "twice: " << entry.key();
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return records;
  }

  static std::string RandomBytes(std::mt19937_64& random, std::size_t size_max) {
    std::string bytes(random() % (size_max + 1), '\0');
    const bool text = random() % 2 == 0;
    for (char& byte : bytes) {
      byte = static_cast<char>(text ? "a\t\n\r\\x\"{}\xc3\xa9"[random() % 12] : random());
    }
    return bytes;
  }

  // Random records in `store_`, put through the library.
  Records Fill() {
    std::mt19937_64 random(Seed());
    Records records = {{"", "value of the empty key"}, {"empty value", ""}};
    for (int i = 0; i < 500; ++i) {
      records[RandomBytes(random, 40)] = RandomBytes(random, 300);
    }
    const Namespace ns = MustOpen(store_, "n");
    for (const auto& [key, value] : records) {
      EXPECT_TRUE(ns.Put(key, value).ok());
    }
    return records;
  }

  std::string WriteFile(const std::string& name, const std::string& content) {
    std::ofstream(temp_.File(name), std::ios::binary) << content;
    return temp_.File(name);
  }

  const std::string other_ = temp_.File("other.commy");
};

TEST_F(CliRecordsTest, TsvRoundTripsAnyBytes) {
  const Records records = Fill();
  const std::string text = Done({"scan", store_, "n"});
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), records.size());
  Done({"load", other_, "n"}, {.input = text});
  EXPECT_EQ(Content(other_, "n"), records);
}

TEST_F(CliRecordsTest, JsonlRoundTripsAnyBytes) {
  const Records records = Fill();
  const std::string text = Done({"scan", store_, "n", "--json"});
  EXPECT_EQ(text, Done({"scan", store_, "n", "--format", "jsonl"}));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(json::parse(line).is_object());
  }
  const std::string file = WriteFile("records.jsonl", text);
  const json report = json::parse(Done({"load", other_, "n", file, "--format", "jsonl", "--json"}));
  EXPECT_EQ(report["records"], records.size());
  EXPECT_EQ(Content(other_, "n"), records);
}

TEST_F(CliRecordsTest, JsonlKeepsTheTimeToLive) {
  Done({"put", store_, "n", "k", "v", "--ttl", "1h"});
  const std::string text = Done({"scan", store_, "n", "--json"});
  const std::int64_t ttl_ms = json::parse(text)["ttl_ms"];
  EXPECT_GT(ttl_ms, 0);
  EXPECT_LE(ttl_ms, 3'600'000);
  Done({"load", other_, "n", "-", "--format", "jsonl"}, {.input = text});
  const json again = json::parse(Done({"scan", other_, "n", "--json"}));
  EXPECT_GT(again["ttl_ms"], 0);
  EXPECT_LE(again["ttl_ms"], ttl_ms);
}

TEST_F(CliRecordsTest, ScanFiltersByPrefixAndLimits) {
  Done({"load", store_, "n"}, {.input = "a1\t1\na2\t2\nb1\t3\nb2\t4\n"});
  const auto sorted = [](const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(sorted(Done({"scan", store_, "n", "--prefix", "a"})), (Lines{"a1\t1", "a2\t2"}));
  EXPECT_EQ(sorted(Done({"scan", store_, "n", "--from", "a2", "--to", "b2", "--keys"})),
            (Lines{"a2", "b1"}));
  EXPECT_EQ(sorted(Done({"scan", store_, "n", "--limit", "3"})).size(), 3U);
  EXPECT_EQ(Done({"scan", store_, "n", "--limit", "0"}), "");
  EXPECT_EQ(json::parse(Done({"scan", store_, "n", "--prefix", "b1", "--keys", "--json"})),
            json({{"key", "b1"}}));
}

TEST_F(CliRecordsTest, OrderedNamespacesAreScannedByRangeBothWays) {
  ProgramOptions input;
  input.input = "c\t3\na\t1\nab\t2\nd\t4\nb\t5\n";
  Done({"load", store_, "ordered", "--ordered"}, input);
  EXPECT_EQ(Done({"scan", store_, "ordered", "--keys"}), "a\nab\nb\nc\nd\n");
  EXPECT_EQ(Done({"scan", store_, "ordered", "--keys", "--reverse", "--limit", "2"}), "d\nc\n");
  EXPECT_EQ(Done({"scan", store_, "ordered", "--from", "ab", "--to", "d"}), "ab\t2\nb\t5\nc\t3\n");
  EXPECT_EQ(Done({"scan", store_, "ordered", "--prefix", "a", "--reverse"}), "ab\t2\na\t1\n");
  Done({"ns", "create", store_, "created", "--ordered"});
  Done({"put", store_, "put", "k", "v", "--ordered"});
  const std::string listed = Done({"ns", "list", store_});
  EXPECT_EQ(std::count(listed.begin(), listed.end(), '\n'), 3);
  EXPECT_EQ(listed.find("hash"), std::string::npos) << listed;
}

TEST_F(CliRecordsTest, OptionsThatANamespacesOrderForbidsAreErrors) {
  Done({"put", store_, "hash", "k", "v"});
  Fails(3, {"scan", store_, "hash", "--reverse"}, {store_, "a hash namespace has no order"});
  Fails(3, {"put", store_, "hash", "k", "w", "--ordered"}, {store_, "created with the order hash"});
  Fails(3, {"load", store_, "hash", "--ordered"}, {store_, "created with the order hash"},
        {.input = "k\tw\n"});
  Fails(3, {"ns", "create", store_, "hash", "--ordered"}, {store_, "hash"});
  EXPECT_EQ(Done({"get", store_, "hash", "k"}), "v");
}

TEST_F(CliRecordsTest, BoundsThatLeaveNothingAreNoError) {
  Done({"load", store_, "n", "--ordered"}, {.input = "a\t1\nb\t2\n"});
  EXPECT_EQ(Done({"scan", store_, "n", "--from", "b", "--to", "a"}), "");
  EXPECT_EQ(Done({"scan", store_, "n", "--from", "b", "--to", "b", "--reverse"}), "");
  EXPECT_EQ(Done({"scan", store_, "n", "--prefix", "a", "--from", "b"}), "");
  EXPECT_EQ(Done({"scan", store_, "n", "--limit", "0", "--reverse"}), "");
  EXPECT_EQ(Done({"scan", store_, "n", "--to", "b", "--limit", "5", "--reverse"}), "a\t1\n");
}

TEST_F(CliRecordsTest, RawOutputHasNoEscapes) {
  Done({"put", store_, "n", "k", "-"}, {.input = "one\ntwo\\"});
  EXPECT_EQ(Done({"scan", store_, "n", "--format", "raw"}), "k\tone\ntwo\\\n");
  EXPECT_EQ(Done({"scan", store_, "n"}), "k\tone\\ntwo\\\\\n");
}

TEST_F(CliRecordsTest, LoadNamesABadLineAndFails) {
  const std::string file = WriteFile("bad.tsv", "a\t1\nb\t2\nno tab\nc\t3\n");
  Fails(3, {"load", store_, "n", file}, {file, "line 3", "no tab", "2 records"});
  EXPECT_EQ(Content(store_, "n"), (Records{{"a", "1"}, {"b", "2"}}));
  Fails(3, {"load", store_, "n", "--format", "jsonl"},
        {"standard input", "line 1", "not JSON", "0 records"}, {.input = "{\n"});
}

TEST_F(CliRecordsTest, LoadReadsALastLineWithoutANewline) {
  Done({"load", store_, "n"}, {.input = "a\t1\nb\t2"});
  EXPECT_EQ(Content(store_, "n"), (Records{{"a", "1"}, {"b", "2"}}));
  EXPECT_TRUE(Done({"load", other_, "n"}, {.input = ""}).starts_with("loaded 0 records"));
}

TEST_F(CliRecordsTest, LoadSkipsAByteOrderMarkCarriageReturnsAndBlankLines) {
  Done({"load", store_, "n"},
       {.input = "\xef\xbb\xbfvisits\t41\r\nr\t1\\r\r\n\r\n\nrr\ta\r\r\nl\t2\r"});
  EXPECT_EQ(Content(store_, "n"),
            (Records{{"visits", "41"}, {"r", "1\r"}, {"rr", "a\r"}, {"l", "2"}}));
  EXPECT_EQ(Done({"add", store_, "n", "visits", "1"}), "42\n");
  Done({"load", store_, "j", "--format", "jsonl"},
       {.input = "\xef\xbb\xbf{\"key\":\"a\",\"value\":\"1\"}\r\n\r\n{\"key\":\"b\",\"value\":"
                 "\"2\"}\n\n"});
  EXPECT_EQ(Content(store_, "j"), (Records{{"a", "1"}, {"b", "2"}}));
  Fails(3, {"load", store_, "n"}, {"line 4", "no tab", "2 records"},
        {.input = "a\t1\n\nb\t2\nc\n"});
}

TEST_F(CliRecordsTest, AByteOrderMarkInAKeyOrAValueIsKept) {
  const Records records = {{"\xef\xbb\xbf", "\xef\xbb\xbf"}};
  Done({"put", store_, "n", "\xef\xbb\xbf", "-"}, {.input = "\xef\xbb\xbf"});
  EXPECT_EQ(Content(store_, "n"), records);
  for (const std::string format : {"tsv", "jsonl"}) {
    Done({"load", other_, format, "--format", format},
         {.input = Done({"scan", store_, "n", "--format", format})});
    EXPECT_EQ(Content(other_, format), records);
  }
}

TEST_F(CliRecordsTest, AnErrorBeforeTheFirstLineNamesNoLine) {
  Done({"put", store_, "hash", "k", "v"});
  for (const ProgramEnd& end :
       {RunCommy({"load", store_, "hash", "--ordered"}, {.input = "k\tw\n"}),
        RunCommy({"load", store_, "n", temp_.path()})}) {
    ExpectLine(end, 3, {});
    EXPECT_EQ(end.err.find("line 0"), std::string::npos) << end.err;
  }
}

TEST_F(CliRecordsTest, AnInputFileThatCannotBeReadIsNamed) {
  Fails(3, {"load", store_, "n", temp_.File("none.tsv")}, {temp_.File("none.tsv"), "No such file"});
  Fails(3, {"load", store_, "n", temp_.path()}, {temp_.path(), "directory"});
}

TEST_F(CliRecordsTest, CtrlCEndsALoadBetweenTwoRecords) {
  int line[2];
  ASSERT_EQ(::pipe2(line, O_CLOEXEC), 0);
  Program load({"load", store_, "n"}, {.input_fd = line[0]});
  ASSERT_EQ(::write(line[1], "a\t1\nb\t2\nc", 9), 9);
  const Namespace ns = MustOpen(store_, "n");
  ASSERT_TRUE(WaitFor([&] { return ns.Contains("b").value_or(false); }));
  load.Signal(SIGINT);
  const ProgramEnd end = load.Wait();
  ::close(line[1]);
  EXPECT_EQ(end.signal, SIGINT) << "exit status " << end.code;
  EXPECT_NE(end.err.find("interrupted after 2 records"), std::string::npos) << end.err;
  EXPECT_EQ(end.out, "");
  EXPECT_EQ(Content(store_, "n"), (Records{{"a", "1"}, {"b", "2"}}));
}

TEST_F(CliRecordsTest, ScanEndsBySigpipeWhenItsReaderCloses) {
  const Namespace ns = MustOpen(store_, "n");
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(ns.Put("key" + std::to_string(i), std::string(200, 'x')).ok());
  }
  int line[2];
  ASSERT_EQ(::pipe2(line, O_CLOEXEC), 0);
  ::close(line[0]);
  const ProgramEnd end = RunCommy({"scan", store_, "n"}, {.out_fd = line[1]});
  ::close(line[1]);
  EXPECT_EQ(end.signal, SIGPIPE) << "exit status " << end.code;
  EXPECT_EQ(end.err, "");
  const json check = json::parse(Done({"check", store_, "--json"}));
  EXPECT_EQ(check["sound"], true);
}

}  // namespace
}  // namespace commy::test
