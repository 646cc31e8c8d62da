// One participant of a history of transactions: it reads and appends to the lists of a hash and an
// ordered namespace, by transactions, single calls, scans and snapshots, and logs its operations
// before each commit and after it.
//
// Lists grow, so the keys in use are a window that moves on. Between them the worker adds and
// deletes other keys, which are not logged: they make segments and leaves split, and leaves merge.
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commy/commy.h"
#include "support/history.h"
#include "support/transaction_history.h"

namespace commy::test {

// The log of the transactions of successive sessions, in memory that outlives their processes.
// Words, not structs: most lists are short. If the writer is killed, the entry that it was writing
// is missing, and its last transaction never returned.
template <std::size_t kWords>
class TransactionLog {
 public:
  // Returns false if the log is full.
  bool Begin(const ListTransaction& one) {
    std::vector<std::uint64_t> entry = {kBegin, one.session, one.begin_ns,
                                        static_cast<std::uint64_t>(one.isolation)};
    PutOps(one.ops, entry);
    return Put(entry);
  }
  // Logs how the last transaction ended; `reads` come before the operations given to Begin().
  bool End(Outcome outcome, const std::vector<ListOp>& reads = {}) {
    std::vector<std::uint64_t> entry = {kEnd, HistoryNow(), static_cast<std::uint64_t>(outcome)};
    PutOps(reads, entry);
    return Put(entry);
  }

  [[nodiscard]] std::uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }

  // Requires: no other thread or process writes.
  void AppendTo(std::vector<ListTransaction>& history) const {
    const std::uint64_t* at = words_;
    const std::uint64_t* const end = words_ + used_.load(std::memory_order_acquire);
    while (at != end) {
      if (*at == kBegin) {
        history.push_back({static_cast<std::uint32_t>(at[1]),
                           at[2],
                           0,
                           static_cast<Isolation>(at[3]),
                           Outcome::kUnknown,
                           {}});
        at = TakeOps(at + 4, history.back().ops);
      } else {
        ListTransaction& one = history.back();
        one.end_ns = at[1];
        one.outcome = static_cast<Outcome>(at[2]);
        std::vector<ListOp> ops;
        at = TakeOps(at + 3, ops);
        one.ops.insert(one.ops.begin(), ops.begin(), ops.end());
      }
    }
  }

 private:
  static constexpr std::uint64_t kBegin = 1;
  static constexpr std::uint64_t kEnd = 2;

  static void PutOps(const std::vector<ListOp>& ops, std::vector<std::uint64_t>& entry) {
    entry.push_back(ops.size());
    for (const ListOp& op : ops) {
      entry.insert(entry.end(), {static_cast<std::uint64_t>(op.kind), op.key, op.values.size()});
      entry.insert(entry.end(), op.values.begin(), op.values.end());
    }
  }
  static const std::uint64_t* TakeOps(const std::uint64_t* at, std::vector<ListOp>& ops) {
    for (std::uint64_t left = *at++; left != 0; --left) {
      const std::uint64_t* const values = at + 3;
      ops.push_back({static_cast<ListOp::Kind>(at[0]), static_cast<std::uint32_t>(at[1]),
                     std::vector<std::uint64_t>(values, values + at[2])});
      at = values + at[2];
    }
    return at;
  }
  bool Put(const std::vector<std::uint64_t>& entry) {
    const std::uint64_t used = used_.load(std::memory_order_relaxed);
    if (entry.size() > kWords - used) {
      return false;
    }
    std::copy(entry.begin(), entry.end(), words_ + used);
    used_.store(used + entry.size(), std::memory_order_release);
    entries_.store(entries() + 1, std::memory_order_relaxed);
    return true;
  }

  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> entries_{0};
  std::uint64_t words_[kWords];
};

// What all participants share.
struct ListBoard {
  std::atomic<std::uint32_t> first_key{0};  // Of those in use.
  std::atomic<std::uint64_t> values{0};     // The number of values given out for appends.
};

template <std::size_t kWords>
class TransactionWorker {
 public:
  static constexpr std::uint32_t kKeys = 8;       // In use at a time.
  static constexpr std::size_t kLongEnough = 24;  // At this length the first key leaves the window.

  TransactionWorker(const Store& store, Isolation isolation, std::uint32_t session,
                    std::uint64_t seed, ListBoard& board, TransactionLog<kWords>& log)
      : store_(store),
        namespaces_{*store.OpenNamespace("hash"),
                    *store.OpenNamespace("ordered", {.order = Order::kOrdered})},
        isolation_(isolation),
        session_(session),
        random_(seed),
        board_(board),
        log_(log) {}

  // Runs one transaction or call. Not OK: the store returned an unexpected error other than
  // Aborted. OutOfRange: the log is full.
  absl::Status Step() {
    const std::uint64_t dice = random_() % 100;
    return dice < 15   ? MoveFillers()
           : dice < 22 ? ReadBySnapshot()
           : dice < 28 ? ReadNow()
           : dice < 40 ? UpdateOne()
                       : RunTransaction();
  }

  // Reads all lists: the end of a history.
  absl::Status ReadAll() {
    ListTransaction one = New(Isolation::kSerializable);
    const absl::StatusOr<Snapshot> now = store_.TakeSnapshot();
    if (!now.ok()) {
      return now.status();
    }
    absl::Status done = ReadAt(*now, {0, board_.first_key + kKeys}, one.ops);
    return done.ok() ? WriteDown(one) : done;
  }

 private:
  struct Range {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
  };

  static std::string Key(std::uint32_t number) {
    char text[16];
    std::snprintf(text, sizeof(text), "k%06u", number);
    return text;
  }
  std::string Filler() { return Key(AnyKey()) + "+" + std::to_string(random_() % 12); }
  const Namespace& HomeOf(std::uint32_t key) const { return namespaces_[key % 2]; }
  std::uint32_t AnyKey() {
    return board_.first_key + static_cast<std::uint32_t>(random_() % kKeys);
  }
  Range AnyRange() {
    const std::uint32_t from = AnyKey();
    return {from, from + 1 + static_cast<std::uint32_t>(random_() % kKeys)};
  }

  static std::vector<std::uint64_t> ListIn(std::string_view text) {
    std::vector<std::uint64_t> list;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
      std::uint64_t value = 0;
      const auto [after, error] = std::from_chars(at, end, value);
      // A value that is no list counts as one that was never appended.
      list.push_back(error == std::errc() ? value : 0);
      at = error == std::errc() && after != end ? after + 1 : end;
    }
    return list;
  }

  ListTransaction New(Isolation isolation) const {
    ListTransaction one;
    one.session = session_;
    one.isolation = isolation;
    one.begin_ns = HistoryNow();
    return one;
  }
  // Logs a transaction that has committed.
  absl::Status WriteDown(const ListTransaction& one) {
    return log_.Begin(one) && log_.End(Outcome::kCommitted) ? absl::OkStatus() : Full();
  }
  static absl::Status Full() { return absl::OutOfRangeError("the log is full"); }

  absl::Status NoteRead(std::uint32_t key, const absl::StatusOr<std::string>& got,
                        std::vector<ListOp>& ops) {
    if (!got.ok() && !absl::IsNotFound(got.status())) {
      return got.status();
    }
    ops.push_back(
        {ListOp::Kind::kRead, key, got.ok() ? ListIn(*got) : std::vector<std::uint64_t>()});
    std::uint32_t first = board_.first_key;
    if (key == first && ops.back().values.size() >= kLongEnough) {
      board_.first_key.compare_exchange_strong(first, first + 1);
    }
    return absl::OkStatus();
  }

  // Reads the keys of a range that the ordered namespace has by `scan`, and may be content with
  // some.
  template <typename Scan>
  absl::Status NoteScan(Range range, Scan scan, std::vector<ListOp>& ops) {
    ScanOptions options;
    options.from = Key(range.from);
    options.to = Key(range.to);
    options.reverse = random_() % 2 == 0;
    options.limit = random_() % 3 == 0 ? 1 + random_() % 6 : UINT64_MAX;
    std::map<std::string, std::string> found;
    std::string last;
    ScanRange entries = scan(namespaces_[1], options);
    for (const Entry& entry : entries) {
      if (!last.empty() && (options.reverse ? entry.key() >= last : entry.key() <= last)) {
        return absl::InternalError("a scan is out of order at " + entry.key());
      }
      last = entry.key();
      found[last] = entry.value();
    }
    if (!entries.status().ok()) {
      return entries.status();
    }
    for (std::uint32_t key = range.from | 1; key < range.to; key += 2) {
      const std::string name = Key(key);
      if (found.size() < options.limit || (options.reverse ? name >= last : name <= last)) {
        const auto it = found.find(name);
        absl::Status noted = NoteRead(
            key,
            it == found.end() ? absl::StatusOr<std::string>(absl::NotFoundError("")) : it->second,
            ops);
        if (!noted.ok()) {
          return noted;
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status MoveFillers() {
    absl::Status done;
    for (int i = 0; i < 8 && done.ok(); ++i) {
      const Namespace& ns = namespaces_[random_() % 2];
      done = random_() % 2 == 0 ? ns.Put(Filler(), "") : ns.Delete(Filler()).status();
    }
    return done;
  }

  absl::Status ReadAt(const Snapshot& snapshot, Range range, std::vector<ListOp>& ops) {
    absl::Status done;
    for (std::uint32_t key = range.from; key < range.to && done.ok(); ++key) {
      done = NoteRead(key, HomeOf(key).Get(Key(key), {.snapshot = &snapshot}), ops);
    }
    if (!done.ok()) {
      return done;
    }
    return NoteScan(
        range,
        [&](const Namespace& ns, ScanOptions options) {
          options.snapshot = &snapshot;
          return ns.Scan(options);
        },
        ops);
  }

  absl::Status ReadBySnapshot() {
    ListTransaction one = New(Isolation::kSerializable);
    const absl::StatusOr<Snapshot> now = store_.TakeSnapshot();
    if (!now.ok()) {
      return now.status();
    }
    const std::uint32_t first = board_.first_key;
    absl::Status done = ReadAt(*now, {first, first + kKeys}, one.ops);
    return done.ok() ? WriteDown(one) : done;
  }

  absl::Status ReadNow() {
    ListTransaction one = New(Isolation::kSerializable);
    const std::uint32_t key = AnyKey();
    absl::Status done =
        random_() % 2 == 0
            ? NoteRead(key, HomeOf(key).Get(Key(key)), one.ops)
            : NoteScan(
                  AnyRange(),
                  [](const Namespace& ns, const ScanOptions& options) { return ns.Scan(options); },
                  one.ops);
    return done.ok() ? WriteDown(one) : done;
  }

  absl::Status UpdateOne() {
    ListTransaction one = New(Isolation::kSerializable);
    const std::uint32_t key = AnyKey();
    const std::uint64_t value = ++board_.values;
    one.ops.push_back({ListOp::Kind::kAppend, key, {value}});
    if (!log_.Begin(one)) {
      return Full();
    }
    std::string before;
    const absl::StatusOr<bool> done =
        HomeOf(key).Update(Key(key), [&](std::optional<std::string_view> now) {
          before = std::string(now.value_or(""));
          return Change::Put(Appended(before, value));
        });
    if (!done.ok()) {
      return done.status();
    }
    std::vector<ListOp> reads;
    absl::Status noted = NoteRead(key, before, reads);
    return !noted.ok() ? noted : log_.End(Outcome::kCommitted, reads) ? absl::OkStatus() : Full();
  }

  static std::string Appended(const std::string& text, std::uint64_t value) {
    return text + (text.empty() ? "" : ",") + std::to_string(value);
  }

  absl::Status AppendIn(Transaction& txn, std::uint32_t key, std::vector<ListOp>& ops) {
    const absl::StatusOr<std::string> now = txn.Get(HomeOf(key), Key(key));
    absl::Status done = NoteRead(key, now, ops);
    if (!done.ok()) {
      return done;
    }
    const std::uint64_t value = ++board_.values;
    ops.push_back({ListOp::Kind::kAppend, key, {value}});
    return txn.Put(HomeOf(key), Key(key), Appended(now.ok() ? *now : "", value));
  }

  absl::Status DoOne(Transaction& txn, std::vector<ListOp>& ops) {
    const std::uint64_t dice = random_() % 10;
    const std::uint32_t key = AnyKey();
    if (dice < 4) {
      return NoteRead(key, txn.Get(HomeOf(key), Key(key)), ops);
    }
    if (dice < 6) {
      return NoteScan(
          AnyRange(),
          [&](const Namespace& ns, const ScanOptions& options) { return txn.Scan(ns, options); },
          ops);
    }
    return AppendIn(txn, key, ops);
  }

  absl::Status RunTransaction() {
    ListTransaction one = New(isolation_);
    absl::StatusOr<Transaction> txn = store_.Begin({.isolation = isolation_});
    absl::Status done = txn.status();
    for (std::uint64_t left = 1 + random_() % 4; left != 0 && done.ok(); --left) {
      done = DoOne(*txn, one.ops);
    }
    for (int left = random_() % 20 == 0 ? 40 : 0; left != 0 && done.ok(); --left) {
      done = txn->Put(namespaces_[random_() % 2], Filler(), "");
    }
    if (!log_.Begin(one)) {
      return Full();
    }
    if (done.ok()) {
      done = txn->Commit();
    }
    if (!done.ok() && !absl::IsAborted(done)) {
      return done;
    }
    return log_.End(done.ok() ? Outcome::kCommitted : Outcome::kAborted) ? absl::OkStatus()
                                                                         : Full();
  }

  const Store store_;
  const Namespace namespaces_[2];  // Even keys are in the first, odd ones in the second.
  const Isolation isolation_;
  const std::uint32_t session_;
  std::mt19937_64 random_;
  ListBoard& board_;
  TransactionLog<kWords>& log_;
};

}  // namespace commy::test
