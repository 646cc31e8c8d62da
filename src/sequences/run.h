// Elements one behind the other: finding one, cutting pieces, and putting pieces together.
//
// This floor is the sequences: vectors, deques and strings, which are trees of records in a
// namespace. It stands on the public handles and on transactions, and adds no protocol of its own
// but the waiting of queues. Begin reading in root.h, then in tree.h, edit.h and queue.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "commy/internal/element_run.h"

namespace commy::sequences {

using internal::ElementRun;

// The bytes before an element of a run without a width: its length.
inline constexpr std::uint64_t kLengthBytes = 4;

// Where the element begins; that of `index` == count is the end. nullopt: the bytes make no sense.
std::optional<std::uint64_t> OffsetOf(const ElementRun& run, std::uint64_t index);
// Whether the bytes are those of `count` elements, and no more.
bool IsWhole(const ElementRun& run);
// The elements from `from` on, at most `count`. nullopt: the bytes make no sense.
std::optional<ElementRun> Slice(const ElementRun& run, std::uint64_t from, std::uint64_t count);
// The bytes of an element, without its length. nullopt: there is none, or the bytes make no sense.
std::optional<std::string_view> ElementOf(const ElementRun& run, std::uint64_t index);

// A run that is put together. Pieces of different widths become one without a width.
class RunBuilder {
 public:
  // Requires: `piece` is whole.
  void Append(const ElementRun& piece);
  void Clear();
  // Valid until the next change.
  [[nodiscard]] ElementRun run() const { return {width_, count_, bytes_}; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return bytes_.size(); }
  [[nodiscard]] std::uint32_t width() const { return width_; }
  void Reserve(std::uint64_t bytes) { bytes_.reserve(bytes); }

 private:
  void BecomeVariable();

  std::uint32_t width_ = 0;
  std::uint64_t count_ = 0;
  std::string bytes_;
};

}  // namespace commy::sequences
