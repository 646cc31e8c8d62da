// LevelDB: a log-structured tree of one process at a time.
#include <cstdint>
#include <cstring>
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/options.h>
#include <leveldb/write_batch.h>
#include <memory>
#include <mutex>
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
constexpr std::size_t kBufferBytes = std::size_t{64} << 20;

leveldb::Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}

class Leveldb : public Engine {
 public:
  explicit Leveldb(const Place& place)
      : cache_(leveldb::NewLRUCache(kCacheBytes)), filter_(leveldb::NewBloomFilterPolicy(10)) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression = leveldb::kNoCompression;
    options.write_buffer_size = kBufferBytes;
    options.block_cache = cache_.get();
    options.filter_policy = filter_.get();
    leveldb::DB* db = nullptr;
    Must("open", leveldb::DB::Open(options, place.folder, &db));
    db_.reset(db);
  }

  Answer Read(std::string_view key, Use use) override {
    return ReadAs(leveldb::ReadOptions(), key, use);
  }
  void Put(std::string_view key, std::string_view value) override {
    Must("put", db_->Put(leveldb::WriteOptions(), ToSlice(key), ToSlice(value)));
  }
  // Delete() does not report whether the key existed, so it is read first.
  Answer Delete(std::string_view key) override {
    if (Read(key, [](std::string_view) {}) == Answer::kNo) {
      return Answer::kNo;
    }
    Must("delete", db_->Delete(leveldb::WriteOptions(), ToSlice(key)));
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
    const std::unique_ptr<leveldb::Iterator> at(db_->NewIterator(leveldb::ReadOptions()));
    at->Seek(ToSlice(from));
    for (std::uint64_t count = 0; count < limit && at->Valid(); ++count) {
      use({at->key().data(), at->key().size()}, {at->value().data(), at->value().size()});
      at->Next();
    }
    Must("scan", at->status());
  }
  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    leveldb::WriteBatch batch;
    for (const KeyValue& entry : entries) {
      batch.Put(ToSlice(entry.key), ToSlice(entry.value));
    }
    Must("write", db_->Write(leveldb::WriteOptions(), &batch));
  }
  [[nodiscard]] bool HasSnapshots() const override { return true; }
  void TakeSnapshot() override { snapshot_ = db_->GetSnapshot(); }
  Answer ReadThen(std::string_view key, Use use) override {
    leveldb::ReadOptions options;
    options.snapshot = snapshot_;
    return ReadAs(options, key, use);
  }
  void DropSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  bool Compact() override {
    db_->CompactRange(nullptr, nullptr);
    return true;
  }
  [[nodiscard]] bool CompactsWhileInUse() const override { return true; }

 private:
  Answer ReadAs(const leveldb::ReadOptions& options, std::string_view key, Use use) {
    thread_local std::string value;
    const leveldb::Status got = db_->Get(options, ToSlice(key), &value);
    if (got.IsNotFound()) {
      return Answer::kNo;
    }
    Must("get", got);
    use(value);
    return Answer::kYes;
  }
  static void Must(const char* what, const leveldb::Status& status) {
    if (!status.ok()) [[unlikely]] {
      bench::Die(what, status.ToString());
    }
  }

  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;  // Closed before the objects that it uses.
  const leveldb::Snapshot* snapshot_ = nullptr;
  std::mutex counter_mutex_;
};

}  // namespace

EngineInfo LeveldbEngine() {
  EngineInfo info;
  info.name = "LevelDB";
  info.version = absl::StrCat(leveldb::kMajorVersion, ".", leveldb::kMinorVersion);
  info.has_many = true;
  info.setting =
      "log without sync (the default), write buffer of 64 MiB, block cache of 512 MiB, Bloom "
      "filter "
      "of 10 bits, no compression; one process; a delete reads first";
  info.sharing = Sharing::kThreads;
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Leveldb>(place);
  };
  return info;
}

}  // namespace commy::compare
