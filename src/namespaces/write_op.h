// A write of one key, as a value: the wanted change, evaluated against the present record each time
// that it has to be decided anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"

#include "versions/record.h"

namespace commy::namespaces {

// The decision on a key.
struct Decision {
  enum class Kind : std::uint8_t { kKeep, kPut, kDelete };
  Kind kind = Kind::kKeep;
  std::string_view value;
  std::int64_t expiry_ns = 0;
  bool buffer_reused = false;  // The same bytes may hold another value at the next call.
  bool frees = false;          // Of a put: as a delete, it may have the last space of a full store.
};

// Called with the live record, or null, each time that it has to be decided anew. Must not use the
// store.
using Compute = absl::FunctionRef<Decision(const versions::RecordView* live)>;

struct WriteOp {
  enum class Kind : std::uint8_t {
    kPut,
    kDelete,
    kPutIfAbsent,
    kSwap,           // Put or delete, if the value is `expected` (nullopt: if the key is absent).
    kIfVersion,      // Put or delete, if the version is the one with `seen_commit` (0: none).
    kDeleteExpired,  // Delete, if it has expired.
    kCompute,        // As `compute` decides.
  };

  Kind kind = Kind::kPut;
  bool deletes = false;  // kSwap and kIfVersion delete, if the condition holds; else they put.
  std::string_view key{};
  std::string_view value{};
  std::int64_t expiry_ns = 0;  // Of the new record; versions::kExpiryByDefault.
  std::optional<std::string_view> expected{};
  std::uint64_t seen_commit = 0;
  const Compute* compute = nullptr;
  bool frees = false;  // Of kCompute: its puts may have the last space of a full store.

  // Whether it makes room: it is tried more often in a full store.
  [[nodiscard]] bool makes_room() const {
    return frees || kind == Kind::kDelete || kind == Kind::kDeleteExpired;
  }
};

struct WriteOutcome {
  bool changed = false;
  bool existed = false;  // A live record was there before.
  bool matched = false;  // The condition held.
};

// The decision of `op` on a key whose newest version is `view`; `live`: it counts.
Decision Decide(const WriteOp& op, const versions::RecordView& view, bool live, bool* matched);

}  // namespace commy::namespaces
