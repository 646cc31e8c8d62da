// The calls of the kill and stop harness, made twice: on a store, and on a model of it.
//
// A step is one call. `real` makes it on a store and tells its outcome in a word; `ideal` does the
// same to a model of the store. A run is right if the model answers every step as the store did, in
// some order of the steps that keeps the order of each participant. A step that a killed
// participant had not ended may be in that order or not; each other step is in it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "commy/store.h"
#include "crash/actor.h"
#include "crash/model.h"

namespace commy::test {

inline constexpr std::uint64_t kA = 1;  // Ids of the namespaces that every prepared store has.
inline constexpr std::uint64_t kB = 2;

struct Step {
  std::string name;
  std::function<std::string(Actor&)> real;
  std::function<std::string(Model&)> ideal;
  // A second allowed effect, where the API promises less; see DropNs.
  std::function<std::string(Model&)> also = nullptr;
};

// --- The outcome of a call, in a word ----------------------------------------------------------

std::string Word(const absl::Status& status);
std::string Word(const absl::StatusOr<bool>& answer);
std::string Word(const absl::StatusOr<std::string>& value);
template <typename Number>
std::string WordOfNumber(const absl::StatusOr<Number>& value) {
  return value.ok() ? absl::StrCat(*value) : Word(value.status());
}

// --- Makers of steps ---------------------------------------------------------------------------

using Keys = ModelKeys::Map;

// A step on the keys of one namespace. `ideal` gets these keys. Both answer "no namespace" in its
// place if the namespace is gone.
Step OnKeys(std::string name, std::uint64_t id, std::function<std::string(const Namespace&)> real,
            std::function<std::string(Keys&)> ideal);
// A step that changes nothing in a model.
Step Unseen(std::string name, std::function<absl::Status(Actor&)> run);

// --- Keys (steps/keys.cc) ----------------------------------------------------------------------

// The value at a length of which only few fit into a span: so blocks are soon used again, if
// anything allows it.
std::string Padded(std::string value);

Step Put(std::uint64_t id, const std::string& key, const std::string& value);
// With a time to live that is over at once: it leaves a record, but no key.
Step PutExpired(std::uint64_t id, const std::string& key);
Step Delete(std::uint64_t id, const std::string& key);
Step Get(std::uint64_t id, const std::string& key);
Step PutIfAbsent(std::uint64_t id, const std::string& key, const std::string& value);
Step CompareAndSwap(std::uint64_t id, const std::string& key, const std::string& expected,
                    const std::string& desired);
Step Add(std::uint64_t id, const std::string& key, std::int64_t delta);
Step Update(std::uint64_t id, const std::string& key, const std::string& suffix);
// Scans part of "a" in reverse order of keys.
Step ScanBack();

// --- Waiting (steps/waiting.cc) ----------------------------------------------------------------

Step GetOrWait(std::uint64_t id, const std::string& key);
// The model has no answer to whether anything has changed.
Step WaitForChange(std::uint64_t id);

// --- Namespaces (steps/namespaces.cc) ----------------------------------------------------------

Step Clear(std::uint64_t id);
// A time to live of which nothing expires during the run.
Step SetDefaultTtl(std::uint64_t id);
Step CreateNs(const std::string& path, std::optional<Order> order = std::nullopt);
// A drop affects the namespace that it finds at the path when it begins, even if that namespace is
// renamed meanwhile; `id`, if not 0, is that namespace.
Step DropNs(const std::string& path, std::uint64_t id = 0);
Step RenameNs(const std::string& from, const std::string& to);
Step ListNs();

// --- Types, counters, loans (steps/typed.cc) --------------------------------------------------

// Opens a namespace of that type, and creates it.
Step CreateTyped(const std::string& path, const std::string& type);
// Opens a namespace of a type with fewer fields.
Step Lengthen(const std::string& path, const std::string& type);
// The namespace that it finds at the path when it begins gets the type, even if that namespace is
// renamed meanwhile; `id` is that namespace.
Step Adopt(const std::string& path, const std::string& type, std::uint64_t id);
Step CounterAdd(const std::string& path, std::int64_t delta);
Step CounterReset(const std::string& path);
Step PutByLoan(std::uint64_t id, const std::string& key, const std::string& value);
// Takes a loan and drops it.
Step DropLoan(std::uint64_t id, const std::string& key, const std::string& value);

// --- Vectors of i64 (steps/vectors.cc) ---------------------------------------------------------

Step CreateVec(const std::string& path);
Step VecPush(const std::string& path, bool back, std::int64_t value);
Step VecPop(const std::string& path, bool back);
Step VecSet(const std::string& path, std::uint64_t index, std::int64_t value);
Step VecInsert(const std::string& path, std::uint64_t index, std::int64_t value);
Step VecErase(const std::string& path, std::uint64_t from, std::uint64_t count);
Step VecClear(const std::string& path);
// An edit of an insertion, an erasure and pushes, from the beginning again until it is published.
Step VecEditAndPublish(const std::string& path);
// A push, and a put of a key of "a", in one transaction.
Step VecTransact(const std::string& path, std::int64_t value, const std::string& key);

// --- Snapshots, by numbers that the tests give them (steps/snapshots.cc) -----------------------

Step TakeSnapshot(int number);
Step ReleaseSnapshot(int number);
// All keys of a namespace in the snapshot.
Step ContentAt(int number, std::uint64_t id);
// Takes a snapshot, puts the key, and reads the key again by the snapshot, which must not change.
Step SnapshotRound(const std::string& key);

// --- Everything (steps/content.cc) -------------------------------------------------------------

// Every namespace with every key, as of one moment. Sizes only while nothing is in flight: a key is
// counted a moment after it becomes visible.
Step Content(bool sizes);

}  // namespace commy::test
