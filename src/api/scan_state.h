// A scan in progress, and the batch of entries that it copies at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commy/namespace.h"
#include "engine/namespace_state.h"
#include "transactions/read_set.h"
#include "transactions/write_set.h"

namespace commy::api {

// The entries of one step of a scan. The strings' memory is used again by the next step; a moderate
// part of it is kept for the next scan of the thread.
class EntryBatch {
 public:
  EntryBatch();
  EntryBatch(const EntryBatch&) = delete;
  EntryBatch& operator=(const EntryBatch&) = delete;
  ~EntryBatch();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Entry& operator[](std::size_t i) const { return entries_[i]; }
  [[nodiscard]] const Entry& back() const { return entries_[size_ - 1]; }
  void clear() { size_ = 0; }
  // Appends an entry. Its contents are stale; the caller overwrites them.
  Entry& Add() {
    if (size_ == entries_.size()) {
      entries_.emplace_back();
    }
    return entries_[size_++];
  }

 private:
  struct Spare;
  static Spare& MySpare();

  std::vector<Entry> entries_;  // The first size_ count.
  std::size_t size_ = 0;
};

// A scan in progress: one segment's or leaf's worth of entries at a time, copied under a pin that
// is held only for the copying.
class ScanState {
 public:
  ScanState(std::shared_ptr<const engine::NamespaceState> ns, ScanOptions options);
  ScanState(std::shared_ptr<const engine::NamespaceState> ns, ScanOptions options,
            const transactions::ScanWithin& within);
  ScanState(const ScanState&) = delete;
  ScanState& operator=(const ScanState&) = delete;
  ~ScanState() { ReleaseOwn(); }

  bool Advance();
  // Of a scan that was not advanced yet.
  absl::StatusOr<std::uint64_t> Count();
  [[nodiscard]] const Entry& entry() const { return *entry_; }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  // Ends it before it has begun, unless it is OK.
  void Fail(const absl::Status& status) { status_.Update(status); }

 private:
  // Takes the snapshot that the scan was not given.
  absl::Status Begin();
  void ReleaseOwn();
  absl::Status FillBatch();
  // One segment or leaf further: calls `use` for its wanted records, until it returns false.
  absl::Status Step(absl::FunctionRef<bool(const versions::RecordView&)> use);
  absl::Status ReadStep(absl::FunctionRef<bool(const versions::RecordView&)> use);
  [[nodiscard]] bool Wanted(std::string_view key) const;
  // Makes batch_[next_] the next entry of the store. False: there is none, or an error.
  bool Peek();
  // The next entry of the store and of the transaction's own writes together.
  bool AdvanceMerged();
  // Makes the entry of writes_[writes_next_], and goes on; false: it removes the key.
  bool TakeOwn();
  // Tells the transaction how far this was read.
  void RecordRange();

  std::shared_ptr<const engine::NamespaceState> ns_;
  const ScanOptions options_;
  absl::Status status_;
  bool begun_ = false;
  std::optional<versions::HeldSnapshot> own_;
  versions::AsOf as_of_;
  EntryBatch batch_;
  std::size_t next_ = 0;
  index::ScanCursor at_;
  std::string low_;                  // Keys from this one on,
  std::optional<std::string> high_;  // and before this one, if any.
  bool at_end_ = false;
  bool cut_ = false;  // The last batch ended at the limit.
  std::uint64_t yielded_ = 0;
  const Entry* entry_ = nullptr;

  std::optional<transactions::ScanWithin> within_;
  std::vector<std::pair<std::string, transactions::PendingWrite>>
      writes_;  // In the order of the scan.
  std::size_t writes_next_ = 0;
  Entry own_entry_;
};

}  // namespace commy::api
