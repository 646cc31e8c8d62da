// Random operations with transactions: several open at a time, each reading, scanning and writing
// among single puts, batches, snapshots, clears and drops; against a std::map of each namespace, of
// each snapshot and of each transaction. Since all is done by one thread, the model knows which
// commits must succeed and which must not. Tiny nodes, so that the shape changes all the time.
#include <iostream>
#include <memory>
#include <optional>
#include <set>

#include "support/model_store.h"
#include "support/slow_build.h"

namespace commy::test {
namespace {

class TransactionOps : public ModelStore {
 public:
  using ModelStore::ModelStore;
  void Report() const {
    std::cout << operation_ - 1 << " operations, " << committed_ << " transactions committed, "
              << aborted_ << " aborted, " << rolled_back_ << " rolled back, " << taken_
              << " snapshots\n";
  }

 private:
  using Key = std::pair<std::string, std::string>;  // Path and key.

  struct Running {
    Running(Transaction begun_now, bool is_serializable, int operation, const Model& model)
        : txn(std::move(begun_now)),
          serializable(is_serializable),
          begun(operation),
          seen(model),
          now(model) {}

    Transaction txn;
    const bool serializable;
    const int begun;  // The number of the operation that began it.
    Model seen;       // As of its begin.
    Model now;        // With its own writes.
    std::set<Key> written;
    std::set<Key> deleted_absent;  // Absent keys that it deleted; may not count as written.
    std::set<Key> read;            // Without keys that it had written before.
    std::vector<std::pair<std::string, ScanOptions>> scanned;
    // It wrote, may have written, or read in a namespace that was dropped since.
    bool wrote_dropped = false;
    bool deleted_dropped = false;
    bool read_dropped = false;
  };

  void One() override {
    const std::uint64_t dice = Below(1000);
    const std::string path = RandomPath();
    const Namespace ns = Open(path);
    const std::string key = RandomKey();
    if (dice < 150) {
      Put(ns, key);
      touched_[{path, key}] = operation_;
    } else if (dice < 250) {
      Delete(ns, key);
      touched_[{path, key}] = operation_;
    } else if (dice < 330) {
      CompareOne(ns, key);
    } else if (dice < 370) {
      CompareRange(ns);
    } else if (dice < 400) {
      TakeOrRelease();
    } else if (dice < 430) {
      WriteABatch();
    } else if (dice < 480) {
      Begin();
    } else if (dice < 880) {
      Use(ns, key);
    } else if (dice < 980) {
      End();
    } else if (dice < 984) {
      Clear(ns);
      cleared_[path] = operation_;
    } else if (dice < 986) {
      DropUnderAll(path);
    } else {
      Beat();
    }
  }

  void ReleaseAll() override {
    open_.clear();
    ModelStore::ReleaseAll();
  }

  void WriteABatch() {
    WriteBatch batch;
    std::set<Key> keys;
    for (std::uint64_t i = Below(8); i < 8; ++i) {
      const Namespace ns = Open(RandomPath());
      const std::string key = RandomKey();
      Map& map = model_[ns.path()];
      if (Below(3) == 0) {
        batch.Delete(ns, key);
        map.erase(key);
      } else {
        map[key] = RandomValue();
        batch.Put(ns, key, map[key]);
      }
      keys.insert({ns.path(), key});
      touched_[{ns.path(), key}] = operation_;
    }
    ASSERT_EQ(batch.size(), keys.size());
    const absl::Status done = store_.Write(std::move(batch));
    ASSERT_TRUE(done.ok()) << done;
  }

  void Begin() {
    if (open_.size() >= 5) {
      return;
    }
    const bool serializable = Below(2) == 0;
    absl::StatusOr<Transaction> txn =
        store_.Begin({.isolation = serializable ? Isolation::kSerializable : Isolation::kSnapshot});
    ASSERT_TRUE(txn.ok()) << txn.status();
    open_.push_back(std::make_unique<Running>(*std::move(txn), serializable, operation_, model_));
  }

  // A read or a write by one of the open transactions.
  void Use(const Namespace& ns, const std::string& key) {
    if (open_.empty()) {
      return;
    }
    Running& open = *open_[Below(open_.size())];
    const Key whole = {ns.path(), key};
    Map& map = open.now[ns.path()];
    const std::uint64_t dice = Below(100);
    if (dice < 35) {
      map[key] = RandomValue();
      ASSERT_TRUE(open.txn.Put(ns, key, map[key]).ok());
      open.written.insert(whole);
    } else if (dice < 55) {
      DeleteBy(open, ns, key);
    } else if (dice < 65) {
      AddBy(open, ns, "sum " + std::to_string(Below(3)));
    } else if (dice < 85) {
      ExpectOne(open.txn.Get(ns, key), map, key);
      ASSERT_EQ(*open.txn.Contains(ns, key), map.contains(key));
      NoteRead(open, whole);
    } else {
      ScanOptions range = RandomRange(ns.order());
      if (ns.order() == Order::kOrdered && Below(4) == 0) {
        range.limit = Below(5);
      }
      ExpectRange(open.txn.Scan(ns, range), ns.order(), map, range);
      open.scanned.emplace_back(ns.path(), range);
    }
  }
  static void NoteRead(Running& open, const Key& key) {
    if (!open.written.contains(key)) {
      open.read.insert(key);
    }
  }
  void DeleteBy(Running& open, const Namespace& ns, const std::string& key) {
    const Key whole = {ns.path(), key};
    const absl::StatusOr<bool> deleted = open.txn.Delete(ns, key);
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    ASSERT_EQ(*deleted, open.now[ns.path()].erase(key) == 1);
    NoteRead(open, whole);
    if (*deleted || open.written.contains(whole)) {
      open.written.insert(whole);
    } else {
      open.deleted_absent.insert(whole);
    }
  }
  // To a key of its own kind, so that it is a number; by an amount that makes each sum unique.
  void AddBy(Running& open, const Namespace& ns, const std::string& key) {
    Map& map = open.now[ns.path()];
    const auto delta = static_cast<std::int64_t>(Below(std::uint64_t{1} << 50)) + 1;
    const std::int64_t sum = (map.contains(key) ? std::stoll(map[key]) : 0) + delta;
    const absl::StatusOr<std::int64_t> got = open.txn.Add(ns, key, delta);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(*got, sum);
    map[key] = std::to_string(sum);
    NoteRead(open, {ns.path(), key});
    open.written.insert({ns.path(), key});
  }

  void End() {
    if (open_.empty()) {
      return;
    }
    const std::size_t which = Below(open_.size());
    const std::unique_ptr<Running> open = std::move(open_[which]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
    const std::uint64_t dice = Below(10);
    if (dice == 0) {
      open->txn.Rollback();
      ++rolled_back_;
    } else if (dice == 1) {
      ++rolled_back_;  // By being destroyed.
    } else {
      Commit(*open);
    }
  }
  void Commit(Running& open) {
    const std::optional<bool> conflict = Conflicts(open);
    const absl::Status done = open.txn.Commit();
    if (done.ok()) {
      ASSERT_TRUE(conflict != true) << "committed over a conflict";
      ++committed_;
      for (const Key& key : open.written) {
        Apply(open, key);
      }
      for (const Key& key : open.deleted_absent) {
        touched_[key] = operation_;
      }
      return;
    }
    ++aborted_;
    ASSERT_TRUE(absl::IsAborted(done) || (open.wrote_dropped && IsNamespaceDropped(done)) ||
                ((open.deleted_dropped || open.read_dropped) && IsNamespaceDropped(done)))
        << done;
    ASSERT_TRUE(conflict != false) << done << ", but there is no conflict";
  }
  void Apply(Running& open, const Key& key) {
    const auto& [path, name] = key;
    const Map& map = open.now[path];
    const auto found = map.find(name);
    if (found == map.end()) {
      model_[path].erase(name);
    } else {
      model_[path][name] = found->second;
    }
    touched_[key] = operation_;
  }

  // Whether a commit must fail; none if it may fail.
  std::optional<bool> Conflicts(const Running& open) {
    bool may = open.deleted_dropped || (open.serializable && open.read_dropped);
    bool must = open.wrote_dropped;
    const auto look = [&](const Key& key) {
      must = must || Changed(open, key);
      may = may || Touched(open, key);
    };
    for (const Key& key : open.written) {
      look(key);
    }
    for (const Key& key : open.deleted_absent) {
      may = may || Touched(open, key);
    }
    if (open.serializable) {
      for (const Key& key : open.read) {
        look(key);
      }
      for (const auto& [path, range] : open.scanned) {
        LookAtRange(open, path, range, &may, &must);
      }
    }
    if (open.written.empty()) {
      // A transaction without writes may count as having happened when it began.
      return must || may || !open.deleted_absent.empty() ? std::nullopt : std::optional(false);
    }
    return must ? std::optional(true) : may ? std::nullopt : std::optional(false);
  }
  // The key has another version than when `open` began. No two values are the same.
  bool Changed(const Running& open, const Key& key) {
    const Map& then = MapIn(open.seen, key.first);
    const Map& now = MapIn(model_, key.first);
    const auto old = then.find(key.second);
    const auto found = now.find(key.second);
    return (old == then.end()) != (found == now.end()) ||
           (old != then.end() && old->second != found->second);
  }
  // The key was written since `open` began, though it may be absent as it was before.
  bool Touched(const Running& open, const Key& key) {
    const auto touched = touched_.find(key);
    const auto cleared = cleared_.find(key.first);
    return (touched != touched_.end() && touched->second > open.begun) ||
           (cleared != cleared_.end() && cleared->second > open.begun);
  }
  void LookAtRange(const Running& open, const std::string& path, const ScanOptions& range,
                   bool* may, bool* must) {
    for (const auto& [key, when] : touched_) {
      *may = *may || (key.first == path && IsIn(range, key.second) && when > open.begun);
    }
    *may = *may || Touched(open, {path, ""});
    if (range.limit < UINT64_MAX) {
      return;  // Keys past the scan's end do not count, nor does any the transaction wrote.
    }
    for (const Map* map : {&MapIn(open.seen, path), &MapIn(model_, path)}) {
      for (const auto& [key, value] : *map) {
        // A key that it had written itself it did not read.
        *must = *must || (IsIn(range, key) && !open.written.contains({path, key}) &&
                          Changed(open, {path, key}));
      }
    }
  }

  void DropUnderAll(const std::string& path) {
    Drop(path);
    cleared_[path] = operation_;
    const auto in_it = [&](const std::set<Key>& keys) {
      const auto first = keys.lower_bound({path, ""});
      return first != keys.end() && first->first == path;
    };
    const auto forget = [&](std::set<Key>& keys) {
      std::erase_if(keys, [&](const Key& key) { return key.first == path; });
    };
    for (const auto& open : open_) {
      open->wrote_dropped = open->wrote_dropped || in_it(open->written);
      open->deleted_dropped = open->deleted_dropped || in_it(open->deleted_absent);
      const auto scans =
          std::erase_if(open->scanned, [&](const auto& scan) { return scan.first == path; });
      open->read_dropped = open->read_dropped || in_it(open->read) || scans > 0;
      for (std::set<Key>* keys : {&open->written, &open->read, &open->deleted_absent}) {
        forget(*keys);
      }
      open->seen.erase(path);
      open->now.erase(path);
    }
  }

  std::vector<std::unique_ptr<Running>> open_;
  std::map<Key, int> touched_;          // When a key was last written.
  std::map<std::string, int> cleared_;  // When a namespace was last emptied or dropped.
  int committed_ = 0;
  int aborted_ = 0;
  int rolled_back_ = 0;
};

using TransactionOpsTest = ModelFixture;

TEST_F(TransactionOpsTest, TransactionsOverTinyNodesAgreeWithTheModel) {
  Options options = TinyNodes(QuietOptions());
  options.max_size = std::uint64_t{256} << 20;
  RunModels<TransactionOps>(options, 12, Calls(40'000), 150);
}

TEST_F(TransactionOpsTest, TransactionsOnFewKeysAgreeWithTheModel) {
  RunModels<TransactionOps>(TinyNodes(QuietOptions()), 10, Calls(30'000), 6);
}

TEST_F(TransactionOpsTest, TransactionsOverDefaultSizesAgreeWithTheModel) {
  Options options;
  options.max_size = std::uint64_t{1} << 30;
  options.testing.background = false;
  RunModels<TransactionOps>(options, 2, Calls(40'000), 1000);
}

TEST_F(TransactionOpsTest, TransactionsWithAHeartbeatAgreeWithTheModel) {
  Options options = TinyNodes(SmallOptions());
  options.heartbeat_interval = absl::Milliseconds(1);
  options.max_size = std::uint64_t{256} << 20;
  RunModels<TransactionOps>(options, 3, Calls(40'000), 40);
}

}  // namespace
}  // namespace commy::test
