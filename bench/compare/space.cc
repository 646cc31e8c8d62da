// The measured step of one worker that deletes most of what it has put: the space that is left, and
// what it takes to give it back.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "scale.h"
#include "support/scratch.h"
#include "worker.h"

namespace commy::compare {
namespace {

using Numbers = std::vector<std::uint64_t>;

constexpr std::uint64_t kBulk = 1000;  // Operations between BeginBulk and EndBulk.
constexpr std::uint64_t kSamples = 1000;
constexpr int kKeysInValue = 10;  // A value is its key so many times.

std::string KeyOf(std::uint64_t number) {
  return std::to_string(1'000'000'000 + number);
}

std::string ValueOf(std::string_view key) {
  std::string value;
  for (int i = 0; i < kKeysInValue; ++i) {
    value += key;
  }
  return value;
}

Numbers Shuffled(std::uint64_t count, std::uint32_t seed) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(seed));
  return numbers;
}

template <typename Use>
void InBulk(Engine& engine, const Numbers& numbers, const Use& use) {
  for (std::uint64_t i = 0; i < numbers.size(); ++i) {
    if (i % kBulk == 0) {
      engine.BeginBulk();
    }
    use(KeyOf(numbers[i]));
    if (i % kBulk == kBulk - 1 || i == numbers.size() - 1) {
      engine.EndBulk();
    }
  }
  engine.Settle();
}

// Some of those that are left have their values, some of those deleted are not there.
void Verify(Engine& engine, const Numbers& left, const Numbers& deleted) {
  for (std::uint64_t i = 0; i < left.size(); i += 1 + left.size() / kSamples) {
    const std::string key = KeyOf(left[i]);
    bool right = false;
    (void)engine.Read(key, [&](std::string_view value) { right = value == ValueOf(key); });
    if (!right) {
      bench::Die(key, "is not there or has a wrong value");
    }
  }
  for (std::uint64_t i = 0; i < deleted.size(); i += 1 + deleted.size() / kSamples) {
    if (engine.Read(KeyOf(deleted[i]), [](std::string_view) {}) == Answer::kYes) {
      bench::Die(KeyOf(deleted[i]), "is there, and was deleted");
    }
  }
}

double BytesEach(Engine& engine, const Place& place, std::uint64_t keys) {
  SyncFiles();
  const std::uint64_t bytes = engine.MemoryBytes().value_or(DiskBytes(place.folder));
  return static_cast<double>(bytes) / static_cast<double>(keys);
}

template <typename Work>
double Seconds(const Work& work, bool* done) {
  const Clock::time_point start = Clock::now();
  *done = work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void MeasureSpace(Engine& engine, const Place& place) {
  Begin("space_loaded");
  InBulk(engine, Shuffled(place.keys, kFillSeed),
         [&](const std::string& key) { engine.Put(key, ValueOf(key)); });
  Result("space_loaded", BytesEach(engine, place, place.keys));

  Numbers deleted = Shuffled(place.keys, kDropSeed);
  const Numbers left(deleted.begin(), deleted.begin() + static_cast<std::int64_t>(place.keys / 10));
  deleted.erase(deleted.begin(), deleted.begin() + static_cast<std::int64_t>(left.size()));
  Begin("space_thinned");
  InBulk(engine, deleted, [&](const std::string& key) { (void)engine.Delete(key); });
  Result("space_thinned", BytesEach(engine, place, left.size()));

  bool done = false;
  Begin("space_shrunk");
  if (const double seconds = Seconds([&] { return engine.Shrink(); }, &done); done) {
    Verify(engine, left, deleted);
    Result("space_shrunk", BytesEach(engine, place, left.size()));
    Result("space_shrink_s", seconds);
  }
  if (engine.MemoryBytes().has_value()) {
    return;  // Its compaction is one of its log.
  }
  Begin("space_compacted");
  if (const double seconds = Seconds([&] { return engine.Compact(); }, &done); done) {
    Verify(engine, left, deleted);
    const double bytes = BytesEach(engine, place, left.size());
    Result("space_compacted", bytes);
    Result("space_compact_s", seconds);
    if (engine.CompactsWhileInUse()) {
      Result("space_shrunk", bytes);
      Result("space_shrink_s", seconds);
    }
  }
}

}  // namespace commy::compare
