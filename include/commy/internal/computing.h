// What Computed is made of: values that are there or being computed. Not for users.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/holder_id.h"
#include "commy/namespace.h"

namespace commy::internal {

// The right and the duty to compute the value of a key. Move-only.
class COMMY_EXPORT ComputeClaim {
 public:
  ComputeClaim(Namespace ns, std::string key, HolderId id);
  ComputeClaim(ComputeClaim&& other) noexcept;
  ComputeClaim& operator=(ComputeClaim&& other) = delete;
  ComputeClaim(const ComputeClaim&) = delete;
  ComputeClaim& operator=(const ComputeClaim&) = delete;
  // Gives the claim up, unless the value was kept: another caller is the next to compute.
  ~ComputeClaim();

  // Keeps the value, unless the claim is over: the key was put, invalidated or cleared meanwhile.
  absl::Status Keep(std::string_view value, const PutOptions& options);

 private:
  std::optional<Namespace> ns_;  // None: it is over.
  std::string key_;
  HolderId id_;
};

// One of the two.
struct ValueOrClaim {
  std::optional<std::string> value;
  std::optional<ComputeClaim> claim;
};

// Returns the value of a key, or the claim to compute it. Waits up to `timeout` while another one
// has that.
COMMY_EXPORT absl::StatusOr<ValueOrClaim> ValueOrClaimOf(const Namespace& ns, std::string_view key,
                                                         const PutOptions& options,
                                                         absl::Duration timeout);
// NotFound: the key is absent, or only being computed.
COMMY_EXPORT absl::StatusOr<std::string> ComputedValueOf(const Namespace& ns, std::string_view key);
COMMY_EXPORT absl::Status PutComputed(const Namespace& ns, std::string_view key,
                                      std::string_view value, const PutOptions& options);
// Returns whether there was a value.
COMMY_EXPORT absl::StatusOr<bool> InvalidateComputed(const Namespace& ns, std::string_view key);
// The value in a record that is there already; nullopt: it is a claim. DataLoss: it is neither.
COMMY_EXPORT absl::StatusOr<std::optional<std::string_view>> ValueInRecord(std::string_view path,
                                                                           std::string_view record);

}  // namespace commy::internal
