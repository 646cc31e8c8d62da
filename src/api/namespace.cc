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
#include "engine/namespace_types.h"
#include "transactions/write_set.h"

namespace commy {
namespace {

using base::Outcome;
using base::Result;
using engine::NamespaceState;
using namespaces::Decision;
using namespaces::WriteOp;
using namespaces::WriteOutcome;
using process::Lane;
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

// Each thread keeps a copy: a miss is an everyday answer, and allocates nothing.
absl::Status NoSuchKey() {
  if (no_such_key_is_gone) [[unlikely]] {
    return absl::NotFoundError("no such key");
  }
  static thread_local const KeptNoSuchKey kept;
  return kept.status;
}

absl::Status WriteKey(const NamespaceState& ns, const WriteOp& write, WriteOutcome* outcome) {
  COMMY_RETURN_IF_ERROR(CheckKey(write.key));
  return engine::WriteKey(ns.engine(), ns.key, write, outcome);
}

// Reads a key and calls `use` under the pin, if it is there.
template <typename Use>
absl::Status ReadKey(const NamespaceState& ns, std::string_view key, const ReadOptions& options,
                     Use use) {
  COMMY_RETURN_IF_ERROR(CheckKey(key));
  versions::AsOf as_of;
  if (options.snapshot != nullptr) {
    COMMY_ASSIGN_OR_RETURN(as_of, api::SnapshotState::AsOfSnapshot(options.snapshot, *ns.store));
  }
  engine::Access at(ns.engine(), ns.key);
  if (!at.ok()) [[unlikely]] {
    return at.status();
  }
  RecordView found;
  const Result result = ns.engine().map.Find(at.ns(), key, as_of, &found);
  if (result.done()) [[likely]] {
    return use(at.lane(), found);
  }
  return result.is(Outcome::kAbsent) ? NoSuchKey() : at.Finish(result);
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
        value.assign(found.value);
        return absl::OkStatus();
      }));
  return value;
}

absl::StatusOr<bool> Namespace::Contains(std::string_view key, ReadOptions options) const {
  bool there = false;
  absl::Status status = ReadKey(*state_, key, options, [&there](Lane&, const RecordView&) {
    there = true;
    return absl::OkStatus();
  });
  if (there) {
    return true;
  }
  return absl::IsNotFound(status) ? absl::StatusOr<bool>(false) : status;
}

absl::Status Namespace::ReadWith(std::string_view key,
                                 absl::FunctionRef<void(std::string_view)> use,
                                 ReadOptions options) const {
  return ReadKey(*state_, key, options, [&use](Lane&, const RecordView& found) -> absl::Status {
    use(found.value);
    return absl::OkStatus();
  });
}

absl::StatusOr<View> Namespace::GetView(std::string_view key, ReadOptions options) const {
  std::unique_ptr<api::ViewState> view;
  std::string_view value;
  COMMY_RETURN_IF_ERROR(
      ReadKey(*state_, key, options, [&](Lane& lane, const RecordView& found) -> absl::Status {
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
  // In groups: while the memory brings the lines of one key, the others are on their way too.
  constexpr std::size_t kGroup = 16;
  for (std::size_t first = 0; first < keys.size(); first += kGroup) {
    const std::size_t end = std::min(first + kGroup, keys.size());
    if (const engine::Access at(state_->engine(), state_->key); at.ok()) {
      const namespaces::Map& map = state_->engine().map;
      std::array<std::uint64_t, kGroup> hashes{};
      for (std::size_t i = first; i < end; ++i) {
        hashes.at(i - first) = map.Hash(keys[i]);
        map.PrefetchSlots(at.ns(), hashes.at(i - first));
      }
      for (std::size_t i = first; i < end; ++i) {
        map.PrefetchRecord(at.ns(), hashes.at(i - first));
      }
    }
    for (std::size_t i = first; i < end; ++i) {
      values.push_back(Get(keys[i], options));
    }
  }
  return values;
}

absl::StatusOr<std::uint64_t> Namespace::Size() const {
  engine::Access at(state_->engine(), state_->key);
  COMMY_RETURN_IF_ERROR(at.status());
  index::Counts counts;
  COMMY_RETURN_IF_ERROR(at.Finish(state_->engine().map.Count(at.ns(), &counts)));
  return static_cast<std::uint64_t>(counts.keys);
}

// --- Writing ---------------------------------------------------------------------------------

absl::Status Namespace::Put(std::string_view key, std::string_view value,
                            PutOptions options) const {
  COMMY_RETURN_IF_ERROR(CheckValue(value));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*state_, options.ttl));
  WriteOutcome outcome;
  return WriteKey(*state_, {.key = key, .value = value, .expiry_ns = expiry}, &outcome);
}

absl::StatusOr<bool> Namespace::Delete(std::string_view key) const {
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(*state_, {.kind = WriteOp::Kind::kDelete, .key = key}, &outcome));
  return outcome.existed;
}

absl::StatusOr<bool> Namespace::PutIfAbsent(std::string_view key, std::string_view value,
                                            PutOptions options) const {
  COMMY_RETURN_IF_ERROR(CheckValue(value));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*state_, options.ttl));
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_,
      {.kind = WriteOp::Kind::kPutIfAbsent, .key = key, .value = value, .expiry_ns = expiry},
      &outcome));
  return outcome.changed;
}

absl::StatusOr<bool> Namespace::CompareAndSwap(std::string_view key, Swap swap) const {
  if (swap.desired.has_value()) {
    COMMY_RETURN_IF_ERROR(CheckValue(*swap.desired));
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*state_, std::nullopt));
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(*state_,
                                 {.kind = WriteOp::Kind::kSwap,
                                  .deletes = !swap.desired.has_value(),
                                  .key = key,
                                  .value = swap.desired.value_or(std::string_view()),
                                  .expiry_ns = expiry,
                                  .expected = swap.expected},
                                 &outcome));
  return outcome.matched;
}

absl::StatusOr<std::int64_t> Namespace::Add(std::string_view key, std::int64_t delta) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*state_, std::nullopt));
  std::int64_t sum = 0;
  std::array<char, 24> text{};
  absl::Status bad;
  const auto add = [&](const RecordView* live) {
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
    return Decision{Decision::Kind::kPut,
                    std::string_view(text.data(), static_cast<std::size_t>(end - text.data())),
                    live == nullptr ? expiry : live->expiry_ns(), true};
  };
  const namespaces::Compute compute = add;
  WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      *state_, {.kind = WriteOp::Kind::kCompute, .key = key, .compute = &compute}, &outcome));
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
    const absl::Status read =
        ReadKey(*state_, key, ReadOptions(), [&](Lane&, const RecordView& found) {
          seen = std::string(found.value);
          seen_commit = found.record->commit.load(std::memory_order_acquire);
          return absl::OkStatus();
        });
    if (!read.ok() && !absl::IsNotFound(read)) {
      return read;
    }
    const Change change =
        decide(seen.has_value() ? std::optional<std::string_view>(*seen) : std::nullopt);
    if (change.kind() == Change::Kind::kKeep) {
      return false;
    }
    COMMY_RETURN_IF_ERROR(CheckValue(change.value()));
    COMMY_ASSIGN_OR_RETURN(const std::int64_t expiry, ExpiryOf(*state_, change.options().ttl));
    const bool deletes = change.kind() == Change::Kind::kDelete;
    WriteOutcome outcome;
    COMMY_RETURN_IF_ERROR(WriteKey(*state_,
                                   {.kind = WriteOp::Kind::kIfVersion,
                                    .deletes = deletes,
                                    .key = key,
                                    .value = change.value(),
                                    .expiry_ns = expiry,
                                    .seen_commit = seen_commit},
                                   &outcome));
    if (outcome.matched) {
      return deletes ? outcome.existed : outcome.changed;
    }
  }
}

absl::StatusOr<absl::Duration> Namespace::DefaultTtl() const {
  const engine::Access at(state_->engine(), state_->key);
  COMMY_RETURN_IF_ERROR(at.status());
  return engine::ToTtl(
      static_cast<std::int64_t>(at.ns().object->default_ttl_ns.load(std::memory_order_relaxed)));
}

absl::StatusOr<std::string> Namespace::Type() const {
  return engine::TypeOf(state_->engine(), state_->key);
}

absl::Status Namespace::SetDefaultTtl(absl::Duration ttl) const {
  return engine::SetDefaultTtl(state_->engine(), state_->key, ttl);
}

absl::Status Namespace::SetQuota(std::uint64_t bytes) const {
  return engine::SetQuota(state_->engine(), state_->key, bytes);
}

absl::StatusOr<std::uint64_t> Namespace::Quota() const {
  const engine::Access at(state_->engine(), state_->key);
  COMMY_RETURN_IF_ERROR(at.status());
  return namespaces::OwnQuota(*at.ns().object);
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

bool IsNamespaceDropped(const absl::Status& status) {
  return engine::IsDroppedStatus(status);
}

}  // namespace commy
