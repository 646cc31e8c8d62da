// Times to live: their limits, and the default of a namespace.
#include <algorithm>

#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"

namespace commy::engine {

absl::StatusOr<std::int64_t> CheckTtl(absl::Duration ttl) {
  if (ttl <= absl::ZeroDuration()) {
    return base::InvalidArgument("the time to live is ", absl::FormatDuration(ttl),
                                 "; it must be positive");
  }
  return ttl == absl::InfiniteDuration() ? 0
                                         : std::max<std::int64_t>(1, absl::ToInt64Nanoseconds(ttl));
}

absl::Duration ToTtl(std::int64_t ttl_ns) {
  return ttl_ns == 0 ? absl::InfiniteDuration() : absl::Nanoseconds(ttl_ns);
}

std::int64_t ExpiryFor(const Engine& engine, const NamespaceKey& key, std::int64_t expiry_ns) {
  if (expiry_ns != versions::kExpiryByDefault) {
    return expiry_ns;
  }
  const process::Session::Call call(engine.session);
  NamespaceRef ns;
  ns.object =
      call.status().ok() ? engine.region.At<namespaces::NamespaceObject>(key.object) : nullptr;
  return ns.object == nullptr ? 0 : engine.map.expiry().For(ns, expiry_ns);
}

std::uint64_t ValueAlignFor(const Engine& engine, const NamespaceKey& key) {
  const process::Session::Call call(engine.session);
  const auto* const object =
      call.status().ok() ? engine.region.At<namespaces::NamespaceObject>(key.object) : nullptr;
  return object == nullptr ? versions::kValueAlign : namespaces::ValueAlign(*object);
}

absl::Status SetDefaultTtl(const Engine& engine, const NamespaceKey& key, absl::Duration ttl) {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t ttl_ns, CheckTtl(ttl));
  return Write(engine, key, process::OpKind::kCatalog, alloc::Purpose::kOrdinary,
               [&](process::Operation&, const NamespaceRef& ns) {
                 engine.map.publisher().DefaultTtl(ns, ttl_ns);
                 return base::Result();
               });
}

}  // namespace commy::engine
