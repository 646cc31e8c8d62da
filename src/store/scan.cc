// Scans of a hash namespace.
#include "base/status.h"
#include "store/handles.h"

namespace commy {
namespace store {

bool ScanState::Wanted(std::string_view key) const {
  return key >= options_.from && (options_.to.empty() || key < options_.to) &&
         key.substr(0, options_.prefix.size()) == options_.prefix;
}

absl::Status ScanState::FillBatch() {
  batch_.clear();
  next_ = 0;
  const std::int64_t now = ns_->store->session().platform().WallNs();
  return ns_->store->Read(
      ns_->key, [&](process::Lane&, const index::Anchor& anchor) -> absl::Status {
        COMMY_ASSIGN_OR_RETURN(const bool more,
                               ns_->store->hash_index().ScanSegment(
                                   anchor, &cursor_, [&](const index::RecordView& view) {
                                     if (!Wanted(view.key)) {
                                       return;
                                     }
                                     Entry entry;
                                     entry.key_.assign(view.key);
                                     entry.value_.assign(view.value);
                                     if (view.record->expiry_ns != 0) {
                                       entry.ttl_ = absl::Nanoseconds(view.record->expiry_ns - now);
                                     }
                                     batch_.push_back(std::move(entry));
                                   }));
        at_end_ = !more;
        return absl::OkStatus();
      });
}

bool ScanState::Advance() {
  if (!status_.ok() || yielded_ >= options_.limit) {
    return false;
  }
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
  ++next_;
  ++yielded_;
  return true;
}

}  // namespace store

ScanRange::ScanRange(std::unique_ptr<store::ScanState> state) : state_(std::move(state)) {}
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
  absl::Status status;
  if (options.reverse) {
    status = base::InvalidArgument("a hash namespace has no order to reverse");
  } else if (options.snapshot != nullptr) {
    status = base::InvalidArgument("snapshots are not part of this version");
  }
  return ScanRange(
      std::make_unique<store::ScanState>(state_, std::move(options), std::move(status)));
}

}  // namespace commy
