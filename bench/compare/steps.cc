// The measured steps of one worker with one key at a time: most rows of the table.
#include <algorithm>
#include <array>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include "engine.h"
#include "measure.h"
#include "support/keys.h"
#include "support/scratch.h"
#include "values.h"
#include "worker.h"
#include "zipf.h"

namespace commy::compare {
namespace {

using bench::KeyList;

constexpr double kZipfTheta = 0.99;
constexpr std::uint64_t kZipfSeed = 4;
constexpr std::uint64_t kBulk = 1000;  // Operations between BeginBulk and EndBulk.

constexpr std::uint64_t kLoadStamp = 1;

// Keys in turn, from number `next` on.
void PutInBulk(Engine& engine, const KeyList& keys, std::uint64_t next) {
  ValueMaker value;
  while (next < keys.size()) {
    engine.BeginBulk();
    for (const std::uint64_t end = std::min(next + kBulk, keys.size()); next < end; ++next) {
      engine.Put(keys[next], value.For(keys[next], kLoadStamp));
    }
    engine.EndBulk();
  }
}

void ReadWhole(Engine& engine, std::string_view key) {
  bool whole = false;
  const Answer found = engine.Read(
      key, [&](std::string_view value) { whole = ValueMaker::StampOf(key, value).has_value(); });
  if (found == Answer::kNo || !whole) [[unlikely]] {
    bench::Die(key, found == Answer::kNo ? "is not there" : "has a wrong value");
  }
}

void ReadAbsent(Engine& engine, std::string_view key) {
  if (engine.Read(key, [](std::string_view) {}) == Answer::kYes) [[unlikely]] {
    bench::Die(key, "is there, and was never written or was deleted");
  }
}

// Checks that keys just written with one stamp have their values.
void ReadStamp(Engine& engine, std::string_view key, std::uint64_t stamp) {
  bool right = false;
  (void)engine.Read(
      key, [&](std::string_view value) { right = ValueMaker::StampOf(key, value) == stamp; });
  if (!right) {
    bench::Die(key, "does not have the value that was written last");
  }
}

void MeasureReads(Engine& engine, const Scale& scale) {
  KeyList keys(0, scale.keys, kUseSeed);
  Begin("get_hit");
  Result("get_hit", Repeat({scale.row}, [&] { ReadWhole(engine, keys.Next()); }).per_second);
  KeyList absent(scale.keys, scale.keys, kUseSeed);
  Begin("get_miss");
  Result("get_miss", Repeat({scale.row}, [&] { ReadAbsent(engine, absent.Next()); }).per_second);
}

void MeasureOverwrites(Engine& engine, const Scale& scale) {
  constexpr std::uint64_t kStamp = 2;
  KeyList keys(0, scale.keys, kUseSeed);
  ValueMaker value;
  Begin("overwrite");
  const Measured measured = Repeat({scale.row}, [&] {
    const std::string_view key = keys.Next();
    engine.Put(key, value.For(key, kStamp));
  });
  const std::uint64_t written = std::min(measured.done, keys.size());
  for (std::uint64_t i = 0; i < written; i += 1 + written / 1000) {
    ReadStamp(engine, keys[i], kStamp);
  }
  Result("overwrite", measured.per_second);
}

// Verifies each value, and the order of the keys. A scan is short only near the last key.
void MeasureScans(Engine& engine, const Scale& scale) {
  constexpr std::uint64_t kScan = 100;
  KeyList keys(0, scale.keys, kUseSeed);
  std::uint64_t scans = 0;
  std::uint64_t entries = 0;
  std::string last;
  Begin("scan_100");
  const Measured measured = Repeat({scale.row}, [&] {
    const std::string_view from = keys.Next();
    last.clear();
    engine.Scan(from, kScan, [&](std::string_view key, std::string_view value) {
      if (key < from || key <= last || !ValueMaker::StampOf(key, value).has_value()) [[unlikely]] {
        bench::Die(key, "is out of order or has a wrong value");
      }
      last.assign(key);
      ++entries;
    });
    ++scans;
  });
  if (scale.keys >= 20 * kScan && entries < scans * kScan * 9 / 10) {
    bench::Die("scan", "there were too few keys");
  }
  Result("scan_100", measured.per_second);
}

void MeasureYcsb(Engine& engine, const Scale& scale) {
  Zipf zipf(scale.keys, kZipfTheta, kZipfSeed);
  std::vector<std::uint64_t> numbers(scale.keys);
  std::generate(numbers.begin(), numbers.end(), [&] { return zipf.Next(); });
  KeyList keys(numbers);
  ValueMaker value;
  struct Mix {
    const char* row;
    std::uint32_t reads_percent;
  };
  for (const Mix& mix : {Mix{"ycsb_a", 50}, Mix{"ycsb_b", 95}, Mix{"ycsb_c", 100}}) {
    std::minstd_rand random(7);
    Begin(mix.row);
    Result(mix.row, Repeat({scale.row}, [&] {
                      const std::string_view key = keys.Next();
                      if ((random() >> 4U) % 100 < mix.reads_percent) {
                        ReadWhole(engine, key);
                      } else {
                        engine.Put(key, value.For(key, random()));
                      }
                    }).per_second);
  }
}

void MeasureCounter(Engine& engine, const Scale& scale) {
  std::int64_t expected = engine.Add(0);
  Begin("counter_one");
  Result("counter_one", Repeat({scale.row / 2}, [&] {
                          if (engine.Add(1) != ++expected) [[unlikely]] {
                            bench::Die("counter", "lost an addition");
                          }
                        }).per_second);
}

double BytesPerKey(const Place& place, std::uint64_t keys) {
  return static_cast<double>(DiskBytes(place.folder)) / static_cast<double>(keys);
}

}  // namespace

std::uint64_t DiskBytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

std::uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    std::uint64_t kibibytes = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %" SCNu64, &kibibytes) == 1) {
      return kibibytes << 10U;
    }
  }
  return 0;
}

void Load(Engine& engine, const Place& place, const Scale& scale) {
  const KeyList keys(0, scale.keys, kFillSeed);
  ValueMaker value;
  std::uint64_t next = 0;
  const auto put_next = [&] {
    engine.Put(keys[next], value.For(keys[next], kLoadStamp));
    ++next;
  };
  Begin("insert");
  Result("insert", Repeat({scale.row * 2, keys.size()}, put_next).per_second);
  Begin("the rest of the load");
  PutInBulk(engine, keys, next);
  engine.Settle();
  if (!place.folder.empty()) {
    Result("bytes_loaded", BytesPerKey(place, scale.keys));
  }
}

void Fill(Engine& engine, const Scale& scale) {
  Begin("the load");
  PutInBulk(engine, KeyList(0, scale.keys, kFillSeed), 0);
  engine.Settle();
}

void UseAlone(Engine& engine, const Scale& scale) {
  MeasureReads(engine, scale);
  MeasureOverwrites(engine, scale);
  if (engine.HasOrder()) {
    MeasureScans(engine, scale);
  }
  MeasureYcsb(engine, scale);
  MeasureCounter(engine, scale);
}

void Thin(Engine& engine, const Place& place, const Scale& scale) {
  const KeyList keys(0, scale.keys, kDropSeed);
  const std::uint64_t end = keys.size() / 10 * 9;
  std::uint64_t next = 0;
  const auto delete_next = [&] {
    if (engine.Delete(keys[next]) == Answer::kNo) [[unlikely]] {
      bench::Die(keys[next], "was not there to be deleted");
    }
    ++next;
  };
  Begin("delete");
  Result("delete", Repeat({scale.row * 2, end}, delete_next).per_second);
  Begin("the rest of the deletion");
  while (next < end) {
    engine.BeginBulk();
    for (const std::uint64_t stop = std::min(next + kBulk, end); next < stop;) {
      delete_next();
    }
    engine.EndBulk();
  }
  engine.Settle();
  const auto check = [&] {
    for (std::uint64_t i = 0; i < end; i += 101) {
      ReadAbsent(engine, keys[i]);
    }
    for (std::uint64_t i = end; i < keys.size(); ++i) {
      ReadWhole(engine, keys[i]);
    }
  };
  check();
  if (place.folder.empty()) {
    return;
  }
  const std::uint64_t left = keys.size() - end;
  Result("bytes_thinned", BytesPerKey(place, left));
  Begin("compaction");
  if (engine.Compact()) {
    check();
    Result("bytes_compacted", BytesPerKey(place, left));
  }
}

double Work(Engine& engine, const Scale& scale, Role role, std::uint32_t number,
            absl::FunctionRef<void()> await) {
  KeyList keys(0, scale.keys, kUseSeed + 10 + number);
  // Once over everything, so that the pages are mapped; not for ever if the engine is slow.
  if (role != Role::kCounter) {
    (void)Repeat({scale.row, keys.size()}, [&] { ReadWhole(engine, keys.Next()); });
  }
  ValueMaker value;
  std::uint64_t stamp = 1000;
  SyncFiles();
  await();
  switch (role) {
    case Role::kReader:
      return Repeat({scale.row}, [&] { ReadWhole(engine, keys.Next()); }).per_second;
    case Role::kWriter:
      return Repeat({scale.row},
                    [&] {
                      const std::string_view key = keys.Next();
                      engine.Put(key, value.For(key, ++stamp));
                    })
          .per_second;
    case Role::kCounter: {
      std::int64_t last = engine.Add(0);
      return Repeat({scale.row},
                    [&] {
                      const std::int64_t now = engine.Add(1);
                      if (now <= last) [[unlikely]] {
                        bench::Die("counter", "went back");
                      }
                      last = now;
                    })
          .per_second;
    }
  }
  return 0;
}

namespace {

std::array<double, 2> RunTwoThreads(Engine& engine, const Scale& scale, Role first, Role second) {
  std::atomic<int> waiting{2};
  const auto await = [&] {
    waiting.fetch_sub(1);
    while (waiting.load() > 0) {
      std::this_thread::yield();
    }
  };
  std::array<double, 2> rates{};
  std::thread other([&] { rates[1] = Work(engine, scale, second, 1, await); });
  rates[0] = Work(engine, scale, first, 0, await);
  other.join();
  return rates;
}

}  // namespace

double WriteInThreads(Engine& engine, const Scale& scale, std::uint32_t writers) {
  if (writers == 1) {
    return Work(engine, scale, Role::kWriter, 0, [] {});
  }
  const std::array<double, 2> rates = RunTwoThreads(engine, scale, Role::kWriter, Role::kWriter);
  return rates[0] + rates[1];
}

void PairsOfThreads(Engine& engine, const Scale& scale) {
  const auto run = [&](Role first, Role second) {
    return RunTwoThreads(engine, scale, first, second);
  };
  Begin("reader and writer");
  const std::array<double, 2> mixed = run(Role::kReader, Role::kWriter);
  Result("rw_reader", mixed[0]);
  Result("rw_writer", mixed[1]);
  Begin("two_readers");
  const std::array<double, 2> readers = run(Role::kReader, Role::kReader);
  Result("two_readers", readers[0] + readers[1]);
  Begin("two_writers");
  const std::array<double, 2> writers = run(Role::kWriter, Role::kWriter);
  Result("two_writers", writers[0] + writers[1]);
  Begin("counter_two");
  const std::array<double, 2> counters = run(Role::kCounter, Role::kCounter);
  Result("counter_two", counters[0] + counters[1]);
}

double AllocateAndFree(Heap& heap, const Scale& scale, std::uint32_t number,
                       absl::FunctionRef<void()> await) {
  constexpr std::uint64_t kBytesMin = 16;
  constexpr std::uint64_t kBytesMax = 1024;
  constexpr std::size_t kLive = 1024;
  struct Block {
    char* bytes = nullptr;
    std::uint64_t size_bytes = 0;
  };
  std::array<Block, kLive> live{};
  std::minstd_rand random(number + 1);
  const auto mark = [number](std::size_t slot) { return static_cast<char>(slot * 2 + number); };
  const auto renew = [&](std::size_t slot) {
    Block& block = live[slot];
    if (block.bytes != nullptr) {
      if (block.bytes[0] != mark(slot) || block.bytes[block.size_bytes - 1] != mark(slot))
          [[unlikely]] {
        bench::Die("block", "does not hold what was written into it");
      }
      heap.Free(block.bytes);
    }
    block.size_bytes = kBytesMin + (random() >> 4U) % (kBytesMax - kBytesMin + 1);
    block.bytes = heap.Allocate(block.size_bytes);
    block.bytes[0] = mark(slot);
    block.bytes[block.size_bytes - 1] = mark(slot);
  };
  const auto renew_any = [&] { renew((random() >> 4U) % kLive); };
  for (std::size_t slot = 0; slot < kLive; ++slot) {
    renew(slot);
  }
  (void)Repeat({scale.row / 4}, renew_any);  // To a steady state: files have grown.
  await();
  return Repeat({scale.row}, renew_any).per_second;
}

}  // namespace commy::compare
