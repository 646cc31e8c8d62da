// A value of a type, read where it lies.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "commy/codec.h"
#include "commy/namespace.h"

namespace commy {

// The value of a key, as a typed container's GetView() returns it.
//
//   absl::StatusOr<commy::TypedView<Position>> at = positions->GetView(7);
//   if (at.ok()) Draw((*at)->x, (*at)->y);
//
// Of a plain type (see codec.h) it refers to the bytes in the file: no copy, and the value does not
// change while the view lives, even if the key is replaced or erased. As any View, it keeps what
// was replaced since from being reused, so do not hold one for long. If the value in the file is of
// a former version of the struct, or not aligned as the type is, and of all other types, the view
// holds a decoded copy, and nothing in the store. Move-only.
template <Storable T>
class TypedView {
 public:
  TypedView(TypedView&&) noexcept = default;
  TypedView& operator=(TypedView&&) noexcept = default;
  TypedView(const TypedView&) = delete;
  TypedView& operator=(const TypedView&) = delete;
  ~TypedView() = default;

  // Valid as long as the view lives, and is not moved from.
  const T& operator*() const& { return in_place_ != nullptr ? *in_place_ : *copy_; }
  const T* operator->() const& { return in_place_ != nullptr ? in_place_ : copy_.get(); }
  const T& operator*() && = delete;
  const T* operator->() && = delete;
  // Whether it refers to the file.
  [[nodiscard]] bool in_place() const { return in_place_ != nullptr; }

  // From the bytes of a value. DataLoss: they are not of the type.
  static absl::StatusOr<TypedView> Of(View view) {
    TypedView typed;
    if constexpr (internal::kPlain<T>) {
      typed.in_place_ = internal::InPlace<T>(view.value());
      if (typed.in_place_ != nullptr) {
        typed.view_.emplace(std::move(view));
        return typed;
      }
    }
    if (absl::Status decoded = typed.Decode(view.value()); !decoded.ok()) {
      return decoded;
    }
    return typed;
  }

 private:
  TypedView() = default;
  // A function of its own: it has room for a value on the stack, and a view in place needs none.
  [[gnu::noinline]] absl::Status Decode(std::string_view bytes) {
    absl::StatusOr<T> value = Codec<T>::Decode(bytes);
    if (value.ok()) {
      copy_ = std::make_unique<T>(*std::move(value));
    }
    return value.status();
  }

  std::optional<View> view_;
  const T* in_place_ = nullptr;
  std::unique_ptr<T> copy_;  // Not inside: a view of a large value may stand on the stack.
};

}  // namespace commy
