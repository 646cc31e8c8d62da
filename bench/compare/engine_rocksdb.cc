// RocksDB: a log-structured tree of one process at a time.
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>
#include <span>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::string_view kCounter = "counter";
constexpr std::size_t kCacheBytes = std::size_t{512} << 20;

rocksdb::Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}

class Rocksdb : public Engine {
 public:
  explicit Rocksdb(const Place& place) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(kCacheBytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB* db = nullptr;
    Must("open", rocksdb::DB::Open(options, place.folder, &db));
    db_.reset(db);
  }

  Answer Read(std::string_view key, Use use) override {
    return ReadAs(rocksdb::ReadOptions(), key, use);
  }
  void Put(std::string_view key, std::string_view value) override {
    Must("put", db_->Put(rocksdb::WriteOptions(), ToSlice(key), ToSlice(value)));
  }
  // Delete() does not report whether the key existed, so it is read first.
  Answer Delete(std::string_view key) override {
    if (Read(key, [](std::string_view) {}) == Answer::kNo) {
      return Answer::kNo;
    }
    Must("delete", db_->Delete(rocksdb::WriteOptions(), ToSlice(key)));
    return Answer::kYes;
  }
  std::int64_t Add(std::int64_t delta) override {
    const std::lock_guard lock(counter_mutex_);
    std::int64_t sum = 0;
    (void)Read(kCounter,
               [&](std::string_view value) { std::memcpy(&sum, value.data(), sizeof(sum)); });
    sum += delta;
    Put(kCounter, std::string_view(reinterpret_cast<const char*>(&sum), sizeof(sum)));
    return sum;
  }
  [[nodiscard]] bool HasOrder() const override { return true; }
  void Scan(std::string_view from, std::uint64_t limit, UseEntry use) override {
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(rocksdb::ReadOptions()));
    at->Seek(ToSlice(from));
    for (std::uint64_t count = 0; count < limit && at->Valid(); ++count) {
      use({at->key().data(), at->key().size()}, {at->value().data(), at->value().size()});
      at->Next();
    }
    Must("scan", at->status());
  }
  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    rocksdb::WriteBatch batch;
    for (const KeyValue& entry : entries) {
      Must("batch", batch.Put(ToSlice(entry.key), ToSlice(entry.value)));
    }
    Must("write", db_->Write(rocksdb::WriteOptions(), &batch));
  }
  [[nodiscard]] bool HasSnapshots() const override { return true; }
  void TakeSnapshot() override { snapshot_ = db_->GetSnapshot(); }
  Answer ReadThen(std::string_view key, Use use) override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return ReadAs(options, key, use);
  }
  void DropSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  void Settle() override { Must("flush", db_->Flush(rocksdb::FlushOptions())); }
  bool Compact() override {
    Must("compact", db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
    return true;
  }
  [[nodiscard]] bool CompactsWhileInUse() const override { return true; }

 private:
  Answer ReadAs(const rocksdb::ReadOptions& options, std::string_view key, Use use) {
    rocksdb::PinnableSlice value;
    const rocksdb::Status got = db_->Get(options, db_->DefaultColumnFamily(), ToSlice(key), &value);
    if (got.IsNotFound()) {
      return Answer::kNo;
    }
    Must("get", got);
    use(std::string_view(value.data(), value.size()));
    return Answer::kYes;
  }
  static void Must(const char* what, const rocksdb::Status& status) {
    if (!status.ok()) [[unlikely]] {
      bench::Die(what, status.ToString());
    }
  }

  std::unique_ptr<rocksdb::DB> db_;
  const rocksdb::Snapshot* snapshot_ = nullptr;
  std::mutex counter_mutex_;
};

}  // namespace

EngineInfo RocksdbEngine() {
  EngineInfo info;
  info.name = "RocksDB";
  info.version = absl::StrCat(ROCKSDB_MAJOR, ".", ROCKSDB_MINOR, ".", ROCKSDB_PATCH);
  info.has_many = true;
  info.setting =
      "log without sync (the default), block cache of 512 MiB, Bloom filter of 10 bits, no "
      "compression; one process; a delete reads first, to say whether the key was there";
  info.sharing = Sharing::kThreads;
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Rocksdb>(place);
  };
  return info;
}

}  // namespace commy::compare
