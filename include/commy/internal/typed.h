// What the typed containers share: where they read and write, and their ranges. Not for users.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/codec.h"
#include "commy/key_codec.h"
#include "commy/namespace.h"
#include "commy/snapshot.h"
#include "commy/store.h"
#include "commy/transaction.h"

namespace commy::internal {

COMMY_EXPORT absl::Status NanKey();
COMMY_EXPORT absl::Status WrongKey(const absl::Status& why);
COMMY_EXPORT absl::Status NoSuchKeyOf(std::string_view container);

// A whole key: text and bytes as they are, which keeps their order and lets other programs and the
// shell name them; all else as KeyCodec has it.
template <typename K>
inline constexpr bool kRawKey =
    std::is_same_v<K, std::string> || std::is_same_v<K, std::vector<std::byte>>;

template <typename K>
class KeyOf {
 public:
  explicit KeyOf(const K& key) : usable_(IsUsableKey(key)) { KeyCodec<K>::Encode(key, &bytes_); }
  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  bool usable_;
  std::string bytes_;
};

template <>
class KeyOf<std::string> {
 public:
  explicit KeyOf(std::string_view key) : bytes_(key) {}
  [[nodiscard]] static bool usable() { return true; }
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::string_view bytes_;
};

template <>
class KeyOf<std::vector<std::byte>> {
 public:
  explicit KeyOf(const std::vector<std::byte>& key)
      : bytes_(reinterpret_cast<const char*>(key.data()), key.size()) {}
  [[nodiscard]] static bool usable() { return true; }
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Numbers, without an allocation or a call.
template <typename K>
requires std::integral<K> &&(!std::same_as<K, bool>)class KeyOf<K> {
 public:
  explicit KeyOf(K key) {
    using Bits = std::make_unsigned_t<K>;
    auto bits = static_cast<Bits>(static_cast<Bits>(key) ^ KeyCodec<K>::kFlip);
    for (std::size_t i = sizeof(K); i > 0; --i) {
      bytes_[i - 1] = static_cast<char>(bits);
      bits = static_cast<Bits>(std::uint64_t{bits} >> 8U);
    }
  }
  [[nodiscard]] static bool usable() { return true; }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), sizeof(K)}; }

 private:
  std::array<char, sizeof(K)> bytes_;
};

// What a caller may pass for a key of type K: of a string also what a string can be made from.
template <typename K>
using KeyArgument = std::conditional_t<std::is_same_v<K, std::string>, std::string_view, const K&>;

template <Keyable K>
absl::StatusOr<K> DecodeWholeKey(std::string_view bytes) {
  if constexpr (std::is_same_v<K, std::string>) {
    return std::string(bytes);
  } else if constexpr (kRawKey<K>) {
    return Codec<K>::Decode(bytes);
  } else {
    absl::StatusOr<K> key = DecodeKey<K>(bytes);
    return key.ok() ? std::move(key) : absl::StatusOr<K>(WrongKey(key.status()));
  }
}

// The type of a part of a key that is made of parts.
template <typename K, std::size_t kIndex>
struct KeyPartAt {
  using Type = std::tuple_element_t<kIndex, K>;
};
template <Described K, std::size_t kIndex>
struct KeyPartAt<K, kIndex> {
  using Type = typename StructInfo<K>::template TypeAt<kIndex>;
};

// The beginning of the keys whose first parts are these.
template <typename K, typename... Parts>
std::string KeyPrefix(const Parts&... parts) {
  std::string key;
  [&]<std::size_t... kIndexes>(std::index_sequence<kIndexes...>) {
    static_assert(
        (std::constructible_from<typename KeyPartAt<K, kIndexes>::Type, const Parts&> && ...),
        "a part of the prefix is not of the type that the key has in that place");
    (KeyCodec<typename KeyPartAt<K, kIndexes>::Type>::Encode(
         typename KeyPartAt<K, kIndexes>::Type(parts), &key),
     ...);
  }
  (std::index_sequence_for<Parts...>());
  return key;
}

// Whether the bytes in the file are those of a value, which has the bytes `encoded` now: an older
// program may have written it with fewer fields, or a newer one with more.
template <Storable V>
bool IsValue(std::string_view stored, std::string_view encoded) {
  if constexpr (Described<V>) {
    if (stored.size() != encoded.size()) {
      const absl::StatusOr<V> value = Codec<V>::Decode(stored);
      return value.ok() && ValueBytes<V>(*value).view() == encoded;
    }
  }
  return stored == encoded;
}

// Decodes a value and passes it on. A function of its own: it has room for a value on the stack,
// and a caller that reads in place does not.
template <Storable V, typename Use>
[[gnu::noinline]] absl::Status DecodeAndUse(std::string_view bytes, Use& use) {
  const absl::StatusOr<V> value = Codec<V>::Decode(bytes);
  if (value.ok()) {
    use(*value);
  }
  return value.status();
}

// Whether bytes that are there already, of which no type has told, are of the type: not more of
// them than it takes.
template <Storable V>
absl::Status VerifyValue(std::string_view bytes) {
  const absl::StatusOr<V> value = Codec<V>::Decode(bytes);
  if constexpr (Described<V>) {
    if (value.ok() && ValueBytes<V>(*value).view().size() < bytes.size()) {
      return WrongBytes(Codec<V>::kDescriptor, bytes.size(), "none behind its last field");
    }
  }
  return value.status();
}

// If the value is `expected` (nullopt: absent), sets it to `desired` (nullopt: absent). Returns
// whether it was.
template <Storable V>
absl::StatusOr<bool> SwapValue(const Namespace& ns, std::string_view key,
                               const std::optional<V>& expected, const std::optional<V>& desired) {
  std::optional<ValueBytes<V>> from;
  std::optional<ValueBytes<V>> to;
  if (expected.has_value()) {
    from.emplace(*expected);
  }
  if (desired.has_value()) {
    to.emplace(*desired);
  }
  absl::StatusOr<bool> swapped = ns.CompareAndSwap(
      key, {.expected = from.has_value() ? std::optional(from->view()) : std::nullopt,
            .desired = to.has_value() ? std::optional(to->view()) : std::nullopt});
  if constexpr (Described<V>) {
    if (swapped.ok() && !*swapped && from.has_value()) {
      const auto decide = [&](std::optional<std::string_view> present) {
        swapped = present.has_value() && IsValue<V>(*present, from->view());
        return !*swapped        ? Change::Keep()
               : to.has_value() ? Change::Put(std::string(to->view()))
                                : Change::Delete();
      };
      if (const absl::Status status = ns.Update(key, decide).status(); !status.ok()) {
        return status;
      }
    }
  }
  return swapped;
}

// --- Where a container reads and writes ------------------------------------------------------

// The present state.
struct Direct {
  Namespace ns;

  absl::Status Read(std::string_view key, absl::FunctionRef<void(std::string_view)> use) const {
    return ns.ReadWith(key, use);
  }
  [[nodiscard]] absl::StatusOr<bool> Contains(std::string_view key) const {
    return ns.Contains(key);
  }
  [[nodiscard]] ScanRange Scan(ScanOptions options) const { return ns.Scan(std::move(options)); }
};

// As a snapshot sees it.
struct AtSnapshot {
  Namespace ns;
  const Snapshot* snapshot;

  absl::Status Read(std::string_view key, absl::FunctionRef<void(std::string_view)> use) const {
    return ns.ReadWith(key, use, {.snapshot = snapshot});
  }
  [[nodiscard]] absl::StatusOr<bool> Contains(std::string_view key) const {
    return ns.Contains(key, {.snapshot = snapshot});
  }
  [[nodiscard]] ScanRange Scan(ScanOptions options) const {
    options.snapshot = snapshot;
    return ns.Scan(std::move(options));
  }
};

// As a transaction sees it.
struct InTransaction {
  Namespace ns;
  Transaction* transaction;

  absl::Status Read(std::string_view key, absl::FunctionRef<void(std::string_view)> use) const {
    const absl::StatusOr<std::string> value = transaction->Get(ns, key);
    if (value.ok()) {
      use(*value);
    }
    return value.status();
  }
  [[nodiscard]] absl::StatusOr<bool> Contains(std::string_view key) const {
    return transaction->Contains(ns, key);
  }
  [[nodiscard]] ScanRange Scan(ScanOptions options) const {
    return transaction->Scan(ns, std::move(options));
  }
};

// --- Ranges ------------------------------------------------------------------------------------

// The elements of a scan, decoded: an input range (std::ranges::input_range). `Decoded` makes one
// from an entry.
template <typename Decoded>
class TypedRange {
 public:
  using Element = typename Decoded::Element;

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using reference = const Element&;
    using pointer = const Element*;

    Iterator() = default;
    reference operator*() const { return *range_->state_->element; }
    pointer operator->() const { return &*range_->state_->element; }
    Iterator& operator++() {
      range_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t /*end*/) const {
      return !range_->state_->element.has_value();
    }

   private:
    friend class TypedRange;
    explicit Iterator(TypedRange* range) : range_(range) {}
    TypedRange* range_ = nullptr;
  };

  explicit TypedRange(ScanRange scan) : state_(std::make_unique<State>(std::move(scan))) {}
  // A range that has failed before it began.
  explicit TypedRange(absl::Status status) : state_(std::make_unique<State>(std::move(status))) {}

  // Begins the scan. May be called once.
  Iterator begin() {
    if (state_->scan.has_value()) {
      state_->at.emplace(state_->scan->begin());
      Decode();
    }
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }
  // OK, or the error that ended the range early: as of ScanRange, or DataLoss: a key or a value is
  // not of the type.
  [[nodiscard]] const absl::Status& status() const {
    return state_->status.ok() && state_->scan.has_value() ? state_->scan->status()
                                                           : state_->status;
  }

 private:
  // In one place, since the scan's iterator refers to the scan.
  struct State {
    explicit State(ScanRange range) : scan(std::move(range)) {}
    explicit State(absl::Status failed) : status(std::move(failed)) {}
    std::optional<ScanRange> scan;
    std::optional<ScanRange::Iterator> at;
    std::optional<Element> element;
    absl::Status status;
  };

  void Next() {
    ++*state_->at;
    Decode();
  }
  void Decode() {
    state_->element.reset();
    if (*state_->at == state_->scan->end()) {
      return;
    }
    absl::StatusOr<Element> element = Decoded::From(**state_->at);
    if (element.ok()) {
      state_->element.emplace(*std::move(element));
    } else {
      state_->status = element.status();
    }
  }

  std::unique_ptr<State> state_;
};

template <Keyable K, Storable V>
struct DecodedPair {
  using Element = std::pair<K, V>;
  static absl::StatusOr<Element> From(const Entry& entry) {
    absl::StatusOr<K> key = DecodeWholeKey<K>(entry.key());
    if (!key.ok()) {
      return key.status();
    }
    absl::StatusOr<V> value = Codec<V>::Decode(entry.value());
    if (!value.ok()) {
      return value.status();
    }
    return Element(*std::move(key), *std::move(value));
  }
};

template <Keyable K>
struct DecodedKey {
  using Element = K;
  static absl::StatusOr<K> From(const Entry& entry) { return DecodeWholeKey<K>(entry.key()); }
};

template <Storable V>
struct DecodedValue {
  using Element = V;
  static absl::StatusOr<V> From(const Entry& entry) { return Codec<V>::Decode(entry.value()); }
};

}  // namespace commy::internal

namespace commy {

// Which elements a range has, and in which order. From `from` (inclusive) to `to` (exclusive), at
// most `limit`. In a hash container without an order that means anything: `from` and `to` filter,
// and `reverse` is an error.
template <typename K>
struct RangeOptions {
  std::optional<K> from = std::nullopt;
  std::optional<K> to = std::nullopt;
  bool reverse = false;
  std::uint64_t limit = UINT64_MAX;
};

}  // namespace commy

namespace commy::internal {

// The options of the scan behind a range. InvalidArgument: a bound is a NaN.
template <typename K>
absl::StatusOr<ScanOptions> ToScan(const RangeOptions<K>& range, bool* empty) {
  ScanOptions scan;
  *empty = false;
  if (range.from.has_value()) {
    const KeyOf<K> from(*range.from);
    if (!from.usable()) {
      return NanKey();
    }
    scan.from = from.view();
  }
  if (range.to.has_value()) {
    const KeyOf<K> to(*range.to);
    if (!to.usable()) {
      return NanKey();
    }
    scan.to = to.view();
    *empty = scan.to.empty();  // Nothing is below the empty key; for a scan it means no bound.
  }
  scan.reverse = range.reverse;
  scan.limit = range.limit;
  return scan;
}

template <typename Decoded, typename Source, typename K>
TypedRange<Decoded> RangeOf(const Source& source, const RangeOptions<K>& options) {
  bool empty = false;
  absl::StatusOr<ScanOptions> scan = ToScan(options, &empty);
  if (!scan.ok()) {
    return TypedRange<Decoded>(scan.status());
  }
  if (empty) {
    scan->limit = 0;
  }
  return TypedRange<Decoded>(source.Scan(*std::move(scan)));
}

// The first element of a range. NotFound: it has none.
template <typename Decoded>
absl::StatusOr<typename Decoded::Element> FirstOf(TypedRange<Decoded> range) {
  for (const auto& element : range) {
    return element;
  }
  return range.status().ok() ? NoSuchKeyOf("container") : range.status();
}

// The first key above `key`: what comes right behind its bytes.
template <typename K>
ScanOptions Above(const KeyOf<K>& key) {
  ScanOptions scan;
  scan.from = key.view();
  scan.from.push_back('\0');
  scan.limit = 1;
  return scan;
}

}  // namespace commy::internal
