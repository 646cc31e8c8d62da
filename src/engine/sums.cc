#include "engine/sums.h"

#include "base/status.h"
#include "engine/access.h"

namespace commy::engine {
namespace {

using base::Outcome;
using base::Result;

absl::Status Finish(Access& at, const Result& result) {
  return result.is(Outcome::kConflict) ? base::InvalidArgument("the namespace is no counter")
                                       : at.Finish(result);
}

absl::Status AddInNewCell(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation& op, const NamespaceRef& ns) {
                                base::Shared64* cell = nullptr;
                                Result made = engine.map.sums().MakeCell(op, ns, &cell);
                                is_counter = !made.is(Outcome::kConflict);
                                if (made.done()) {
                                  namespaces::Sums::Add(*cell, delta);
                                }
                                return is_counter ? made : Result();
                              }));
  return is_counter ? absl::OkStatus() : base::InvalidArgument("the namespace is no counter");
}

}  // namespace

absl::Status AddToSum(const Engine& engine, const NamespaceKey& key, std::uint64_t delta) {
  {
    const Access at(engine, key);
    if (!at.ok()) [[unlikely]] {
      return at.status();
    }
    base::Shared64* const cell = engine.map.sums().FindCell(at.ns(), at.lane().index());
    // A store that is marked whole, and a read-only one, take the long way.
    if (cell != nullptr && !engine.region.NeedsDirty() && !engine.session.read_only()) [[likely]] {
      namespaces::Sums::Add(*cell, delta);  // sum-2
      return absl::OkStatus();
    }
  }
  return AddInNewCell(engine, key, delta);
}

absl::StatusOr<std::uint64_t> SumOf(const Engine& engine, const NamespaceKey& key) {
  Access at(engine, key);
  COMMY_RETURN_IF_ERROR(at.status());
  std::uint64_t value = 0;
  COMMY_RETURN_IF_ERROR(Finish(at, engine.map.sums().Value(at.ns(), &value)));
  return value;
}

absl::StatusOr<std::uint64_t> ResetSum(const Engine& engine, const NamespaceKey& key) {
  std::uint64_t taken = 0;
  bool is_counter = true;
  COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kWrite, alloc::Purpose::kOrdinary,
                              [&](process::Operation&, const NamespaceRef& ns) {
                                Result reset = engine.map.sums().Reset(ns, &taken);
                                is_counter = !reset.is(Outcome::kConflict);
                                return is_counter ? reset : Result();
                              }));
  if (!is_counter) {
    return base::InvalidArgument("the namespace is no counter");
  }
  return taken;
}

}  // namespace commy::engine
