// The part of the stress job with sequences: a queue, a vector and a text that all processes share.
#pragma once

#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/commy.h"
#include "stress_log.h"
#include "stress_typed.h"

namespace commy::stress {

class SequencePart {
 public:
  static absl::StatusOr<SequencePart> Open(const Store& store);

  // One operation of the process in `slot`, chosen at random. DataLoss: it found something
  // impossible.
  absl::Status Step(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  // Reads everything, at the end. The queue must have the elements that were pushed and not taken,
  // but for what each killed process had in its hands.
  absl::Status CheckAtTheEnd(const StressLog& log, std::uint64_t kills) const;

 private:
  using Jobs = SharedDeque<Signed>;
  using Balances = SharedVec<std::int64_t>;

  SequencePart(Store store, Jobs jobs, Balances balances, SharedString text);

  absl::Status UseQueue(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  absl::Status Push(StressLog& log, std::size_t slot) const;
  absl::Status Lease(StressLog& log, std::size_t slot, std::mt19937_64& random) const;
  absl::Status UseBalances(std::mt19937_64& random) const;
  absl::Status Move(std::mt19937_64& random) const;
  absl::Status CheckBalances() const;
  absl::Status UseText(std::mt19937_64& random) const;
  absl::Status CheckText() const;

  Store store_;
  Jobs jobs_;
  Balances balances_;
  SharedString text_;
};

}  // namespace commy::stress
