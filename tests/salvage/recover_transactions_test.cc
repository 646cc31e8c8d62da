// Recover on files in which a transaction is in flight: the result has all of it, or none of it, or
// the report says that it is torn.
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "commy/recover.h"
#include "region/layout.h"
#include "support/fault_platform.h"
#include "support/seed.h"
#include "support/transaction_fixture.h"
#include "transactions/commit.h"
#include "versions/record.h"
#include "versions/transaction_layout.h"

namespace commy::test {
namespace {

using Content = std::map<std::string, Pairs>;  // By namespace.

constexpr int kKeys = 150;  // A namespace: several readings of the clock, and pages of records.
constexpr std::size_t kPageBytes = 4096;

std::string KeyOf(int i) {
  return absl::StrFormat("k%04d", i);
}

// Calls `look` at each reading of the clock; a commit reads it every 64 keys.
class ClockWatcher : public FaultPlatform {
 public:
  std::int64_t MonotonicNs() override {
    if (look) {
      look();
    }
    return FaultPlatform::MonotonicNs();
  }
  std::function<void()> look;
};

struct Photo {
  std::string when;
  std::string bytes;
};

// The state behind a handle, as EngineOf() gives it for a store.
const std::shared_ptr<const engine::NamespaceState>& StateOf(const Namespace& ns);
template <std::shared_ptr<const engine::NamespaceState> Namespace::*Member>
struct StateAccess {
  friend const std::shared_ptr<const engine::NamespaceState>& StateOf(const Namespace& ns) {
    return ns.*Member;
  }
};
template struct StateAccess<&Namespace::state_>;

enum class Change { kInserts, kOverwrites, kDeletes, kAll };
const char* NameOf(Change change) {
  switch (change) {
    case Change::kInserts:
      return "Inserts";
    case Change::kOverwrites:
      return "Overwrites";
    case Change::kDeletes:
      return "Deletes";
    case Change::kAll:
      return "All";
  }
  return "";
}

class RecoverTransactionsTest : public TransactionFixture,
                                public testing::WithParamInterface<std::tuple<Order, Change>> {
 protected:
  void SetUp() override {
    const Options options = TinyNodes(QuietOptions());
    { MustOpen(options); }
    absl::StatusOr<Store> store = OpenOn(clock_, path_, options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_.emplace(*std::move(store));
    const auto [order, change] = GetParam();
    for (const char* const name : {"a", "b"}) {
      spaces_.push_back(*store_->OpenNamespace(name, {.order = order}));
      ASSERT_TRUE(spaces_.back().Put("other", "stays").ok());
      for (int i = 0; i < kKeys; ++i) {
        if (change != Change::kInserts && (change != Change::kAll || i % 3 != 0)) {
          ASSERT_TRUE(spaces_.back().Put(KeyOf(i), "old").ok());
        }
      }
    }
    before_ = ContentOf(*store_);
    after_ = before_;
    for (auto& [name, pairs] : after_) {
      pairs.clear();
      for (int i = 0; i < kKeys; ++i) {
        if (!Deletes(i)) {
          pairs.emplace_back(KeyOf(i), "new");
        }
      }
      pairs.emplace_back("other", "stays");
    }
  }
  void TearDown() override {
    spaces_.clear();
    store_.reset();
    TransactionFixture::TearDown();
  }

  static bool Deletes(int i) {
    const Change change = std::get<1>(GetParam());
    return change == Change::kDeletes || (change == Change::kAll && i % 3 == 1);
  }

  static Content ContentOf(const Store& store) {
    Content content;
    const auto namespaces = store.ListNamespaces();
    EXPECT_TRUE(namespaces.ok()) << namespaces.status();
    for (const NamespaceInfo& info : *namespaces) {
      content[info.path] = PairsOf(MustOpenNamespace(store, info.path).Scan(), Order::kHash);
    }
    return content;
  }

  void Take(std::string when) { photos_.push_back({std::move(when), FileBytes(path_)}); }

  WriteBatch Batch() {
    WriteBatch batch;
    for (const Namespace& ns : spaces_) {
      for (int i = 0; i < kKeys; ++i) {
        if (Deletes(i)) {
          batch.Delete(ns, KeyOf(i));
        } else {
          batch.Put(ns, KeyOf(i), "new");
        }
      }
    }
    return batch;
  }

  // Hooks at the points of a commit between which it makes no calls.
  struct Meanwhile {
    std::function<void()> installed = [] {};
    std::function<void()> prepared = [] {};
    std::function<void()> committed = [] {};
  };
  // Commits the batch's content as a serializable transaction; returns whether that succeeded.
  bool Commit(const Meanwhile& meanwhile) {
    transactions::WriteSet writes;
    for (const Namespace& ns : spaces_) {
      for (int i = 0; i < kKeys; ++i) {
        EXPECT_TRUE((Deletes(i) ? writes.Delete(StateOf(ns), KeyOf(i))
                                : writes.Put(StateOf(ns), KeyOf(i), "new", PutOptions()))
                        .ok());
      }
    }
    const auto validate = [&](std::uint64_t, std::uint64_t) {
      meanwhile.prepared();
      return base::Result();
    };
    const transactions::CommitTerms terms{versions::kSerializable,
                                          versions::kCommitTimeMax,
                                          std::numeric_limits<std::int64_t>::max(),
                                          meanwhile.installed,
                                          validate,
                                          meanwhile.committed};
    return transactions::Commit(EngineOf(*store_), writes, terms).Run().ok();
  }
  // Runs `work` in another thread, which has a lane of its own.
  static void Beside(const std::function<void()>& work) { std::thread(work).join(); }

  Content Recovered(const std::string& image) {
    const std::string torn = temp_.File("torn");
    WriteFileBytes(torn, image);
    const std::string saved = temp_.File(absl::StrCat("saved", ++recoveries_));
    const absl::StatusOr<RecoverReport> report = Recover(torn, saved);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) {
      return {};
    }
    report_ = *report;
    const Store store = MustOpen(saved, QuietOptions());
    EXPECT_TRUE(IsSound(store));
    return ContentOf(store);
  }
  void ExpectWhole(const Photo& photo, const Content& content) {
    SCOPED_TRACE(photo.when);
    EXPECT_EQ(Recovered(photo.bytes), content);
    // A copy of a store in use is never certain to be whole, but no fault is found.
    EXPECT_EQ(report_.fault_count, 0U) << absl::StrJoin(report_.faults, "\n");
    EXPECT_EQ(report_.transactions_torn, 0U);
  }
  void ExpectTorn(const std::string& image) {
    (void)Recovered(image);
    EXPECT_NE(report_.fault_count, 0U);
    EXPECT_EQ(report_.transactions_torn, 1U);
    EXPECT_NE(absl::StrJoin(report_.faults, "\n").find("transaction"), std::string::npos);
  }

  // An image of a committed transaction of which readers have stamped every `stride`th record.
  Photo HalfStamped(int stride) {
    Photo photo;
    EXPECT_TRUE(Commit({.committed = [&] {
      Beside([&] {
        for (const Namespace& ns : spaces_) {
          for (int i = 0; i < kKeys; i += stride) {
            (void)ns.Contains(KeyOf(i));
          }
        }
      });
      photo = {"half stamped", FileBytes(path_)};
    }}));
    return photo;
  }
  // The offsets of the transaction's records of keys that it sets.
  static std::vector<std::size_t> IntentsIn(std::string image) {
    std::vector<std::size_t> found;
    auto* const base = reinterpret_cast<std::byte*>(image.data());
    for (std::size_t at = 0; at + sizeof(versions::Record) <= image.size(); at += 16) {
      const versions::RecordView view = versions::ViewRecordIn(base, image.size(), at);
      if (view.valid() && versions::IsIntent(view.record->commit.load(std::memory_order_relaxed)) &&
          view.key.substr(0, 2) == "k0" && versions::VerifyRecord(view)) {
        found.push_back(at);
      }
    }
    return found;
  }

  ClockWatcher clock_;
  std::optional<Store> store_;
  std::vector<Namespace> spaces_;
  Content before_;
  Content after_;
  std::vector<Photo> photos_;
  RecoverReport report_;
  int recoveries_ = 0;
};

TEST_P(RecoverTransactionsTest, RecoverDropsABatchThatIsBeingInstalled) {
  clock_.look = [this] { Take(absl::StrCat("look ", photos_.size())); };
  ASSERT_TRUE(store_->Write(Batch()).ok());
  clock_.look = nullptr;
  ASSERT_GE(photos_.size(), 2U * kKeys / 64) << "a commit no longer reads the clock";
  for (const Photo& photo : photos_) {
    ExpectWhole(photo, before_);
  }
  ASSERT_EQ(ContentOf(*store_), after_);
  ExpectWhole({"it is over", FileBytes(path_)}, after_);
}

TEST_P(RecoverTransactionsTest, RecoverHasAllOfATransactionOnceItIsCommittedAndNothingBefore) {
  ASSERT_TRUE(Commit({[this] { Take("installed"); }, [this] { Take("prepared"); },
                      [this] { Take("committed"); }}));
  ASSERT_EQ(photos_.size(), 3U);
  ExpectWhole(photos_[0], before_);
  ExpectWhole(photos_[1], before_);
  ExpectWhole(photos_[2], after_);
}

TEST_P(RecoverTransactionsTest, RecoverHasAllOfATransactionOfWhichSomeRecordsAreStamped) {
  for (const int stride : {kKeys, 2, 3, 1}) {
    ExpectWhole(HalfStamped(stride), after_);
  }
}

TEST_P(RecoverTransactionsTest, RecoverHasAllOfATransactionThatLaterWritesOverwrite) {
  ASSERT_TRUE(Commit({.committed = [this] {
    Beside([this] {
      EXPECT_TRUE(spaces_[0].Put(KeyOf(0), "later").ok());
      EXPECT_TRUE(spaces_[1].Put(KeyOf(kKeys), "later").ok());
      EXPECT_TRUE(spaces_[1].Delete("other").ok());
      Take("superseded");
      after_ = ContentOf(*store_);
    });
  }}));
  ExpectWhole(photos_.back(), after_);
}

TEST_P(RecoverTransactionsTest, RecoverHasNothingOfAnAbortedTransaction) {
  ASSERT_FALSE(Commit({.prepared = [this] {
    Beside([this] {
      EXPECT_TRUE(spaces_[0].Put(KeyOf(7), "in the way").ok());
      EXPECT_TRUE(spaces_[1].Delete(KeyOf(8)).ok());
      Take("aborted");
      before_ = ContentOf(*store_);
    });
  }}));
  ExpectWhole(photos_.back(), before_);
  ExpectWhole({"it is over", FileBytes(path_)}, before_);
}

TEST_P(RecoverTransactionsTest, RecoverReportsATransactionWithALostRecordAsTorn) {
  const std::string image = HalfStamped(3).bytes;
  const std::vector<std::size_t> intents = IntentsIn(image);
  ASSERT_GT(intents.size(), 10U);
  for (const std::size_t at : {intents.front(), intents[intents.size() / 2]}) {
    std::string damaged = image;
    damaged[at + sizeof(versions::Record)] ^= 1;  // In its key or its value.
    ExpectTorn(damaged);
  }
}

TEST_P(RecoverTransactionsTest, RecoverReportsATransactionWithALostBlockAsTorn) {
  const std::string image = HalfStamped(3).bytes;
  std::uint64_t commit = 0;
  std::memcpy(&commit, image.data() + IntentsIn(image).front(), sizeof commit);
  const std::size_t block = versions::TransactionOffset(commit);
  const std::size_t entry = versions::FirstPageStart(2) + sizeof(versions::TransactionPage);
  for (const std::size_t word : {std::size_t{8}, std::size_t{16}, std::size_t{24}, entry}) {
    SCOPED_TRACE(word);
    std::string damaged = image;
    damaged[block + word] ^= 1;
    ExpectTorn(damaged);
  }
}

// Each page is of one of two moments between installing the last record and retiring the block: the
// file has every record, and the block or any stamp tells the transaction's outcome.
TEST_P(RecoverTransactionsTest, RecoverFromPagesOfTwoMomentsOfACommitHasAllOrNothing) {
  std::mt19937_64 random(Seed());
  ASSERT_TRUE(Commit({[this] { Take("installed"); }, [this] { Take("prepared"); },
                      [this] {
                        Take("committed");
                        Beside([this] {
                          for (int i = 0; i < kKeys; i += 2) {
                            (void)spaces_[1].Contains(KeyOf(i));
                          }
                        });
                        Take("half stamped");
                      }}));
  for (int round = 0; round < 40; ++round) {
    std::string image = photos_[random() % photos_.size()].bytes;
    const std::string& other = photos_[random() % photos_.size()].bytes;
    ASSERT_EQ(image.size(), other.size());
    for (std::size_t at = 0; at < image.size(); at += kPageBytes) {
      if (random() % 2 == 0) {
        image.replace(at, kPageBytes, other, at, kPageBytes);
      }
    }
    const Content content = Recovered(image);
    EXPECT_TRUE(content == before_ || content == after_) << "round " << round;
    EXPECT_EQ(report_.transactions_torn, 0U);
  }
}

// A power cut leaves pages from before, during and after the commit, and the identifier of a former
// boot. Half of a transaction may then be missing without a trace.
TEST_P(RecoverTransactionsTest, RecoverNeverReportsHalfATransactionAsWholeAfterAPowerCut) {
  std::mt19937_64 random(Seed());
  Take("before");
  ASSERT_TRUE(Commit({[this] { Take("installed"); }, [] {}, [this] { Take("committed"); }}));
  Take("after");
  const std::size_t size = photos_.back().bytes.size();
  for (int round = 0; round < 30; ++round) {
    std::string image(size, '\0');
    for (std::size_t at = 0; at < size; at += kPageBytes) {
      const std::string& page = photos_[random() % photos_.size()].bytes;
      if (at < page.size()) {
        image.replace(at, kPageBytes, page, at, kPageBytes);
      }
    }
    image[offsetof(region::RegionHeader, boot_id)] ^= 1;
    const Content content = Recovered(image);
    EXPECT_TRUE(!report_.whole() || content == before_ || content == after_) << "round " << round;
    EXPECT_TRUE(report_.may_be_torn);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, RecoverTransactionsTest,
                         testing::Combine(testing::Values(Order::kHash, Order::kOrdered),
                                          testing::Values(Change::kInserts, Change::kOverwrites,
                                                          Change::kDeletes, Change::kAll)),
                         [](const auto& param) {
                           return absl::StrCat(commy::test::NameOf(std::get<0>(param.param)),
                                               NameOf(std::get<1>(param.param)));
                         });

}  // namespace
}  // namespace commy::test
