// dump and load in jsonl: a store that is made again of its dump has everything that the first one
// had, and a file that is not whole or fits no namespace is refused.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"

#include "api/exact.h"
#include "region/layout.h"
#include "support/seed.h"
#include "tools/cli_fixture.h"

namespace commy::test {

struct alignas(64) Frame {
  std::uint64_t number = 0;
};
COMMY_STRUCT(Frame, "acme.Frame", number);

namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

constexpr std::int64_t kSecondNs = 1'000'000'000;

class CliDumpAllTest : public CliFixture {
 protected:
  // A value and when it expires, in store time; 0: never.
  using Content = std::map<std::string, std::pair<std::string, std::int64_t>>;

  static Store MustOpenStore(const std::string& path) {
    absl::StatusOr<Store> store = Store::Open(path);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  template <typename Container>
  Container Make(std::string_view path, const SharedOptions& options = {}) const {
    absl::StatusOr<Container> made = MustOpenStore(store_).OpenShared<Container>(path, options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  static Content Read(const std::string& path, std::string_view ns_path) {
    const Store store = MustOpenStore(path);
    const absl::StatusOr<Namespace> ns = store.OpenNamespace(ns_path, {.create_if_missing = false});
    EXPECT_TRUE(ns.ok()) << ns.status();
    const absl::StatusOr<Snapshot> then = store.TakeSnapshot();
    EXPECT_TRUE(then.ok()) << then.status();
    const std::int64_t moment = *api::MomentOf(*then, *ns);
    Content content;
    ScanRange scan = ns->Scan({.snapshot = &*then});
    for (const Entry& entry : scan) {
      const bool expires = entry.ttl() != absl::InfiniteDuration();
      content[entry.key()] = {entry.value(),
                              expires ? moment + absl::ToInt64Nanoseconds(entry.ttl()) : 0};
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return content;
  }

  std::string Bytes(std::mt19937_64& random, std::size_t size_max) const {
    std::string bytes(random() % size_max, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    return bytes;
  }

  void FillBytes(std::string_view path, Order order, std::mt19937_64& random) const {
    const absl::StatusOr<Namespace> ns =
        MustOpenStore(store_).OpenNamespace(path, {.order = order});
    ASSERT_TRUE(ns.ok()) << ns.status();
    ASSERT_TRUE(ns->Put("", "").ok());
    for (int i = 0; i < 200; ++i) {
      PutOptions options;
      if (i % 3 == 0) {
        options.ttl = absl::Hours(1) + absl::Nanoseconds(random() % kSecondNs);
      }
      ASSERT_TRUE(ns->Put(Bytes(random, 40), Bytes(random, 100), options).ok());
    }
    ASSERT_TRUE(ns->Put("a century", "v", {.ttl = absl::Hours(24 * 365 * 100)}).ok());
    ASSERT_TRUE(ns->Put("longer", "v", {.ttl = absl::Hours(24 * 365 * 290)}).ok());
  }

  // Something of every kind.
  void Fill() const {
    std::mt19937_64 random(Seed());
    FillBytes("plain", Order::kHash, random);
    FillBytes("acme/ordered", Order::kOrdered, random);
    Done({"ns", "create", store_, "empty"});
    Done({"ns", "create", store_, "empty too", "--ordered", "--ttl", "1.5s"});
    Done({"ns", "create", store_, "\xff\n", "--type", "set<string>"});
    const Namespace sessions = MustOpen(store_, "sessions");
    ASSERT_TRUE(sessions.Put("without", "end").ok());
    ASSERT_TRUE(sessions.SetDefaultTtl(absl::Minutes(30) + absl::Nanoseconds(7)).ok());
    ASSERT_TRUE(sessions.Put("with", "one").ok());
    ASSERT_TRUE(sessions.SetQuota(1).ok());  // Below what is in it.

    const auto scores =
        Make<SharedBTreeMap<std::tuple<std::int64_t, std::string>, std::string>>("scores");
    ASSERT_TRUE(scores.Put({-1, "ann"}, "\xfe").ok());
    ASSERT_TRUE(scores.Put({30, "\xff"}, "silver", {.ttl = absl::Hours(2)}).ok());
    const auto frames = Make<SharedHashMap<std::string, Frame>>("frames");
    ASSERT_TRUE(frames.Put("a", Frame{7}).ok());
    const auto names = Make<SharedHashSet<std::string>>("names");
    ASSERT_TRUE(names.Insert("bob").ok());
    ASSERT_TRUE(names.Insert("zoe", {.ttl = absl::Hours(3)}).ok());
    const double odd_nan = std::bit_cast<double>(std::uint64_t{0x7ff8'0000'0000'1234});
    ASSERT_TRUE(Make<SharedBox<double>>("box").Store(odd_nan).ok());
    ASSERT_TRUE(Make<SharedCounter>("hits").Add(-7).ok());
    // What no program with these types writes.
    ASSERT_TRUE(MustOpen(store_, "hits").Put("beside", "x").ok());
    ASSERT_TRUE(MustOpen(store_, "frames").Put("short", "xy").ok());
    ASSERT_TRUE(MustOpen(store_, "names").Put("bob's", "value").ok());

    ASSERT_TRUE(Make<SharedVec<double>>("samples").Append(std::vector<double>{0.5, odd_nan}).ok());
    std::vector<std::int64_t> many(20'000);
    for (std::int64_t& number : many) {
      number = static_cast<std::int64_t>(random());
    }
    ASSERT_TRUE(Make<SharedVec<std::int64_t>>("many").Append(many).ok());
    const auto jobs = Make<SharedDeque<std::string>>(
        "jobs", {.capacity = 3, .max_deliveries = 5, .dead_letters = "\xff/dead"});
    ASSERT_TRUE(jobs.Append(Texts{"", "\xff"}).ok());
    std::string text(100'000, 'x');
    text += "\xe2\x82\xac\n";
    ASSERT_TRUE(Make<SharedString>("log").Set(text).ok());
    ASSERT_TRUE(Make<SharedString>("no text").Set("").ok());

    const Store store = MustOpenStore(store_);
    ASSERT_TRUE(Semaphore::Open(store, "permits", 3).ok());
    ASSERT_TRUE(Latch::Open(store, "start", 2).ok());
    ASSERT_TRUE(store.SetPathQuota("acme", 1).ok());
    ASSERT_TRUE(store.SetPathQuota("no \xff", std::uint64_t{1} << 62U).ok());
  }

  void CheckSound(const std::string& store) const {
    EXPECT_NE(Done({"check", store}).find("sound"), std::string::npos);
  }
  std::string DumpAll(const std::string& store) const {
    return Done({"dump", "--all", store, "--format", "jsonl"});
  }
  // Loads a text with --all.
  std::string LoadAll(const std::string& store, const std::string& text,
                      const Texts& more = {}) const {
    Texts arguments = {"load", "--all", store, "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Done(arguments, {.input = text});
  }
  void LoadFails(const std::string& text, std::initializer_list<std::string_view> words) const {
    Fails(3, {"load", "--all", copy_, "-"}, words, {.input = text});
  }

  const std::string copy_ = temp_.File("copy.commy");
};

// --- Round trips --------------------------------------------------------------------------------

TEST_F(CliDumpAllTest, AStoreOfAllKindsIsMadeAgainOfItsDump) {
  Fill();
  const std::string dump = DumpAll(store_);
  LoadAll(copy_, dump);
  EXPECT_TRUE(DumpAll(copy_) == dump);
  CheckSound(copy_);

  const absl::StatusOr<std::vector<NamespaceInfo>> first = MustOpenStore(store_).ListNamespaces();
  const absl::StatusOr<std::vector<NamespaceInfo>> second = MustOpenStore(copy_).ListNamespaces();
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_EQ(first->size(), second->size());
  for (std::size_t i = 0; i < first->size(); ++i) {
    EXPECT_EQ((*first)[i].path, (*second)[i].path);
    EXPECT_EQ((*first)[i].order, (*second)[i].order) << (*first)[i].path;
    EXPECT_EQ((*first)[i].type, (*second)[i].type) << (*first)[i].path;
    EXPECT_EQ((*first)[i].default_ttl, (*second)[i].default_ttl) << (*first)[i].path;
    EXPECT_EQ((*first)[i].quota_bytes, (*second)[i].quota_bytes) << (*first)[i].path;
  }
  for (const std::string path : {"plain", "acme/ordered", "sessions", "scores", "frames", "names",
                                 "box", "hits", "permits", "start"}) {
    const Content content = Read(store_, path);
    EXPECT_FALSE(content.empty()) << path;
    EXPECT_TRUE(Read(copy_, path) == content) << path;
  }
  EXPECT_EQ(Read(copy_, "plain").at("longer").second, Read(store_, "plain").at("longer").second);
  const Store copy = MustOpenStore(copy_);
  EXPECT_EQ(*copy.OpenShared<SharedCounter>("hits")->Value(), -7);
  EXPECT_EQ(*copy.OpenShared<SharedVec<std::int64_t>>("many")->ToVector(),
            *MustOpenStore(store_).OpenShared<SharedVec<std::int64_t>>("many")->ToVector());
  const auto samples = copy.OpenShared<SharedVec<double>>("samples");
  EXPECT_EQ(std::bit_cast<std::uint64_t>(*samples->At(1)), 0x7ff8'0000'0000'1234U);
  EXPECT_EQ(*copy.OpenShared<SharedDeque<std::string>>("jobs")->ToVector(), (Texts{"", "\xff"}));
  EXPECT_EQ(*copy.OpenShared<SharedString>("log")->ByteCount(), 100'004U);
}

TEST_F(CliDumpAllTest, EachNamespaceRoundTripsAloneUnderAnotherPath) {
  Fill();
  const absl::StatusOr<std::vector<NamespaceInfo>> all = MustOpenStore(store_).ListNamespaces();
  ASSERT_TRUE(all.ok()) << all.status();
  for (const NamespaceInfo& info : *all) {
    const std::string dump = Done({"dump", store_, info.path, "-", "--format", "jsonl"});
    Done({"load", copy_, "x", "-", "--format", "jsonl"}, {.input = dump});
    const std::string again = Done({"dump", copy_, "x", "-", "--format", "jsonl"});
    EXPECT_TRUE(again.substr(again.find(',')) == dump.substr(dump.find(','))) << info.path;
    Done({"ns", "drop", copy_, "x"});
  }
  CheckSound(copy_);
}

TEST_F(CliDumpAllTest, AllRecordsRoundTripAsRawBytes) {
  Fill();
  const std::string dump = Done({"dump", "--all", store_, "--format", "jsonl", "--raw-bytes"});
  LoadAll(copy_, dump);
  EXPECT_TRUE(Done({"dump", "--all", copy_, "--format", "jsonl", "--raw-bytes"}) == dump);
  EXPECT_TRUE(DumpAll(copy_) == DumpAll(store_));
  CheckSound(copy_);
  LoadFails(dump.substr(dump.find("{\"namespace\":\"jobs\"")), {"line 1", "\"jobs\"", "there"});
}

TEST_F(CliDumpAllTest, TheLinesAreThoseOfTheManual) {
  Done({"ns", "create", store_, "empty", "--ordered", "--ttl", "30m"});
  Done({"put", store_, "plain", "greeting", "hello"});
  Make<SharedHashMap<std::string, Frame>>("frames");
  ASSERT_TRUE(Make<SharedCounter>("hits").Add(42).ok());
  Make<SharedDeque<std::string>>("jobs", {.capacity = 100});
  EXPECT_EQ(DumpAll(store_),
            R"({"namespace":"empty","order":"ordered","default_ttl":"30m"}
{"namespace":"frames","order":"hash","type":"map<string,struct acme.Frame@64{number:u64}>",)"
            R"("value_align":64}
{"namespace":"hits","order":"hash","type":"counter"}
{"value":42}
{"namespace":"jobs","order":"hash","type":"deque<string>","capacity":100}
{"namespace":"plain","order":"hash"}
{"key":"greeting","value":"hello"}
{"end_of_dump":true}
)");
}

TEST_F(CliDumpAllTest, QuotasRoundTripAndHoldInTheCopy) {
  Done({"ns", "create", store_, "acme/a", "--quota", "1KiB"});
  Done({"put", store_, "acme/a", "k", "v"});
  Done({"ns", "quota", store_, "acme", "2KiB"});
  const std::string dump = DumpAll(store_);
  EXPECT_EQ(dump,
            R"({"namespace":"acme/a","order":"hash","quota_bytes":1024}
{"key":"k","value":"v"}
{"path_quota":"acme","quota_bytes":2048}
{"end_of_dump":true}
)");
  LoadAll(copy_, dump);
  EXPECT_EQ(DumpAll(copy_), dump);
  Fails(3, {"put", copy_, "acme/a", "large", std::string(1'100, 'x')}, {"quota", "acme/a"});
  const ProgramEnd alone =
      RunCommy({"load", copy_, "b", "-", "--format", "jsonl"}, {.input = dump});
  EXPECT_EQ(alone.code, 0);
  EXPECT_NE(alone.err.find("1 quotas of paths were left out"), std::string::npos) << alone.err;
  LoadAll(copy_, dump + dump);
  LoadFails(dump.substr(0, dump.find("{\"end_of")), {"cut short"});
}

TEST_F(CliDumpAllTest, AQuotaThatIsNoneIsNamedWithItsLine) {
  const std::string path = R"({"path_quota":"acme",)";
  LoadFails(path + "\"quota_bytes\":0}\n", {"line 1", "\"quota_bytes\": expected"});
  LoadFails(path + "\"quota_bytes\":\"1MiB\"}\n", {"line 1", "\"quota_bytes\": expected"});
  LoadFails(path + "\"quota_bytes\":9223372036854775808}\n", {"line 1", "2^63 - 1"});
  LoadFails(R"({"path_quota":"acme"})", {"line 1", "needs \"quota_bytes\""});
  LoadFails(path + "\"quota_bytes\":1,\"x\":2}\n", {"line 1", "unknown member \"x\""});
  LoadFails("{\"path_quota\":\"/a\",\"quota_bytes\":1}\n", {"line 1", "\"/a\""});
}

TEST_F(CliDumpAllTest, AStoreWithoutNamespacesRoundTrips) {
  Done({"init", store_});
  EXPECT_EQ(DumpAll(store_), "{\"end_of_dump\":true}\n");
  LoadAll(copy_, DumpAll(store_));
  EXPECT_EQ(DumpAll(copy_), DumpAll(store_));
}

TEST_F(CliDumpAllTest, FilesOfSeveralDumpsAreLoadedAsOne) {
  Done({"put", store_, "a", "k", "v"});
  const std::string first = DumpAll(store_);
  Done({"ns", "drop", store_, "a"});
  Done({"put", store_, "b", "k", "v"});
  LoadAll(copy_, first + "\r\n\n" + DumpAll(store_));
  EXPECT_EQ(Done({"ns", "list", copy_, "--paths"}), "a\nb\n");
}

TEST_F(CliDumpAllTest, ElementsThatAreLeasedOrWereReturnedKeepTheirPlaceAndDeliveries) {
  const auto jobs = Make<SharedDeque<std::string>>(
      "jobs", {.capacity = 4, .max_deliveries = 2, .dead_letters = "dead"});
  const std::string large(100'000, 'L');
  ASSERT_TRUE(jobs.Append(Texts{"a", large, "c", "d"}).ok());
  absl::StatusOr<Leased<std::string>> first = jobs.LeaseFront();
  absl::StatusOr<Leased<std::string>> second = jobs.LeaseFront();
  absl::StatusOr<Leased<std::string>> third = jobs.LeaseFront();
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  ASSERT_TRUE(std::move(*first).Return().ok());
  ASSERT_TRUE(std::move(*third).Return().ok());
  first = jobs.LeaseFront();  // "a" for the second time.
  ASSERT_TRUE(first.ok());
  const ProgramEnd dumped = RunCommy({"dump", "--all", store_, "--format", "jsonl"});
  EXPECT_EQ(dumped.code, 0);
  EXPECT_NE(dumped.err.find("2 elements are leased"), std::string::npos) << dumped.err;
  EXPECT_NE(dumped.out.find("{\"value\":\"a\",\"deliveries\":2}\n"), std::string::npos);
  EXPECT_NE(dumped.out.find("L\",\"deliveries\":1}\n{\"value\":\"c\",\"deliveries\":1}\n"
                            "{\"value\":\"d\"}\n"),
            std::string::npos);
  LoadAll(copy_, dumped.out);
  EXPECT_EQ(DumpAll(copy_), dumped.out);
  CheckSound(copy_);
  ASSERT_TRUE(std::move(*first).Return().ok());
  ASSERT_TRUE(std::move(*second).Return().ok());
  EXPECT_EQ(DumpAll(store_), dumped.out) << "as if both had been returned";

  const Store copy = MustOpenStore(copy_);
  const auto copied = copy.OpenShared<SharedDeque<std::string>>("jobs");
  absl::StatusOr<Leased<std::string>> lease = copied->LeaseFront();
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->value(), large);
  EXPECT_EQ(lease->deliveries(), 2U);
  EXPECT_EQ(*copy.OpenShared<SharedDeque<std::string>>("dead")->ToVector(), (Texts{"a"}));
}

TEST_F(CliDumpAllTest, WhatWasReturnedStandsBeforeAllOthers) {
  const std::string header = "{\"namespace\":\"n\",\"order\":\"hash\",\"type\":\"deque<i64>\"}\n";
  LoadFails(header + "{\"value\":1}\n{\"value\":2,\"deliveries\":1}\n{\"end_of_dump\":true}\n",
            {"line 3", "come first"});
  LoadFails(header + "{\"value\":1,\"deliveries\":-1}\n", {"line 2", "\"deliveries\": expected"});
  LoadFails(
      "{\"namespace\":\"v\",\"order\":\"hash\",\"type\":\"vec<i64>\"}\n"
      "{\"value\":1,\"deliveries\":1}\n",
      {"line 2", "unknown member \"deliveries\""});
}

// --- When keys expire ---------------------------------------------------------------------------

TEST_F(CliDumpAllTest, WhatHasExpiredByThenIsLeftOutAndCounted) {
  const std::string text =
      "{\"namespace\":\"n\",\"order\":\"hash\",\"default_ttl\":\"1h\"}\n"
      "{\"key\":\"over\",\"value\":\"v\",\"expires\":\"2001-01-01T00:00:00Z\"}\n"
      "{\"key\":\"older\",\"value\":\"v\",\"expires\":\"1901-01-01T00:00:00Z\"}\n"
      "{\"key\":\"far\",\"value\":\"v\",\"expires\":\"2201-01-01T00:00:00.000000001Z\"}\n"
      "{\"key\":\"never\",\"value\":\"v\",\"expires\":\"infinite-future\"}\n"
      "{\"key\":\"without\",\"value\":\"v\"}\n"
      "{\"end_of_dump\":true}\n";
  EXPECT_NE(LoadAll(store_, text).find("loaded 3 records"), std::string::npos);
  EXPECT_NE(LoadAll(store_, text).find("2 had expired"), std::string::npos);
  const json report = json::parse(LoadAll(store_, text, {"--json"}));
  EXPECT_EQ(report["records"], 3);
  EXPECT_EQ(report["expired"], 2);
  const Content content = Read(store_, "n");
  EXPECT_EQ(content.size(), 3U);
  EXPECT_EQ(content.at("far").second, 7'289'654'400 * kSecondNs + 1);
  EXPECT_EQ(content.at("never").second, INT64_MAX);
  EXPECT_EQ(content.at("without").second, 0);
}

TEST_F(CliDumpAllTest, AStoreWhoseClockWasSetKeepsTheMoment) {
  Done({"init", store_});
  {
    // As if the wall clock had been set back by an hour while the store was in use, and the machine
    // been started again.
    std::fstream file(store_, std::ios::binary | std::ios::in | std::ios::out);
    const std::int64_t skew_ns = 3600 * kSecondNs;
    file.seekp(offsetof(region::RegionHeader, clock_skew_ns));
    file.write(reinterpret_cast<const char*>(&skew_ns), sizeof(skew_ns));
    const std::string nothing(sizeof(std::uint64_t), '\0');
    for (const std::size_t at :
         {offsetof(region::RegionHeader, clock_boot), offsetof(region::RegionHeader, clock_base_ns),
          offsetof(region::RegionHeader, clock_seal)}) {
      file.seekp(static_cast<std::streamoff>(at));
      file.write(nothing.data(), static_cast<std::streamsize>(nothing.size()));
    }
  }
  Done({"put", store_, "n", "k", "v", "--ttl", "30m"});
  const std::string dump = DumpAll(store_);
  EXPECT_NE(dump.find("\"clock_ahead\":\"1h\""), std::string::npos) << dump;
  LoadAll(copy_, dump);
  EXPECT_EQ(Read(copy_, "n").at("k").second, Read(store_, "n").at("k").second - 3600 * kSecondNs);
  EXPECT_EQ(DumpAll(copy_).find("clock_ahead"), std::string::npos);
  const std::string back = temp_.File("back.commy");
  LoadAll(back, DumpAll(copy_));
  EXPECT_TRUE(Read(back, "n") == Read(copy_, "n"));
}

TEST_F(CliDumpAllTest, RecordsOfAScanKeepTheirTimesToLive) {
  Done({"put", store_, "n", "k", "v", "--ttl", "1h"});
  const std::string scan = Done({"scan", store_, "n", "--format", "jsonl"});
  EXPECT_NE(scan.find("\"ttl_ms\""), std::string::npos) << scan;
  Done({"load", copy_, "n", "-", "--format", "jsonl"}, {.input = scan});
  const std::int64_t off = Read(copy_, "n").at("k").second - Read(store_, "n").at("k").second;
  EXPECT_LT(std::abs(off), 600 * kSecondNs);
  Fails(3, {"load", copy_, "n", "-", "--format", "jsonl"}, {"line 1", "both", "expires"},
        {.input = R"({"key":"k","value":"v","ttl_ms":1,"expires":"2201-01-01T00:00:00Z"})"});
  Fails(3, {"load", copy_, "n", "-", "--format", "jsonl"}, {"line 1", "\"expires\": "},
        {.input = R"({"key":"k","value":"v","expires":"soon"})"});
}

// --- Namespaces that are there ------------------------------------------------------------------

TEST_F(CliDumpAllTest, AnOrderOrTypeThatDiffersIsNamedAndNothingChanges) {
  Done({"put", copy_, "o", "k", "old", "--ordered"});
  Done({"put", copy_, "h", "k", "old"});
  Done({"ns", "create", copy_, "t", "--type", "map<string,i64>"});
  Done({"put", copy_, "t", "k", "1"});
  const auto refuses = [this](const std::string& header,
                              std::initializer_list<std::string_view> words) {
    LoadFails(header +
                  "\n{\"key\":\"k\",\"value\":\"new\"}\n{\"key\":\"x\",\"value\":\"new\"}\n"
                  "{\"end_of_dump\":true}\n",
              words);
  };
  const std::string before = DumpAll(copy_);
  refuses(R"({"namespace":"o","order":"hash","default_ttl":"1h"})",
          {"line 1", "\"o\"", "an ordered namespace", "a hash namespace", "0 records"});
  refuses(R"({"namespace":"h","order":"ordered","default_ttl":"1h"})",
          {"line 1", "\"h\"", "a hash namespace", "an ordered one"});
  refuses(R"({"namespace":"h","order":"hash","type":"set<string>","default_ttl":"1h"})",
          {"line 1", "\"h\"", "without a type", "set<string>"});
  refuses(R"({"namespace":"t","order":"hash","default_ttl":"1h"})",
          {"line 1", "\"t\"", "map<string,i64>", "without a type"});
  refuses(R"({"namespace":"t","order":"hash","type":"map<string,u8>","default_ttl":"1h"})",
          {"line 1", "\"t\"", "map<string,i64>", "map<string,u8>"});
  EXPECT_EQ(DumpAll(copy_), before);
}

TEST_F(CliDumpAllTest, ANamespaceThatIsThereKeepsWhatTheFileDoesNotSay) {
  Done({"ns", "create", copy_, "n", "--ttl", "1h"});
  Done({"put", copy_, "n", "mine", "v"});
  LoadAll(copy_,
          "{\"namespace\":\"n\",\"order\":\"hash\"}\n{\"key\":\"k\",\"value\":\"v\"}\n"
          "{\"end_of_dump\":true}\n");
  EXPECT_EQ(json::parse(Done({"ns", "list", copy_, "--json"}))[0]["default_ttl_ms"], 3'600'000);
  const Content content = Read(copy_, "n");
  EXPECT_EQ(content.size(), 2U);
  EXPECT_EQ(content.at("k").second, 0) << "it had no time to live";
}

TEST_F(CliDumpAllTest, TheAlignmentOfValuesIsThatOfTheHeader) {
  std::string text = "{\"namespace\":\"n\",\"order\":\"hash\",\"value_align\":64}\n";
  for (int i = 0; i < 50; ++i) {
    text += "{\"key\":\"" + std::to_string(i) + "\",\"value\":\"v\"}\n";
  }
  LoadAll(store_, text + "{\"end_of_dump\":true}\n");
  const Namespace ns = MustOpen(store_, "n");
  for (int i = 0; i < 50; ++i) {
    const absl::StatusOr<View> view = ns.GetView(std::to_string(i));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view->value().data()) % 64, 0U) << i;
  }
  EXPECT_NE(DumpAll(store_).find("\"value_align\":64"), std::string::npos);
}

// --- Files that are not whole -------------------------------------------------------------------

TEST_F(CliDumpAllTest, AFileThatIsCutAnywhereIsAnError) {
  Done({"put", store_, "a", "k", "v", "--ttl", "1h"});
  Done({"ns", "create", store_, "v", "--type", "vec<i64>"});
  Done({"push", store_, "v", "1", "2"});
  Done({"ns", "create", store_, "z"});
  const std::string dump = DumpAll(store_);
  for (std::size_t size = 1; size + 1 < dump.size(); size += 1 + size % 3) {
    const std::string cut = dump.substr(0, size);
    const ProgramEnd end = RunCommy({"load", "--all", copy_, "-"}, {.input = cut});
    ExpectLine(end, 3,
               {"line " + std::to_string(std::count(cut.begin(), cut.end(), '\n') +
                                         (cut.ends_with('\n') ? 0 : 1))});
  }
  const std::size_t last = dump.rfind('\n', dump.size() - 2) + 1;
  LoadFails(dump.substr(0, last), {"line 6", "end_of_dump", "cut short"});
  EXPECT_EQ(Done({"len", copy_, "v"}), "2\n") << "the elements before the end of another section";
  Fails(
      3, {"load", temp_.File("other"), "v", "-", "--format", "jsonl"}, {"line 2", "cut short"},
      {.input = "{\"namespace\":\"v\",\"order\":\"hash\",\"type\":\"vec<i64>\"}\n{\"value\":1}\n"});
  EXPECT_EQ(Done({"len", temp_.File("other"), "v"}), "0\n") << "elements come together, or none";
}

TEST_F(CliDumpAllTest, AFaultInAHeaderIsNamedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {R"({"namespace":"n"})", "needs \"order\""},
      {R"({"namespace":"n","order":"tree"})", "\"order\": expected hash or ordered, found"},
      {R"({"namespace":7,"order":"hash"})", "\"namespace\" is not a string"},
      {R"({"namespace_base64":"?","order":"hash"})", "not base64"},
      {R"({"namespace":"","order":"hash"})", "namespace"},
      {R"({"namespace":"a//b","order":"hash"})", "a//b"},
      {R"({"namespace":"n","order":"hash","x":1})", "unknown member \"x\""},
      {R"({"namespace":"n","order":"hash","order":"hash"})", "twice"},
      {R"({"namespace":"n","order":"hash","type":"map<i64"})", "expected"},
      {R"({"namespace":"n","order":"hash","type":3})", "\"type\": expected a string"},
      {R"({"namespace":"n","order":"hash","default_ttl":"-1s"})", "\"default_ttl\": expected"},
      {R"({"namespace":"n","order":"hash","default_ttl":5})", "\"default_ttl\": "},
      {R"({"namespace":"n","order":"hash","value_align":17})", "\"value_align\": expected 16"},
      {R"({"namespace":"n","order":"hash","clock_ahead":"x"})", "\"clock_ahead\": "},
      {R"({"namespace":"n","order":"hash","raw_bytes":1})", "\"raw_bytes\": expected true"},
      {R"({"namespace":"n","order":"hash","capacity":0})", "\"capacity\": expected"},
      {R"({"namespace":"n","order":"hash","capacity":3})", "only a deque"},
      {R"({"namespace":"m","order":"ordered","type":"vec<i64>"})", "no order"},
      {R"({"namespace":"n","order":"hash"} x)", "not JSON"},
      {R"({"namespace_type":"set<string>"})", "without the name"},
      {R"({"end_of_dump":false})", "expected a line with the \"namespace\""},
      {R"({"key":"k","value":"v"})", "expected a line with the \"namespace\""},
  };
  const std::string good =
      "{\"namespace\":\"first\",\"order\":\"hash\"}\n{\"end_of_dump\":true}\n\n";
  for (const auto& [header, message] : bad) {
    LoadFails(good + header + "\n{\"end_of_dump\":true}\n", {"line 4: ", message});
  }
  EXPECT_EQ(Done({"ns", "list", copy_, "--paths"}).find("a//b"), std::string::npos);
}

TEST_F(CliDumpAllTest, WhatBelongsInNoDumpIsNamed) {
  LoadFails("", {"standard input is empty", "VERSION=3"});
  LoadFails("\n \n", {"standard input is empty"});
  LoadFails("k\tv\n", {"standard input is no file of dump --all"});
  Fails(3, {"load", "--all", copy_, "-", "--format", "jsonl"}, {"is empty", "\"namespace\""});
  Fails(2, {"load", "--all", copy_, "-", "--format", "tsv"}, {"tsv has no place"});
  Fails(2, {"dump", "--all", store_, "--format", "tsv"}, {"tsv has no place"});
  Done({"put", store_, "a", "k", "v"});
  Done({"put", store_, "b", "k", "v"});
  Fails(3, {"load", copy_, "x", "-", "--format", "jsonl"},
        {"line 3", "another namespace", "\"b\"", "--all"}, {.input = DumpAll(store_)});
  const std::string dump = RunCommy({"dump", "--all", store_}).out;
  LoadAll(copy_, "\xef\xbb\xbf\n" + dump);
  EXPECT_EQ(Done({"get", copy_, "b", "k"}), "v");
}

// --- Files of former versions -------------------------------------------------------------------

TEST_F(CliDumpAllTest, DumpsWithoutAPathAreLoadedAsBefore) {
  Done({"load", copy_, "jobs", "-", "--format", "jsonl"},
       {.input = R"({"namespace_type":"deque<string>","ordered":false,"capacity":2,)"
                 R"("max_deliveries":3,"dead_letters":"failed"})"
                 "\n{\"value\":\"a\"}\n"});
  EXPECT_EQ(Done({"scan", copy_, "jobs"}), "0\ta\n");
  EXPECT_EQ(json::parse(Done({"queue", copy_, "jobs", "--json"}))["capacity"], 2);
  Done({"load", copy_, "scores", "-", "--format", "jsonl"},
       {.input = "{\"namespace_type\":\"map<i64,string>\",\"ordered\":true}\n"
                 "{\"key\":1,\"value\":\"v\",\"ttl_ms\":3600000}\n"});
  EXPECT_EQ(Done({"scan", copy_, "scores"}), "1\tv\n");
  EXPECT_NE(Read(copy_, "scores").begin()->second.second, 0);
  Done({"ns", "create", copy_, "n", "--ttl", "1h"});
  Done({"load", copy_, "n", "-", "--format", "jsonl"},
       {.input = "{\"key\":\"\",\"value\":\"\"}\n"});
  EXPECT_NE(Read(copy_, "n").at("").second, 0) << "the default of the namespace";
}

}  // namespace
}  // namespace commy::test
