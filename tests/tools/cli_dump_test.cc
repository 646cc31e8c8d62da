// dump and load in the text format of LMDB's and Berkeley DB's tools: round trips, exchange with
// these tools, and faults in such a file.
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/seed.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

using Records = std::map<std::string, std::string>;

class CliDumpTest : public CliFixture {
 protected:
  static Records Content(const std::string& store, std::string_view path) {
    Records records;
    ScanRange scan = MustOpen(store, path).Scan();
    for (const Entry& entry : scan) {
      records.emplace(entry.key(), entry.value());
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return records;
  }

  static std::set<std::string> Paths(const std::string& store) {
    std::set<std::string> paths;
    const absl::StatusOr<Store> opened = Store::Open(store);
    EXPECT_TRUE(opened.ok()) << opened.status();
    const absl::StatusOr<std::vector<NamespaceInfo>> all = opened->ListNamespaces();
    EXPECT_TRUE(all.ok()) << all.status();
    for (const NamespaceInfo& info : *all) {
      paths.insert(info.path);
    }
    return paths;
  }

  Records Fill(std::string_view path, std::size_t key_bytes_min, std::size_t key_bytes_max) {
    std::mt19937_64 random(Seed());
    Records records;
    for (int i = 0; i < 300; ++i) {
      std::string key(key_bytes_min + random() % (key_bytes_max - key_bytes_min), '\0');
      std::string value(random() % 300, '\0');
      for (std::string* const bytes : {&key, &value}) {
        for (char& byte : *bytes) {
          byte = static_cast<char>(i % 2 == 0 ? "a\\ \n=é"[random() % 6] : random());
        }
      }
      records[key] = value;
    }
    const Namespace ns = MustOpen(store_, path);
    for (const auto& [key, value] : records) {
      EXPECT_TRUE(ns.Put(key, value).ok());
    }
    return records;
  }

  // Runs a shell command; returns its exit status.
  static int Shell(const std::string& command) {
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static bool Has(const std::string& program) {
    return Shell("command -v " + program + " >/dev/null") == 0;
  }
  // Debian names Berkeley DB's tools by their version.
  static std::string BdbTool(const std::string& name) {
    return Has("db_" + name) ? "db_" + name : "db5.3_" + name;
  }
  std::string File(const std::string& name, const std::string& content) {
    std::ofstream(temp_.File(name), std::ios::binary) << content;
    return temp_.File(name);
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // The data section, from the end of the header on.
  static std::string Data(const std::string& dump) {
    const std::size_t begin = dump.find("HEADER=END\n");
    EXPECT_NE(begin, std::string::npos) << dump.substr(0, 200);
    return dump.substr(begin);
  }

  const std::string other_ = temp_.File("other.commy");
};

TEST_F(CliDumpTest, BothFormsRoundTripAnyBytesInOrderOfKeys) {
  const Records records = Fill("n", 0, 40);
  for (const bool print : {false, true}) {
    std::vector<std::string> arguments = {"dump", store_, "n", temp_.File("dump"), "--for", "bdb"};
    if (print) {
      arguments.emplace_back("-p");
    }
    EXPECT_EQ(Done(arguments), "");
    const std::string path = print ? "printed" : "hexadecimal";
    Done({"load", other_, path, temp_.File("dump"), "--format", "dump"});
    EXPECT_EQ(Content(other_, path), records);
    EXPECT_EQ(Done({"dump", other_, path, "--for", "bdb"}),
              Done({"dump", store_, "n", "-", "--for", "bdb"}));
  }
}

TEST_F(CliDumpTest, ADumpHasTheFormOfTheOtherTools) {
  Done({"put", store_, "n", "b\\", "2\n"});
  Done({"put", store_, "n", "a", "1"});
  EXPECT_EQ(Done({"dump", store_, "n", "--for", "bdb", "-p"}),
            "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n a\n 1\n b\\5c\n 2\\0a\nDATA=END\n");
  EXPECT_EQ(
      Done({"dump", store_, "n", "--for", "bdb"}),
      "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n 61\n 31\n 625c\n 320a\nDATA=END\n");
}

TEST_F(CliDumpTest, AllNamespacesRoundTripThroughOneFile) {
  const Records first = Fill("acme/a", 1, 40);
  const Records second = Fill("b", 1, 40);
  Done({"dump", "--all", store_, temp_.File("all")});
  Done({"load", "--all", other_, temp_.File("all"), "--format", "dump"});
  EXPECT_EQ(Content(other_, "acme/a"), first);
  EXPECT_EQ(Content(other_, "b"), second);
  Fails(3, {"load", other_, "one", temp_.File("all"), "--format", "dump"},
        {"another database", "\"b\"", "--all", "line "});
}

TEST_F(CliDumpTest, ANameWithALineFeedAddsNoHeaderNamespaceOrKey) {
  const std::vector<std::string> names = {
      "x\ntype=btree\nHEADER=END\n 61646d696e\n 79657321\nDATA=END\nVERSION=3\nformat=bytevalue\n"
      "database=y",
      "b\nb",
      "b\n",
      "\nHEADER=END",
      "c\r",
      std::string("d\0e", 3),
      "plain",
      "commy-escaped:",
      "commy-escaped:b\\0ab",
      "commy-escaped:plain",
      "commy-escaped:\\zz",
      "b\\0ab",
      "\xff=\xfe "};
  for (const std::string& name : names) {
    ASSERT_TRUE(MustOpen(store_, name).Put("k", name).ok());
  }
  const ProgramEnd dumped = RunCommy({"dump", "--all", store_, temp_.File("all")});
  EXPECT_EQ(dumped.code, 0);
  EXPECT_NE(dumped.err.find("warning: 10 namespaces have a path that this format cannot hold"),
            std::string::npos)
      << dumped.err;
  const std::string text = Read(temp_.File("all"));
  EXPECT_NE(text.find("\ndatabase=commy-escaped:b\\0ab\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\ndatabase=b\\0ab\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\ndatabase=plain\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\ndatabase=\xff=\xfe \n"), std::string::npos) << text;
  Done({"load", "--all", other_, temp_.File("all"), "--format", "dump"});
  EXPECT_EQ(Paths(other_), std::set<std::string>(names.begin(), names.end()));
  for (const std::string& name : names) {
    EXPECT_EQ(Content(other_, name), (Records{{"k", name}}));
  }
}

TEST_F(CliDumpTest, NamesOfRandomBytesRoundTrip) {
  std::mt19937_64 random(Seed());
  const std::vector<std::string> pieces = {"\n",        "\r",         std::string(1, '\0'),
                                           "\\",        "\\0a",       "commy-escaped:",
                                           "database=", "HEADER=END", "a",
                                           "=",         "\xff"};
  std::set<std::string> names;
  for (int i = 0; i < 200; ++i) {
    std::string name = random() % 4 == 0 ? "commy-escaped:" : "";
    do {
      name += random() % 2 == 0 ? pieces[random() % pieces.size()]
                                : std::string(1, static_cast<char>(random()));
    } while (random() % 5 != 0);
    std::replace(name.begin(), name.end(), '/', '.');  // It parts a path.
    names.insert(name);
  }
  for (const std::string& name : names) {
    ASSERT_TRUE(MustOpen(store_, name).Put(name, "v").ok());
  }
  for (const std::string reader : {"lmdb", "bdb"}) {
    EXPECT_EQ(RunCommy({"dump", "--all", store_, temp_.File("all"), "--for", reader}).code, 0);
    const std::string other = temp_.File(reader);
    Done({"load", "--all", other, temp_.File("all"), "--format", "dump"});
    EXPECT_EQ(Paths(other), names);
    for (const std::string& name : names) {
      ASSERT_EQ(Content(other, name), (Records{{name, "v"}}));
    }
  }
}

TEST_F(CliDumpTest, ADatabaseThatOnlyLooksEscapedKeepsItsName) {
  const std::string rest = "\nHEADER=END\n 6b\n 76\nDATA=END\n";
  std::string text;
  const std::set<std::string> names = {"commy-escaped:plain", "commy-escaped:\\0",
                                       "commy-escaped:", "commy-escaped:a\\0A"};
  for (const std::string& name : names) {
    text += "VERSION=3\ndatabase=" + name + rest;
  }
  Done({"load", "--all", store_, File("foreign", text), "--format", "dump"});
  EXPECT_EQ(Paths(store_), names);
}

TEST_F(CliDumpTest, DumpNamesWhatTheFormatOrLmdbCannotHold) {
  Done({"put", store_, "n", "k", "v", "--ttl", "1h"});
  Done({"put", store_, "n", "", "empty"});
  const ProgramEnd end = RunCommy({"dump", store_, "n"});
  EXPECT_EQ(end.code, 0);
  EXPECT_NE(end.err.find("warning: 1 keys are empty or longer than 511 bytes"), std::string::npos);
  EXPECT_NE(end.err.find("time to live"), std::string::npos);
  const std::string jsonl = Done({"dump", store_, "n", "--format", "jsonl"});
  EXPECT_NE(jsonl.find("\"expires\""), std::string::npos);

  Done({"ns", "create", other_, std::string(511, 'm')});
  Done({"dump", "--all", other_, temp_.File("short")});
  Done({"ns", "create", other_, std::string(512, 'n')});
  const ProgramEnd named = RunCommy({"dump", "--all", other_});
  EXPECT_EQ(named.code, 0);
  EXPECT_NE(named.err.find("warning: 1 namespaces have a path longer than 511 bytes"),
            std::string::npos)
      << named.err;
  const ProgramEnd twice = RunCommy(
      {"load", other_, "n", "--format", "dump"},
      {.input = "VERSION=3\nformat=print\ntype=btree\nduplicates=1\nHEADER=END\n a\n 1\n a\n 2\n"
                "DATA=END\n"});
  EXPECT_EQ(twice.code, 0);
  EXPECT_NE(twice.err.find("warning: 1 keys came more than once"), std::string::npos) << twice.err;
  EXPECT_EQ(Done({"get", other_, "n", "a"}), "2");
}

TEST_F(CliDumpTest, LoadNamesAFaultInADumpWithItsLine) {
  const std::string head = "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"\n\r\n", "line 2: the file is empty"},
      {"VERSION=3\nHEADER=END\r\n", "line 2: the file ends before HEADER=END"},
      {"VERSION=3\nHEADER=END\n 61\n 31\n\nDATA=END\n", "line 5: a line of data must begin"},
      {"VERSION=3\nHEADER=END\n 6b\r\n", "line 3: an odd number"},
      {"a\tb\n", "line 1: a dump begins with VERSION=3"},
      {"VERSION=3\nformat=print\n", "line 2: the file ends before HEADER=END"},
      {"VERSION=3\n k\n", "line 2: a line of the header must be"},
      {"VERSION=3\nformat=text\nHEADER=END\n", "line 2: format=text"},
      {"VERSION=3\ntype=recno\nHEADER=END\n", "line 2: type=recno"},
      {"VERSION=3\nmapsize=big\nHEADER=END\n", "line 2: mapsize=big"},
      {head + " a\n 1\n b\n", "line 7: the file ends before DATA=END"},
      {head + " a\n 1\n b\nDATA=END\n", "line 8: the last key has no value"},
      {head + " a\n1\n", "line 6: a line of data must begin with a space"},
      {head + " a\\4\n 1\n", "line 5: a backslash"},
      {"VERSION=3\nHEADER=END\n 616\n", "line 3: an odd number"},
      {"VERSION=3\nHEADER=END\n 6g\n", "line 3: \"6g\""},
  };
  for (const auto& [text, message] : bad) {
    Fails(3, {"load", store_, "n", File("bad", text), "--format", "dump"},
          {temp_.File("bad"), message, "records were loaded before it", "correct the line"});
  }
  EXPECT_EQ(Content(store_, "n"), (Records{{"a", "1"}}))
      << "the keys before the bad line are loaded";
}

TEST_F(CliDumpTest, AnEmptyDumpIsNamedWithoutALine) {
  const ProgramEnd end = RunCommy({"load", store_, "n", File("none", ""), "--format", "dump"});
  ExpectLine(end, 3, {temp_.File("none"), "is empty", "a dump begins with VERSION=3"});
  EXPECT_EQ(end.err.find("line"), std::string::npos) << end.err;
  Fails(3, {"load", store_, "n", "--format", "dump"}, {"standard input is empty"});
}

TEST_F(CliDumpTest, LoadIgnoresAByteOrderMarkCarriageReturnsAndBlankLines) {
  const auto with_carriage_returns = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
      text.insert(at, 1, '\r');
    }
    return text;
  };
  const std::string text =
      "VERSION=3\nformat=print\ndatabase=a\ntype=btree\nmapsize=1048576\nHEADER=END\n k\n v\n \n \n"
      "DATA=END\n";
  std::string second = text;
  second.replace(second.find("=a"), 2, "=b");
  const std::string blank = "\n\n" + text + "\n\n" + second + "\n";
  int number = 0;
  for (const std::string& file :
       {"\xef\xbb\xbf" + text + second, with_carriage_returns(text + second),
        "\xef\xbb\xbf" + with_carriage_returns(blank), blank, text + with_carriage_returns(second),
        with_carriage_returns(text) + second}) {
    const std::string store = temp_.File("case" + std::to_string(number++));
    Done({"load", "--all", store, File("text", file), "--format", "dump"});
    EXPECT_EQ(Paths(store), (std::set<std::string>{"a", "b"}));
    EXPECT_EQ(Content(store, "a"), (Records{{"k", "v"}, {"", ""}}));
    EXPECT_EQ(Content(store, "b"), (Records{{"k", "v"}, {"", ""}}));
  }
}

TEST_F(CliDumpTest, ACarriageReturnIsDataIfOtherLinesHaveNone) {
  Done({"load", "--all", store_, "--format", "dump"},
       {.input = "VERSION=3\nformat=print\ndatabase=a\r\nHEADER=END\n k\r\n v\r\nDATA=END\n"});
  EXPECT_EQ(Paths(store_), std::set<std::string>{"a\r"});
  EXPECT_EQ(Content(store_, "a\r"), (Records{{"k\r", "v\r"}}));
}

TEST_F(CliDumpTest, WrongUsageOfDumpAndLoadNamesTheRemedy) {
  Done({"put", store_, "n", "k", "v"});
  Fails(2, {"dump", store_}, {"name a namespace"});
  Fails(2, {"dump", store_, "--all", "--format", "tsv"}, {"--format jsonl or dump"});
  Fails(2, {"load", store_}, {"name a namespace"});
  Fails(3, {"dump", store_, "n", "/no/such/folder/file"},
        {"/no/such/folder/file", "cannot create"});
  Fails(1, {"dump", store_, "absent"}, {"absent"});
}

TEST_F(CliDumpTest, AWordListRoundTripsThroughLmdb) {
  const char* const words = "/usr/share/dict/words";
  if (!Has("mdb_load") || ::access(words, R_OK) != 0) {
    GTEST_SKIP() << "NOT TESTED: there is no mdb_load (lmdb-utils) or no " << words;
  }
  std::ifstream list(words);
  Records records;
  for (std::string word; std::getline(list, word);) {
    records.emplace(word, std::to_string(word.size()));
  }
  std::string dump = "VERSION=3\nformat=print\ntype=btree\nmapsize=268435456\nHEADER=END\n";
  for (const auto& [word, size] : records) {
    dump += " " + word + "\n " + size + "\n";
  }
  const std::string dir = temp_.path();
  ASSERT_EQ(Shell("cd " + dir + " && mdb_load -n -f " + File("words", dump + "DATA=END\n") +
                  " first.mdb && mdb_dump -n first.mdb > first.dump"),
            0);
  Done({"load", store_, "words", dir + "/first.dump", "--format", "dump"});
  EXPECT_EQ(Content(store_, "words"), records);
  Done({"dump", store_, "words", dir + "/ours.dump"});
  ASSERT_EQ(
      Shell("cd " + dir +
            " && mdb_load -n -f ours.dump second.mdb && mdb_dump -n second.mdb > second.dump"),
      0);
  EXPECT_TRUE(Data(Read(dir + "/second.dump")) == Data(Read(dir + "/first.dump")));
  EXPECT_TRUE(Data(Read(dir + "/ours.dump")) == Data(Read(dir + "/first.dump")));
}

TEST_F(CliDumpTest, NamespacesRoundTripThroughLmdbAsDatabases) {
  if (!Has("mdb_load")) {
    GTEST_SKIP() << "NOT TESTED: there is no mdb_load (lmdb-utils)";
  }
  const Records first = Fill("acme/a", 1, 100);
  const Records second = Fill("b", 1, 100);
  const std::string dir = temp_.path();
  Done({"dump", "--all", store_, dir + "/ours.dump"});
  ASSERT_EQ(Shell("cd " + dir +
                  " && mdb_load -n -f ours.dump all.mdb && mdb_dump -n -a all.mdb > all.dump"),
            0);
  Done({"load", "--all", other_, dir + "/all.dump", "--format", "dump"});
  EXPECT_EQ(Content(other_, "acme/a"), first);
  EXPECT_EQ(Content(other_, "b"), second);
}

TEST_F(CliDumpTest, NamesWithLineFeedsRoundTripThroughLmdb) {
  if (!Has("mdb_load")) {
    GTEST_SKIP() << "NOT TESTED: there is no mdb_load (lmdb-utils)";
  }
  const std::set<std::string> names = {"a\nb", "a\\0ab", "\ntype=recno", "plain"};
  for (const std::string& name : names) {
    Done({"put", store_, name, "k", name});
  }
  const std::string dir = temp_.path();
  EXPECT_EQ(RunCommy({"dump", "--all", store_, dir + "/ours.dump"}).code, 0);
  ASSERT_EQ(Shell("cd " + dir +
                  " && mdb_load -n -f ours.dump all.mdb && mdb_dump -n -a all.mdb > all.dump"),
            0);
  Done({"load", "--all", other_, dir + "/all.dump", "--format", "dump"});
  EXPECT_EQ(Paths(other_), names);
  for (const std::string& name : names) {
    EXPECT_EQ(Content(other_, name), (Records{{"k", name}}));
  }
}

TEST_F(CliDumpTest, BerkeleyDbReadsAndWritesBothForms) {
  if (!Has(BdbTool("load"))) {
    GTEST_SKIP() << "NOT TESTED: there is no db_load (db5.3-util)";
  }
  const Records records = Fill("n", 1, 100);
  const std::string dir = temp_.path();
  for (const std::string form : {"", " -p"}) {
    std::vector<std::string> arguments = {"dump", store_, "n", dir + "/ours.dump", "--for", "bdb"};
    if (!form.empty()) {
      arguments.emplace_back("-p");
    }
    Done(arguments);
    ASSERT_EQ(Shell("cd " + dir + " && rm -f x.db && " + BdbTool("load") +
                    " -f ours.dump x.db && " + BdbTool("dump") + form + " x.db > theirs.dump"),
              0);
    const std::string path = "n" + std::to_string(form.size());
    Done({"load", other_, path, dir + "/theirs.dump", "--format", "dump"});
    EXPECT_EQ(Content(other_, path), records);
  }
}

}  // namespace
}  // namespace commy::test
