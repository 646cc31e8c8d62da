// A named map from bytes to bytes inside a store.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/export.h"
#include "commy/options.h"

namespace commy {

class WriteBatch;

namespace engine {
struct NamespaceState;
}
namespace api {
class ScanState;
class ViewState;
}  // namespace api

// A value that is read where it lies, without a copy. It keeps the bytes from being reused while
// it lives, so do not hold one for long: nothing that was replaced since can be reused either.
// Move-only; may be destroyed by another thread. Keeps the store open.
class COMMY_EXPORT View {
 public:
  View(View&& other) noexcept;
  View& operator=(View&& other) noexcept;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View();

  // 16-byte aligned. Ends with the View.
  [[nodiscard]] std::string_view value() const& { return value_; }
  std::string_view value() && = delete;
  // Whether value() may still be looked at.
  [[nodiscard]] bool valid() const { return state_ != nullptr; }

 private:
  friend class Namespace;
  View(std::unique_ptr<api::ViewState> state, std::string_view value);

  std::unique_ptr<api::ViewState> state_;
  std::string_view value_;
};

// A key and its value, owned. What a scan yields; lives until the iterator moves on.
class Entry {
 public:
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& value() const { return value_; }
  // Time to live that is left; infinite: none was set.
  [[nodiscard]] absl::Duration ttl() const { return ttl_; }

 private:
  friend class api::ScanState;
  std::string key_;
  std::string value_;
  absl::Duration ttl_ = absl::InfiniteDuration();
};

// The keys of a namespace, in a range-for. Ask status() after the loop: it ends early on an error.
//
//   for (auto scan = ns->Scan({.prefix = "a"}); const commy::Entry& e : scan) {
//     Use(e.key(), e.value());
//   }
//
// It sees the keys as they were at one moment, when the first is asked for or when the snapshot that it
// was given was taken; see ScanOptions. What its own snapshot keeps is given back when the scan has come
// to its end or is destroyed, so do not leave one half way.
class COMMY_EXPORT ScanRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = const Entry&;

    reference operator*() const { return range_->entry(); }
    pointer operator->() const { return &range_->entry(); }
    Iterator& operator++() {
      if (!range_->Advance()) {
        range_ = nullptr;
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class ScanRange;
    explicit Iterator(ScanRange* range) : range_(range) {}
    ScanRange* range_;
  };

  ScanRange(ScanRange&& other) noexcept;
  ScanRange& operator=(ScanRange&& other) noexcept;
  ScanRange(const ScanRange&) = delete;
  ScanRange& operator=(const ScanRange&) = delete;
  ~ScanRange();

  // May be called once.
  Iterator begin() { return Iterator(Advance() ? this : nullptr); }
  Iterator end() { return Iterator(nullptr); }
  // OK, or why the scan ended early.
  [[nodiscard]] const absl::Status& status() const;

 private:
  friend class Namespace;
  friend class Transaction;
  explicit ScanRange(std::unique_ptr<api::ScanState> state);
  bool Advance();
  [[nodiscard]] const Entry& entry() const;

  std::unique_ptr<api::ScanState> state_;
};

// Up to when a program has looked at a namespace; see Namespace::Changes. Means something to the
// processes that have the store open, as long as the namespace lives.
class ChangeToken {
 public:
  ChangeToken() = default;
  friend bool operator==(const ChangeToken& a, const ChangeToken& b) {
    return a.generation_ == b.generation_;
  }
  friend bool operator!=(const ChangeToken& a, const ChangeToken& b) { return !(a == b); }

 private:
  friend class Namespace;
  explicit ChangeToken(std::uint64_t generation) : generation_(generation) {}
  std::uint64_t generation_ = 0;
};

// A handle to a namespace. Cheap to copy; every method is safe from any thread; keeps the store
// open. Each single-key method is linearizable across all threads and processes, and durable
// against the death of any process once it has returned.
//
// Errors that any method may return: NotFound with "namespace" in its text: it was dropped (a key
// that is not there is NotFound with "key"); FailedPrecondition: the handle is used after fork() or
// Close(), or a write through a read-only store; DataLoss: the file is damaged, with the place;
// ResourceExhausted: no room (writes), nothing has changed then.
//
// Keys have 0 to 65,536 bytes, values up to 1 GiB (InvalidArgument past that).
class COMMY_EXPORT Namespace {
 public:
  // Sets a key. Cost: one allocation in the file, a copy, and a handful of atomic operations.
  absl::Status Put(std::string_view key, std::string_view value,
                   PutOptions options = PutOptions()) const;
  // Removes a key. Returns whether it was there. Works on a full store, but for what a snapshot keeps.
  absl::StatusOr<bool> Delete(std::string_view key) const;
  // A copy of the value. NotFound: no such key.
  absl::StatusOr<std::string> Get(std::string_view key, ReadOptions options = ReadOptions()) const;
  absl::StatusOr<bool> Contains(std::string_view key, ReadOptions options = ReadOptions()) const;
  // The value in place. NotFound: no such key.
  absl::StatusOr<View> GetView(std::string_view key, ReadOptions options = ReadOptions()) const;
  // Calls `use` once with the value in place. The recommended way to read without a copy: nothing
  // outlives the call. NotFound: no such key; `use` was not called.
  absl::Status ReadWith(std::string_view key, absl::FunctionRef<void(std::string_view)> use,
                        ReadOptions options = ReadOptions()) const;

  // Sets a key unless it is there. Returns whether it was set.
  absl::StatusOr<bool> PutIfAbsent(std::string_view key, std::string_view value,
                                   PutOptions options = PutOptions()) const;
  // Sets (or, with no `desired`, removes) a key if its value is `expected` (nullopt: if it is
  // absent). Returns whether it did. A time to live that the key had is dropped.
  absl::StatusOr<bool> CompareAndSwap(std::string_view key, Swap swap) const;
  // Adds to a value that is decimal text; absent counts as 0. Returns the new value. OutOfRange: the
  // sum does not fit into 64 bits; InvalidArgument: the value is not a decimal integer.
  absl::StatusOr<std::int64_t> Add(std::string_view key, std::int64_t delta) const;
  // Reads the value (nullopt: absent), lets `decide` say what becomes of it, and does so if nobody
  // changed the key meanwhile; else again with the new value. `decide` runs with nothing held and
  // may use the store. Returns whether the key was written or removed.
  absl::StatusOr<bool> Update(
      std::string_view key,
      absl::FunctionRef<Change(std::optional<std::string_view>)> decide) const;

  // One result a key, in order. Without a snapshot each key is read at its own time.
  std::vector<absl::StatusOr<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                                    ReadOptions options = ReadOptions()) const;

  // See ScanRange. In an ordered namespace by the order of the keys, and only the range is visited;
  // with `limit` 1 it finds the first key from a bound on (or, in reverse, the last one before it).
  // In a hash namespace the order means nothing, `reverse` is an error
  // (InvalidArgument), and `from`, `to` and `prefix` filter a walk over all keys.
  ScanRange Scan(ScanOptions options = ScanOptions()) const;
  // How many keys such a scan would visit. Reads no values. Cost: linear in the number of keys, of
  // the range or (hash) of all.
  absl::StatusOr<std::uint64_t> Count(ScanOptions options = ScanOptions()) const;

  // The same as Store::Write: the batch may have keys of any namespace of the store.
  absl::Status Write(WriteBatch batch) const;

  // Waiting for others, without a system call for a writer for whom nobody waits, or only by GetOrWait
  // for other keys:
  //
  //   while (true) {
  //     const auto seen = ns.Changes();
  //     if (LookWhatIsThere(ns)) break;
  //     ns.WaitForChange(*seen, absl::Seconds(10)).IgnoreError();
  //   }
  //
  // Changes() comes first: what is changed after it, by anybody, ends the wait. So do a clear, a drop
  // (NotFound), and a change whose writer was killed, as soon as somebody has noticed that: at most two heartbeats. What an expired
  // key's sweep deletes is a change; its expiry is not. The return may be for nothing: look again. Of a
  // writer that was stopped in the middle of a put nobody hears until he goes on.
  absl::StatusOr<ChangeToken> Changes() const;
  // Returns when something has changed since `seen`, with the new token. DeadlineExceeded: nothing has
  // within `timeout` (may be infinite; not more than nothing: does not wait). FailedPrecondition: the
  // store was closed meanwhile, which ends the wait within a second. Where more than four wait already, it
  // may return up to 1 ms late, so that a busy writer is not held up by waking all of them each time.
  absl::StatusOr<ChangeToken> WaitForChange(ChangeToken seen, absl::Duration timeout) const;
  // The value of the key, as soon as it is there. DeadlineExceeded: it was not within `timeout`. Who is
  // woken in vain (another got the key first and deleted it; rarely, for another key) may then be up to 1 ms
  // late.
  absl::StatusOr<std::string> GetOrWait(std::string_view key, absl::Duration timeout) const;

  // How many keys there are; those that expired count until they are swept, and a change that is
  // under way (also that of a killed process, until it has been recovered) may not count yet. Cost:
  // a few hundred loads.
  absl::StatusOr<std::uint64_t> Size() const;
  // Removes all keys at one moment. Cost: linear in the number of keys.
  absl::Status Clear() const;

  // The time to live of what is put without one; see NamespaceOptions. Setting it changes what is put
  // from then on, by anybody. InvalidArgument: not more than nothing.
  [[nodiscard]] absl::StatusOr<absl::Duration> DefaultTtl() const;
  absl::Status SetDefaultTtl(absl::Duration ttl) const;

  // The path under which it was opened; a rename does not change it here.
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] Order order() const;

 private:
  friend class Store;
  friend class Transaction;
  friend class WriteBatch;
  explicit Namespace(std::shared_ptr<const engine::NamespaceState> state);

  std::shared_ptr<const engine::NamespaceState> state_;
};

}  // namespace commy
