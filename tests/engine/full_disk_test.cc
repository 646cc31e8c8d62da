// A file system without space, and every kind of call at that edge: it works, or says that the disk
// is full and changes nothing. What was acknowledged stays, and all goes on once there is space.
// A store at its max_size is in full_store_test.cc.
#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "commy/compact.h"
#include "commy/shared_deque.h"
#include "commy/shared_string.h"
#include "commy/shared_vec.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/small_disk.h"
#include "support/store_fixture.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using Map = std::map<std::string, std::string>;

constexpr std::uint64_t kPage = 4096;
constexpr std::int64_t kHourNs = 3'600'000'000'000;

// Spans and chunks of the usual sizes, for few processes.
Options UsualSizes() {
  Options options;
  options.max_size = std::uint64_t{256} << 20;
  options.participants = 16;
  options.threads = 64;
  options.testing.background = false;
  return options;
}

absl::Status FullDisk(const absl::Status& status, const std::string& path) {
  const bool says = absl::IsResourceExhausted(status) &&
                    absl::StrContains(status.message(), path) &&
                    (absl::StrContains(status.message(), "free disk space") ||
                     absl::StrContains(status.message(), "disk is full"));
  return status.ok() || says ? absl::OkStatus() : status;
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A store with one of everything, and what must be in it.
class World {
 public:
  World(Store store, FaultPlatform& platform, const SmallDisk& disk, std::uint64_t seed)
      : store_(std::move(store)),
        platform_(platform),
        disk_(disk),
        random_(seed),
        vec_(*store_.OpenShared<SharedVec<std::uint64_t>>("typed/vec")),
        deque_(*store_.OpenShared<SharedDeque<std::string>>("typed/deque")),
        text_(*store_.OpenShared<SharedString>("typed/text")) {
    for (const char* const path : {"hash", "ordered", "of an hour"}) {
      EXPECT_TRUE(Create(path).ok());
    }
  }

  [[nodiscard]] Store& store() { return store_; }

  std::uint64_t Below(std::uint64_t n) { return random_() % n; }
  std::string Value() {
    const std::size_t bytes = Below(20) == 0 ? 30'000 + Below(20'000) : Below(2'000);
    return absl::StrCat(++number_, std::string(bytes, static_cast<char>('a' + Below(26))));
  }
  std::string AnyNamespace() { return Below(2) == 0 ? "hash" : "ordered"; }
  // A key that is there, if there is one.
  std::string AnyKey(const std::string& path) {
    const Map& map = maps_[path];
    if (map.empty()) {
      return "none";
    }
    const auto at = map.lower_bound(absl::StrCat("k", Below(1000)));
    return at == map.end() ? map.begin()->first : at->first;
  }
  [[nodiscard]] Namespace Open(const std::string& path) const {
    return *store_.OpenNamespace(path, {.create_if_missing = false});
  }

  absl::Status Create(const std::string& path) {
    const Order order = path[0] == 'o' ? Order::kOrdered : Order::kHash;
    const absl::Status made = store_.OpenNamespace(path, {.order = order}).status();
    if (made.ok()) {
      maps_[path];
    }
    return made;
  }
  absl::Status Drop(const std::string& path) {
    const absl::Status dropped = store_.DropNamespace(path);
    if (dropped.ok()) {
      maps_.erase(path);
    }
    return maps_.contains(path) ? dropped : absl::OkStatus();
  }
  absl::Status Put(const std::string& path, const std::string& key, const std::string& value,
                   const PutOptions& options = PutOptions()) {
    const absl::Status put = Open(path).Put(key, value, options);
    if (put.ok()) {
      maps_[path][key] = value;
    }
    return put;
  }
  absl::Status Delete(const std::string& path, const std::string& key) {
    const absl::StatusOr<bool> deleted = Open(path).Delete(key);
    if (deleted.ok()) {
      EXPECT_EQ(*deleted, maps_[path].erase(key) == 1);
    }
    return deleted.status();
  }
  absl::Status Clear(const std::string& path) {
    const absl::Status cleared = Open(path).Clear();
    if (cleared.ok()) {
      maps_[path].clear();
    }
    return cleared;
  }
  absl::Status ReadOne() {
    const std::string path = AnyNamespace();
    const std::string key = AnyKey(path);
    std::string read = "nothing";
    const absl::Status status =
        Open(path).ReadWith(key, [&](std::string_view value) { read = std::string(value); });
    const auto known = maps_[path].find(key);
    EXPECT_EQ(absl::IsNotFound(status), known == maps_[path].end());
    EXPECT_EQ(read, known == maps_[path].end() ? "nothing" : known->second);
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }
  // Writes of two namespaces, in a transaction or in a batch.
  absl::Status WriteTogether(bool batched) {
    const std::string gone = AnyKey("hash");
    const Map in_hash = {{absl::StrCat("k", Below(1000)), Value()}, {AnyKey("hash"), Value()}};
    const std::string key = AnyKey("ordered");
    const std::string value = Value();
    absl::Status done;
    if (batched) {
      WriteBatch batch;
      for (const auto& [each, its_value] : in_hash) {
        batch.Put(Open("hash"), each, its_value);
      }
      batch.Put(Open("ordered"), key, value);
      batch.Delete(Open("hash"), gone);
      done = store_.Write(std::move(batch));
    } else {
      done = store_.Transact([&](Transaction& transaction) {
        for (const auto& [each, its_value] : in_hash) {
          if (absl::Status put = transaction.Put(Open("hash"), each, its_value); !put.ok()) {
            return put;
          }
        }
        absl::Status put = transaction.Put(Open("ordered"), key, value);
        return put.ok() ? transaction.Delete(Open("hash"), gone).status() : put;
      });
    }
    if (done.ok()) {
      for (const auto& [each, its_value] : in_hash) {
        maps_["hash"][each] = its_value;
      }
      maps_["ordered"][key] = value;
      maps_["hash"].erase(gone);
    }
    return done;
  }
  // What a snapshot sees stays, whatever becomes of the writes after it.
  absl::Status HoldASnapshot() {
    const absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
    if (!snapshot.ok()) {
      return snapshot.status();
    }
    const std::string path = AnyNamespace();
    const Map before = maps_[path];
    absl::Status status = Put(path, AnyKey(path), Value());
    status.Update(Delete(path, AnyKey(path)));
    status.Update(Put(path, absl::StrCat("k", Below(1000)), Value()));
    Map seen;
    ScanRange scan = Open(path).Scan({.snapshot = &*snapshot});
    for (const Entry& entry : scan) {
      seen.emplace(entry.key(), entry.value());
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    EXPECT_EQ(seen, before);
    return status;
  }
  absl::Status PushToVec() {
    const std::vector<std::uint64_t> values(1 + Below(600), number_);
    const absl::Status pushed = vec_.Append(values);
    if (pushed.ok()) {
      vec_model_.insert(vec_model_.end(), values.begin(), values.end());
    }
    return pushed;
  }
  absl::Status PushToDeque() {
    const std::string value = Value();
    const absl::Status pushed = deque_.PushBack(value);
    if (pushed.ok()) {
      deque_model_.push_back(value);
    }
    return pushed;
  }
  absl::Status PopFromDeque() {
    const absl::StatusOr<std::string> popped = deque_.PopFront(absl::ZeroDuration());
    if (popped.ok()) {
      EXPECT_EQ(*popped, deque_model_.front());
      deque_model_.pop_front();
    }
    return deque_model_.empty() ? absl::OkStatus() : popped.status();
  }
  absl::Status AppendToText() {
    const std::string value = Value();
    const absl::Status appended = text_.Append(value);
    if (appended.ok()) {
      text_model_ += value;
    }
    return appended;
  }
  absl::Status SetQuotas() {
    absl::Status status = Open("hash").SetQuota(std::uint64_t{1} << 40);
    status.Update(store_.SetPathQuota(absl::StrCat("typed", Below(40)), 1 << 20));
    return status;
  }
  // A key that expires, and time: sweeping gives its room back.
  absl::Status LetSomeExpire() {
    absl::Status status;
    for (int i = 0; i < 4; ++i) {
      status.Update(Put("of an hour", absl::StrCat(i), Value(), {.ttl = absl::Hours(1)}));
    }
    platform_.Advance(2 * kHourNs);
    maps_["of an hour"].clear();
    for (int i = 0; i < 20; ++i) {
      EngineOf(store_).session.Beat();
    }
    return status;
  }
  absl::Status Backup() {
    const std::string copy = disk_.File("copy");
    const absl::Status status = store_.Backup(copy).status();
    EXPECT_EQ(std::filesystem::exists(copy), status.ok());
    if (status.ok()) {
      EXPECT_TRUE(IsSound(*Store::Open(copy, QuietOptions())));
      std::filesystem::remove(copy);
    }
    return status;
  }
  absl::Status WriteThroughAnother() {
    const absl::StatusOr<Store> other = Store::Open(store_.path(), QuietOptions());
    if (!other.ok()) {
      return other.status();
    }
    const Namespace ns = *other->OpenNamespace("ordered");
    const std::string key = AnyKey("ordered");
    const std::string value = Value();
    const absl::Status put = ns.Put(key, value);
    if (put.ok()) {
      maps_["ordered"][key] = value;
    }
    return put;
  }

  // Puts values of `bytes` until one is refused.
  absl::Status FillUp(const std::string& path, std::size_t bytes) {
    absl::Status status;
    while (status.ok()) {
      status = Put(path, absl::StrCat("k", bytes, "-", ++number_), std::string(bytes, 'f'));
    }
    return status;
  }
  void ExpectAll() {
    std::vector<std::string> paths = {"typed/deque", "typed/text", "typed/vec"};
    for (const auto& [path, map] : maps_) {
      paths.push_back(path);
      const Namespace ns = Open(path);
      Map seen;
      ScanRange scan = ns.Scan();
      for (const Entry& entry : scan) {
        seen.emplace(entry.key(), entry.value());
      }
      EXPECT_TRUE(scan.status().ok()) << scan.status();
      EXPECT_TRUE(seen == map) << path << ": " << seen.size() << " keys, not " << map.size();
      for (const auto& [key, value] : map) {
        ASSERT_EQ(ns.Get(key).value_or("none"), value) << path << " " << key;
      }
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> listed;
    const std::vector<NamespaceInfo> all = *store_.ListNamespaces();
    for (const NamespaceInfo& info : all) {
      listed.push_back(info.path);
    }
    EXPECT_EQ(listed, paths);
    EXPECT_TRUE(vec_.ToVector().value_or(std::vector<std::uint64_t>{7}) == vec_model_);
    EXPECT_EQ(*deque_.Size(), deque_model_.size());
    EXPECT_TRUE(text_.Get().value_or("none") == text_model_);
    EXPECT_TRUE(IsSound(store_));
  }

 private:
  Store store_;
  FaultPlatform& platform_;
  const SmallDisk& disk_;
  std::mt19937_64 random_;
  std::uint64_t number_ = 0;
  SharedVec<std::uint64_t> vec_;
  SharedDeque<std::string> deque_;
  SharedString text_;
  std::map<std::string, Map> maps_;
  std::vector<std::uint64_t> vec_model_;
  std::deque<std::string> deque_model_;
  std::string text_model_;
};

// What works on a full disk, too.
enum class When : std::uint8_t { kAlways, kWithRoom, kWithSpace };

struct Call {
  const char* name;
  When works;
  std::function<absl::Status(World&)> run;
};

std::vector<Call> AllCalls() {
  return {
      {"put new", When::kWithRoom,
       [](World& at) {
         return at.Put(at.AnyNamespace(), absl::StrCat("k", at.Below(1000)), at.Value());
       }},
      {"put over", When::kWithRoom,
       [](World& at) {
         const std::string path = at.AnyNamespace();
         return at.Put(path, at.AnyKey(path), at.Value());
       }},
      {"delete", When::kAlways,
       [](World& at) {
         const std::string path = at.AnyNamespace();
         return at.Delete(path, at.AnyKey(path));
       }},
      {"read", When::kAlways, [](World& at) { return at.ReadOne(); }},
      {"transaction", When::kWithRoom, [](World& at) { return at.WriteTogether(false); }},
      {"batch", When::kWithRoom, [](World& at) { return at.WriteTogether(true); }},
      {"snapshot", When::kWithRoom, [](World& at) { return at.HoldASnapshot(); }},
      {"clear", When::kAlways,
       [](World& at) { return at.Below(4) == 0 ? at.Clear(at.AnyNamespace()) : absl::OkStatus(); }},
      {"create hash", When::kWithRoom,
       [](World& at) { return at.Create(absl::StrCat("n", at.Below(5))); }},
      {"create ordered", When::kWithRoom,
       [](World& at) { return at.Create(absl::StrCat("o", at.Below(5))); }},
      {"drop", When::kAlways,
       [](World& at) { return at.Drop(absl::StrCat(at.Below(2) == 0 ? "n" : "o", at.Below(5))); }},
      {"vec", When::kWithRoom, [](World& at) { return at.PushToVec(); }},
      {"deque push", When::kWithRoom, [](World& at) { return at.PushToDeque(); }},
      {"deque pop", When::kWithRoom, [](World& at) { return at.PopFromDeque(); }},
      {"text", When::kWithRoom, [](World& at) { return at.AppendToText(); }},
      {"quotas", When::kWithRoom, [](World& at) { return at.SetQuotas(); }},
      {"expiry", When::kWithRoom, [](World& at) { return at.LetSomeExpire(); }},
      {"shrink", When::kWithRoom, [](World& at) { return at.store().ShrinkToUsage().status(); }},
      {"another", When::kWithRoom, [](World& at) { return at.WriteThroughAnother(); }},
      {"sync", When::kAlways, [](World& at) { return at.store().Sync(); }},
      {"backup", When::kWithSpace, [](World& at) { return at.Backup(); }},
  };
}

struct Kind {
  const char* name;
  bool usual_sizes;
  bool by_the_store;  // The store has taken all space; else it has room inside.
};

class FullDiskTest : public StoreFixture, public testing::WithParamInterface<Kind> {
 protected:
  FullDiskTest() { expect_store_ = false; }

  void SetUp() override {
    if (!disk_.mounted()) {
      GTEST_SKIP() << "SKIPPED: " << disk_.error();
    }
    path_ = disk_.File("store");
  }
  [[nodiscard]] std::vector<std::string> Names() const {
    return NamesIn(std::filesystem::path(path_).parent_path());
  }
  static Map AllOf(const Namespace& ns) {
    Map all;
    ScanRange scan = ns.Scan();
    for (const Entry& entry : scan) {
      all.emplace(entry.key(), entry.value());
    }
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return all;
  }
  void FillUp(World& world) {
    disk_.Fill(std::uint64_t{6} << 20);  // What else there is, a backup needs in the end.
    for (const std::size_t bytes : {20'000, 900, 0}) {
      const absl::Status refused = world.FillUp("hash", bytes);
      EXPECT_TRUE(Says(refused, Code::kResourceExhausted, path_));
      EXPECT_TRUE(Says(refused, Code::kResourceExhausted, "free disk space"));
    }
  }
  // A store with keys in it and room between them.
  Map MakeStore(const Options& options) {
    Store store = MustOpen(options);
    const Namespace ns = MustOpenNamespace(store, "ns");
    Map map;
    for (int i = 0; i < 1500; ++i) {
      const std::string key = std::to_string(i);
      const std::string value(static_cast<std::size_t>(i) % 900, 'v');
      EXPECT_TRUE(ns.Put(key, value).ok());
      map[key] = value;
    }
    for (int i = 0; i < 1500; i += 2) {
      EXPECT_TRUE(ns.Delete(std::to_string(i)).ok());
      map.erase(std::to_string(i));
    }
    EXPECT_TRUE(store.Close().ok());
    return map;
  }
  void ExpectStore(const Map& map) {
    const Store store = MustOpen(QuietOptions());
    EXPECT_TRUE(AllOf(MustOpenNamespace(store, "ns")) == map);
    EXPECT_TRUE(IsSound(store));
  }

  SmallDisk disk_{std::uint64_t{24} << 20};
};

INSTANTIATE_TEST_SUITE_P(Kinds, FullDiskTest,
                         testing::Values(Kind{"SmallFilledByTheStore", false, true},
                                         Kind{"SmallWithRoomInside", false, false},
                                         Kind{"UsualFilledByTheStore", true, true},
                                         Kind{"UsualWithRoomInside", true, false}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(FullDiskTest, EveryCallWorksOrSaysSoAndAllGoesOnWhenThereIsSpace) {
  FaultPlatform platform;
  platform.FreezeClocks();
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  {
    absl::StatusOr<Store> store = OpenOn(platform, path_, options);
    ASSERT_TRUE(store.ok()) << store.status();
    const std::uint64_t seed = Seed();
    World world(*std::move(store), platform, disk_, seed);
    std::vector<Call> calls = AllCalls();
    std::mt19937_64 random(seed + 1);
    for (int i = 0; i < 400; ++i) {
      const std::string path = i % 2 == 0 ? "hash" : "ordered";
      ASSERT_TRUE(world.Put(path, absl::StrCat("k", i), world.Value()).ok());
    }
    if (!GetParam().by_the_store) {
      for (int i = 0; i < 400; i += 3) {
        ASSERT_TRUE(world.Delete(i % 2 == 0 ? "hash" : "ordered", absl::StrCat("k", i)).ok());
      }
    }
    int refused = 0;
    for (int round = 0; round < 12; ++round) {
      SCOPED_TRACE(round);
      if (GetParam().by_the_store) {
        FillUp(world);
      }
      std::shuffle(calls.begin(), calls.end(), random);
      for (const Call& call : calls) {
        SCOPED_TRACE(call.name);
        disk_.Fill();
        const absl::Status status = call.run(world);
        const std::string named = call.works == When::kWithSpace ? disk_.File("copy") : path_;
        EXPECT_TRUE(FullDisk(status, named).ok()) << status;
        EXPECT_TRUE(status.ok() || call.works != When::kAlways) << status;
        EXPECT_TRUE(!status.ok() || call.works != When::kWithSpace);
        refused += status.ok() ? 0 : 1;
      }
      ASSERT_NO_FATAL_FAILURE(world.ExpectAll());
    }
    EXPECT_GE(refused, GetParam().by_the_store ? 36 : 12);  // 12 are backups.
    disk_.Unfill();
    for (const Call& call : calls) {
      const absl::Status status = call.run(world);
      EXPECT_TRUE(status.ok()) << call.name << ": " << status;
    }
    ASSERT_NO_FATAL_FAILURE(world.ExpectAll());
    EXPECT_EQ(Names(), std::vector<std::string>{"store"});
    disk_.Fill();
  }
  // It was closed, and is opened, without space.
  const absl::StatusOr<Store> again = OpenOn(platform, path_, options);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(IsSound(*again));
  EXPECT_TRUE(MustOpenNamespace(*again, "hash").Clear().ok());
}

TEST_P(FullDiskTest, AShrunkStoreWhoseHolesAreTakenByOthersLosesNothing) {
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  Map map = MakeStore(options);
  {
    Store store = MustOpen(options);
    const Namespace ns = MustOpenNamespace(store, "ns");
    const std::string wide(3000, 'w');
    for (int i = 0; i < 3000; ++i) {
      ASSERT_TRUE(ns.Put("wide" + std::to_string(i), wide).ok());
    }
    for (int i = 0; i < 3000; ++i) {
      ASSERT_TRUE(ns.Delete("wide" + std::to_string(i)).ok());
    }
    const absl::StatusOr<ShrinkReport> report = store.ShrinkToUsage();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_LT(report->disk_bytes_after + (std::uint64_t{4} << 20), report->disk_bytes_before);
    disk_.Fill();
    absl::Status put;
    for (int i = 0; put.ok(); ++i) {
      const std::string key = "new" + std::to_string(i);
      put = ns.Put(key, wide);
      if (put.ok()) {
        map[key] = wide;
      }
    }
    EXPECT_TRUE(Says(put, Code::kResourceExhausted, "free disk space"));
    EXPECT_TRUE(AllOf(ns) == map);
    EXPECT_TRUE(IsSound(store));
    // One page, and one span less a page: neither is enough for a hole to be filled again.
    for (const std::uint64_t left : {kPage, options.testing.span_bytes - kPage}) {
      disk_.Unfill();
      disk_.Fill(left);
      put = ns.Put("large", std::string(200'000, 'L'));
      EXPECT_TRUE(Says(put, Code::kResourceExhausted, "free disk space"));
      EXPECT_TRUE(IsSound(store));
    }
  }
  ExpectStore(map);  // What was cut at its end is not there for it any more.
  disk_.Unfill();
  {
    const Store store = MustOpen(options);
    const Namespace ns = MustOpenNamespace(store, "ns");
    for (int i = 0; i < 3000; ++i) {
      ASSERT_TRUE(ns.Put("wide" + std::to_string(i), std::string(3000, 'W')).ok());
      map["wide" + std::to_string(i)] = std::string(3000, 'W');
    }
  }
  ExpectStore(map);
}

TEST_P(FullDiskTest, ACompactionInPlaceOrToAnotherFileChangesNothingAtAnyAmountOfSpace) {
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  const Map map = MakeStore(options);
  const std::string made = disk_.File("made");
  // What it takes.
  ASSERT_TRUE(Compact(path_, {.destination = made}).ok());
  const std::uint64_t bytes = std::filesystem::file_size(made);
  std::filesystem::remove(made);
  const std::uint64_t step = GetParam().usual_sizes ? 64 * kPage : 16 * kPage;
  int refused = 0;
  bool all = false;
  for (std::uint64_t left = 0; !all && left < 4 * bytes; left += step) {
    SCOPED_TRACE(left);
    disk_.Unfill();
    disk_.Fill(left);
    const std::string destination = refused % 2 == 0 ? "" : made;
    const std::uint64_t inode = platform::Platform::Real().DescribePath(path_)->identity.inode;
    const absl::Status status = Compact(path_, {.destination = destination}).status();
    all = status.ok();
    refused += all ? 0 : 1;
    if (!all) {
      const std::string& named = destination.empty() ? path_ : made;
      EXPECT_TRUE(Says(status, Code::kResourceExhausted, named));
      EXPECT_TRUE(Says(status, Code::kResourceExhausted, "free disk space"));
      EXPECT_EQ(Names(), (std::vector<std::string>{"filler", "store"}));
      EXPECT_EQ(platform::Platform::Real().DescribePath(path_)->identity.inode, inode);
    }
    disk_.Unfill();
    disk_.Fill(left);
    ExpectStore(map);
  }
  EXPECT_TRUE(all);
  EXPECT_GT(refused, 3);
  disk_.Unfill();
  EXPECT_TRUE(Compact(path_).ok());
  ExpectStore(map);
}

TEST_P(FullDiskTest, ABackupLeavesNoFileAtAnyAmountOfSpaceThatIsNotEnough) {
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  const Map map = MakeStore(options);
  const Store store = MustOpen(options);
  const std::string copy = disk_.File("copy");
  const std::uint64_t step = GetParam().usual_sizes ? 64 * kPage : 16 * kPage;
  int refused = 0;
  bool done = false;
  for (std::uint64_t left = 0; !done && left < (std::uint64_t{16} << 20); left += step) {
    SCOPED_TRACE(left);
    disk_.Unfill();
    disk_.Fill(left);
    const absl::Status status = store.Backup(copy).status();
    done = status.ok();
    EXPECT_EQ(std::filesystem::exists(copy), done);
    if (!done) {
      ++refused;
      EXPECT_TRUE(Says(status, Code::kResourceExhausted, copy));
      EXPECT_TRUE(Says(status, Code::kResourceExhausted, "free disk space"));
      EXPECT_EQ(disk_.FreeBytes(), left);
      EXPECT_EQ(store.Stats()->snapshots, 0U);
    }
  }
  EXPECT_TRUE(done);
  EXPECT_GT(refused, 3);
  disk_.Unfill();
  EXPECT_TRUE(IsSound(store));
  path_ = copy;
  ExpectStore(map);
}

TEST_P(FullDiskTest, ThreadsThatGrowItAtOnceLoseNothingThatWasAcknowledged) {
  constexpr int kThreads = 4;
  Options options = GetParam().usual_sizes ? UsualSizes() : SmallOptions();
  options.testing.background = GetParam().by_the_store;  // It grows ahead, too.
  Store store = MustOpen(options);
  std::vector<Map> maps(kThreads);
  std::vector<absl::Status> ends(kThreads);
  std::vector<Namespace> all;
  for (int t = 0; t < kThreads; ++t) {
    all.push_back(*store.OpenNamespace(absl::StrCat("n", t),
                                       {.order = t % 2 == 0 ? Order::kHash : Order::kOrdered}));
  }
  for (const bool again : {false, true}) {
    disk_.Fill(again ? 0 : std::uint64_t{5} << 20);
    if (again) {
      disk_.Unfill();
    }
    RunThreads(kThreads, [&](int t) {
      for (int i = 0; i < 100'000; ++i) {
        const std::string key = absl::StrCat(again ? "second" : "first", i);
        const std::string value(static_cast<std::size_t>(i * 37) % 9000, 'v');
        ends[t] = all[t].Put(key, value);
        if (!ends[t].ok()) {
          break;
        }
        maps[t][key] = value;
      }
    });
    for (int t = 0; t < kThreads; ++t) {
      EXPECT_TRUE(Says(ends[t], Code::kResourceExhausted, path_));
      EXPECT_TRUE(Says(ends[t], Code::kResourceExhausted, "free disk space"));
      EXPECT_TRUE(AllOf(all[t]) == maps[t]);
    }
    EXPECT_TRUE(IsSound(store));
  }
  ASSERT_TRUE(store.Close().ok());
  const Store opened = MustOpen(options);
  for (int t = 0; t < kThreads; ++t) {
    EXPECT_TRUE(AllOf(MustOpenNamespace(opened, absl::StrCat("n", t))) == maps[t]);
  }
}

TEST_P(FullDiskTest, ProcessesThatGrowItAtOnceLoseNothingAlsoIfTheyAreKilled) {
  constexpr int kProcesses = 3;
  struct Acknowledged {
    std::atomic<int> puts[kProcesses];
    std::atomic<int> refused[kProcesses];
  };
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  { MustOpen(options); }
  disk_.Fill(std::uint64_t{5} << 20);
  const SharedMemory<Acknowledged> done;
  const auto value_of = [](int i) {
    return std::to_string(i) + std::string(static_cast<std::size_t>(i * 37) % 9000, 'v');
  };
  ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> store = Store::Open(path_, options);
    const absl::StatusOr<Namespace> ns =
        store.ok() ? store->OpenNamespace(absl::StrCat("n", index)) : store.status();
    parent.Send("ready");
    parent.Receive();
    for (int i = 0; ns.ok(); ++i) {
      const absl::Status put = ns->Put(std::to_string(i), value_of(i));
      if (!put.ok()) {
        done->refused[index] = FullDisk(put, path_).ok() ? 1 : 2;
        parent.Receive();
        return 0;
      }
      done->puts[index] = i + 1;
    }
    return 1;
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  for (int i = 0; i < kProcesses; ++i) {
    ASSERT_TRUE(WaitFor([&] { return done->refused[i] != 0; })) << i;
    EXPECT_EQ(done->refused[i], 1);
    EXPECT_TRUE(crew.child(i).KillAndWait());
  }
  const Store store = MustOpen(options);
  for (int i = 0; i < kProcesses; ++i) {
    const Namespace ns = MustOpenNamespace(store, absl::StrCat("n", i));
    EXPECT_EQ(*ns.Size(), static_cast<std::uint64_t>(done->puts[i]));
    for (int k = 0; k < done->puts[i]; ++k) {
      ASSERT_EQ(ns.Get(std::to_string(k)).value_or("none"), value_of(k));
    }
    EXPECT_TRUE(ns.Clear().ok());
  }
  EXPECT_TRUE(IsSound(store));
}

// Threads beyond those for whose lanes there is space are refused, and the others go on.
TEST_P(FullDiskTest, ThreadsWithoutSpaceForALaneAreRefusedUntilThereIsSome) {
  const Options options = GetParam().usual_sizes ? UsualSizes() : QuietOptions();
  const Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "ns");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  disk_.Fill();
  for (const bool space : {false, true}) {
    if (space) {
      disk_.Unfill();
    }
    std::atomic<int> refused{0};
    std::atomic<int> other{0};
    std::barrier all(40);
    RunThreads(40, [&](int) {
      const absl::StatusOr<std::string> got = ns.Get("k");
      const bool full =
          absl::IsResourceExhausted(got.status()) && FullDisk(got.status(), path_).ok();
      refused += full ? 1 : 0;
      other += full || (got.ok() && *got == "v") ? 0 : 1;
      all.arrive_and_wait();  // With its lane.
    });
    EXPECT_EQ(refused > 0, !space);
    EXPECT_EQ(other, 0);
    EXPECT_EQ(ns.Get("k").value_or("none"), "v");
    EXPECT_TRUE(IsSound(store));
  }
}

}  // namespace
}  // namespace commy::test
