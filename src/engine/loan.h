// A value that is written in place before it is published: the block of its record, held by a lane
// of its own from one operation to the next.
//
// STEPS     loan-1  claim a lane; in an operation of it allocate the record's block, noted; put up
//                   a view pin of the lane; end the operation, and let the note stand
//           loan-2  the caller writes the value; the store is not used
//           loan-3  in an operation of the lane, which takes the note over, publish the record as
//                   any other put (namespaces/writer.h); end it, and the note with it
//           or      in such an operation retire the block
//           loan-4  take the view pin down; give the lane back
// WHY       The note is what recovery knows of the block. The pin keeps the block from being used
//           again between a recoverer that has retired it, and was killed, and the next one. No op
//           word stands meanwhile, so that a sync does not wait for the caller.
// DEATH     Before the record is published, no word names the block, and its recoverer retires it.
//           Afterwards as after a put.
// TESTED    tests/model/loan_model_test.cc, tests/engine/loan_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "engine/engine.h"

namespace commy::engine {

// For one thread at a time. Lives no longer than the engine.
class HeldLoan {
 public:
  // loan-1. Requires: the sizes are in range. FailedPrecondition: the store was opened read-only.
  static absl::StatusOr<std::unique_ptr<HeldLoan>> Take(const Engine& engine,
                                                        const NamespaceKey& key,
                                                        std::string_view name,
                                                        std::uint64_t value_size);
  HeldLoan(const HeldLoan&) = delete;
  HeldLoan& operator=(const HeldLoan&) = delete;
  // loan-4, and first gives the block back if it was not published.
  ~HeldLoan();

  [[nodiscard]] std::byte* value() const { return reservation_.value; }
  [[nodiscard]] std::uint64_t value_size() const { return reservation_.value_size; }
  [[nodiscard]] bool published() const { return published_; }
  // loan-3. After an error it is as it was before, and may be tried again. Requires: it is not
  // published; the thread is in no operation.
  absl::Status Publish(std::int64_t expiry_ns);

 private:
  HeldLoan(const Engine& engine, const NamespaceKey& key, process::Lane& lane)
      : engine_(engine), key_(key), lane_(lane) {}
  base::Result TryReserve(std::string_view name, std::uint64_t value_size);
  base::Result TryPublish(std::int64_t expiry_ns);
  void GiveBlockBack();

  const Engine& engine_;
  const NamespaceKey key_;
  process::Lane& lane_;
  int pin_ = -1;
  namespaces::Reservation reservation_;
  bool published_ = false;
};

}  // namespace commy::engine
