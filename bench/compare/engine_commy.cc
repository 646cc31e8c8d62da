// Commy: a hash namespace, or an ordered one, through the public API.
#include <memory>
#include <optional>
#include <span>
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

void MustBeOk(std::string_view what, const absl::Status& status) {
  if (!status.ok()) [[unlikely]] {
    bench::Die(what, status.ToString());
  }
}

class CommyStore : public Engine {
 public:
  CommyStore(const Place& place, Order order)
      : path_(place.folder + "/store.commy"), order_(order) {
    Open();
  }

  Answer Read(std::string_view key, Use use) override { return ReadAt(key, nullptr, use); }
  void Put(std::string_view key, std::string_view value) override {
    MustBeOk("put", data_->Put(key, value));
  }
  Answer Delete(std::string_view key) override {
    return Must("delete", data_->Delete(key)) ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    return Must("add", counters_->Add("counter", delta));
  }
  [[nodiscard]] bool HasOrder() const override { return order_ == Order::kOrdered; }
  void Scan(std::string_view from, std::uint64_t limit, UseEntry use) override {
    ScanRange scan = data_->Scan({.from = std::string(from), .limit = limit});
    for (const Entry& entry : scan) {
      use(entry.key(), entry.value());
    }
    MustBeOk("scan", scan.status());
  }

  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    WriteBatch batch;
    for (const KeyValue& entry : entries) {
      batch.Put(*data_, entry.key, entry.value);
    }
    MustBeOk("write", store_->Write(std::move(batch)));
  }
  [[nodiscard]] bool HasTransactions() const override { return true; }
  void UpdateAll(std::span<const std::string_view> keys, Change change) override {
    MustBeOk("transact", store_->Transact([&](Transaction& txn) {
      for (const std::string_view key : keys) {
        const std::string value = Must("get", txn.Get(*data_, key));
        MustBeOk("put", txn.Put(*data_, key, change(key, value)));
      }
      return absl::OkStatus();
    }));
  }
  [[nodiscard]] bool HasSnapshots() const override { return true; }
  void TakeSnapshot() override { snapshot_ = Must("snapshot", store_->TakeSnapshot()); }
  Answer ReadThen(std::string_view key, Use use) override { return ReadAt(key, &*snapshot_, use); }
  void DropSnapshot() override { snapshot_.reset(); }

  // No process may have it open, this one neither.
  bool Compact() override {
    counters_.reset();
    data_.reset();
    store_.reset();
    MustBeOk("compact", commy::Compact(path_).status());
    Open();
    return true;
  }
  bool Shrink() override {
    MustBeOk("shrink", store_->ShrinkToUsage().status());
    return true;
  }

 private:
  void Open() {
    store_ = Must("open", Store::Open(path_));
    data_ = Must("namespace", store_->OpenNamespace("data", {.order = order_}));
    counters_ = Must("namespace", store_->OpenNamespace("counters"));
  }
  Answer ReadAt(std::string_view key, const Snapshot* snapshot, Use use) {
    const absl::Status read = data_->ReadWith(key, use, {.snapshot = snapshot});
    if (!read.ok() && !absl::IsNotFound(read)) [[unlikely]] {
      bench::Die("read", read.ToString());
    }
    return read.ok() ? Answer::kYes : Answer::kNo;
  }

  const std::string path_;
  const Order order_;
  std::optional<Store> store_;  // Empty during a compaction, as are the namespaces.
  std::optional<Namespace> data_;
  std::optional<Namespace> counters_;
  std::optional<Snapshot> snapshot_;
};

}  // namespace

EngineInfo CommyEngine() {
  EngineInfo info;
  info.name = "Commy";
  info.version = std::string(Version());
  info.has_many = true;
  info.setting =
      "hash namespace, default options; `ReadWith`, `Put`, `Delete`, `Add`, `Write`, `Transact`";
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
