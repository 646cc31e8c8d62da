// TDB: Samba's hash file of many processes, with robust mutexes in the file.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

// tdb.h needs these and does not include them.
#include <tdb.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::string_view kCounter = "counter";

TDB_DATA ToData(std::string_view text) {
  TDB_DATA data;
  data.dptr = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  data.dsize = text.size();
  return data;
}

class Tdb : public Engine {
 public:
  explicit Tdb(const Place& place) {
    // As many chains as keys: fewer would make it slower.
    const int chains = static_cast<int>(std::max<std::uint64_t>(place.keys, 1000));
    const int flags = TDB_CLEAR_IF_FIRST | TDB_MUTEX_LOCKING | TDB_INCOMPATIBLE_HASH | TDB_NOSYNC;
    // The counter has a file of its own, since it would be a key like the others.
    data_ = Open(place.folder + "/data.tdb", chains, flags);
    counters_ = Open(place.folder + "/counters.tdb", 100, flags);
  }
  ~Tdb() override {
    tdb_close(counters_);
    tdb_close(data_);
  }
  Tdb(const Tdb&) = delete;
  Tdb& operator=(const Tdb&) = delete;

  Answer Read(std::string_view key, Use use) override {
    const int got = tdb_parse_record(
        data_, ToData(key),
        [](TDB_DATA, TDB_DATA value, void* context) {
          (*static_cast<Use*>(context))(
              std::string_view(reinterpret_cast<const char*>(value.dptr), value.dsize));
          return 0;
        },
        &use);
    return Found(data_, "read", got);
  }
  void Put(std::string_view key, std::string_view value) override {
    Must(data_, "store", tdb_store(data_, ToData(key), ToData(value), TDB_REPLACE));
  }
  Answer Delete(std::string_view key) override {
    return Found(data_, "delete", tdb_delete(data_, ToData(key)));
  }
  std::int64_t Add(std::int64_t delta) override {
    const TDB_DATA name = ToData(kCounter);
    Must(counters_, "lock", tdb_chainlock(counters_, name));
    std::int64_t sum = 0;
    const int got = tdb_parse_record(
        counters_, name,
        [](TDB_DATA, TDB_DATA value, void* context) {
          std::memcpy(context, value.dptr, sizeof(sum));
          return 0;
        },
        &sum);
    (void)Found(counters_, "read", got);
    sum += delta;
    const std::string_view bytes(reinterpret_cast<const char*>(&sum), sizeof(sum));
    Must(counters_, "store", tdb_store(counters_, name, ToData(bytes), TDB_REPLACE));
    Must(counters_, "unlock", tdb_chainunlock(counters_, name));
    return sum;
  }
  // The records become dense; the file does not become smaller.
  bool Compact() override {
    Must(data_, "repack", tdb_repack(data_));
    return true;
  }

 private:
  static tdb_context* Open(const std::string& path, int chains, int flags) {
    tdb_context* const file = tdb_open(path.c_str(), chains, flags, O_RDWR | O_CREAT, 0600);
    if (file == nullptr) {
      bench::Die(path, std::strerror(errno));
    }
    return file;
  }
  static void Must(tdb_context* file, const char* what, int result) {
    if (result != 0) [[unlikely]] {
      bench::Die(what, tdb_errorstr(file));
    }
  }
  static Answer Found(tdb_context* file, const char* what, int result) {
    if (result == 0) {
      return Answer::kYes;
    }
    if (tdb_error(file) != TDB_ERR_NOEXIST) [[unlikely]] {
      bench::Die(what, tdb_errorstr(file));
    }
    return Answer::kNo;
  }

  tdb_context* data_ = nullptr;
  tdb_context* counters_ = nullptr;
};

}  // namespace

EngineInfo TdbEngine() {
  EngineInfo info;
  info.name = "TDB";
  info.version = COMPARE_TDB;
  info.setting =
      "`TDB_MUTEX_LOCKING`, which needs `TDB_CLEAR_IF_FIRST`: the content is gone when the last "
      "process closes it, so one keeps it open; as many hash chains as keys";
  info.needs_keeper = true;
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Tdb>(place);
  };
  return info;
}

}  // namespace commy::compare
