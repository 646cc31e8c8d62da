// tkrzw: a hash file of one process at a time.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tkrzw_dbm_hash.h>

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::string_view kCounter = "counter";

class Tkrzw : public Engine {
 public:
  explicit Tkrzw(const Place& place) {
    tkrzw::HashDBM::TuningParameters tuning;
    tuning.num_buckets = static_cast<std::int64_t>(std::max<std::uint64_t>(place.keys * 2, 1000));
    Must("open",
         data_.OpenAdvanced(place.folder + "/data.tkh", true, tkrzw::File::OPEN_DEFAULT, tuning));
    Must("open", counters_.Open(place.folder + "/counters.tkh", true));
  }
  ~Tkrzw() override {
    Must("close", data_.Close());
    Must("close", counters_.Close());
  }
  Tkrzw(const Tkrzw&) = delete;
  Tkrzw& operator=(const Tkrzw&) = delete;

  Answer Read(std::string_view key, Use use) override {
    Reader reader(use);
    Must("process", data_.Process(key, &reader, false));
    return reader.found();
  }
  void Put(std::string_view key, std::string_view value) override {
    Must("set", data_.Set(key, value));
  }
  Answer Delete(std::string_view key) override {
    const tkrzw::Status removed = data_.Remove(key);
    if (removed == tkrzw::Status::NOT_FOUND_ERROR) {
      return Answer::kNo;
    }
    Must("remove", removed);
    return Answer::kYes;
  }
  std::int64_t Add(std::int64_t delta) override {
    std::int64_t sum = 0;
    Must("increment", counters_.Increment(kCounter, delta, &sum));
    return sum;
  }
  bool Compact() override {
    Must("rebuild", data_.Rebuild());
    return true;
  }

 private:
  class Reader : public tkrzw::DBM::RecordProcessor {
   public:
    explicit Reader(Use use) : use_(use) {}
    std::string_view ProcessFull(std::string_view, std::string_view value) override {
      use_(value);
      found_ = Answer::kYes;
      return NOOP;
    }
    [[nodiscard]] Answer found() const { return found_; }

   private:
    Use use_;
    Answer found_ = Answer::kNo;
  };

  static void Must(const char* what, const tkrzw::Status& status) {
    if (!status.IsOK()) [[unlikely]] {
      bench::Die(what, std::string(status));
    }
  }

  tkrzw::HashDBM data_;
  tkrzw::HashDBM counters_;
};

}  // namespace

EngineInfo TkrzwEngine() {
  EngineInfo info;
  info.name = "tkrzw";
  info.version = COMPARE_TKRZW;
  info.setting = "`HashDBM` in its default mapped file, two buckets for each key; one process";
  info.sharing = Sharing::kThreads;
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Tkrzw>(place);
  };
  return info;
}

}  // namespace commy::compare
