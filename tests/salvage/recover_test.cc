// Recover: what it saves from files that are sound, torn, damaged, cut short, or no stores.
#include "commy/recover.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "engine/access.h"
#include "region/layout.h"
#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "versions/record.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using Keys = std::map<std::string, std::string>;
using Content = std::map<std::string, Keys>;  // By namespace.

constexpr std::size_t kPageBytes = 4096;

class RecoverTest : public StoreFixture {
 protected:
  void SetUp() override { expect_store_ = false; }

  static Content ContentOf(const Store& store) {
    Content content;
    const auto namespaces = store.ListNamespaces();
    EXPECT_TRUE(namespaces.ok()) << namespaces.status();
    for (const NamespaceInfo& info : *namespaces) {
      Keys& keys = content[info.path];
      ScanRange scan = MustOpenNamespace(store, info.path).Scan();
      for (const Entry& entry : scan) {
        keys.emplace(entry.key(), entry.value());
      }
      EXPECT_TRUE(scan.status().ok()) << scan.status();
    }
    return content;
  }

  // Recovers the image into a store that must be sound, and returns its content.
  Content Recovered(const std::string& image) {
    WriteFileBytes(torn_, image);
    const std::string saved = temp_.File("saved" + std::to_string(++recoveries_));
    const absl::StatusOr<RecoverReport> report = Recover(torn_, saved);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) {
      return {};
    }
    report_ = *report;
    const Store store = MustOpen(saved, QuietOptions());
    EXPECT_TRUE(IsSound(store));
    recovered_quotas_ = *store.PathQuotas();
    Content content = ContentOf(store);
    std::uint64_t keys = 0;
    for (const auto& [path, found] : content) {
      keys += found.size();
    }
    EXPECT_EQ(report_.keys, keys);
    return content;
  }

  static std::size_t OffsetOf(const std::string& image, const std::string& key,
                              const std::string& value) {
    const std::size_t at = image.find(key);
    EXPECT_NE(at, std::string::npos) << key;
    const std::uint8_t flags = versions::LayoutFlags(0, key.size(), value.size(), 16, false);
    const versions::RecordParts parts = versions::PartsOf(flags, key.size(), value.size());
    const std::size_t record = at - parts.key_start;
    EXPECT_EQ(image.compare(record + parts.value_start, value.size(), value), 0);
    EXPECT_EQ(image.find(key, at + 1), std::string::npos) << key << " occurs twice";
    return record;
  }
  // Of the value of the only record with that key and value in the image.
  static std::size_t ValueIn(const std::string& image, const std::string& key,
                             const std::string& value) {
    const std::uint8_t flags = versions::LayoutFlags(0, key.size(), value.size(), 16, false);
    return OffsetOf(image, key, value) +
           versions::PartsOf(flags, key.size(), value.size()).value_start;
  }

  std::string torn_ = temp_.File("torn");
  RecoverReport report_;
  std::vector<PathQuota> recovered_quotas_;
  int recoveries_ = 0;
};

// Keys that are not in both, or with different values: "" if there are none.
std::string Differences(const Content& found, const Content& wanted) {
  const auto lines = [](const Content& content) {
    std::set<std::string> all;
    for (const auto& [name, keys] : content) {
      all.insert(name);
      for (const auto& [key, value] : keys) {
        all.insert(absl::StrCat(name, ": ", key, " = ", value));
      }
    }
    return all;
  };
  const std::set<std::string> in_found = lines(found);
  const std::set<std::string> in_wanted = lines(wanted);
  std::vector<std::string> different;
  std::set_symmetric_difference(in_found.begin(), in_found.end(), in_wanted.begin(),
                                in_wanted.end(), std::back_inserter(different));
  return absl::StrJoin(different, "\n").substr(0, 1000);
}

// A history with every kind of operation that leaves traces in the file.
void FillWithHistory(const Store& store, std::mt19937_64& random) {
  const Namespace plain = *store.OpenNamespace("acme/plain");
  const Namespace cleared = *store.OpenNamespace("acme/cleared");
  const Namespace other = *store.OpenNamespace("old name");
  const Namespace ordered = *store.OpenNamespace("ordered", {.order = Order::kOrdered});
  const Namespace dropped = *store.OpenNamespace("dropped");
  for (int i = 0; i < 600; ++i) {
    const std::string key = "key " + std::to_string(i % 400);
    ASSERT_TRUE(plain.Put(key, std::string(random() % 300, 'p') + std::to_string(i)).ok());
    ASSERT_TRUE(ordered.Put(key, std::to_string(i)).ok());
    ASSERT_TRUE(ordered.Delete("key " + std::to_string(random() % 500)).ok());
    ASSERT_TRUE(cleared.Put(key, "before").ok());
    ASSERT_TRUE(dropped.Put(key, "gone").ok());
    if (i % 3 == 0) {
      ASSERT_TRUE(plain.Delete("key " + std::to_string(i / 2)).ok());
    }
  }
  ASSERT_TRUE(plain.Put("", "of the empty key").ok());
  ASSERT_TRUE(plain.Put("empty", "").ok());
  ASSERT_TRUE(plain.Put("large", std::string(100'000, 'L')).ok());
  ASSERT_TRUE(plain.Put(std::string(60'000, 'k'), "of a long key").ok());
  ASSERT_TRUE(cleared.Clear().ok());
  ASSERT_TRUE(cleared.Put("after", "1").ok());
  ASSERT_TRUE(other.Add("counter", 41).ok());
  ASSERT_TRUE(other.Add("counter", 1).ok());
  ASSERT_TRUE(store.RenameNamespace("old name", "new name").ok());
  ASSERT_TRUE(store.DropNamespace("dropped").ok());
  ASSERT_TRUE(store.OpenNamespace("dropped").ok());
}

TEST_F(RecoverTest, RecoveringASoundStoreGivesTheSameContent) {
  std::mt19937_64 random(Seed());
  for (const bool small : {true, false}) {
    Options options = small ? QuietOptions() : Options();
    options.testing.background = false;
    const std::string path = temp_.File(small ? "small" : "usual");
    Content content;
    {
      const Store store = MustOpen(path, options);
      FillWithHistory(store, random);
      content = ContentOf(store);
      EXPECT_EQ(Differences(Recovered(FileBytes(path)), content), "")
          << "while the store is in use";
      EXPECT_EQ(report_.fault_count, 0U) << report_.faults.front();
      EXPECT_TRUE(report_.may_be_torn);
      EXPECT_FALSE(report_.whole());
    }
    EXPECT_EQ(Differences(Recovered(FileBytes(path)), content), "");
    EXPECT_TRUE(report_.whole()) << report_.faults.front();
    EXPECT_EQ(report_.keys_lost + report_.keys_older + report_.records_damaged, 0U);
  }
}

TEST_F(RecoverTest, ALatePutIntoTheClearedIndexIsNotTakenForTheKeysValue) {
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    const std::string path = temp_.File(order == Order::kHash ? "hash" : "ordered");
    Store store = MustOpen(path, QuietOptions());
    NamespaceOptions options;
    options.order = order;
    const Namespace ns = *store.OpenNamespace("n", options);
    ASSERT_TRUE(ns.Put("k", "late").ok());
    const Snapshot snapshot = *store.TakeSnapshot();  // Keeps the cleared content.
    const engine::Engine& impl = EngineOf(store);
    versions::Record* late = nullptr;
    {
      const process::Pin pin(**impl.session.ThisLane());
      const engine::NamespaceRef ref = *engine::NamespaceAt(impl, *impl.catalog.Find("n"));
      versions::RecordView found;
      ASSERT_TRUE(impl.map.Find(ref, "k", versions::AsOf(), &found).done());
      late = found.record;
    }
    ASSERT_TRUE(ns.Clear().ok());
    ASSERT_TRUE(ns.Put("k", "new").ok());
    // As if its writer had found the slot before the clear and been stopped until now.
    late->commit.store(
        impl.region.header().commit_clock.fetch_add(1, std::memory_order_seq_cst) + 1,
        std::memory_order_seq_cst);
    EXPECT_EQ(Recovered(FileBytes(path))["n"], (Keys{{"k", "new"}}));
    EXPECT_EQ(report_.fault_count, 0U);
  }
}

TEST_F(RecoverTest, ANamespaceWhoseDropHasBegunIsLeftOut) {
  Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("dropped")->Put("k", "v").ok());
  ASSERT_TRUE(store.OpenNamespace("stays")->Put("k", "v").ok());
  const engine::Engine& impl = EngineOf(store);
  {
    const process::Operation op(**impl.session.ThisLane(), process::OpKind::kDrop, 0);
    ASSERT_TRUE(
        *impl.map.roots().MarkForDrop(*engine::NamespaceAt(impl, *impl.catalog.Find("dropped"))));
  }
  EXPECT_EQ(Recovered(FileBytes(path_)), (Content{{"stays", {{"k", "v"}}}}));
  EXPECT_EQ(report_.fault_count, 0U);
}

TEST_F(RecoverTest, QuotasOfPathsAreKeptAndStopNoKeyThatIsThere) {
  const Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("a/n")->Put("k", std::string(500, 'v')).ok());
  ASSERT_TRUE(store.SetPathQuota("a", 100).ok());
  EXPECT_EQ(Recovered(FileBytes(path_)), (Content{{"a/n", {{"k", std::string(500, 'v')}}}}));
  EXPECT_EQ(report_.namespaces, 1U);
  EXPECT_EQ(report_.keys, 1U);
  ASSERT_EQ(recovered_quotas_.size(), 1U);
  EXPECT_EQ(recovered_quotas_[0].path, "a");
  EXPECT_EQ(recovered_quotas_[0].quota_bytes, 100U);
}

TEST_F(RecoverTest, RecoverKeepsExpiryTimesAndLeavesOutExpiredKeys) {
  const Store store = MustOpen(QuietOptions());
  const Namespace ns = *store.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("lives", "1", PutOptions{.ttl = absl::Hours(1)}).ok());
  ASSERT_TRUE(ns.Put("over", "1", PutOptions{.ttl = absl::Nanoseconds(1)}).ok());
  WriteFileBytes(torn_, FileBytes(path_));
  const auto report = Recover(torn_, temp_.File("saved"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->expired, 1U);
  const Store saved = MustOpen(temp_.File("saved"), QuietOptions());
  ScanRange scan = saved.OpenNamespace("n")->Scan();
  int found = 0;
  for (const Entry& entry : scan) {
    ++found;
    EXPECT_EQ(entry.key(), "lives");
    EXPECT_LE(entry.ttl(), absl::Hours(1));
    EXPECT_GT(entry.ttl(), absl::Minutes(55));
  }
  EXPECT_EQ(found, 1);
}

// A store that is synced, changed, and then torn.
class TornStore {
 public:
  TornStore(const Store& store, std::string path, std::mt19937_64& random)
      : path_(std::move(path)), random_(random) {
    for (const std::string name : {"a", "b/c"}) {
      const Order order = name == "a" ? Order::kHash : Order::kOrdered;
      spaces_.emplace(name, *store.OpenNamespace(name, {.order = order}));
    }
  }

  // Random puts and deletes of keys from number `first` on.
  void Change(std::uint64_t count, std::uint64_t first) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string name = random_() % 3 == 0 ? "a" : "b/c";
      const std::string key = "k" + std::to_string(first + random_() % 300);
      const std::string value(random_() % 200, static_cast<char>('a' + random_() % 26));
      written_[{name, key}].insert(value);
      const Namespace& ns = spaces_.at(name);
      ASSERT_TRUE((random_() % 5 == 0 ? ns.Delete(key).status() : ns.Put(key, value)).ok());
    }
  }
  // An image as a power cut leaves it: each page as it was in `before`, or as it is now.
  std::string Tear(const std::string& before) {
    std::string image = FileBytes(path_);
    for (std::size_t at = 0; at < before.size(); at += kPageBytes) {
      if (random_() % 2 == 0) {
        image.replace(at, kPageBytes, before, at, kPageBytes);
      }
    }
    return image;
  }
  // Whether `value` was ever put under this key.
  bool Wrote(const std::string& name, const std::string& key, const std::string& value) const {
    const auto ever = written_.find({name, key});
    return ever != written_.end() && ever->second.contains(value);
  }

 private:
  const std::string path_;
  std::mt19937_64& random_;
  std::map<std::string, Namespace> spaces_;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> written_;
};

// Calls `use(namespace, key, value)` for all.
template <typename Use>
void ForEachKey(const Content& content, Use use) {
  for (const auto& [name, keys] : content) {
    for (const auto& [key, value] : keys) {
      use(name, key, value);
    }
  }
}

TEST_F(RecoverTest, RecoveringATornFileKeepsEverySyncedKeyThatDidNotChangeSince) {
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 40; ++round) {
    const std::string path = temp_.File("round" + std::to_string(round));
    const Store store = MustOpen(path, QuietOptions());
    TornStore torn(store, path, random);
    torn.Change(400, 0);
    ASSERT_TRUE(store.Sync().ok());
    const std::string before = FileBytes(path);
    const Content synced = ContentOf(store);
    constexpr int kFirstChanged = 150;  // The keys below stay as they are.
    torn.Change(random() % 300, kFirstChanged);
    Content saved = Recovered(torn.Tear(before));
    ForEachKey(synced, [&](const std::string& name, const std::string& key,
                           const std::string& value) {
      if (std::stoi(key.substr(1)) < kFirstChanged) {
        EXPECT_TRUE(saved[name].contains(key)) << "round " << round << ": " << name << " " << key;
        EXPECT_EQ(saved[name][key], value);
      }
    });
    ForEachKey(saved,
               [&](const std::string& name, const std::string& key, const std::string& value) {
                 EXPECT_TRUE(torn.Wrote(name, key, value)) << name << " " << key;
               });
    ASSERT_FALSE(HasFailure());
  }
}

// Words of nodes stand where records have the number of their namespace, and their sizes.
TEST_F(RecoverTest, NodesWhoseKeysLookLikeRecordsAreNotTakenForDamagedOnes) {
  Options options = TinyNodes(QuietOptions());
  Content content;
  {
    const Store store = MustOpen(options);
    for (const std::string_view prefix :
         {std::string_view("\0\0\0\1\0\0\0\0", 8), std::string_view("\0\0\0\2\0\0\0\0", 8),
          std::string_view("\0\4\0\1\0\0\0\0", 8)}) {
      const std::string name = absl::StrCat("n", content.size());
      const Namespace ns = *store.OpenNamespace(name, {.order = Order::kOrdered});
      for (int i = 0; i < 500; ++i) {
        const std::string key = std::string(prefix) + std::to_string(1000 + i);
        ASSERT_TRUE(ns.Put(key, "value").ok());
        content[name][key] = "value";
      }
    }
  }
  EXPECT_EQ(Differences(Recovered(FileBytes(path_)), content), "");
  EXPECT_TRUE(report_.whole()) << absl::StrJoin(report_.faults, "\n");
}

// The pages that tell of a namespace may be older than its records, and its number may be any.
TEST_F(RecoverTest, RecoverTakesRecordsOfNamespacesThatNothingTellsOf) {
  std::string before;
  {
    const Store store = MustOpen(QuietOptions());
    ASSERT_TRUE(store.OpenNamespace("known")->Put("key", "value").ok());
    before = FileBytes(path_);
    for (int i = 0; i < 100; ++i) {
      const std::string path = absl::StrCat("n", i);
      ASSERT_TRUE(store.OpenNamespace(path)->Put("key", path).ok());
    }
  }
  std::string image = FileBytes(path_);
  image.replace(0, kPageBytes, before, 0, kPageBytes);  // The header, with the way to the catalog.
  const Content saved = Recovered(image);
  std::set<std::string> values;
  for (const auto& [path, keys] : saved) {
    for (const auto& [key, value] : keys) {
      values.insert(value);
    }
  }
  EXPECT_EQ(values.size(), 101U);
}

TEST_F(RecoverTest, RecoverNamesACorruptRecordAndSavesTheOthers) {
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace hash = *store.OpenNamespace("hash");
    const Namespace ordered = *store.OpenNamespace("ordered", {.order = Order::kOrdered});
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(hash.Put("key " + std::to_string(1000 + i), "value").ok());
      ASSERT_TRUE(ordered.Put("other " + std::to_string(1000 + i), "value").ok());
    }
  }
  std::string image = FileBytes(path_);
  image[ValueIn(image, "key 1042", "value")] ^= 1;
  image[ValueIn(image, "other 1013", "value")] ^= 1;
  const Content saved = Recovered(image);
  EXPECT_EQ(saved.at("hash").size(), 99U);
  EXPECT_FALSE(saved.at("hash").contains("key 1042"));
  EXPECT_EQ(saved.at("ordered").size(), 99U);
  EXPECT_FALSE(saved.at("ordered").contains("other 1013"));
  EXPECT_FALSE(report_.whole());
  EXPECT_EQ(report_.records_damaged, 2U);
  EXPECT_EQ(report_.keys_lost, 2U);
  const std::string faults = absl::StrJoin(report_.faults, "\n");
  EXPECT_NE(faults.find("key 1042"), std::string::npos) << faults;
  EXPECT_NE(faults.find("other 1013"), std::string::npos) << faults;
}

TEST_F(RecoverTest, RecoverTakesTheOlderVersionWhereTheNewestIsLost) {
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace ns = *store.OpenNamespace("n");
    ASSERT_TRUE(ns.Put("key", "the older").ok());
    ASSERT_TRUE(ns.Put("deleted", "long ago").ok());
    ASSERT_TRUE(ns.Delete("deleted").ok());
    ASSERT_TRUE(ns.Put("key", "the newest").ok());
  }
  std::string image = FileBytes(path_);
  image[image.find("the newest")] = 'T';
  EXPECT_EQ(Recovered(image), (Content{{"n", {{"key", "the older"}}}}));
  EXPECT_EQ(report_.keys_older, 1U);
  EXPECT_EQ(report_.keys_lost, 0U);
}

// After an overwrite only the allocator's words at the start of each span reached the disk. They
// say that the old record is free, and the new record was never written.
TEST_F(RecoverTest, RecoverTrustsASlotOverTheAllocator) {
  Options options;
  options.testing.background = false;
  const Store store = MustOpen(options);
  const Namespace ns = *store.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("key", "as synced").ok());
  ASSERT_TRUE(ns.Put("deleted", "before").ok());
  ASSERT_TRUE(ns.Delete("deleted").ok());
  ASSERT_TRUE(store.Sync().ok());
  std::string image = FileBytes(path_);
  ASSERT_TRUE(ns.Put("key", "later").ok());
  const std::string after = FileBytes(path_);
  region::RegionHeader header;
  std::memcpy(static_cast<void*>(&header), after.data(), sizeof header);
  for (std::size_t at = header.data_offset; at < image.size(); at += header.span_bytes) {
    region::SpanHeader span;
    std::memcpy(&span, after.data() + at, sizeof span);
    image.replace(at, span.data_start, after, at, span.data_start);
  }
  EXPECT_EQ(Recovered(image), (Content{{"n", {{"key", "as synced"}}}}));
}

TEST_F(RecoverTest, RecoverSavesRecordsThatArePublishedButNotStamped) {
  {
    const Store store = MustOpen(QuietOptions());
    ASSERT_TRUE(store.OpenNamespace("n")->Put("published", "1").ok());
  }
  std::string image = FileBytes(path_);
  const std::size_t at = OffsetOf(image, "published", "1");
  std::memset(image.data() + at + offsetof(versions::Record, commit), 0, 8);
  EXPECT_EQ(Recovered(image), (Content{{"n", {{"published", "1"}}}}));
}

TEST_F(RecoverTest, RecoverNeedsNeitherTheHeaderNorTheCatalog) {
  std::mt19937_64 random(Seed());
  Content content;
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace ns = *store.OpenNamespace("some/where");
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(ns.Put("key " + std::to_string(i), std::to_string(random())).ok());
    }
    content = ContentOf(store);
  }
  const std::string sound = FileBytes(path_);
  region::RegionHeader header;
  std::memcpy(static_cast<void*>(&header), sound.data(), sizeof header);
  const std::uint64_t root = header.catalog_root.load(std::memory_order_relaxed);

  std::string image = sound;
  std::memset(image.data(), 0, kPageBytes);
  EXPECT_EQ(Differences(Recovered(image), content), "") << "without the header";
  EXPECT_FALSE(report_.whole());

  image = sound;
  image[offsetof(region::RegionHeader, max_size_bytes)] ^= 4;
  EXPECT_EQ(Differences(Recovered(image), content), "") << "with a wrong header";

  image = sound;
  image[root] ^= 1;
  EXPECT_EQ(Differences(Recovered(image), content), "") << "without the catalog's root";
  EXPECT_FALSE(report_.whole());

  image = sound;
  image[root] ^= 1;
  for (std::size_t at = 0; (at = image.find("some/where", at)) != std::string::npos; ++at) {
    image[at] = 'X';
  }
  const Content saved = Recovered(image);
  ASSERT_EQ(saved.size(), 1U);
  EXPECT_EQ(saved.begin()->first.substr(0, 10), "recovered/");
  EXPECT_EQ(saved.begin()->second, content.begin()->second);
}

TEST_F(RecoverTest, TheNewStoreHasTheCapacityOfTheOldOne) {
  Options options = QuietOptions();
  options.participants = 7;
  options.threads = 21;
  options.snapshots = 99;
  (void)MustOpen(options).OpenNamespace("n");
  ASSERT_TRUE(Recover(path_, temp_.File("saved")).ok());
  const StoreStats stats = *MustOpen(temp_.File("saved"), QuietOptions()).Stats();
  EXPECT_EQ(stats.participants_max, 7U);
  EXPECT_EQ(stats.threads_max, 21U);
  EXPECT_EQ(stats.snapshots_max, 99U);
}

TEST_F(RecoverTest, RecoveringATruncatedFileSavesThePartThatIsLeft) {
  Content content;
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace ns = *store.OpenNamespace("n");
    for (int i = 0; i < 2000; ++i) {
      ASSERT_TRUE(ns.Put("key " + std::to_string(i), std::string(100, 'v')).ok());
    }
    content = ContentOf(store);
  }
  const std::string sound = FileBytes(path_);
  std::size_t last = content.at("n").size();
  for (const double part : {0.95, 0.8, 0.6}) {
    const auto size = static_cast<std::size_t>(static_cast<double>(sound.size()) * part);
    const Content saved = Recovered(sound.substr(0, size));
    const Keys& keys = saved.begin()->second;
    EXPECT_FALSE(keys.empty());
    const std::string faults = absl::StrJoin(report_.faults, "\n");
    EXPECT_NE(faults.find(absl::StrCat("cut short or damaged: it has ", size, " bytes")),
              std::string::npos)
        << faults;
    EXPECT_LE(keys.size(), last);
    for (const auto& [key, value] : keys) {
      EXPECT_EQ(content.at("n").at(key), value);
    }
    last = keys.size();
  }
  EXPECT_LT(last, content.at("n").size());
}

// Whatever the file contains, Recover gives an answer, and no value that was never written.
TEST_F(RecoverTest, RecoveringADamagedFileInventsNoValues) {
  std::mt19937_64 random(Seed());
  Content content;
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace ns = *store.OpenNamespace("n");
    for (int i = 0; i < 150; ++i) {
      ASSERT_TRUE(ns.Put("key " + std::to_string(i), std::string(i, 'v')).ok());
    }
    content = ContentOf(store);
  }
  const std::string sound = FileBytes(path_);
  std::vector<std::size_t> used;  // Bytes that are not zero.
  for (std::size_t i = 0; i < sound.size(); ++i) {
    if (sound[i] != 0) {
      used.push_back(i);
    }
  }
  for (int round = 0; round < 60; ++round) {
    std::string image = sound;
    for (std::uint64_t i = 0; i < 1 + random() % 200; ++i) {
      const std::size_t at = used[random() % used.size()];
      image[at] = static_cast<char>(random());
    }
    for (const auto& [path, keys] : Recovered(image)) {
      for (const auto& [key, value] : keys) {
        ASSERT_TRUE(content.at("n").contains(key)) << key;
        EXPECT_EQ(content.at("n").at(key), value);
      }
    }
  }
}

TEST_F(RecoverTest, RecoveringAFileThatIsNoStoreIsRefusedAndWritesNothing) {
  const std::string saved = temp_.File("saved");
  EXPECT_TRUE(Says(Recover(temp_.File("nowhere"), saved).status(), Code::kNotFound, "nowhere"));
  WriteFileBytes(torn_, "short");
  EXPECT_TRUE(Says(Recover(torn_, saved).status(), Code::kInvalidArgument, "too short"));
  WriteFileBytes(torn_, std::string(100'000, 'x'));
  EXPECT_TRUE(Says(Recover(torn_, saved).status(), Code::kDataLoss, "nothing in it verifies"));
  { MustOpen(QuietOptions()); }
  std::string image = FileBytes(path_);
  EXPECT_EQ(Recovered(image), Content()) << "an empty store must give an empty one";
  EXPECT_FALSE(std::ifstream(saved).good());
}

TEST_F(RecoverTest, RecoverDoesNotTouchAnExistingDestination) {
  { MustOpen(QuietOptions()); }
  const std::string saved = temp_.File("saved");
  WriteFileBytes(saved, "mine");
  EXPECT_TRUE(Says(Recover(path_, saved).status(), Code::kAlreadyExists, "choose another"));
  EXPECT_EQ(FileBytes(saved), "mine");
  EXPECT_TRUE(Says(Recover(path_, path_).status(), Code::kAlreadyExists, path_));
  const std::string other = temp_.File("other");
  WriteFileBytes(other + ".recovering", "of one that was killed");
  EXPECT_TRUE(Says(Recover(path_, other).status(), Code::kAlreadyExists, ".recovering"));
}

TEST_F(RecoverTest, AnInterruptedRecoverLeavesNothingBehind) {
  {
    const Store store = MustOpen(QuietOptions());
    const Namespace ns = *store.OpenNamespace("n");
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), "v").ok());
    }
  }
  const std::string saved = temp_.File("saved");
  for (const std::uint64_t stop_at : {0, 1}) {  // During its reads, and during its writes.
    RecoverOptions options;
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
      EXPECT_LE(done, total);
      return done * 2 <= total * stop_at;
    };
    EXPECT_TRUE(Says(Recover(path_, saved, options).status(), Code::kCancelled, "interrupted"));
    EXPECT_FALSE(std::ifstream(saved).good());
    EXPECT_FALSE(std::ifstream(saved + ".recovering").good());
  }
}

}  // namespace
}  // namespace commy::test
