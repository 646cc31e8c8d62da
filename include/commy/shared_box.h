// One value of a type, found by name and shared between processes.
//
//   auto config = store->OpenShared<commy::SharedBox<Config>>("acme/config");
//   absl::Status done = config->Store({.port = 80});
//   absl::StatusOr<Config> now = config->Load();
//   absl::StatusOr<Config> next = config->WaitForChange(*now, absl::Seconds(10));
//
// A box is like a std::atomic of any type: Store, Load, Update and CompareExchange are each
// linearizable, a process that is killed in the middle has made its change or not, and nobody waits
// for one that is stopped. A new box is empty.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "commy/internal/typed.h"
#include "commy/shared_options.h"
#include "commy/typed_view.h"

namespace commy {

// Cheap to copy; every method is safe from any thread; keeps the store open. Errors as of
// Namespace; NotFound: the box is empty. DataLoss: a program wrote other bytes there.
template <typename T>
class SharedBox {
 public:
  static_assert(Storable<T>,
                "the type has no commy::Codec: describe a struct with COMMY_STRUCT, or specialize "
                "commy::Codec; pointers and views cannot be stored");
  using value_type = T;
  // What the store says of its type: "box<f64>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kBoxOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls.
  static absl::StatusOr<SharedBox> Open(const ::commy::Store& store, std::string_view path,
                                        const SharedOptions& options) {
    const auto verify = [](std::string_view key, std::string_view value) -> absl::Status {
      return key.empty() ? internal::VerifyValue<T>(value)
                         : internal::WrongBytes(kDescriptor, key.size(), "a key of none");
    };
    absl::StatusOr<Namespace> ns =
        internal::OpenTyped(store, path, Order::kHash, kDescriptor, options, verify);
    return ns.ok() ? absl::StatusOr<SharedBox>(SharedBox(*std::move(ns))) : ns.status();
  }

  // Returns a copy of the value. NotFound: the box is empty.
  absl::StatusOr<T> Load() const {
    absl::StatusOr<T> value = absl::UnknownError("");
    absl::Status status =
        ns_.ReadWith(kKey, [&value](std::string_view bytes) { value = Codec<T>::Decode(bytes); });
    return status.ok() ? std::move(value) : absl::StatusOr<T>(std::move(status));
  }
  // The same, or `otherwise` if the box is empty.
  absl::StatusOr<T> LoadOr(T otherwise) const {
    absl::StatusOr<T> value = Load();
    return absl::IsNotFound(value.status()) ? absl::StatusOr<T>(std::move(otherwise)) : value;
  }
  // Returns the value where it lies; see TypedView. NotFound: the box is empty.
  absl::StatusOr<TypedView<T>> GetView() const {
    absl::StatusOr<View> view = ns_.GetView(kKey);
    return view.ok() ? TypedView<T>::Of(*std::move(view)) : view.status();
  }
  // Sets the value.
  absl::Status Store(const T& value, PutOptions options = PutOptions()) const {
    return ns_.Put(kKey, internal::ValueBytes<T>(value).view(), options);
  }
  // Empties the box. Returns whether it had a value.
  absl::StatusOr<bool> Reset() const { return ns_.Delete(kKey); }
  // Sets the value to the std::optional<T> that `change` makes of it (nullopt: empty), if it was
  // not changed meanwhile; else starts over. So `change` may run several times.
  template <typename ChangeValue>
  absl::Status Update(ChangeValue&& change) const {
    absl::Status decoded;
    const auto decide = [&](std::optional<std::string_view> present) {
      decoded = absl::OkStatus();
      std::optional<T> value;
      if (present.has_value()) {
        absl::StatusOr<T> read = Codec<T>::Decode(*present);
        if (!read.ok()) {
          decoded = read.status();
          return Change::Keep();
        }
        value = *std::move(read);
      }
      const std::optional<T> next = change(std::move(value));
      return next.has_value() ? Change::Put(std::string(internal::ValueBytes<T>(*next).view()))
                              : Change::Delete();
    };
    absl::Status status = ns_.Update(kKey, decide).status();
    return status.ok() ? decoded : status;
  }
  // If the value is `expected` (nullopt: the box is empty), sets it to `desired` (nullopt: empties
  // it). Returns whether it was. Compares the bytes; see FLOATS in codec.h. A value of a former
  // version of a struct counts as what Load() makes of it.
  absl::StatusOr<bool> CompareExchange(const std::optional<T>& expected,
                                       const std::optional<T>& desired) const {
    return internal::SwapValue<T>(ns_, kKey, expected, desired);
  }
  // Returns the value as soon as it is another than `seen` (nullopt: as soon as there is one),
  // which may be at once; the thread sleeps meanwhile. A value that came and went unseen does not
  // count. An empty box is waited out. DeadlineExceeded: it did not change within `timeout`, which
  // may be infinite.
  absl::StatusOr<T> WaitForChange(const std::optional<T>& seen, absl::Duration timeout) const {
    std::optional<internal::ValueBytes<T>> old;
    if (seen.has_value()) {
      old.emplace(*seen);
    }
    const absl::Time deadline = absl::Now() + timeout;
    while (true) {
      const absl::StatusOr<ChangeToken> token = ns_.Changes();
      if (!token.ok()) {
        return token.status();
      }
      const absl::StatusOr<std::string> bytes = ns_.Get(kKey);
      if (bytes.ok() && (!old.has_value() || !internal::IsValue<T>(*bytes, old->view()))) {
        return Codec<T>::Decode(*bytes);
      }
      if (!bytes.ok() && !absl::IsNotFound(bytes.status())) {
        return bytes.status();
      }
      const absl::StatusOr<ChangeToken> changed = ns_.WaitForChange(*token, deadline - absl::Now());
      if (!changed.ok()) {
        return changed.status();
      }
    }
  }

  // The namespace that holds the box; its value is under the empty key.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  static constexpr std::string_view kKey{};

  explicit SharedBox(Namespace ns) : ns_(std::move(ns)) {}

  Namespace ns_;
};

}  // namespace commy
