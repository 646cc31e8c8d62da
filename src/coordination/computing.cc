// Computed. The record of a key:
//
//   u8 1, then the value           it is there
//   u8 2, holder {store, owner, number} u64 each   the holder computes it
//
// A claim never expires. It is over once its record is not there any more, whatever is instead.
#include "commy/internal/computing.h"

#include "base/status.h"
#include "coordination/record.h"
#include "coordination/wait.h"

namespace commy::internal {
namespace {

using coordination::RecordReader;
using coordination::RecordWriter;

constexpr std::uint8_t kReady = 1;
constexpr std::uint8_t kClaimed = 2;

// One of the two.
struct Record {
  std::optional<std::string_view> value;
  HolderId claim;
};

absl::StatusOr<Record> FromBytes(std::string_view path, std::string_view bytes) {
  RecordReader reader(bytes);
  const auto tag = reader.Take<std::uint8_t>();
  Record record;
  if (tag == kReady) {
    record.value = reader.TakeText(reader.left());
    return record;
  }
  record.claim = reader.TakeHolder();
  if (tag != kClaimed || !reader.WasWhole()) {
    return coordination::BadRecord(path, "computed value", bytes,
                                   "it is neither a value nor a claim");
  }
  return record;
}

std::string ReadyBytes(std::string_view value) {
  std::string bytes;
  bytes.reserve(sizeof(kReady) + value.size());
  bytes.push_back(static_cast<char>(kReady));
  bytes.append(value);
  return bytes;
}

// Whether the record is this claim.
absl::StatusOr<bool> IsClaim(std::string_view path, std::optional<std::string_view> bytes,
                             const HolderId& id) {
  if (!bytes.has_value()) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const Record record, FromBytes(path, *bytes));
  return !record.value.has_value() && record.claim == id;
}

// Takes the claim unless there is a value, or another one has the claim. Returns whether one of
// them is there for the caller.
absl::StatusOr<bool> TryToClaim(const Namespace& ns, std::string_view key, const HolderId& id,
                                std::optional<std::string>& value) {
  bool mine = false;
  COMMY_RETURN_IF_ERROR(coordination::UpdateRecord(
      ns, key, [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        mine = false;
        value.reset();
        if (present.has_value()) {
          COMMY_ASSIGN_OR_RETURN(const Record record, FromBytes(ns.path(), *present));
          if (record.value.has_value()) {
            value = std::string(*record.value);
            return Change::Keep();
          }
          COMMY_ASSIGN_OR_RETURN(const bool gone, coordination::IsGone(ns, record.claim));
          if (!gone) {
            return Change::Keep();
          }
        }
        mine = true;
        return coordination::PutRecord(RecordWriter().Add(kClaimed).Add(id).Take());
      }));
  return mine || value.has_value();
}

}  // namespace

// --- ComputeClaim --------------------------------------------------------------------------------

ComputeClaim::ComputeClaim(Namespace ns, std::string key, HolderId id)
    : ns_(std::move(ns)), key_(std::move(key)), id_(id) {}

ComputeClaim::ComputeClaim(ComputeClaim&& other) noexcept
    : ns_(std::exchange(other.ns_, std::nullopt)), key_(std::move(other.key_)), id_(other.id_) {}

ComputeClaim::~ComputeClaim() {
  if (!ns_.has_value()) {
    return;
  }
  const absl::Status given_up = coordination::UpdateRecord(
      *ns_, key_, [this](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        COMMY_ASSIGN_OR_RETURN(const bool mine, IsClaim(ns_->path(), present, id_));
        return mine ? Change::Delete() : Change::Keep();
      });
  if (absl::IsResourceExhausted(given_up)) {
    coordination::Abandon(id_);
  }
}

absl::Status ComputeClaim::Keep(std::string_view value, const PutOptions& options) {
  COMMY_RETURN_IF_ERROR(coordination::UpdateRecord(
      *ns_, key_, [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        COMMY_ASSIGN_OR_RETURN(const bool mine, IsClaim(ns_->path(), present, id_));
        return mine ? Change::Put(ReadyBytes(value), options) : Change::Keep();
      }));
  ns_.reset();
  return absl::OkStatus();
}

// --- Calls ---------------------------------------------------------------------------------------

absl::StatusOr<ValueOrClaim> ValueOrClaimOf(const Namespace& ns, std::string_view key,
                                            const PutOptions& options, absl::Duration timeout) {
  if (options.ttl.has_value() && *options.ttl <= absl::ZeroDuration()) {
    return base::InvalidArgument("a time to live of ", absl::FormatDuration(*options.ttl),
                                 " is not positive");
  }
  ValueOrClaim found;
  absl::StatusOr<std::string> present = ComputedValueOf(ns, key);
  if (present.ok()) {
    found.value = *std::move(present);
    return found;
  }
  if (!absl::IsNotFound(present.status())) {
    return present.status();
  }
  COMMY_ASSIGN_OR_RETURN(const HolderId id, coordination::NewHolder(ns));
  COMMY_ASSIGN_OR_RETURN(const bool done, coordination::WaitUntil(ns, timeout, [&] {
                           return TryToClaim(ns, key, id, found.value);
                         }));
  if (!done) {
    return absl::DeadlineExceededError(absl::StrCat("namespace \"", ns.path(),
                                                    "\": the value was still being computed by ",
                                                    "another caller when the timeout was over"));
  }
  if (!found.value.has_value()) {
    found.claim.emplace(ns, std::string(key), id);
  }
  return found;
}

absl::StatusOr<std::string> ComputedValueOf(const Namespace& ns, std::string_view key) {
  absl::StatusOr<std::string> value = base::NotFound("the value is only being computed");
  COMMY_RETURN_IF_ERROR(ns.ReadWith(key, [&](std::string_view bytes) {
    const absl::StatusOr<Record> record = FromBytes(ns.path(), bytes);
    if (!record.ok()) {
      value = record.status();
    } else if (record->value.has_value()) {
      value = std::string(*record->value);
    }
  }));
  return value;
}

absl::Status PutComputed(const Namespace& ns, std::string_view key, std::string_view value,
                         const PutOptions& options) {
  return ns.Put(key, ReadyBytes(value), options);
}

absl::StatusOr<bool> InvalidateComputed(const Namespace& ns, std::string_view key) {
  bool had_value = false;
  COMMY_RETURN_IF_ERROR(coordination::UpdateRecord(
      ns, key, [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        had_value = false;
        if (!present.has_value()) {
          return Change::Keep();
        }
        const absl::StatusOr<Record> record = FromBytes(ns.path(), *present);
        had_value = record.ok() && record->value.has_value();
        return Change::Delete();
      }));
  return had_value;
}

absl::StatusOr<std::optional<std::string_view>> ValueInRecord(std::string_view path,
                                                              std::string_view record) {
  COMMY_ASSIGN_OR_RETURN(const Record read, FromBytes(path, record));
  return read.value;
}

}  // namespace commy::internal
