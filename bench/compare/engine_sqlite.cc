// SQLite: a table of keys and values in WAL mode.
#include <cstdint>
#include <memory>
#include <span>
#include <sqlite3.h>
#include <string>
#include <string_view>

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr int kBusyMs = 30'000;

class Sqlite : public Engine {
 public:
  explicit Sqlite(const Place& place) {
    const std::string path = place.folder + "/store.sqlite";
    Must("open", sqlite3_open_v2(path.c_str(), &db_,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                 nullptr));
    Must("timeout", sqlite3_busy_timeout(db_, kBusyMs));
    Run("PRAGMA journal_mode=WAL");
    Run("PRAGMA synchronous=OFF");
    Run("PRAGMA cache_size=-262144");
    Run("PRAGMA mmap_size=4294967296");
    Run("CREATE TABLE IF NOT EXISTS data(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
    Run("CREATE TABLE IF NOT EXISTS counter(id INTEGER PRIMARY KEY, value INTEGER)");
    get_ = Prepare("SELECT value FROM data WHERE key=?1");
    put_ = Prepare(
        "INSERT INTO data VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value");
    delete_ = Prepare("DELETE FROM data WHERE key=?1");
    add_ = Prepare(
        "INSERT INTO counter VALUES(1, ?1) ON CONFLICT(id) DO UPDATE SET value=value+?1 "
        "RETURNING value");
  }
  ~Sqlite() override {
    for (sqlite3_stmt* statement : {get_, put_, delete_, add_}) {
      sqlite3_finalize(statement);
    }
    sqlite3_close(db_);
  }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  Answer Read(std::string_view key, Use use) override {
    Bind(get_, 1, key);
    const int got = sqlite3_step(get_);
    if (got == SQLITE_ROW) {
      const void* const bytes = sqlite3_column_blob(get_, 0);
      use(std::string_view(static_cast<const char*>(bytes),
                           static_cast<std::size_t>(sqlite3_column_bytes(get_, 0))));
    } else if (got != SQLITE_DONE) {
      Must("get", got);
    }
    Must("reset", sqlite3_reset(get_));
    return got == SQLITE_ROW ? Answer::kYes : Answer::kNo;
  }
  void Put(std::string_view key, std::string_view value) override {
    Bind(put_, 1, key);
    Bind(put_, 2, value);
    Step(put_);
  }
  Answer Delete(std::string_view key) override {
    Bind(delete_, 1, key);
    Step(delete_);
    return sqlite3_changes(db_) == 1 ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    Must("bind", sqlite3_bind_int64(add_, 1, delta));
    if (const int added = sqlite3_step(add_); added != SQLITE_ROW) {
      Must("add", added);
    }
    const std::int64_t sum = sqlite3_column_int64(add_, 0);
    Step(add_);
    return sum;
  }

  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    BeginBulk();
    for (const KeyValue& entry : entries) {
      Put(entry.key, entry.value);
    }
    EndBulk();
  }
  [[nodiscard]] bool HasTransactions() const override { return true; }
  void UpdateAll(std::span<const std::string_view> keys, Change change) override {
    BeginBulk();
    for (const std::string_view key : keys) {
      std::string_view changed;
      (void)Read(key, [&](std::string_view value) { changed = change(key, value); });
      Put(key, changed);
    }
    EndBulk();
  }

  void BeginBulk() override { Run("BEGIN IMMEDIATE"); }
  void EndBulk() override { Run("COMMIT"); }
  void Settle() override { Run("PRAGMA wal_checkpoint(TRUNCATE)"); }
  bool Compact() override {
    Run("VACUUM");
    Settle();
    return true;
  }

 private:
  void Must(const char* what, int result) {
    if (result != SQLITE_OK) [[unlikely]] {
      bench::Die(what, sqlite3_errmsg(db_));
    }
  }
  void Run(const char* sql) { Must(sql, sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Must(sql, sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statement;
  }
  void Bind(sqlite3_stmt* statement, int number, std::string_view bytes) {
    Must("bind", sqlite3_bind_blob(statement, number, bytes.data(), static_cast<int>(bytes.size()),
                                   SQLITE_STATIC));
  }
  // Steps to the statement's end, which commits.
  void Step(sqlite3_stmt* statement) {
    if (const int done = sqlite3_step(statement); done != SQLITE_DONE) [[unlikely]] {
      Must("step", done);
    }
    Must("reset", sqlite3_reset(statement));
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* get_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* delete_ = nullptr;
  sqlite3_stmt* add_ = nullptr;
};

}  // namespace

EngineInfo SqliteEngine() {
  EngineInfo info;
  info.name = "SQLite";
  info.version = sqlite3_libversion();
  info.has_many = true;
  info.setting =
      "WAL, `synchronous=OFF`, `WITHOUT ROWID`, cache of 256 MiB, mapped; prepared statements, "
      "each "
      "its own transaction";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Sqlite>(place);
  };
  return info;
}

}  // namespace commy::compare
