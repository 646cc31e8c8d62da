// Results that one process computes and all use.
//
//   using Pages = commy::Computed<std::string, std::string>;
//   absl::StatusOr<Pages> pages = store->OpenShared<Pages>("cache/pages");
//   absl::StatusOr<std::string> page = pages->GetOrCompute(
//       "index", [] { return Render("index"); },
//       {.ttl = absl::Minutes(10), .timeout = absl::Seconds(30)});
//
// Of all threads and processes that ask for a key that is not there, one computes its value, and
// the others wait for that. Unlike SharedMap::ComputeIfAbsent(), which lets each compute.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

#include "commy/internal/computing.h"
#include "commy/internal/typed.h"
#include "commy/shared_options.h"

namespace commy {
namespace internal {

inline constexpr std::string_view kComputedOpen = "computed<";

}  // namespace internal

struct ComputeOptions {
  // Time to live of the value once it is computed; must be positive. Unless given, the container's
  // default applies.
  std::optional<absl::Duration> ttl = std::nullopt;
  // How long to wait for a value that another one computes: zero or negative, then not at all. The
  // caller's own `compute` may take longer.
  absl::Duration timeout = absl::InfiniteDuration();
};

// Values of type V by keys of type K: any types that a SharedHashMap takes. Cheap to copy; every
// method is safe from any thread; keeps the store open.
//
// FAILURE   If `compute` fails, its error is returned to its caller alone, and one of those that
//           wait computes next.
// DEATH     If the process that computes dies or closes the store, one of those that wait computes
//           instead, within a second. One that is stopped is waited for; Put() or Invalidate() end
//           that, and what it has computed when it is continued is not kept.
// COST      GetOrCompute() and Get() of a value that is there: a lookup and a copy. Computing it: a
//           put before and one after. A waiter looks again at each change in the namespace, and
//           each second.
// ERRORS    as of Namespace, and
//             NotFound         there is no value of the key
//             InvalidArgument  a key that is, or has in it, a NaN; a time to live that is not
//                              positive
//             DataLoss         a key or a value in the file is not of the type: a program wrote
//                              other bytes there
template <typename K, typename V>
class Computed {
 public:
  static_assert(Keyable<K>, "the key type has no commy::KeyCodec");
  static_assert(Storable<V>, "the value type has no commy::Codec");
  using key_type = K;
  using mapped_type = V;
  using KeyArgument = internal::KeyArgument<K>;
  // What the store says of its type: "computed<string,f64>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kComputedOpen, Codec<K>::kDescriptor, internal::kComma,
                       Codec<V>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls.
  static absl::StatusOr<Computed> Open(const Store& store, std::string_view path,
                                       const SharedOptions& options) {
    const auto verify = [path](std::string_view key, std::string_view bytes) {
      absl::Status status = internal::DecodeWholeKey<K>(key).status();
      const auto value = internal::ValueInRecord(path, bytes);
      status.Update(value.status());
      if (value.ok() && value->has_value()) {
        status.Update(internal::VerifyValue<V>(**value));
      }
      return status;
    };
    absl::StatusOr<Namespace> ns =
        internal::OpenTyped(store, path, Order::kHash, kDescriptor, options, verify);
    return ns.ok() ? absl::StatusOr<Computed>(Computed(*std::move(ns))) : ns.status();
  }

  // Returns the value; if there is none, calls `compute()`, which returns a V or an
  // absl::StatusOr<V>, on this thread, keeps what it returns, and returns that. While another one
  // computes the value, it waits for that. `compute` holds nothing, and may use the store; but it
  // must not ask for the same key, for which it would wait itself.
  //
  // A value is not kept if the key was put or invalidated while it was computed; it is returned all
  // the same. DeadlineExceeded: another one was still computing it when `timeout` was over.
  // ResourceExhausted: there is no room to keep it, or to say that it is being computed.
  // An error of `compute`: that one.
  template <typename Compute>
  absl::StatusOr<V> GetOrCompute(KeyArgument key, Compute&& compute,
                                 ComputeOptions options = ComputeOptions()) const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    const PutOptions put{.ttl = options.ttl};
    absl::StatusOr<internal::ValueOrClaim> found =
        internal::ValueOrClaimOf(ns_, bytes.view(), put, options.timeout);
    if (!found.ok()) {
      return found.status();
    }
    if (found->value.has_value()) {
      return Codec<V>::Decode(*found->value);
    }
    absl::StatusOr<V> value = std::forward<Compute>(compute)();
    if (value.ok()) {
      const absl::Status kept = found->claim->Keep(internal::ValueBytes<V>(*value).view(), put);
      if (!kept.ok()) {
        return kept;
      }
    }
    return value;
  }
  // Returns the value. NotFound: there is none, or it is only being computed. Never waits.
  absl::StatusOr<V> Get(KeyArgument key) const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    const absl::StatusOr<std::string> value = internal::ComputedValueOf(ns_, bytes.view());
    return value.ok() ? Codec<V>::Decode(*value) : absl::StatusOr<V>(value.status());
  }
  // Sets the value, which ends all waits for it; what is being computed for the key is not kept.
  absl::Status Put(KeyArgument key, const V& value, PutOptions options = PutOptions()) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? internal::PutComputed(ns_, bytes.view(),
                                                  internal::ValueBytes<V>(value).view(), options)
                          : internal::NanKey();
  }
  // Removes the value, so that the next GetOrCompute() computes it anew; what is being computed for
  // the key is not kept. Returns whether there was a value.
  absl::StatusOr<bool> Invalidate(KeyArgument key) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? internal::InvalidateComputed(ns_, bytes.view())
                          : absl::StatusOr<bool>(internal::NanKey());
  }

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the values. Its Size() also counts those that are being computed.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit Computed(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
