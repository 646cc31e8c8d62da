// A value that is written in place, in the mapped file, before it is there for others.
//
//   absl::StatusOr<commy::Loan> loan = images.Reserve("frame/17", width * height);
//   if (loan.ok()) {
//     camera.Read(loan->bytes());
//     absl::Status done = std::move(*loan).Publish();
//   }
//
// This is what the allocator of the store offers to programs: room in the file, aligned to 64
// bytes, without a copy afterwards. Room always has an owner: until Publish() it is the loan's, and
// goes back with it, also if the process is killed; then it is the key's. Room without an owner is
// not to be had: if a process died that alone knew of it, nothing could tell that it is free.
//
// In the file a block is known by its offset from the file's beginning, since each process maps the
// file elsewhere. So do not store addresses in the file, nor offsets: what is stored under a key
// may be replaced, and its block used for something else. Store the key.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"

#include "commy/export.h"
#include "commy/options.h"

namespace commy {

namespace api {
class LoanState;
}

// The room for the value of one key; see Namespace::Reserve(). Move-only, for one thread at a time;
// it may go from one to another. Keeps the store open, and makes Store::Close() fail. While it
// lives, it occupies one of the store's lanes (Options::threads), and what is replaced or deleted
// in the store keeps its space, as with a View: in a full store deletes make no room until it ends.
// So publish or drop it soon.
class COMMY_EXPORT Loan {
 public:
  Loan(Loan&& other) noexcept;
  Loan& operator=(Loan&& other) noexcept;
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  // Gives the room back if it was not published.
  ~Loan();

  // The room, to be written in any order; it begins with unspecified content. Valid until Publish()
  // succeeds or the loan goes. Empty once it was published or moved from.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

  // Puts the key, with what the bytes are now: replaces the value and the time to live that it had,
  // at one moment. After that the bytes must not be written any more. A time to live begins now.
  // Errors as of Namespace::Put(), FailedPrecondition also if it was published or moved from. After
  // an error nothing has changed, and the loan still has its room.
  // Cost: that of a put without the copy; a checksum reads the bytes once.
  absl::Status Publish() &&;

 private:
  friend class Namespace;
  explicit Loan(std::unique_ptr<api::LoanState> state);

  std::unique_ptr<api::LoanState> state_;
  std::span<std::byte> bytes_;
};

}  // namespace commy
