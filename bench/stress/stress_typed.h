// The typed part of the stress job: a map, a set, a box, a counter and loans that all processes
// share.
#pragma once

#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/commy.h"
#include "stress_log.h"

namespace commy::stress {

// The value of a map's key, which says what process made it.
struct Signed {
  std::uint64_t writer = 0;
  std::uint64_t seq = 0;
  std::uint64_t check = 0;
};
COMMY_STRUCT(Signed, "stress.Signed", writer, seq, check);

// The value of the box: each update adds one to both.
struct Twin {
  std::uint64_t count = 0;
  std::uint64_t again = 0;
};
COMMY_STRUCT(Twin, "stress.Twin", count, again);

Signed Sign(std::uint64_t key, std::uint64_t writer, std::uint64_t seq);
bool IsSigned(std::uint64_t key, const Signed& value);

class TypedPart {
 public:
  static absl::StatusOr<TypedPart> Open(const Store& store);

  // One operation of the process in `slot`, chosen at random. DataLoss: it found something
  // impossible.
  absl::Status Step(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  // Reads everything, at the end. The sums must be those that were acknowledged, or more by at most
  // one for each process that was killed.
  absl::Status CheckAtTheEnd(const StressLog& log, std::uint64_t kills) const;

 private:
  using Map = SharedHashMap<std::uint64_t, Signed>;
  using Set = SharedBTreeSet<std::uint64_t>;

  TypedPart(Map map, Set set, SharedBox<Twin> box, SharedCounter counter, Namespace loans);

  absl::Status UseMap(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  absl::Status UseSet(std::mt19937_64& random) const;
  absl::Status UseBox(SlotLog& mine) const;
  absl::Status UseCounter(SlotLog& mine) const;
  absl::Status UseLoan(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  absl::Status CheckSigned(std::uint64_t key, const Signed& value, const StressLog& log) const;
  absl::Status CheckSet() const;

  Map map_;
  Set set_;
  SharedBox<Twin> box_;
  SharedCounter counter_;
  Namespace loans_;
};

}  // namespace commy::stress
