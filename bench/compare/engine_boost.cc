// Boost.Interprocess: an unordered_map of fixed-size structs in a managed_mapped_file, with the
// lock that its users add. Also that file's allocator.
#include <array>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/unordered_map.hpp>
#include <boost/version.hpp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine.h"
#include "support/keys.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

namespace ipc = boost::interprocess;

// The file does not grow while it is in use; it is sparse.
constexpr std::uint64_t kFileBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kFileBytesPerKey = 512;

using Key = std::array<char, bench::kKeyBytes>;
using Value = std::array<char, bench::kValueBytes>;
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<std::string_view>()(std::string_view(key.data(), key.size()));
  }
};
using File = ipc::managed_mapped_file;
using MapAllocator = ipc::allocator<std::pair<const Key, Value>, File::segment_manager>;
using Map = boost::unordered_map<Key, Value, KeyHash, std::equal_to<>, MapAllocator>;
using Mutex = ipc::interprocess_sharable_mutex;

Key ToKey(std::string_view text) {
  Key key;
  std::memcpy(key.data(), text.data(), key.size());
  return key;
}

class BoostMap : public Engine {
 public:
  explicit BoostMap(const Place& place) : place_(place) { Open(); }

  Answer Read(std::string_view key, Use use) override {
    const ipc::sharable_lock<Mutex> lock(*mutex_);
    const auto found = map_->find(ToKey(key));
    if (found == map_->end()) {
      return Answer::kNo;
    }
    use(std::string_view(found->second.data(), found->second.size()));
    return Answer::kYes;
  }
  void Put(std::string_view key, std::string_view value) override {
    const ipc::scoped_lock<Mutex> lock(*mutex_);
    std::memcpy((*map_)[ToKey(key)].data(), value.data(), bench::kValueBytes);
  }
  Answer Delete(std::string_view key) override {
    const ipc::scoped_lock<Mutex> lock(*mutex_);
    return map_->erase(ToKey(key)) == 1 ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    const ipc::scoped_lock<ipc::interprocess_mutex> lock(*counter_mutex_);
    *counter_ += delta;
    return *counter_;
  }
  bool Compact() override {
    file_.reset();
    if (!File::shrink_to_fit(Path().c_str())) {
      bench::Die("shrink_to_fit", Path());
    }
    Open();
    return true;
  }

 private:
  [[nodiscard]] std::string Path() const { return place_.folder + "/store.boost"; }
  void Open() {
    file_.emplace(ipc::open_or_create, Path().c_str(), kFileBytes + place_.keys * kFileBytesPerKey);
    mutex_ = file_->find_or_construct<Mutex>("mutex")();
    counter_mutex_ = file_->find_or_construct<ipc::interprocess_mutex>("counter mutex")();
    counter_ = file_->find_or_construct<std::int64_t>("counter")(0);
    map_ = file_->find_or_construct<Map>("map")(place_.keys, KeyHash(), std::equal_to<>(),
                                                MapAllocator(file_->get_segment_manager()));
  }

  const Place place_;
  std::optional<File> file_;
  Mutex* mutex_ = nullptr;
  Map* map_ = nullptr;
  ipc::interprocess_mutex* counter_mutex_ = nullptr;
  std::int64_t* counter_ = nullptr;
};

class BoostBlocks : public Heap {
 public:
  explicit BoostBlocks(const Place& place)
      : file_(ipc::open_or_create, (place.folder + "/heap.boost").c_str(), kFileBytes) {}
  char* Allocate(std::uint64_t size_bytes) override {
    return static_cast<char*>(file_.allocate(size_bytes));
  }
  void Free(char* block) override { file_.deallocate(block); }

 private:
  File file_;
};

}  // namespace

EngineInfo BoostEngine() {
  EngineInfo info;
  info.name = "Boost.Interprocess";
  info.version = BOOST_LIB_VERSION;
  info.fixed_sizes = true;
  info.setting =
      "`boost::unordered_map` of fixed-size keys and values, its buckets reserved, in a "
      "`managed_mapped_file`, behind an `interprocess_sharable_mutex`; counter: an integer behind "
      "an `interprocess_mutex`";
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<BoostMap>(place);
  };
  return info;
}

HeapInfo BoostHeap() {
  HeapInfo info;
  info.name = "Boost.Interprocess";
  info.version = BOOST_LIB_VERSION;
  info.setting = "`managed_mapped_file`, `allocate` and `deallocate`";
  info.open = [](const Place& place) -> std::unique_ptr<Heap> {
    return std::make_unique<BoostBlocks>(place);
  };
  return info;
}

}  // namespace commy::compare
