// How a step inside the engine ended.
//
// Inside, the cases that a caller has to tell apart are an Outcome, one byte; a Status, with its
// text, is for damage, for the world (a full disk), and for the surface, where api/ and
// engine/access.h translate.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/status.h"

namespace commy::base {

enum class Outcome : std::uint8_t {
  kDone,
  kAbsent,    // What was asked for is not there.
  kDropped,   // The namespace is being dropped, or was.
  kConflict,  // Another transaction is, or was, in the way.
  kAgain,     // Something has moved meanwhile: look again.
  kFull,      // There is no room. status() says where.
  kFailed,    // Damage, or the world. status() says what.
};

class [[nodiscard]] Result {
 public:
  Result() = default;
  // NOLINTBEGIN(google-explicit-constructor): a step returns an outcome or a status as it is.
  Result(Outcome outcome) : outcome_(outcome) {}
  Result(absl::Status status) : status_(std::move(status)) {
    if (!status_.ok()) [[unlikely]] {
      outcome_ = absl::IsResourceExhausted(status_) ? Outcome::kFull : Outcome::kFailed;
    }
  }
  // NOLINTEND(google-explicit-constructor)
  // A failure that room in the file would not help, though its code is ResourceExhausted.
  static Result Failed(absl::Status status) {
    Result result;
    result.outcome_ = Outcome::kFailed;
    result.status_ = std::move(status);
    return result;
  }

  [[nodiscard]] bool done() const { return outcome_ == Outcome::kDone; }
  [[nodiscard]] bool is(Outcome outcome) const { return outcome_ == outcome; }
  [[nodiscard]] Outcome outcome() const { return outcome_; }
  // Not OK for kFull and kFailed, and for these alone.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  Outcome outcome_ = Outcome::kDone;
  absl::Status status_;
};

}  // namespace commy::base

// Leaves the function with the result of `expression`, a Result, unless it is done.
#define COMMY_TRY(expression)                                                                     \
  do {                                                                                            \
    if (::commy::base::Result commy_result_ = (expression); !commy_result_.done()) [[unlikely]] { \
      return commy_result_;                                                                       \
    }                                                                                             \
  } while (false)
