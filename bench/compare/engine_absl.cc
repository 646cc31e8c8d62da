// Two bounds: maps in the memory of one process, behind a readers-writer lock. They share nothing
// with other processes and survive nothing.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"

#include "engine.h"
#include "support/keys.h"

namespace commy::compare {
namespace {

// As a program would store values of known size: in the map itself.
struct Key {
  explicit Key(std::string_view text) { std::memcpy(bytes.data(), text.data(), bytes.size()); }
  std::array<char, bench::kKeyBytes> bytes{};

  friend bool operator==(const Key& a, const Key& b) { return a.bytes == b.bytes; }
  friend bool operator<(const Key& a, const Key& b) {
    return std::memcmp(a.bytes.data(), b.bytes.data(), bench::kKeyBytes) < 0;
  }
  template <typename H>
  friend H AbslHashValue(H state, const Key& key) {
    return H::combine_contiguous(std::move(state), key.bytes.data(), key.bytes.size());
  }
};
using Value = std::array<char, bench::kValueBytes>;

template <typename Map>
class LockedMap : public Engine {
 public:
  Answer Read(std::string_view key, Use use) override {
    const std::shared_lock lock(mutex_);
    const auto found = map_.find(Key(key));
    if (found == map_.end()) {
      return Answer::kNo;
    }
    use(std::string_view(found->second.data(), found->second.size()));
    return Answer::kYes;
  }
  void Put(std::string_view key, std::string_view value) override {
    const std::unique_lock lock(mutex_);
    std::memcpy(map_[Key(key)].data(), value.data(), bench::kValueBytes);
  }
  [[nodiscard]] bool HasOrder() const override {
    return requires(Map map, Key key) {
      map.lower_bound(key);
    };
  }
  void Scan(std::string_view from, std::uint64_t limit, UseEntry use) override {
    if constexpr (requires(Map map, Key key) { map.lower_bound(key); }) {
      const std::shared_lock lock(mutex_);
      auto at = map_.lower_bound(Key(from));
      for (std::uint64_t count = 0; count < limit && at != map_.end(); ++count, ++at) {
        use({at->first.bytes.data(), at->first.bytes.size()},
            {at->second.data(), at->second.size()});
      }
    }
  }
  // Under one lock.
  [[nodiscard]] bool HasBatches() const override { return true; }
  void PutAll(std::span<const KeyValue> entries) override {
    const std::unique_lock lock(mutex_);
    for (const KeyValue& entry : entries) {
      std::memcpy(map_[Key(entry.key)].data(), entry.value.data(), bench::kValueBytes);
    }
  }
  [[nodiscard]] bool HasTransactions() const override { return true; }
  void UpdateAll(std::span<const std::string_view> keys, Change change) override {
    const std::unique_lock lock(mutex_);
    for (const std::string_view key : keys) {
      Value& value = map_[Key(key)];
      const std::string_view changed = change(key, std::string_view(value.data(), value.size()));
      std::memcpy(value.data(), changed.data(), bench::kValueBytes);
    }
  }
  Answer Delete(std::string_view key) override {
    const std::unique_lock lock(mutex_);
    const auto found = map_.find(Key(key));
    if (found == map_.end()) {
      return Answer::kNo;
    }
    map_.erase(found);
    return Answer::kYes;
  }
  std::int64_t Add(std::int64_t delta) override {
    const std::unique_lock lock(mutex_);
    counter_ += delta;
    return counter_;
  }

 private:
  std::shared_mutex mutex_;
  Map map_;
  std::int64_t counter_ = 0;
};

using FlatMap = absl::flat_hash_map<Key, Value>;
using BtreeMap = absl::btree_map<Key, Value>;

template <typename Map>
EngineInfo Bound(std::string name) {
  EngineInfo info;
  info.name = std::move(name);
  info.has_many = true;
  info.setting =
      "bound: fixed-size keys and values in private memory behind a `std::shared_mutex`; counter: "
      "an integer behind it; two workers are threads";
  info.sharing = Sharing::kThreads;
  info.has_file = false;
  info.open = [](const Place&) -> std::unique_ptr<Engine> {
    return std::make_unique<LockedMap<Map>>();
  };
  return info;
}

}  // namespace

EngineInfo FlatHashMapEngine() {
  return Bound<FlatMap>("absl::flat_hash_map");
}
EngineInfo BtreeMapEngine() {
  return Bound<BtreeMap>("absl::btree_map");
}

}  // namespace commy::compare
