// The elements of a vector or deque, and the text of a string, for the commands.
//
// This folder is what the commands do with containers that have elements instead of keys. Begin
// reading here; by_index.h is put, get and del, lines.h is scan and dump, loading.h is load, and
// limits.h is what a deque may hold.
//
//   const Elements elements(store, ns, form);
//   COMMY_RETURN_IF_ERROR(elements.Push(texts, /*back=*/true, absl::ZeroDuration()));
//
// A string is a sequence of bytes. It has no elements that a command could name, only its text.
//
// ERRORS    Already explained: with the store, the namespace and what to do. After one nothing has
//           changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/commy.h"
#include "commy/internal/queue.h"
#include "sequences/run.h"
#include "typed/form.h"

namespace commy::tools {

class Elements {
 public:
  // Requires: form.HasElements(). Refers to `store` and `form`.
  Elements(const Store& store, const Namespace& ns, const Form& form);

  [[nodiscard]] const Form& form() const { return form_; }
  [[nodiscard]] const Store& store() const { return store_; }
  [[nodiscard]] const internal::Sequence& sequence() const { return queue_.sequence(); }
  // Of a deque.
  [[nodiscard]] const internal::Queue& queue() const { return queue_; }
  [[nodiscard]] const std::string& path() const { return sequence().ns().path(); }

  // Adds the bytes of an element, or of text, to a run as the container's programs would.
  void AddTo(std::string_view bytes, sequences::RunBuilder& run) const;

  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const;
  // The text of a string.
  [[nodiscard]] absl::StatusOr<std::string> Text() const;

  // Adds elements that are given as text, in their order, at one moment. A deque that is full is
  // waited for: ResourceExhausted (`timeout` zero) or DeadlineExceeded.
  [[nodiscard]] absl::Status Push(const std::vector<std::string>& texts, bool back,
                                  absl::Duration timeout) const;
  // Takes up to `most` elements, at least one, at one moment. NotFound (`timeout` zero) or
  // DeadlineExceeded: there is none.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Pop(bool back, std::uint64_t most,
                                                             absl::Duration timeout) const;
  // Puts back what Pop() took.
  [[nodiscard]] absl::Status Return(std::vector<std::string> taken, bool back) const;

  // The same error with the store's name and advice.
  [[nodiscard]] absl::Status Explained(const absl::Status& status) const;
  // InvalidArgument: `namespace "x" is a string: <why>`.
  [[nodiscard]] absl::Status Refusal(std::string_view why) const;

 private:
  [[nodiscard]] absl::Status FullOf(std::uint64_t count, const absl::Status& status) const;
  [[nodiscard]] absl::Status PopFromVec(bool back, std::uint64_t most,
                                        std::vector<std::string>& taken) const;

  const Store& store_;
  const Form& form_;
  std::uint64_t width_ = 0;  // 0: elements have any sizes.
  internal::Queue queue_;    // Of a vector or string only its sequence is used.
};

// Part of a walk over elements: the index of the first, and each one's bytes.
struct ElementChunk {
  std::uint64_t first = 0;
  std::vector<std::string_view> elements;
};

// Calls `use` with the elements from `from` on, before `to`, at most `limit`, chunk by chunk, as
// they are in a snapshot and while no pin is held. `reverse`: the last one first, and so are the
// chunks; the indexes of a chunk go down.
absl::Status ForEachChunk(const internal::Sequence& in_snapshot, std::uint64_t from,
                          std::uint64_t to, std::uint64_t limit, bool reverse,
                          absl::FunctionRef<absl::Status(const ElementChunk&)> use);

}  // namespace commy::tools
