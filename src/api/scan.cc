// Scans: of hash namespaces segment by segment, of ordered ones leaf by leaf.
#include <algorithm>

#include "api/scan_state.h"
#include "api/snapshot_state.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "transactions/write_set.h"

namespace commy {
namespace api {
namespace {

// The first string above all that begin with `prefix`; none if there is no such string.
std::optional<std::string> Behind(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') {
    prefix.pop_back();
  }
  if (prefix.empty()) {
    return std::nullopt;
  }
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// The memory that a thread keeps for its next scan.
constexpr std::size_t kSpareBytes = std::size_t{64} << 10;
// The thread ends, and keeps nothing any more.
constinit thread_local bool spare_is_gone = false;

}  // namespace

struct EntryBatch::Spare {
  Spare() = default;
  Spare(const Spare&) = delete;
  Spare& operator=(const Spare&) = delete;
  ~Spare() { spare_is_gone = true; }

  std::vector<Entry> entries;
};

EntryBatch::Spare& EntryBatch::MySpare() {
  static thread_local Spare spare;
  return spare;
}

EntryBatch::EntryBatch() {
  if (!spare_is_gone) {
    entries_.swap(MySpare().entries);
  }
}

EntryBatch::~EntryBatch() {
  if (spare_is_gone) {
    return;
  }
  std::size_t bytes = 0;
  for (const Entry& entry : entries_) {
    bytes += sizeof(Entry) + entry.key().capacity() + entry.value().capacity();
  }
  if (bytes <= kSpareBytes) {
    entries_.swap(MySpare().entries);
  }
}

ScanState::ScanState(std::shared_ptr<const engine::NamespaceState> ns, ScanOptions options)
    : ns_(std::move(ns)), options_(std::move(options)) {
  if (options_.reverse && ns_->order == Order::kHash) {
    status_ = base::InvalidArgument("a hash namespace has no order to reverse");
  }
  low_ = std::max(options_.from, options_.prefix);
  high_ = Behind(options_.prefix);
  if (!options_.to.empty() && (!high_.has_value() || options_.to < *high_)) {
    high_ = options_.to;
  }
  if (options_.reverse) {
    at_.open = !high_.has_value();
    at_.bound = high_.value_or(std::string());
  } else {
    at_.open = low_.empty();
    at_.bound = low_;
  }
  at_end_ = high_.has_value() && *high_ <= low_;
}

ScanState::ScanState(std::shared_ptr<const engine::NamespaceState> ns, ScanOptions options,
                     const transactions::ScanWithin& within)
    : ScanState(std::move(ns), std::move(options)) {
  within_ = within;
  within_->writes = nullptr;
  if (within.writes == nullptr || at_end_) {
    return;
  }
  const auto& keys = within.writes->keys;
  for (auto at = keys.lower_bound(base::ToAbsl(low_)); at != keys.end() && Wanted(at->first);
       ++at) {
    writes_.emplace_back(at->first, at->second);
  }
  if (options_.reverse) {
    std::reverse(writes_.begin(), writes_.end());
  }
}

bool ScanState::Wanted(std::string_view key) const {
  return key >= low_ && (!high_.has_value() || key < *high_);
}

absl::Status ScanState::ReadStep(absl::FunctionRef<bool(const versions::RecordView&)> use) {
  const bool ordered = ns_->order == Order::kOrdered;
  engine::Access at(ns_->engine(), ns_->key);
  COMMY_RETURN_IF_ERROR(at.status());
  bool more = true;
  COMMY_RETURN_IF_ERROR(at.Finish(ns_->engine().map.Scan(
      at.ns(), as_of_, options_.reverse, &at_,
      [&](const versions::RecordView& view) {
        // In order, the first key that is not wanted ends the scan.
        return Wanted(view.key) ? use(view) : !ordered;
      },
      &more)));
  const bool behind =
      ordered && (options_.reverse ? at_.bound <= low_ : high_.has_value() && at_.bound >= *high_);
  at_end_ = !more || behind;
  return absl::OkStatus();
}

absl::Status ScanState::Begin() {
  begun_ = true;
  if (within_.has_value()) {
    as_of_ = within_->as_of;
  } else if (options_.snapshot != nullptr) {
    COMMY_ASSIGN_OR_RETURN(as_of_, SnapshotState::AsOfSnapshot(options_.snapshot, *ns_->store));
  } else if (options_.consistent) {
    COMMY_ASSIGN_OR_RETURN(own_, versions::TakeSnapshot(ns_->engine().session));
    as_of_ = {own_->time, own_->store_ns};
  }
  return absl::OkStatus();
}

void ScanState::ReleaseOwn() {
  if (own_.has_value()) {
    versions::ReleaseSnapshot(ns_->engine().session, *own_);
    own_.reset();
  }
}

absl::Status ScanState::Step(absl::FunctionRef<bool(const versions::RecordView&)> use) {
  if (!begun_) {
    COMMY_RETURN_IF_ERROR(Begin());
  }
  if (within_.has_value() && *within_->over) {
    return base::FailedPrecondition("the transaction that the scan is part of is over");
  }
  absl::Status status = ReadStep(use);
  if (at_end_ || !status.ok()) {
    ReleaseOwn();  // The entries that were seen have been copied.
  }
  return status;
}

absl::Status ScanState::FillBatch() {
  batch_.clear();
  next_ = 0;
  cut_ = false;
  // Keys that the transaction itself has removed do not count.
  const std::uint64_t limit = writes_.empty() ? options_.limit : UINT64_MAX;
  at_.limit = limit - yielded_;
  absl::Status status = Step([&](const versions::RecordView& view) {
    Entry& entry = batch_.Add();
    entry.key_.assign(view.key);
    entry.value_.assign(view.value);
    entry.ttl_ = absl::InfiniteDuration();
    if (view.expiry_ns() != 0) {
      const std::int64_t now =
          as_of_.store_ns != 0 ? as_of_.store_ns : ns_->engine().session.clock().NowNs();
      entry.ttl_ = absl::Nanoseconds(view.expiry_ns() - now);
    }
    cut_ = yielded_ + batch_.size() >= limit;
    return !cut_;
  });
  RecordRange();
  return status;
}

void ScanState::RecordRange() {
  if (!within_.has_value() || within_->range == nullptr) {
    return;
  }
  transactions::ReadRange& range = *within_->range;
  range.any = true;
  range.low = low_;
  range.high = high_;
  if (ns_->order == Order::kHash) {
    range.hash_end = at_.hash;
  } else if (cut_) {
    // Up to the last entry, and with it.
    (options_.reverse ? range.low : range.high.emplace()) = batch_.back().key();
    if (!options_.reverse) {
      range.high->push_back('\0');
    }
  } else if (!at_end_) {
    (options_.reverse ? range.low : range.high.emplace()) = at_.bound;
  }
}

absl::StatusOr<std::uint64_t> ScanState::Count() {
  std::uint64_t count = 0;
  while (status_.ok() && !at_end_ && count < options_.limit) {
    at_.limit = options_.limit - count;
    status_ = Step([&](const versions::RecordView&) { return ++count < options_.limit; });
  }
  if (!status_.ok()) {
    return status_;
  }
  return count;
}

bool ScanState::Peek() {
  while (next_ >= batch_.size()) {
    if (at_end_) {
      return false;
    }
    status_ = FillBatch();
    if (!status_.ok()) {
      batch_.clear();
      return false;
    }
  }
  return true;
}

bool ScanState::Advance() {
  if (!status_.ok() || yielded_ >= options_.limit) {
    return false;
  }
  if (!writes_.empty()) {
    return AdvanceMerged();
  }
  if (!Peek()) {
    return false;
  }
  entry_ = &batch_[next_++];
  ++yielded_;
  return true;
}

bool ScanState::TakeOwn() {
  auto& [key, write] = writes_[writes_next_++];
  if (write.tombstone) {
    return false;
  }
  own_entry_.key_ = key;
  own_entry_.value_.assign(write.bytes());
  const std::int64_t expiry_ns = engine::ExpiryFor(ns_->engine(), ns_->key, write.expiry_ns);
  own_entry_.ttl_ = expiry_ns == 0
                        ? absl::InfiniteDuration()
                        : absl::Nanoseconds(expiry_ns - ns_->engine().session.clock().NowNs());
  entry_ = &own_entry_;
  ++yielded_;
  return true;
}

bool ScanState::AdvanceMerged() {
  const auto before = [this](std::string_view a, std::string_view b) {
    return options_.reverse ? b < a : a < b;
  };
  const auto is_own = [this](std::string_view key) {
    return std::binary_search(writes_.begin(), writes_.end(),
                              std::pair(std::string(key), transactions::PendingWrite()),
                              [](const auto& a, const auto& b) { return a.first < b.first; });
  };
  while (true) {
    const bool stored = Peek();
    if (!status_.ok()) {
      return false;
    }
    const bool own_left = writes_next_ < writes_.size();
    if (stored && ns_->order == Order::kHash && is_own(batch_[next_].key())) {
      ++next_;  // Met again with the own ones, at the end.
      continue;
    }
    const bool own_first =
        own_left && (!stored || (ns_->order == Order::kOrdered &&
                                 !before(batch_[next_].key(), writes_[writes_next_].first)));
    if (own_first) {
      if (stored && batch_[next_].key() == writes_[writes_next_].first) {
        ++next_;
      }
      if (TakeOwn()) {
        return true;
      }
      continue;
    }
    if (!stored) {
      return false;
    }
    entry_ = &batch_[next_++];
    ++yielded_;
    return true;
  }
}

}  // namespace api

ScanRange::ScanRange(std::unique_ptr<api::ScanState> state) : state_(std::move(state)) {}
ScanRange::ScanRange(ScanRange&& other) noexcept = default;
ScanRange& ScanRange::operator=(ScanRange&& other) noexcept = default;
ScanRange::~ScanRange() = default;

const absl::Status& ScanRange::status() const {
  return state_->status();
}
bool ScanRange::Advance() {
  return state_->Advance();
}
const Entry& ScanRange::entry() const {
  return state_->entry();
}

ScanRange Namespace::Scan(ScanOptions options) const {
  return ScanRange(std::make_unique<api::ScanState>(state_, std::move(options)));
}

absl::StatusOr<std::uint64_t> Namespace::Count(ScanOptions options) const {
  return api::ScanState(state_, std::move(options)).Count();
}

}  // namespace commy
