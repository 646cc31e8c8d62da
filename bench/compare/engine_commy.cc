// Commy: a hash namespace, through the public API.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::compare {
namespace {

template <typename T>
T Must(std::string_view what, absl::StatusOr<T> result) {
  if (!result.ok()) [[unlikely]] {
    bench::Die(what, result.status().ToString());
  }
  return *std::move(result);
}

class CommyStore : public Engine {
 public:
  explicit CommyStore(const Place& place)
      : store_(Must("open", Store::Open(place.folder + "/store.commy"))),
        data_(Must("namespace", store_.OpenNamespace("data"))),
        counters_(Must("namespace", store_.OpenNamespace("counters"))) {}

  Answer Read(std::string_view key, Use use) override {
    const absl::Status read = data_.ReadWith(key, use);
    if (!read.ok() && !absl::IsNotFound(read)) [[unlikely]] {
      bench::Die("read", read.ToString());
    }
    return read.ok() ? Answer::kYes : Answer::kNo;
  }
  void Put(std::string_view key, std::string_view value) override {
    if (const absl::Status put = data_.Put(key, value); !put.ok()) [[unlikely]] {
      bench::Die("put", put.ToString());
    }
  }
  Answer Delete(std::string_view key) override {
    return Must("delete", data_.Delete(key)) ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    return Must("add", counters_.Add("counter", delta));
  }

 private:
  Store store_;
  Namespace data_;
  Namespace counters_;
};

}  // namespace

EngineInfo CommyEngine() {
  EngineInfo info;
  info.name = "Commy";
  info.version = std::string(Version());
  info.setting = "hash namespace, default options; `ReadWith`, `Put`, `Delete`, `Add`";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<CommyStore>(place);
  };
  return info;
}

}  // namespace commy::compare
