// The public Loan.
#include "commy/loan.h"

#include <utility>

#include "base/status.h"
#include "commy/namespace.h"
#include "engine/loan.h"
#include "engine/namespace_state.h"
#include "transactions/write_set.h"

namespace commy {
namespace api {

class LoanState {
 public:
  LoanState(std::shared_ptr<const engine::NamespaceState> ns,
            std::unique_ptr<engine::HeldLoan> held, PutOptions options)
      : ns_(std::move(ns)), held_(std::move(held)), options_(options) {}

  [[nodiscard]] std::span<std::byte> bytes() const { return {held_->value(), held_->value_size()}; }
  absl::Status Publish() {
    COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, transactions::ExpiryOf(*ns_, options_.ttl));
    return held_->Publish(expiry);
  }

 private:
  const std::shared_ptr<const engine::NamespaceState> ns_;  // Outlives what is held.
  const std::unique_ptr<engine::HeldLoan> held_;
  const PutOptions options_;
};

}  // namespace api

Loan::Loan(std::unique_ptr<api::LoanState> state)
    : state_(std::move(state)), bytes_(state_->bytes()) {}
Loan::Loan(Loan&& other) noexcept
    : state_(std::move(other.state_)), bytes_(std::exchange(other.bytes_, {})) {}
Loan& Loan::operator=(Loan&& other) noexcept {
  state_ = std::move(other.state_);
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}
Loan::~Loan() = default;

absl::Status Loan::Publish() && {
  if (state_ == nullptr) {
    return base::FailedPrecondition("the loan was published or moved from");
  }
  COMMY_RETURN_IF_ERROR(state_->Publish());
  bytes_ = {};
  state_.reset();
  return absl::OkStatus();
}

absl::StatusOr<Loan> Namespace::Reserve(std::string_view key, std::uint64_t size_bytes,
                                        PutOptions options) const {
  COMMY_RETURN_IF_ERROR(transactions::CheckKey(key));
  COMMY_RETURN_IF_ERROR(transactions::CheckValueSize(size_bytes));
  COMMY_RETURN_IF_ERROR(transactions::ExpiryOf(*state_, options.ttl).status());
  COMMY_ASSIGN_OR_RETURN(std::unique_ptr<engine::HeldLoan> held,
                         engine::HeldLoan::Take(state_->engine(), state_->key, key, size_bytes));
  return Loan(std::make_unique<api::LoanState>(state_, std::move(held), options));
}

}  // namespace commy
