// The public SharedCounter.
#include "commy/shared_counter.h"

#include "base/status.h"
#include "engine/namespace_state.h"
#include "engine/sums.h"

namespace commy {

absl::StatusOr<SharedCounter> SharedCounter::Open(const Store& store, std::string_view path,
                                                  const SharedOptions& options) {
  const auto verify = [](std::string_view, std::string_view) {
    return base::InvalidArgument("a counter has no keys");
  };
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns, internal::OpenTyped(store, path, Order::kHash, kDescriptor, options, verify));
  return SharedCounter(std::move(ns));
}

absl::Status SharedCounter::Add(std::int64_t delta) const {
  return engine::AddToSum(ns_.state_->engine(), ns_.state_->key, static_cast<std::uint64_t>(delta));
}

absl::StatusOr<std::int64_t> SharedCounter::Value() const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t value,
                         engine::SumOf(ns_.state_->engine(), ns_.state_->key));
  return static_cast<std::int64_t>(value);
}

absl::StatusOr<std::int64_t> SharedCounter::Reset() const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t taken,
                         engine::ResetSum(ns_.state_->engine(), ns_.state_->key));
  return static_cast<std::int64_t>(taken);
}

}  // namespace commy
