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
#include "commy/shared_options.h"

namespace commy {

class Loan;
class SharedCounter;
class WriteBatch;

namespace engine {
struct NamespaceState;
}
namespace api {
class ScanState;
class ViewState;
struct HandleAccess;
}  // namespace api

// A value read in place, in the mapped file, without a copy. The value does not change while the
// View lives, even if the key is replaced or deleted. While it lives, it keeps these bytes, and all
// else that was replaced since, from being reused; so do not hold one for long. Move-only. Any
// thread may destroy it. Keeps the store open, and makes Store::Close() fail.
class COMMY_EXPORT View {
 public:
  View(View&& other) noexcept;
  View& operator=(View&& other) noexcept;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View();

  // The bytes, aligned to 16, or as the namespace's type or a Loan asked. Valid as long as the View
  // lives.
  [[nodiscard]] std::string_view value() const& { return value_; }
  std::string_view value() && = delete;
  // False once the View was moved from; value() is empty then.
  [[nodiscard]] bool valid() const { return state_ != nullptr; }

 private:
  friend class Namespace;
  View(std::unique_ptr<api::ViewState> state, std::string_view value);

  std::unique_ptr<api::ViewState> state_;
  std::string_view value_;
};

// A key and its value, as a scan yields them: copies, owned by the scan. Valid until the iterator
// is incremented.
class Entry {
 public:
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& value() const { return value_; }
  // The time to live that was left when the scan read the key. Infinite: it never expires.
  [[nodiscard]] absl::Duration ttl() const { return ttl_; }

 private:
  friend class api::ScanState;
  std::string key_;
  std::string value_;
  absl::Duration ttl_ = absl::InfiniteDuration();
};

// The keys of a namespace, for a range-based for loop. An error ends the loop early, so check
// status() after it.
//
//   for (auto scan = ns->Scan({.prefix = "a"}); const commy::Entry& e : scan) {
//     Use(e.key(), e.value());
//   }
//
// It sees the keys as they were at one moment: when begin() was called, or when the snapshot that
// it was given was taken; see ScanOptions. Its own snapshot is released when the scan reaches its
// end or is destroyed. So do not leave one half way: what a snapshot sees keeps its space.
//
// Move-only, and for one thread at a time. Keeps the store open.
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

  // Begins the scan and reads its first key. May be called once.
  Iterator begin() { return Iterator(Advance() ? this : nullptr); }
  Iterator end() { return Iterator(nullptr); }
  // OK, or the error that ended the scan early. Errors are those of Namespace's reads, and
  // ResourceExhausted if there is no room for the scan's own snapshot.
  [[nodiscard]] const absl::Status& status() const;

 private:
  friend class Namespace;
  friend class Transaction;
  explicit ScanRange(std::unique_ptr<api::ScanState> state);
  bool Advance();
  [[nodiscard]] const Entry& entry() const;

  std::unique_ptr<api::ScanState> state_;
};

// The state of a namespace up to which a program knows its changes; see Namespace::Changes(). Valid
// in every process that has the store open, as long as the namespace lives.
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

// A handle to a namespace: a map from keys to values, both of which are any bytes. Keys have 0 to
// 65,536 bytes, values up to 1 GiB.
//
//   absl::StatusOr<commy::Namespace> ns = store->OpenNamespace("acme/config");
//   absl::Status done = ns->Put("greeting", "hello");
//   absl::StatusOr<std::string> greeting = ns->Get("greeting");
//
// Cheap to copy; every method is safe from any thread; keeps the store open. Must not be used in a
// child after fork(). Each single-key method is linearizable across all threads and processes. Its
// effect is durable against the death of any process once it has returned. If the process dies in
// the middle, the effect has happened as a whole or not at all.
//
// Errors that any method may return:
//   NotFound            the key is not there; this and nothing else
//   FailedPrecondition  the namespace was dropped (see IsNamespaceDropped); or the handle is used
//                       after fork() or Close(), or for a write through a read-only store
//   InvalidArgument     a key, value, time to live or option is out of its range
//   ResourceExhausted   a write found no room, and nothing has changed; or all lanes are taken (one
//                       for each thread that uses the store)
//   DataLoss            the file is damaged; the text names the place
class COMMY_EXPORT Namespace {
 public:
  // Sets a key, replacing the value and the time to live that it had. Copies both.
  // Cost: one allocation in the file, a copy, and a handful of atomic operations.
  absl::Status Put(std::string_view key, std::string_view value,
                   PutOptions options = PutOptions()) const;
  // Removes a key. Returns whether it was there. Works on a full store, except for what a snapshot
  // keeps.
  absl::StatusOr<bool> Delete(std::string_view key) const;
  // Returns a copy of the value. NotFound: no such key.
  absl::StatusOr<std::string> Get(std::string_view key, ReadOptions options = ReadOptions()) const;
  // Returns whether the key is there.
  absl::StatusOr<bool> Contains(std::string_view key, ReadOptions options = ReadOptions()) const;
  // Returns the value in place, without a copy; see View. NotFound: no such key.
  absl::StatusOr<View> GetView(std::string_view key, ReadOptions options = ReadOptions()) const;
  // Calls `use` once with the value in place, on this thread. The recommended way to read without a
  // copy, since nothing outlives the call. `use` may use the store, but must not close it, and
  // should be short: while it runs, nothing that is replaced or deleted can be reused.
  // NotFound: no such key; `use` was not called.
  absl::Status ReadWith(std::string_view key, absl::FunctionRef<void(std::string_view)> use,
                        ReadOptions options = ReadOptions()) const;

  // Returns room for a value of `size_bytes` bytes (0 to 1 GiB), aligned to 64 in the file, to be
  // written there and then published under the key; see Loan. Until then the key is as it was.
  // Include <commy/loan.h>. Cost: one allocation, and a lane of its own.
  absl::StatusOr<Loan> Reserve(std::string_view key, std::uint64_t size_bytes,
                               PutOptions options = PutOptions()) const;

  // Sets a key unless it is there. Returns whether it was set. Of several concurrent callers
  // exactly one gets true.
  absl::StatusOr<bool> PutIfAbsent(std::string_view key, std::string_view value,
                                   PutOptions options = PutOptions()) const;
  // If the value of the key is `expected` (nullopt: if the key is absent), sets it to `desired`
  // (nullopt: removes it). Returns whether the value matched. A value that is set gets the
  // namespace's default time to live; one that the key had is dropped.
  absl::StatusOr<bool> CompareAndSwap(std::string_view key, Swap swap) const;
  // Adds `delta` to a value that is decimal text; an absent key counts as 0. Returns the new value.
  // The key keeps its time to live; a new one gets the namespace's default.
  // OutOfRange: the sum does not fit into 64 bits. InvalidArgument: the value is not a decimal
  // integer of 64 bits. Nothing has changed then.
  absl::StatusOr<std::int64_t> Add(std::string_view key, std::int64_t delta) const;
  // Reads the value (nullopt: absent), calls `decide` with it, and carries out the Change that this
  // returns, if the key was not changed meanwhile; else starts over with the new value. So `decide`
  // may run several times. It holds nothing and may use the store. Returns whether the key was
  // written or removed.
  //
  //   auto append = [](std::optional<std::string_view> hosts) {
  //     return commy::Change::Put(hosts ? std::string(*hosts) + ",me" : std::string("me"));
  //   };
  //   absl::StatusOr<bool> changed = ns->Update("hosts", append);
  absl::StatusOr<bool> Update(
      std::string_view key,
      absl::FunctionRef<Change(std::optional<std::string_view>)> decide) const;

  // Gets several keys. Returns one result for each, in the order of `keys`, as Get() would. Without
  // a snapshot each key is read at its own time. Faster than single Gets in a hash namespace.
  std::vector<absl::StatusOr<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                                    ReadOptions options = ReadOptions()) const;

  // Scans all keys, or those that `options` selects; see ScanRange and ScanOptions.
  //
  // In an ordered namespace the keys come in bytewise order, and only the range is visited. With
  // `limit` 1 the scan finds the first key from a bound on, or in reverse the last one before it.
  // In a hash namespace the order means nothing: `from`, `to` and `prefix` filter a walk over all
  // keys, and `reverse` is an error (InvalidArgument).
  ScanRange Scan(ScanOptions options = ScanOptions()) const;
  // Returns how many keys such a scan would visit. Reads no values. Cost: linear in the number of
  // keys in the range (ordered) or in the namespace (hash).
  absl::StatusOr<std::uint64_t> Count(ScanOptions options = ScanOptions()) const;

  // The same as Store::Write(): the batch may have keys of any namespaces of the store.
  absl::Status Write(WriteBatch batch) const;

  // Returns a token for the present state, to wait for the next change of the namespace by any
  // process:
  //
  //   while (true) {
  //     const auto seen = ns.Changes();
  //     if (LookWhatIsThere(ns)) break;
  //     ns.WaitForChange(*seen, absl::Seconds(10)).IgnoreError();
  //   }
  //
  // Take the token first and read afterwards: then a change after the reads ends the wait. A clear
  // ends it too, and so does a drop (IsNamespaceDropped). A change whose writer was killed ends it
  // when another participant notices, which takes at most two heartbeats. The delete of an expired
  // key by the sweep is a change; its expiry is not. A writer that is stopped in the middle of a
  // put wakes no waiter until it resumes. A wait may end although nothing has changed: look again.
  //
  // Cost: a writer makes no system call if no thread waits, or if all waiters are in GetOrWait()
  // for other keys.
  absl::StatusOr<ChangeToken> Changes() const;
  // Waits until something has changed since `seen`, and returns the new token. The thread sleeps
  // meanwhile. `timeout` may be infinite; if it is zero or negative, the call does not wait. If
  // more than four threads wait already, the call may return up to 1 ms late, so that a busy writer
  // does not have to wake all of them each time. DeadlineExceeded: nothing has changed within
  // `timeout`. FailedPrecondition: the store was closed by another thread, which ends the wait
  // within a second.
  absl::StatusOr<ChangeToken> WaitForChange(ChangeToken seen, absl::Duration timeout) const;
  // Returns a copy of the value, and waits until the key is there. `timeout` as for
  // WaitForChange(). A waiter that was woken in vain may afterwards notice the key up to 1 ms late.
  // That happens when another process deletes the key at once and, rarely, when another key was
  // put. DeadlineExceeded: the key did not appear within `timeout`. FailedPrecondition as above.
  absl::StatusOr<std::string> GetOrWait(std::string_view key, absl::Duration timeout) const;

  // Returns the number of keys. Expired keys count until they are swept. A change in flight may not
  // count yet, including one of a killed process until that is recovered.
  // Cost: a few hundred loads.
  absl::StatusOr<std::uint64_t> Size() const;
  // Removes all keys at one moment. Works on a full store. Cost: linear in the number of keys.
  absl::Status Clear() const;

  // The time to live of keys that are put without one; see NamespaceOptions. Setting it applies to
  // all puts from then on, by any process; keys that are there keep theirs.
  // InvalidArgument: `ttl` is not positive.
  [[nodiscard]] absl::StatusOr<absl::Duration> DefaultTtl() const;
  absl::Status SetDefaultTtl(absl::Duration ttl) const;

  // The most that the keys of this namespace may take, in bytes as NamespaceInfo::bytes has them;
  // 0: no limit. A put, a transaction or a push that would take the namespace above it fails with
  // ResourceExhausted, which names the quota, and changes nothing. Deletes, pops, and values that
  // take no more than those that they replace always work, also above a quota that was set lower
  // than what is there. What other threads write at the same moment may exceed it. Expired keys
  // count until they are swept.
  // Cost, while there is a quota: some hundred loads for each write that takes more.
  // InvalidArgument: 2^63 or more.
  absl::Status SetQuota(std::uint64_t bytes) const;
  [[nodiscard]] absl::StatusOr<std::uint64_t> Quota() const;

  // What keys and values are: "map<u64,string>"; see docs/types.md. Empty: any bytes. Reads and
  // writes of this class are of bytes in any case.
  [[nodiscard]] absl::StatusOr<std::string> Type() const;

  // The path under which this handle was opened. A rename does not change it.
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] Order order() const;

 private:
  friend struct api::HandleAccess;
  friend class SharedCounter;
  friend absl::StatusOr<Namespace> internal::OpenTyped(const Store& store, std::string_view path,
                                                       Order order, std::string_view type,
                                                       const SharedOptions& options,
                                                       internal::Verify verify);
  friend class Store;
  friend class Transaction;
  friend class WriteBatch;
  explicit Namespace(std::shared_ptr<const engine::NamespaceState> state);

  std::shared_ptr<const engine::NamespaceState> state_;
};

// Whether `status`, of any call with a namespace, says that the namespace was dropped. Such a
// handle stays of no use: open the path again, which makes a new namespace. Any thread.
//
//   absl::StatusOr<std::string> value = ns->Get("key");
//   if (commy::IsNamespaceDropped(value.status())) { ns = store->OpenNamespace("path"); }
COMMY_EXPORT bool IsNamespaceDropped(const absl::Status& status);

}  // namespace commy
