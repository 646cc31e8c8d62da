// The work of one worker process of the comparison. The driver starts it with a step and a place,
// and reads its standard output line by line:
//
//   begin ROW            it is about to measure ROW
//   result ROW VALUE     it has: operations a second, bytes a key, or milliseconds
//   ready                it waits for a line on standard input
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine.h"
#include "scale.h"

namespace commy::compare {

// Keys of the comparison: numbers [0, keys) exist after the load, [keys, 2 * keys) never do.
inline constexpr std::uint32_t kFillSeed = 1;
inline constexpr std::uint32_t kUseSeed = 2;
inline constexpr std::uint32_t kDropSeed = 3;

// Announces a row, and writes earlier changes to disk if SyncBeforeRows() was called.
void Begin(std::string_view row);
void SyncBeforeRows(const std::string& folder);
void SyncFiles();
void Result(std::string_view row, double value);
// Reports that it is ready and waits for the driver. Ends the process if the driver is gone.
void AwaitGo();

// Steps on one open engine, by one thread.

// Loads all keys: rows insert, bytes_loaded.
void Load(Engine& engine, const Place& place, const Scale& scale);
// Rows get_hit, get_miss, overwrite, scan_100, ycsb_a, ycsb_b, ycsb_c, counter_one; on the keys of
// Load().
void UseAlone(Engine& engine, const Scale& scale);
// Puts all keys, unmeasured.
void Fill(Engine& engine, const Scale& scale);
// Rows txn_2, batch_1000 (keys a second) and held_overwrite, as far as the engine has these; on all
// keys.
void UseMany(Engine& engine, const Scale& scale);
// Deletes nine keys of ten, and compacts: rows delete, bytes_thinned, bytes_compacted.
void Thin(Engine& engine, const Place& place, const Scale& scale);
// Keys of 10 bytes, of which nine of ten are deleted; then the engine's ways to give space back:
// rows space_loaded, space_thinned, and as far as it has them space_shrunk, space_compacted (bytes
// a key that is there), space_shrink_s, space_compact_s (seconds).
void MeasureSpace(Engine& engine, const Place& place);

// Roles of one of two workers on one store.
enum class Role : std::uint8_t { kReader, kWriter, kCounter };
// Plays its part once `await` returns, and returns its operations a second. `number`: 0 or 1.
double Work(Engine& engine, const Scale& scale, Role role, std::uint32_t number,
            absl::FunctionRef<void()> await);
// Two writers, or one, as threads, for the time of a row; operations a second of all.
double WriteInThreads(Engine& engine, const Scale& scale, std::uint32_t writers);
// The pairs, as threads: rows rw_reader, rw_writer, two_readers, two_writers, counter_two.
void PairsOfThreads(Engine& engine, const Scale& scale);

// Allocates and frees blocks of 16 to 1024 bytes; returns pairs of both a second.
double AllocateAndFree(Heap& heap, const Scale& scale, std::uint32_t number,
                       absl::FunctionRef<void()> await);

// A writer that is to be killed. The file `log` records the changes that it began and those
// acknowledged.
void WriteUntilKilled(Engine& engine, const std::string& log);
// Checks every key after that, and writes each. Rows kill_lost, kill_torn: how many keys.
void CheckAfterKill(Engine& engine, const std::string& log);
// Creates the keys of these two steps, and a fresh log.
void PrepareKill(Engine& engine, const std::string& log);

// Bytes on disk of all files in a folder.
std::uint64_t DiskBytes(const std::string& folder);
// Bytes of this process in memory, mapped files included.
std::uint64_t ResidentBytes();

// A worker's main(): `argv` after --worker. Returns the exit status.
int WorkerMain(int argc, char** argv);

}  // namespace commy::compare
