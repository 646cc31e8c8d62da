// The interface of a store in the comparison: one small interface, one file for each engine.
//
// An engine does each operation as its documentation recommends for the promise that all of them
// give here: an acknowledged change survives the death of the process, and nothing is flushed to
// disk for a commit. `EngineInfo::setting` says how, and is printed under the table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace commy::compare {

enum class Answer : std::uint8_t { kNo, kYes };

struct KeyValue {
  std::string_view key;
  std::string_view value;
};

// A store that this process has open. An operation that fails unexpectedly ends the process by
// Die().
class Engine {
 public:
  using Use = absl::FunctionRef<void(std::string_view)>;
  using UseEntry = absl::FunctionRef<void(std::string_view key, std::string_view value)>;
  // The new value of a key that has `value`; valid until the next call.
  using Change = absl::FunctionRef<std::string_view(std::string_view key, std::string_view value)>;

  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  // Calls `use` with the value, in place if the engine can do that. kNo: no such key.
  virtual Answer Read(std::string_view key, Use use) = 0;
  // Inserts or overwrites.
  virtual void Put(std::string_view key, std::string_view value) = 0;
  // kNo: no such key.
  virtual Answer Delete(std::string_view key) = 0;
  // Adds to the one counter that the comparison uses; returns its new value.
  virtual std::int64_t Add(std::int64_t delta) = 0;

  // Whether it keeps its keys in order, and has Scan().
  [[nodiscard]] virtual bool HasOrder() const { return false; }
  // Calls `use` for at most `limit` keys in order, the first not below `from`.
  virtual void Scan(std::string_view /*from*/, std::uint64_t /*limit*/, UseEntry /*use*/) {}

  // Whether it has PutAll(), which other workers see entirely or not at all.
  [[nodiscard]] virtual bool HasBatches() const { return false; }
  virtual void PutAll(std::span<const KeyValue> /*entries*/) {}
  // Whether it has UpdateAll(), which reads and writes all keys in one transaction. No other change
  // of them comes between. The keys must exist.
  [[nodiscard]] virtual bool HasTransactions() const { return false; }
  virtual void UpdateAll(std::span<const std::string_view> /*keys*/, Change /*change*/) {}
  // Whether it has the following: a snapshot of everything, and a read from it. Read() is not
  // called while one is held.
  [[nodiscard]] virtual bool HasSnapshots() const { return false; }
  virtual void TakeSnapshot() {}
  virtual Answer ReadThen(std::string_view /*key*/, Use /*use*/) { return Answer::kNo; }
  virtual void DropSnapshot() {}

  // Between these two, Put and Delete may be acknowledged late; only their speed matters.
  virtual void BeginBulk() {}
  virtual void EndBulk() {}
  // Brings the file to the size that it has at rest.
  virtual void Settle() {}
  // Makes the file small. False: the engine cannot.
  virtual bool Compact() { return false; }
  // Whether others may read and write the store while Compact() runs.
  [[nodiscard]] virtual bool CompactsWhileInUse() const { return false; }
  // Gives space back while others read and write the store. False: the engine cannot, or Compact()
  // is how it does that.
  virtual bool Shrink() { return false; }
  // What it takes in memory instead of on disk. nullopt: it keeps its data in files.
  virtual std::optional<std::uint64_t> MemoryBytes() { return std::nullopt; }
};

// How several workers use one store.
enum class Sharing : std::uint8_t {
  kProcesses,  // Each is a process with the store open.
  kThreads,    // Only one process may have it open; the workers are its threads.
};

struct Place {
  std::string folder;      // Exists; the engine makes its files there.
  std::uint64_t keys = 0;  // For engines that need the number of keys in advance.
};

struct EngineInfo {
  std::string name;
  std::string version;
  std::string setting;
  Sharing sharing = Sharing::kProcesses;
  bool has_file = true;  // False: a bound, in the memory of one process.
  // Whether its engines have batches, transactions or snapshots.
  bool has_many = false;
  // Keys of 16 bytes and values of 100 bytes only.
  bool fixed_sizes = false;
  // The program that has this engine; empty: this one.
  std::string program;
  // Whether a process must keep the store open for its content to stay.
  bool needs_keeper = false;
  std::unique_ptr<Engine> (*open)(const Place&) = nullptr;
  // Opens it for the keeper; null: an open store is enough.
  std::unique_ptr<Engine> (*keep)(const Place&) = nullptr;
};

// Blocks of memory from an allocator, which one process or several may use.
class Heap {
 public:
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  virtual ~Heap() = default;

  // At least `size_bytes` bytes, in this process's address space.
  virtual char* Allocate(std::uint64_t size_bytes) = 0;
  virtual void Free(char* block) = 0;
};

struct HeapInfo {
  std::string name;
  std::string version;
  std::string setting;
  bool shared = true;  // False: memory of one process only.
  std::unique_ptr<Heap> (*open)(const Place&) = nullptr;
};

// The engines that this program was built with, ours first.
const std::vector<EngineInfo>& Engines();
const std::vector<HeapInfo>& Heaps();

EngineInfo CommyEngine();
EngineInfo CommyOrderedEngine();
EngineInfo FlatHashMapEngine();
EngineInfo BtreeMapEngine();
EngineInfo LmdbEngine();
EngineInfo TdbEngine();
EngineInfo BoostEngine();
EngineInfo TkrzwEngine();
EngineInfo SqliteEngine();
EngineInfo RocksdbEngine();
EngineInfo LeveldbEngine();
EngineInfo BerkeleyDbEngine();
EngineInfo RedisEngine();

HeapInfo CommyHeap();
HeapInfo BoostHeap();
HeapInfo GlibcHeap();
HeapInfo MimallocHeap();

}  // namespace commy::compare
