// Commy: a hash namespace, or an ordered one, through the public API.
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
  CommyStore(const Place& place, Order order)
      : store_(Must("open", Store::Open(place.folder + "/store.commy"))),
        data_(Must("namespace", store_.OpenNamespace("data", {.order = order}))),
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
  [[nodiscard]] bool HasOrder() const override { return data_.order() == Order::kOrdered; }
  void Scan(std::string_view from, std::uint64_t limit, UseEntry use) override {
    ScanRange scan = data_.Scan({.from = std::string(from), .limit = limit});
    for (const Entry& entry : scan) {
      use(entry.key(), entry.value());
    }
    if (!scan.status().ok()) [[unlikely]] {
      bench::Die("scan", scan.status().ToString());
    }
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
    return std::make_unique<CommyStore>(place, Order::kHash);
  };
  return info;
}

EngineInfo CommyOrderedEngine() {
  EngineInfo info = CommyEngine();
  info.name = "Commy (ordered)";
  info.setting = "ordered namespace, default options; the same calls, and `Scan`, which copies";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<CommyStore>(place, Order::kOrdered);
  };
  return info;
}

}  // namespace commy::compare
