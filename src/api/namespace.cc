// Reading and writing keys: the public Namespace over the index of its order.
#include "commy/namespace.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/snapshot_state.h"
#include "api/view_state.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/namespace_state.h"
#include "transactions/write_set.h"

namespace commy {
namespace {

using engine::NamespaceState;
using index::Anchor;
using index::Decide;
using index::Decision;
using index::WriteOutcome;
using process::Lane;
using process::Operation;
using process::OpKind;
using transactions::CheckKey;
using transactions::CheckValue;
using transactions::ExpiryOf;
using versions::RecordView;

// The thread ends, and keeps nothing any more.
constinit thread_local bool no_such_key_is_gone = false;

struct KeptNoSuchKey {
  KeptNoSuchKey() = default;
  KeptNoSuchKey(const KeptNoSuchKey&) = delete;
  KeptNoSuchKey& operator=(const KeptNoSuchKey&) = delete;
  ~KeptNoSuchKey() { no_such_key_is_gone = true; }

  const absl::Status status = absl::NotFoundError("no such key");
};

// A copy of one that each thread keeps: a miss is an everyday answer, and allocates nothing.
absl::Status NoSuchKey() {
  if (no_such_key_is_gone) [[unlikely]] {
    return absl::NotFoundError("no such key");
  }
  static thread_local const KeptNoSuchKey kept;
  return kept.status;
}

absl::Status WriteKey(const engine::NamespaceState& ns, std::string_view key, index::Decider decide,
                      WriteOutcome* outcome, alloc::Purpose purpose = alloc::Purpose::kOrdinary) {
  COMMY_RETURN_IF_ERROR(transactions::CheckKey(key));
  return engine::Write(
      ns.engine(), ns.key, OpKind::kWrite, purpose, [&](Operation& op, const Anchor& anchor) {
        return ns.engine().IndexFor(ns.order).Write(op, anchor, key, decide, outcome);
      });
}

// Reads a key and calls `use` under the pin.
template <typename Use>
absl::Status ReadKey(const engine::NamespaceState& ns, std::string_view key,
                     const ReadOptions& options, Use use) {
  COMMY_RETURN_IF_ERROR(transactions::CheckKey(key));
  versions::AsOf as_of;
  if (options.snapshot != nullptr) {
    COMMY_ASSIGN_OR_RETURN(as_of, api::SnapshotState::AsOfSnapshot(options.snapshot, *ns.store));
  }
  return engine::Read(ns.engine(), ns.key, [&](Lane& lane, const Anchor& anchor) -> absl::Status {
    RecordView found;
    COMMY_RETURN_IF_ERROR(ns.order == Order::kHash
                              ? ns.engine().hash_index.Find(anchor, key, as_of, &found)
                              : ns.engine().ordered_index.Find(anchor, key, as_of, &found));
    return use(lane, found);
  });
}

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Namespace::Namespace(std::shared_ptr<const engine::NamespaceState> state)
    : state_(std::move(state)) {}

const std::string& Namespace::path() const {
  return state_->path;
}
Order Namespace::order() const {
  return state_->order;
}

// --- Reading ---------------------------------------------------------------------------------

absl::StatusOr<std::string> Namespace::Get(std::string_view key, ReadOptions options) const {
  std::string value;
  COMMY_RETURN_IF_ERROR(
      ReadKey(*state_, key, options, [&value](Lane&, const RecordView& found) -> absl::Status {
        if (!found.valid()) {
          return NoSuchKey();
        }
        value.assign(found.value);
        return absl::OkStatus();
      }));
  return value;
}

absl::StatusOr<bool> Namespace::Contains(std::string_view key, ReadOptions options) const {
  bool there = false;
  COMMY_RETURN_IF_ERROR(
      ReadKey(*state_, key, options, [&there](Lane&, const RecordView& found) -> absl::Status {
        there = found.valid();
        return absl::OkStatus();
      }));
  return there;
}

absl::Status Namespace::ReadWith(std::string_view key,
                                 absl::FunctionRef<void(std::string_view)> use,
                                 ReadOptions options) const {
  return ReadKey(*state_, key, options, [&use](Lane&, const RecordView& found) -> absl::Status {
    if (!found.valid()) {
      return NoSuchKey();
    }
    use(found.value);
    return absl::OkStatus();
  });
}

absl::StatusOr<View> Namespace::GetView(std::string_view key, ReadOptions options) const {
  std::unique_ptr<api::ViewState> view;
  std::string_view value;
  COMMY_RETURN_IF_ERROR(
      ReadKey(*state_, key, options, [&](Lane& lane, const RecordView& found) -> absl::Status {
        if (!found.valid()) {
          return NoSuchKey();
        }
        COMMY_ASSIGN_OR_RETURN(const process::Session::ViewPin pin,
                               state_->engine().session.TakeViewPin(lane));
        view = std::make_unique<api::ViewState>(state_->store, pin);
        value = found.value;
        return absl::OkStatus();
      }));
  return View(std::move(view), value);
}

std::vector<absl::StatusOr<std::string>> Namespace::MultiGet(
    const std::vector<std::string_view>& keys, ReadOptions options) const {
  std::vector<absl::StatusOr<std::string>> values;
  values.reserve(keys.size());
  // In groups: while the memory brings what one key needs, the others are on their way too.
  constexpr std::size_t kGroup = 16;
  for (std::size_t first = 0; first < keys.size(); first += kGroup) {
    const std::size_t end = std::min(first + kGroup, keys.size());
    const auto prefetch = [&](Lane&, const Anchor& anchor) -> absl::Status {
      const index::HashIndex& index = state_->engine().hash_index;
      std::array<std::uint64_t, kGroup> hashes{};
      for (std::size_t i = first; i < end; ++i) {
        hashes.at(i - first) = index.Hash(keys[i]);
        index.PrefetchSlots(anchor, hashes.at(i - first));
      }
      for (std::size_t i = first; i < end; ++i) {
        index.PrefetchRecord(anchor, hashes.at(i - first));
      }
      return absl::OkStatus();
    };
    if (state_->order == Order::kHash) {
      (void)engine::Read(state_->engine(), state_->key, prefetch);
    }
    for (std::size_t i = first; i < end; ++i) {
      values.push_back(Get(keys[i], options));
    }
  }
  return values;
}

absl::StatusOr<std::uint64_t> Namespace::Size() const {
  std::uint64_t size = 0;
  COMMY_RETURN_IF_ERROR(
      engine::Read(state_->engine(), state_->key, [&](Lane&, const Anchor& anchor) -> absl::Status {
        COMMY_ASSIGN_OR_RETURN(size, state_->engine().IndexFor(state_->order).Size(anchor));
        return absl::OkStatus();
      }));
  return size;
}

// --- Writing ---------------------------------------------------------------------------------

absl::Status Namespace::Put(std::string_view key, std::string_view value,
                            PutOptions options) const {
  COMMY_RETURN_IF_ERROR(transactions::CheckValue(value));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, transactions::ExpiryOf(*state_, options.ttl));
  WriteOutcome outcome;
  return WriteKey(
      *state_, key,
      [&](const RecordView*) {
        return Decision{Decide::kPut, value, expiry};
      },
      &outcome);
}

absl::StatusOr<bool> Namespace::Delete(std::string_view key) const {
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_, key,
      [](const RecordView*) {
        return Decision{Decide::kDelete, std::string_view(), 0};
      },
      &outcome, alloc::Purpose::kMakesRoom));
  return outcome.existed;
}

absl::StatusOr<bool> Namespace::PutIfAbsent(std::string_view key, std::string_view value,
                                            PutOptions options) const {
  COMMY_RETURN_IF_ERROR(transactions::CheckValue(value));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, transactions::ExpiryOf(*state_, options.ttl));
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_, key,
      [&](const RecordView* live) {
        return live != nullptr ? Decision{} : Decision{Decide::kPut, value, expiry};
      },
      &outcome));
  return outcome.changed;
}

absl::StatusOr<bool> Namespace::CompareAndSwap(std::string_view key, Swap swap) const {
  if (swap.desired.has_value()) {
    COMMY_RETURN_IF_ERROR(transactions::CheckValue(*swap.desired));
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, transactions::ExpiryOf(*state_, std::nullopt));
  bool matched = false;
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_, key,
      [&](const RecordView* live) {
        matched = live == nullptr ? !swap.expected.has_value()
                                  : swap.expected.has_value() && *swap.expected == live->value;
        if (!matched) {
          return Decision{};
        }
        return swap.desired.has_value() ? Decision{Decide::kPut, *swap.desired, expiry}
                                        : Decision{Decide::kDelete, std::string_view(), 0};
      },
      &outcome));
  return matched;
}

absl::StatusOr<std::int64_t> Namespace::Add(std::string_view key, std::int64_t delta) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, transactions::ExpiryOf(*state_, std::nullopt));
  std::int64_t sum = 0;
  std::array<char, 24> text{};
  absl::Status bad;
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_, key,
      [&](const RecordView* live) {
        const std::optional<std::int64_t> before =
            live == nullptr ? std::optional<std::int64_t>(0) : ParseInteger(live->value);
        bad = absl::OkStatus();
        if (!before.has_value()) {
          bad = base::InvalidArgument("the value is not a decimal integer of 64 bits");
          return Decision{};
        }
        if (__builtin_add_overflow(*before, delta, &sum)) {
          bad = base::OutOfRange(*before, " and ", delta, " do not add up within 64 bits");
          return Decision{};
        }
        const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), sum);
        (void)error;
        return Decision{Decide::kPut,
                        std::string_view(text.data(), static_cast<std::size_t>(end - text.data())),
                        live == nullptr ? expiry : live->record->expiry_ns, true};
      },
      &outcome));
  if (!bad.ok()) {
    return bad;
  }
  return sum;
}

absl::StatusOr<bool> Namespace::Update(
    std::string_view key, absl::FunctionRef<Change(std::optional<std::string_view>)> decide) const {
  while (true) {
    // `decide` runs with nothing held; then its answer is written if the key still has the very
    // version that it saw. Commit times tell versions apart.
    std::optional<std::string> seen;
    std::uint64_t seen_commit = 0;
    COMMY_RETURN_IF_ERROR(
        ReadKey(*state_, key, ReadOptions(), [&](Lane&, const RecordView& found) -> absl::Status {
          if (found.valid()) {
            seen = std::string(found.value);
            seen_commit = found.record->commit.load(std::memory_order_acquire);
          }
          return absl::OkStatus();
        }));
    const Change change =
        decide(seen.has_value() ? std::optional<std::string_view>(*seen) : std::nullopt);
    if (change.kind() == Change::Kind::kKeep) {
      return false;
    }
    COMMY_RETURN_IF_ERROR(transactions::CheckValue(change.value()));
    COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry,
                           transactions::ExpiryOf(*state_, change.options().ttl));
    bool same = false;
    WriteOutcome outcome;
    COMMY_RETURN_IF_ERROR(WriteKey(
        *state_, key,
        [&](const RecordView* live) {
          const std::uint64_t commit =
              live == nullptr ? 0 : live->record->commit.load(std::memory_order_acquire);
          same = commit == seen_commit;
          if (!same) {
            return Decision{};
          }
          return change.kind() == Change::Kind::kPut
                     ? Decision{Decide::kPut, change.value(), expiry}
                     : Decision{Decide::kDelete, std::string_view(), 0};
        },
        &outcome));
    if (same) {
      return change.kind() == Change::Kind::kDelete ? outcome.existed : outcome.changed;
    }
  }
}

absl::StatusOr<absl::Duration> Namespace::DefaultTtl() const {
  std::int64_t ttl_ns = 0;
  COMMY_RETURN_IF_ERROR(
      engine::Read(state_->engine(), state_->key, [&](Lane&, const Anchor& anchor) -> absl::Status {
        ttl_ns = static_cast<std::int64_t>(
            anchor.object->default_ttl_ns.load(std::memory_order_relaxed));
        return absl::OkStatus();
      }));
  return engine::ToTtl(ttl_ns);
}

absl::Status Namespace::SetDefaultTtl(absl::Duration ttl) const {
  return engine::SetDefaultTtl(state_->engine(), state_->key, ttl);
}

absl::Status Namespace::Clear() const {
  return engine::Clear(state_->engine(), state_->key);
}

// --- Views -----------------------------------------------------------------------------------

View::View(std::unique_ptr<api::ViewState> state, std::string_view value)
    : state_(std::move(state)), value_(value) {}
View::View(View&& other) noexcept
    : state_(std::move(other.state_)), value_(std::exchange(other.value_, std::string_view())) {}
View& View::operator=(View&& other) noexcept {
  state_ = std::move(other.state_);
  value_ = std::exchange(other.value_, std::string_view());
  return *this;
}
View::~View() = default;

}  // namespace commy
