// What vectors and deques share: elements as bytes and back, and ranges. Not for users.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/codec.h"
#include "commy/internal/sequence.h"

namespace commy::internal {

COMMY_EXPORT absl::Status WrongElement(const absl::Status& why);
COMMY_EXPORT absl::Status ElementTooLarge(std::uint64_t size_bytes);
inline constexpr std::uint64_t kElementBytesMax = (std::uint64_t{1} << 30) - 4096;

// How elements lie in a run: each this many bytes; 0: each with its length before it.
template <typename T>
inline constexpr std::uint32_t kRunWidth = [] {
  if constexpr (kPlain<T>) {
    return static_cast<std::uint32_t>(sizeof(T));
  } else {
    return static_cast<std::uint32_t>(kFixedBytes<T>);
  }
}();

// Whether a run of elements is their memory.
template <typename T>
inline constexpr bool kRunIsMemory = [] {
  if constexpr (kPlain<T>) {
    return !Codec<T>::kPadded;
  } else {
    return false;
  }
}();

// Values that are elements, or that elements can be made of.
template <typename Values, typename T>
concept ElementsOf = std::ranges::input_range<Values> &&
    std::constructible_from<T, std::ranges::range_reference_t<Values>>;

// The run of some values. Refers to them, if that is their memory.
template <typename T>
class EncodedRun {
 public:
  explicit EncodedRun(const T& value) {
    if constexpr (kRunIsMemory<T>) {
      run_ = {kRunWidth<T>, 1, {reinterpret_cast<const char*>(&value), sizeof(T)}};
    } else {
      Add(value);
      Finish();
    }
  }
  // Of all values of a range.
  struct All {};
  template <ElementsOf<T> Values>
  EncodedRun(All /*of*/, Values&& values) {
    if constexpr (kRunIsMemory<T> && std::ranges::contiguous_range<Values> &&
                  std::ranges::sized_range<Values> &&
                  std::same_as<std::remove_cvref_t<std::ranges::range_reference_t<Values>>, T>) {
      const std::uint64_t count = std::ranges::size(values);
      run_ = {kRunWidth<T>,
              count,
              {reinterpret_cast<const char*>(std::ranges::data(values)), count * sizeof(T)}};
    } else {
      using Value = std::remove_cvref_t<std::ranges::range_reference_t<Values>>;
      for (auto&& value : values) {
        if constexpr (std::same_as<Value, T>) {
          Add(value);
        } else {
          Add(T(std::forward<decltype(value)>(value)));
        }
      }
      Finish();
    }
  }
  EncodedRun(const EncodedRun&) = delete;
  EncodedRun& operator=(const EncodedRun&) = delete;

  // InvalidArgument: an element is too large.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] const ElementRun& run() const { return run_; }

 private:
  void Add(const T& value) {
    const std::size_t at = bytes_.size();
    if constexpr (kRunWidth<T> == 0) {
      bytes_.append(sizeof(std::uint32_t), '\0');
    }
    Codec<T>::Encode(value, &bytes_);
    if constexpr (kRunWidth<T> == 0) {
      const std::uint64_t size = bytes_.size() - at - sizeof(std::uint32_t);
      if (size > kElementBytesMax) {
        status_ = ElementTooLarge(size);
      }
      const auto length = static_cast<std::uint32_t>(size);
      std::memcpy(bytes_.data() + at, &length, sizeof(length));
    }
    ++count_;
  }
  void Finish() { run_ = {kRunWidth<T>, count_, bytes_}; }

  std::string bytes_;
  std::uint64_t count_ = 0;
  ElementRun run_;
  absl::Status status_;
};

// The bytes of the elements of a run: calls `use` with each, as long as it returns true.
template <typename Use>
bool ForEachElementBytes(const ElementRun& run, Use&& use) {
  std::string_view rest = run.bytes;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    std::size_t size = run.width;
    if (run.width == 0) {
      std::uint32_t length = 0;
      std::memcpy(&length, rest.data(), sizeof(length));
      rest.remove_prefix(sizeof(length));
      size = length;
    }
    if (!use(rest.substr(0, size))) {
      return false;
    }
    rest.remove_prefix(size);
  }
  return true;
}

// The elements of a run where they lie, if they are all there, aligned and valid; else null.
template <Plain T>
const T* RunInPlace(const ElementRun& run) {
  if (run.width != sizeof(T) ||
      reinterpret_cast<std::uintptr_t>(run.bytes.data()) % alignof(T) != 0) {
    return nullptr;
  }
  if constexpr (!Codec<T>::kAlwaysValid) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      if (!Codec<T>::IsValid(run.bytes.data() + i * sizeof(T))) {
        return nullptr;
      }
    }
  }
  return reinterpret_cast<const T*>(run.bytes.data());
}

// Calls `use` with each element, as long as it returns true. DataLoss: one is not of the type.
template <typename T, typename Use>
absl::Status ForEachElement(const ElementRun& run, Use&& use) {
  if constexpr (kPlain<T>) {
    if (const T* const values = RunInPlace<T>(run); values != nullptr) [[likely]] {
      for (std::uint64_t i = 0; i < run.count; ++i) {
        if (!use(values[i])) {
          break;
        }
      }
      return absl::OkStatus();
    }
  }
  absl::Status status;
  ForEachElementBytes(run, [&](std::string_view bytes) {
    const absl::StatusOr<T> value = Codec<T>::Decode(bytes);
    if (!value.ok()) {
      status = WrongElement(value.status());
      return false;
    }
    return static_cast<bool>(use(*value));
  });
  return status;
}

template <typename T>
absl::StatusOr<T> DecodeElement(std::string_view bytes) {
  absl::StatusOr<T> value = Codec<T>::Decode(bytes);
  return value.ok() ? std::move(value) : absl::StatusOr<T>(WrongElement(value.status()));
}

// The first element of a run.
template <typename T>
absl::StatusOr<T> FirstElement(const ElementRun& run) {
  std::optional<T> first;
  absl::Status status = ForEachElement<T>(run, [&first](const T& value) {
    first.emplace(value);
    return false;
  });
  return status.ok() ? absl::StatusOr<T>(*std::move(first)) : absl::StatusOr<T>(std::move(status));
}

// Calls `use` with each element from `from` on, at most `count`, as long as it returns true.
template <typename T, typename Source, typename Use>
absl::Status ForEachOf(const Source& source, std::uint64_t from, std::uint64_t count, Use&& use) {
  absl::Status decoded;
  absl::Status status = source.ForEachRun(from, count, [&](const ElementRun& run) {
    bool more = true;
    decoded = ForEachElement<T>(run, [&](const T& value) {
      more = use(value);
      return more;
    });
    return more && decoded.ok();
  });
  return status.ok() ? decoded : status;
}

// The elements of a sequence as they were at one moment: an input range. An error ends it early, so
// check status() afterwards. Move-only; holds a snapshot until it is at its end or destroyed.
template <typename T>
class ElementRange {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = const T&;
    using pointer = const T*;

    Iterator() = default;
    reference operator*() const { return range_->state_->element(); }
    pointer operator->() const { return &range_->state_->element(); }
    Iterator& operator++() {
      range_->state_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t /*end*/) const { return range_->state_->ended(); }

   private:
    friend class ElementRange;
    explicit Iterator(ElementRange* range) : range_(range) {}
    ElementRange* range_ = nullptr;
  };

  // `of_now`: the present state, of which it takes a snapshot.
  ElementRange(const Sequence& sequence, bool of_now, std::uint64_t from, std::uint64_t count)
      : state_(std::make_unique<State>(sequence, of_now, from, count)) {}

  // Begins. May be called once.
  Iterator begin() {
    state_->Begin();
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }
  [[nodiscard]] const absl::Status& status() const { return state_->status; }

 private:
  // A copy of each element: of a type that std::vector packs, too.
  struct Held {
    T value;
  };
  struct State {
    State(const Sequence& from_sequence, bool now, std::uint64_t first, std::uint64_t count)
        : sequence(from_sequence), of_now(now), next(first), left(count) {}

    void Begin() {
      if (of_now) {
        absl::StatusOr<Snapshot> taken = SnapshotOf(sequence);
        if (!taken.ok()) {
          status = taken.status();
          return;
        }
        snapshot.emplace(*std::move(taken));
        sequence = sequence.At(*snapshot);
      }
      Load();
    }
    void Load() {
      piece.clear();
      at = 0;
      if (left != 0) {
        absl::Status decoded;
        status = sequence.ForEachRun(next, left, [&](const ElementRun& run) {
          piece.reserve(run.count);
          decoded = ForEachElement<T>(run, [this](const T& value) {
            piece.push_back({value});
            return true;
          });
          return false;
        });
        status.Update(decoded);
      }
      if (!status.ok()) {
        piece.clear();
      }
      next += piece.size();
      left -= piece.size();
      if (piece.empty()) {
        snapshot.reset();
      }
    }
    void Next() {
      if (++at == piece.size()) {
        Load();
      }
    }
    [[nodiscard]] bool ended() const { return at >= piece.size(); }
    [[nodiscard]] const T& element() const { return piece[at].value; }

    Sequence sequence;
    const bool of_now;
    std::uint64_t next;
    std::uint64_t left;
    std::optional<Snapshot> snapshot;
    std::vector<Held> piece;
    std::size_t at = 0;
    absl::Status status;
  };

  std::unique_ptr<State> state_;
};

}  // namespace commy::internal
