#include "crash/preparer.h"

#include <array>
#include <random>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "index/tree/layout.h"
#include "platform/linux_platform.h"

namespace commy::test {
namespace {

class SeededPlatform final : public platform::LinuxPlatform {
 public:
  explicit SeededPlatform(std::uint64_t seed) : random_(seed) {}
  void RandomBytes(void* buffer, std::size_t size_bytes) override {
    for (std::size_t i = 0; i < size_bytes; ++i) {
      static_cast<unsigned char*>(buffer)[i] = static_cast<unsigned char>(random_());
    }
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace

Preparer::Preparer(std::string path, std::uint64_t seed, Order order, std::uint64_t max_bytes)
    : path_(std::move(path)), actor_(path_) {
  (void)unlink(path_.c_str());
  SeededPlatform platform(seed);
  Options options = CrashOptions();
  options.max_size = max_bytes == 0 ? options.max_size : max_bytes;
  COMMY_CHECK(api::Open(platform, path_, options).ok());
  Attach();
  Do(CreateNs("a", order));
  Do(CreateNs("b"));
  Attach();
  Do(Put(kA, "k", Padded("before")));
  Do(Put(kA, "n", "41"));
  Do(Put(kB, "x", "1"));
  Do(Put(kB, "y", "2"));
}

void Preparer::Do(const Step& step) {
  const std::string result = step.real(actor_);
  COMMY_CHECK(result == step.ideal(model_));
}

void Preparer::FillStore() {
  for (int i = 0;; ++i) {
    const Step put = Put(kB, absl::StrCat("full", i), Padded("full"));
    if (put.real(actor_) != "ok") {
      return;
    }
    (void)put.ideal(model_);
  }
}

void Preparer::DoInThread(const std::vector<Step>& steps) {
  std::thread([&] {
    for (const Step& step : steps) {
      Do(step);
    }
  }).join();
}

Prepared Preparer::Finish(const std::string& key) {
  COMMY_CHECK(actor_.Close().ok());
  Prepared prepared{std::string(), model_, key};
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; (got = read(fd, piece.data(), piece.size())) > 0;) {
    prepared.image.append(piece.data(), static_cast<std::size_t>(got));
  }
  (void)close(fd);
  return prepared;
}

Preparer::Shape Preparer::ShapeFor(const std::string& key) {
  region::Region& region = actor_.inside().region;
  auto& catalog = actor_.inside().catalog;
  auto* const object = region.At<namespaces::NamespaceObject>(catalog.Find("a").value());
  auto* const root = region.At<index::IndexRoot>(object->root.load(std::memory_order_acquire));
  const std::uint64_t place = root->directory.load(std::memory_order_acquire);
  auto* const directory = region.At<index::Directory>(place);
  Shape shape;
  shape.directory_depth = directory->depth;
  const std::uint64_t hash = actor_.inside().map.Hash(key);
  shape.upper = hash >> 63U != 0;
  auto* const entries = region.At<base::Shared64>(place + sizeof(index::Directory));
  auto* const segment = region.At<index::Segment>(
      entries[index::DirectoryIndex(hash, directory->depth)].load(std::memory_order_acquire));
  shape.segment_depth = segment->depth;
  shape.bucket = index::BucketIndex(hash, segment->bucket_count);
  const auto* const slots =
      reinterpret_cast<const base::Shared64*>(segment + 1) + shape.bucket * index::kSlotsPerBucket;
  for (std::uint64_t i = 0; i < index::kSlotsPerBucket; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    shape.taken += index::SlotIsEmpty(word) ? 0 : 1;
    shape.dead += index::SlotIsClosed(word) ? 1 : 0;
  }
  return shape;
}

Preparer::TreeShape Preparer::LastLeaf() {
  region::Region& region = actor_.inside().region;
  auto* const object =
      region.At<namespaces::NamespaceObject>(actor_.inside().catalog.Find("a").value());
  auto* const root = region.At<index::IndexRoot>(object->root.load(std::memory_order_acquire));
  TreeShape shape;
  std::uint64_t offset = root->directory.load(std::memory_order_acquire);
  auto* head = region.At<index::NodeHead>(offset);
  for (; head->level > 0; head = region.At<index::NodeHead>(offset)) {
    shape.children.push_back(head->capacity);
    const auto* const words = reinterpret_cast<const base::Shared64*>(
        reinterpret_cast<const index::InnerNode*>(head) + 1);
    offset = words[3 * head->capacity - 1].load(std::memory_order_acquire);
  }
  const auto* const leaf = reinterpret_cast<const index::Leaf*>(head);
  const auto* const slots = reinterpret_cast<const base::Shared64*>(leaf + 1) + head->capacity;
  for (std::uint64_t i = 0; i < head->capacity + leaf->append; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);
    shape.free += i >= head->capacity && index::SlotIsEmpty(word) ? 1 : 0;
    shape.live += index::SlotIsEmpty(word) || index::SlotIsClosed(word) ? 0 : 1;
  }
  return shape;
}

void Preparer::Attach() {
  COMMY_CHECK(actor_.Close().ok());
  COMMY_CHECK(actor_.Attach(model_, true).ok());
}

}  // namespace commy::test
