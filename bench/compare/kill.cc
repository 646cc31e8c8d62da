// A writer is killed by SIGKILL during a write: that writer, and its successor.
//
// Both map the log, a file. For each key it holds the version that the writer began last and the
// one acknowledged last. Version v of a key is a deletion if v is a multiple of 4, else a value
// with stamp v. After a kill each key may show the acknowledged version or the begun one.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"
#include "support/keys.h"
#include "support/scratch.h"
#include "values.h"
#include "worker.h"

namespace commy::compare {
namespace {

constexpr std::uint64_t kKeys = 1000;
constexpr std::uint32_t kSeed = 5;

struct Versions {
  std::uint32_t begun;
  std::uint32_t acknowledged;
};
using Log = std::array<Versions, kKeys>;

// Stays mapped until the process ends.
Log& MapLog(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(Log)) != 0) {
    bench::Die(path, "cannot make the log");
  }
  void* const bytes = ::mmap(nullptr, sizeof(Log), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (bytes == MAP_FAILED) {
    bench::Die(path, "cannot map the log");
  }
  return *static_cast<Log*>(bytes);
}

bool IsDeletion(std::uint32_t version) {
  return version % 4 == 0;
}

void Write(Engine& engine, std::string_view key, std::uint32_t version) {
  if (IsDeletion(version)) {
    (void)engine.Delete(key);
  } else {
    ValueMaker value;
    engine.Put(key, value.For(key, version));
  }
}

// Writes the next version of a key, and records it in the log before and after.
void Advance(Engine& engine, std::string_view key, Versions& versions) {
  const std::uint32_t version = versions.acknowledged + 1;
  std::atomic_ref(versions.begun).store(version, std::memory_order_release);
  Write(engine, key, version);
  std::atomic_ref(versions.acknowledged).store(version, std::memory_order_release);
}

enum class Found : std::uint8_t { kRight, kLost, kTorn };

Found Look(Engine& engine, std::string_view key, const Versions& versions) {
  bool whole = true;
  std::uint64_t stamp = 0;
  const Answer found = engine.Read(key, [&](std::string_view value) {
    const auto read = ValueMaker::StampOf(key, value);
    whole = read.has_value();
    stamp = read.value_or(0);
  });
  if (!whole) {
    return Found::kTorn;
  }
  const auto shows = [&](std::uint32_t version) {
    return found == Answer::kNo ? IsDeletion(version) : !IsDeletion(version) && stamp == version;
  };
  return shows(versions.acknowledged) || shows(versions.begun) ? Found::kRight : Found::kLost;
}

}  // namespace

void PrepareKill(Engine& engine, const std::string& log) {
  const bench::KeyList keys(0, kKeys, kSeed);
  Log& versions = MapLog(log);
  versions.fill(Versions{0, 0});
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    Advance(engine, keys[i], versions[i]);
  }
}

void WriteUntilKilled(Engine& engine, const std::string& log) {
  const bench::KeyList keys(0, kKeys, kSeed);
  Log& versions = MapLog(log);
  std::minstd_rand random(static_cast<std::uint32_t>(::getpid()));
  std::puts("ready");
  (void)std::fflush(stdout);
  while (true) {
    const std::uint64_t i = (random() >> 4U) % kKeys;
    Advance(engine, keys[i], versions[i]);
  }
}

void CheckAfterKill(Engine& engine, const std::string& log) {
  const bench::KeyList keys(0, kKeys, kSeed);
  Log& versions = MapLog(log);
  std::uint64_t lost = 0;
  std::uint64_t torn = 0;
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    const Found found = Look(engine, keys[i], versions[i]);
    lost += found == Found::kLost ? 1 : 0;
    torn += found == Found::kTorn ? 1 : 0;
  }
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    versions[i].acknowledged = versions[i].begun;
    Advance(engine, keys[i], versions[i]);
    if (Look(engine, keys[i], versions[i]) != Found::kRight) {
      bench::Die(keys[i], "cannot be written after a writer was killed");
    }
  }
  Result("kill_lost", static_cast<double>(lost));
  Result("kill_torn", static_cast<double>(torn));
}

}  // namespace commy::compare
