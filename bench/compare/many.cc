// The measured steps of one worker with many keys at once: transactions, batches, snapshots.
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine.h"
#include "measure.h"
#include "support/keys.h"
#include "support/scratch.h"
#include "values.h"
#include "worker.h"

namespace commy::compare {
namespace {

using bench::KeyList;

constexpr std::uint32_t kTransactionSeed = 21;
constexpr std::uint32_t kBatchSeed = 22;
constexpr std::uint32_t kHeldSeed = 23;

std::uint64_t StampRead(std::string_view key, std::optional<std::uint64_t> stamp) {
  if (!stamp.has_value()) [[unlikely]] {
    bench::Die(key, "is not there or has a wrong value");
  }
  return *stamp;
}

std::uint64_t StampNow(Engine& engine, std::string_view key) {
  std::optional<std::uint64_t> stamp;
  (void)engine.Read(key, [&](std::string_view value) { stamp = ValueMaker::StampOf(key, value); });
  return StampRead(key, stamp);
}

std::uint64_t StampThen(Engine& engine, std::string_view key) {
  std::optional<std::uint64_t> stamp;
  (void)engine.ReadThen(key,
                        [&](std::string_view value) { stamp = ValueMaker::StampOf(key, value); });
  return StampRead(key, stamp);
}

// Some keys of a list, and the stamps that they had.
class Samples {
 public:
  Samples(Engine& engine, const KeyList& keys) : keys_(keys) {
    for (std::uint64_t i = 0; i < keys.size(); i += 1 + keys.size() / 1000) {
      stamps_.push_back({i, StampNow(engine, keys[i])});
    }
  }

  // Compares the stamps; `expected` maps a key's place in the list and its old stamp to the new
  // one.
  template <typename StampOf, typename Expected>
  void Check(StampOf stamp_of, Expected expected) const {
    for (const auto& [place, stamp] : stamps_) {
      if (stamp_of(keys_[place]) != expected(place, stamp)) {
        bench::Die(keys_[place], "does not have the value that it should have");
      }
    }
  }

 private:
  struct Sample {
    std::uint64_t place;
    std::uint64_t stamp;
  };
  const KeyList& keys_;
  std::vector<Sample> stamps_;
};

// A transaction on two keys that increments the stamp of each.
void MeasureTransactions(Engine& engine, const Scale& scale) {
  KeyList keys(0, scale.keys, kTransactionSeed);
  const Samples samples(engine, keys);
  ValueMaker maker;
  const auto change = [&](std::string_view key, std::string_view value) {
    return maker.For(key, StampRead(key, ValueMaker::StampOf(key, value)) + 1);
  };
  Begin("txn_2");
  const Measured measured = Repeat({scale.row}, [&] {
    const std::string_view one = keys.Next();
    engine.UpdateAll(std::array<std::string_view, 2>{one, keys.Next()}, change);
  });
  const std::uint64_t writes = 2 * measured.done;
  samples.Check([&](std::string_view key) { return StampNow(engine, key); },
                [&](std::uint64_t place, std::uint64_t stamp) {
                  return stamp + writes / keys.size() + (place < writes % keys.size() ? 1 : 0);
                });
  Result("txn_2", measured.per_second);
}

void MeasureBatches(Engine& engine, const Scale& scale) {
  constexpr std::uint64_t kBatch = 1000;
  constexpr std::uint64_t kStamp = 1U << 20U;
  KeyList keys(0, scale.keys, kBatchSeed);
  const Samples samples(engine, keys);
  std::vector<ValueMaker> makers(kBatch);
  std::vector<KeyValue> entries(kBatch);
  Begin("batch_1000");
  const Measured measured = Repeat({.time = scale.row, .stride = 1}, [&] {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      const std::string_view key = keys.Next();
      entries[i] = {key, makers[i].For(key, kStamp)};
    }
    engine.PutAll(entries);
  });
  const std::uint64_t writes = kBatch * measured.done;
  samples.Check(
      [&](std::string_view key) { return StampNow(engine, key); },
      [&](std::uint64_t place, std::uint64_t stamp) { return place < writes ? kStamp : stamp; });
  Result("batch_1000", static_cast<double>(kBatch) * measured.per_second);
}

// One key at a time, while a held snapshot still sees the old values.
void MeasureHeld(Engine& engine, const Scale& scale) {
  constexpr std::uint64_t kStamp = 1U << 21U;
  KeyList keys(0, scale.keys, kHeldSeed);
  const Samples samples(engine, keys);
  ValueMaker maker;
  engine.TakeSnapshot();
  Begin("held_overwrite");
  const Measured measured = Repeat({scale.row}, [&] {
    const std::string_view key = keys.Next();
    engine.Put(key, maker.For(key, kStamp));
  });
  samples.Check([&](std::string_view key) { return StampThen(engine, key); },
                [](std::uint64_t /*place*/, std::uint64_t stamp) { return stamp; });
  engine.DropSnapshot();
  samples.Check([&](std::string_view key) { return StampNow(engine, key); },
                [&](std::uint64_t place, std::uint64_t stamp) {
                  return place < measured.done ? kStamp : stamp;
                });
  Result("held_overwrite", measured.per_second);
}

}  // namespace

void UseMany(Engine& engine, const Scale& scale) {
  if (engine.HasTransactions()) {
    MeasureTransactions(engine, scale);
  }
  if (engine.HasBatches()) {
    MeasureBatches(engine, scale);
  }
  if (engine.HasSnapshots()) {
    MeasureHeld(engine, scale);
  }
}

}  // namespace commy::compare
