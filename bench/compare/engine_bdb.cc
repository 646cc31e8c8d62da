// Berkeley DB: a B-tree in an environment with locks, a log and transactions.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

// db.h needs <sys/types.h> and does not include it.
#include <db.h>

#include <sys/types.h>

#include "absl/strings/str_cat.h"

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::string_view kCounter = "counter";
constexpr std::uint32_t kCacheBytes = std::uint32_t{512} << 20;
constexpr std::size_t kValueBytesMax = 4096;

void Must(const char* what, int result) {
  if (result != 0) [[unlikely]] {
    bench::Die(what, db_strerror(result));
  }
}

DBT ToDbt(std::string_view text) {
  DBT dbt{};
  dbt.data = const_cast<char*>(text.data());
  dbt.size = static_cast<std::uint32_t>(text.size());
  return dbt;
}

class BerkeleyDb : public Engine {
 public:
  explicit BerkeleyDb(const Place& place) {
    Must("create", db_env_create(&env_, 0));
    Must("set", env_->set_cachesize(env_, 0, kCacheBytes, 1));
    Must("set", env_->set_flags(env_, DB_TXN_WRITE_NOSYNC | DB_AUTO_COMMIT, 1));
    Must("set", env_->set_lk_detect(env_, DB_LOCK_DEFAULT));
    Must("set", env_->set_lk_max_locks(env_, 100'000));
    Must("set", env_->set_lk_max_objects(env_, 100'000));
    Must("set", env_->log_set_config(env_, DB_LOG_AUTO_REMOVE, 1));
    Must("open", env_->open(env_, place.folder.c_str(),
                            DB_CREATE | DB_INIT_MPOOL | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_TXN |
                                DB_REGISTER | DB_RECOVER,
                            0600));
    data_ = OpenTable("data");
    counters_ = OpenTable("counters");
  }
  ~BerkeleyDb() override {
    data_->close(data_, 0);
    counters_->close(counters_, 0);
    env_->close(env_, 0);
  }
  BerkeleyDb(const BerkeleyDb&) = delete;
  BerkeleyDb& operator=(const BerkeleyDb&) = delete;

  Answer Read(std::string_view key, Use use) override {
    DBT name = ToDbt(key);
    DBT value = Buffer();
    int got = 0;
    do {
      got = data_->get(data_, nullptr, &name, &value, 0);
    } while (got == DB_LOCK_DEADLOCK);
    if (got == DB_NOTFOUND) {
      return Answer::kNo;
    }
    Must("get", got);
    use(std::string_view(buffer_.data(), value.size));
    return Answer::kYes;
  }
  void Put(std::string_view key, std::string_view value) override {
    DBT name = ToDbt(key);
    DBT content = ToDbt(value);
    int put = 0;
    do {
      put = data_->put(data_, bulk_, &name, &content, 0);
    } while (put == DB_LOCK_DEADLOCK);
    Must("put", put);
  }
  Answer Delete(std::string_view key) override {
    DBT name = ToDbt(key);
    int deleted = 0;
    do {
      deleted = data_->del(data_, bulk_, &name, 0);
    } while (deleted == DB_LOCK_DEADLOCK);
    if (deleted == DB_NOTFOUND) {
      return Answer::kNo;
    }
    Must("delete", deleted);
    return Answer::kYes;
  }
  std::int64_t Add(std::int64_t delta) override {
    std::int64_t sum = 0;
    while (!TryAdd(delta, &sum)) {
    }
    return sum;
  }
  void Settle() override { Must("checkpoint", env_->txn_checkpoint(env_, 0, 0, DB_FORCE)); }
  bool Compact() override {
    Must("compact",
         data_->compact(data_, nullptr, nullptr, nullptr, nullptr, DB_FREE_SPACE, nullptr));
    Settle();
    return true;
  }
  [[nodiscard]] bool CompactsWhileInUse() const override { return true; }

 private:
  DB* OpenTable(const char* name) {
    DB* table = nullptr;
    Must("create", db_create(&table, env_, 0));
    Must("open", table->open(table, nullptr, absl::StrCat(name, ".db").c_str(), nullptr, DB_BTREE,
                             DB_CREATE | DB_AUTO_COMMIT, 0600));
    return table;
  }
  DBT Buffer() {
    DBT dbt{};
    dbt.data = buffer_.data();
    dbt.ulen = static_cast<std::uint32_t>(buffer_.size());
    dbt.flags = DB_DBT_USERMEM;
    return dbt;
  }
  // False: it was the victim of a deadlock.
  bool TryAdd(std::int64_t delta, std::int64_t* sum) {
    DB_TXN* txn = nullptr;
    Must("begin", env_->txn_begin(env_, nullptr, &txn, 0));
    DBT name = ToDbt(kCounter);
    DBT value = Buffer();
    *sum = 0;
    int result = counters_->get(counters_, txn, &name, &value, DB_RMW);
    if (result == 0) {
      std::memcpy(sum, buffer_.data(), sizeof(*sum));
    }
    *sum += delta;
    if (result == 0 || result == DB_NOTFOUND) {
      DBT content = ToDbt(std::string_view(reinterpret_cast<const char*>(sum), sizeof(*sum)));
      result = counters_->put(counters_, txn, &name, &content, 0);
    }
    if (result == DB_LOCK_DEADLOCK) {
      Must("abort", txn->abort(txn));
      return false;
    }
    Must("add", result);
    Must("commit", txn->commit(txn, 0));
    return true;
  }

  std::array<char, kValueBytesMax> buffer_{};
  DB_ENV* env_ = nullptr;
  DB* data_ = nullptr;
  DB* counters_ = nullptr;
  DB_TXN* bulk_ = nullptr;
};

}  // namespace

EngineInfo BerkeleyDbEngine() {
  EngineInfo info;
  info.name = "BerkeleyDB";
  info.version = absl::StrCat(DB_VERSION_MAJOR, ".", DB_VERSION_MINOR, ".", DB_VERSION_PATCH);
  info.setting =
      "B-tree in a transactional environment, `DB_TXN_WRITE_NOSYNC`, `DB_REGISTER` with "
      "`DB_RECOVER`, cache of 512 MiB; bytes include its log and regions";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<BerkeleyDb>(place);
  };
  return info;
}

}  // namespace commy::compare
