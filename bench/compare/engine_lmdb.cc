// LMDB: a B+tree, copied on write; one writer at a time, readers do not wait.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <lmdb.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::uint64_t kMapBytesMin = std::uint64_t{1} << 30;
constexpr std::uint64_t kMapBytesPerKey = 2048;  // Address space; the file is sparse.
constexpr std::string_view kCounter = "counter";

void Must(const char* what, int result) {
  if (result != MDB_SUCCESS) [[unlikely]] {
    bench::Die(what, mdb_strerror(result));
  }
}

MDB_val ToVal(std::string_view text) {
  return MDB_val{text.size(), const_cast<char*>(text.data())};
}

class Lmdb : public Engine {
 public:
  explicit Lmdb(const Place& place) : place_(place) { Open(); }
  ~Lmdb() override { Close(); }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  Answer Read(std::string_view key, Use use) override {
    Must("renew", mdb_txn_renew(reader_));
    const Answer answer = ReadIn(reader_, key, use);
    mdb_txn_reset(reader_);
    return answer;
  }
  void Put(std::string_view key, std::string_view value) override {
    MDB_txn* const txn = Begin();
    PutIn(txn, key, value);
    End(txn);
  }
  Answer Delete(std::string_view key) override {
    MDB_txn* const txn = Begin();
    MDB_val name = ToVal(key);
    const int deleted = mdb_del(txn, data_, &name, nullptr);
    if (deleted != MDB_NOTFOUND) {
      Must("delete", deleted);
    }
    End(txn);
    return deleted == MDB_SUCCESS ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    MDB_txn* const txn = Begin();
    MDB_val name = ToVal(kCounter);
    MDB_val old{};
    std::int64_t sum = 0;
    const int got = mdb_get(txn, counters_, &name, &old);
    if (got == MDB_SUCCESS) {
      std::memcpy(&sum, old.mv_data, sizeof(sum));
    } else if (got != MDB_NOTFOUND) {
      Must("get", got);
    }
    sum += delta;
    MDB_val content{sizeof(sum), &sum};
    Must("put", mdb_put(txn, counters_, &name, &content, 0));
    End(txn);
    return sum;
  }

  [[nodiscard]] bool HasOrder() const override { return true; }
  void Scan(std::string_view from, std::uint64_t limit, UseEntry use) override {
    Must("renew", mdb_txn_renew(reader_));
    Must("renew", mdb_cursor_renew(reader_, cursor_));
    MDB_val name = ToVal(from);
    MDB_val value{};
    int got = mdb_cursor_get(cursor_, &name, &value, MDB_SET_RANGE);
    for (std::uint64_t count = 0; count < limit && got == MDB_SUCCESS; ++count) {
      use({static_cast<const char*>(name.mv_data), name.mv_size},
          {static_cast<const char*>(value.mv_data), value.mv_size});
      got = mdb_cursor_get(cursor_, &name, &value, MDB_NEXT);
    }
    if (got != MDB_NOTFOUND) {
      Must("scan", got);
    }
    mdb_txn_reset(reader_);
  }

  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    MDB_txn* const txn = Begin();
    for (const KeyValue& entry : entries) {
      PutIn(txn, entry.key, entry.value);
    }
    End(txn);
  }
  [[nodiscard]] bool HasTransactions() const override { return true; }
  void UpdateAll(std::span<const std::string_view> keys, Change change) override {
    MDB_txn* const txn = Begin();
    for (const std::string_view key : keys) {
      (void)ReadIn(txn, key, [&](std::string_view value) { PutIn(txn, key, change(key, value)); });
    }
    End(txn);
  }
  [[nodiscard]] bool HasSnapshots() const override { return true; }
  // A thread has only one reader; Read() is not called while a snapshot is held.
  void TakeSnapshot() override { Must("renew", mdb_txn_renew(reader_)); }
  Answer ReadThen(std::string_view key, Use use) override { return ReadIn(reader_, key, use); }
  void DropSnapshot() override { mdb_txn_reset(reader_); }

  void BeginBulk() override { Must("begin", mdb_txn_begin(env_, nullptr, 0, &bulk_)); }
  void EndBulk() override {
    Must("commit", mdb_txn_commit(bulk_));
    bulk_ = nullptr;
  }
  bool Compact() override {
    const std::string copy = place_.folder + "/compacted";
    Must("compact", ::mkdir(copy.c_str(), 0700));
    Must("compact", mdb_env_copy2(env_, copy.c_str(), MDB_CP_COMPACT));
    Close();
    Must("rename",
         std::rename((copy + "/data.mdb").c_str(), (place_.folder + "/data.mdb").c_str()));
    Open();
    return true;
  }

 private:
  void Open() {
    Must("create", mdb_env_create(&env_));
    Must("set", mdb_env_set_maxdbs(env_, 4));
    Must("set", mdb_env_set_mapsize(env_, std::max(kMapBytesMin, place_.keys * kMapBytesPerKey)));
    Must("open", mdb_env_open(env_, place_.folder.c_str(), MDB_WRITEMAP | MDB_NOSYNC, 0600));
    int dead = 0;
    Must("reader_check", mdb_reader_check(env_, &dead));
    MDB_txn* txn = nullptr;
    Must("begin", mdb_txn_begin(env_, nullptr, 0, &txn));
    Must("dbi", mdb_dbi_open(txn, "data", MDB_CREATE, &data_));
    Must("dbi", mdb_dbi_open(txn, "counters", MDB_CREATE, &counters_));
    Must("commit", mdb_txn_commit(txn));
    Must("begin", mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
    Must("cursor", mdb_cursor_open(reader_, data_, &cursor_));
    mdb_txn_reset(reader_);
  }
  void Close() {
    mdb_cursor_close(cursor_);
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }
  Answer ReadIn(MDB_txn* txn, std::string_view key, Use use) const {
    MDB_val name = ToVal(key);
    MDB_val value{};
    const int got = mdb_get(txn, data_, &name, &value);
    if (got == MDB_NOTFOUND) {
      return Answer::kNo;
    }
    Must("get", got);
    use(std::string_view(static_cast<const char*>(value.mv_data), value.mv_size));
    return Answer::kYes;
  }
  void PutIn(MDB_txn* txn, std::string_view key, std::string_view value) const {
    MDB_val name = ToVal(key);
    MDB_val content = ToVal(value);
    Must("put", mdb_put(txn, data_, &name, &content, 0));
  }
  MDB_txn* Begin() {
    if (bulk_ != nullptr) {
      return bulk_;
    }
    MDB_txn* txn = nullptr;
    Must("begin", mdb_txn_begin(env_, nullptr, 0, &txn));
    return txn;
  }
  void End(MDB_txn* txn) {
    if (txn != bulk_) {
      Must("commit", mdb_txn_commit(txn));
    }
  }

  const Place place_;
  MDB_env* env_ = nullptr;
  MDB_dbi data_ = 0;
  MDB_dbi counters_ = 0;
  MDB_txn* reader_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  MDB_txn* bulk_ = nullptr;
};

}  // namespace

EngineInfo LmdbEngine() {
  EngineInfo info;
  info.name = "LMDB";
  info.version = COMPARE_LMDB;
  info.has_many = true;
  info.setting =
      "`MDB_WRITEMAP` and `MDB_NOSYNC`; a transaction for each operation, readers renew theirs";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Lmdb>(place);
  };
  return info;
}

}  // namespace commy::compare
