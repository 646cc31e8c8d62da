// LeaderLease. The record, under the empty key:
//
//   tag u32, fencing u64, holder {store, owner, number} u64 each, acquired_wall_ns i64, pid u64,
//   then the name of the process, to the end
//
// A record whose owner is 0 is held by none: it keeps the last fencing number.
#include "commy/leader_lease.h"

#include "absl/time/clock.h"

#include "base/status.h"
#include "coordination/record.h"
#include "coordination/wait.h"

namespace commy {
namespace {

using coordination::RecordReader;
using coordination::RecordWriter;
using internal::HolderId;

constexpr std::uint32_t kTag = coordination::Tag('l', 'd', 'r', 1);
constexpr std::size_t kNameBytesMax = 64;

struct Record {
  std::uint64_t fencing = 0;
  HolderId holder = {};
  std::int64_t acquired_wall_ns = 0;
  std::uint64_t pid = 0;
  std::string name = {};
};

std::string ToBytes(const Record& record) {
  return RecordWriter()
      .Add(kTag)
      .Add(record.fencing)
      .Add(record.holder)
      .Add(record.acquired_wall_ns)
      .Add(record.pid)
      .AddText(record.name)
      .Take();
}

absl::StatusOr<Record> FromBytes(std::string_view path, std::optional<std::string_view> bytes) {
  if (!bytes.has_value()) {
    return Record();
  }
  RecordReader reader(*bytes);
  const auto tag = reader.Take<std::uint32_t>();
  Record record;
  record.fencing = reader.Take<std::uint64_t>();
  record.holder = reader.TakeHolder();
  record.acquired_wall_ns = reader.Take<std::int64_t>();
  record.pid = reader.Take<std::uint64_t>();
  record.name = reader.TakeText(reader.left());
  if (tag != kTag || !reader.WasWhole() || record.name.size() > kNameBytesMax) {
    return coordination::BadRecord(path, LeaderLease::kDescriptor, *bytes,
                                   "its head, or the length of a name, is not that of a lease");
  }
  return record;
}

absl::StatusOr<Record> Read(const Namespace& ns) {
  const absl::StatusOr<std::string> bytes = ns.Get("");
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) {
    return bytes.status();
  }
  return FromBytes(ns.path(), bytes.ok() ? std::optional<std::string_view>(*bytes) : std::nullopt);
}

absl::StatusOr<bool> IsHeld(const Namespace& ns, const Record& record) {
  if (record.holder.owner == 0) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const bool gone, coordination::IsGone(ns, record.holder));
  return !gone;
}

// Takes the lease for `id` unless it is held; returns its record then.
absl::StatusOr<Record> Take(const Namespace& ns, const HolderId& id,
                            const coordination::Person& person) {
  Record record;
  COMMY_RETURN_IF_ERROR(coordination::UpdateRecord(
      ns, "", [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        COMMY_ASSIGN_OR_RETURN(record, FromBytes(ns.path(), present));
        COMMY_ASSIGN_OR_RETURN(const bool held, IsHeld(ns, record));
        if (held) {
          return Change::Keep();
        }
        if (record.fencing == UINT64_MAX) {
          return coordination::BadRecord(ns.path(), LeaderLease::kDescriptor, *present,
                                         "no fencing number is left");
        }
        record = {.fencing = record.fencing + 1,
                  .holder = id,
                  .acquired_wall_ns = absl::GetCurrentTimeNanos(),
                  .pid = person.pid,
                  .name = person.name};
        return coordination::PutRecord(ToBytes(record));
      }));
  return record;
}

}  // namespace

// --- Held ----------------------------------------------------------------------------------------

LeaderLease::Held::Held(Namespace ns, HolderId id, std::uint64_t fencing)
    : ns_(std::move(ns)), id_(id), fencing_(fencing) {}

LeaderLease::Held::Held(Held&& other) noexcept
    : ns_(std::exchange(other.ns_, std::nullopt)),
      id_(other.id_),
      fencing_(std::exchange(other.fencing_, 0)) {}

LeaderLease::Held& LeaderLease::Held::operator=(Held&& other) noexcept {
  if (this != &other) {
    End();
    ns_ = std::exchange(other.ns_, std::nullopt);
    id_ = other.id_;
    fencing_ = std::exchange(other.fencing_, 0);
  }
  return *this;
}

LeaderLease::Held::~Held() {
  End();
}

void LeaderLease::Held::End() {
  if (ns_.has_value() && absl::IsResourceExhausted(LetGo())) {
    coordination::Abandon(id_);
  }
}

absl::Status LeaderLease::Held::LetGo() {
  if (!ns_.has_value()) {
    return base::FailedPrecondition("the leader lease was let go, or moved from, before");
  }
  absl::Status let_go = coordination::UpdateRecord(
      *ns_, "", [this](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        COMMY_ASSIGN_OR_RETURN(const Record record, FromBytes(ns_->path(), present));
        if (record.holder != id_ || record.fencing != fencing_) {
          return base::FailedPrecondition("leader lease \"", ns_->path(), "\": the hold with the ",
                                          "fencing number ", fencing_, " is over; the last is ",
                                          record.fencing);
        }
        return coordination::PutRecord(ToBytes({.fencing = record.fencing}));
      });
  if (!absl::IsResourceExhausted(let_go)) {
    ns_.reset();
  }
  return let_go;
}

absl::StatusOr<bool> LeaderLease::Held::StillHeld() const {
  if (!ns_.has_value()) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const Record record, Read(*ns_));
  return record.holder == id_ && record.fencing == fencing_;
}

// --- The lease -----------------------------------------------------------------------------------

absl::StatusOr<LeaderLease> LeaderLease::Open(const Store& store, std::string_view path,
                                              const SharedOptions& options) {
  const auto verify = [path](std::string_view key, std::string_view value) {
    absl::Status status = coordination::VerifyOnlyRecord(key, kDescriptor);
    status.Update(FromBytes(path, value).status());
    return status;
  };
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns, internal::OpenTyped(store, path, Order::kHash, kDescriptor, options, verify));
  return LeaderLease(std::move(ns));
}

absl::StatusOr<LeaderLease::Held> LeaderLease::Acquire(absl::Duration timeout) const {
  COMMY_ASSIGN_OR_RETURN(const HolderId id, coordination::NewHolder(ns_));
  COMMY_ASSIGN_OR_RETURN(const coordination::Person person, coordination::ThisProcess(ns_));
  Record record;
  COMMY_ASSIGN_OR_RETURN(const bool done,
                         coordination::WaitUntil(ns_, timeout, [&]() -> absl::StatusOr<bool> {
                           COMMY_ASSIGN_OR_RETURN(record, Take(ns_, id, person));
                           return record.holder == id;
                         }));
  if (!done) {
    return absl::DeadlineExceededError(
        absl::StrCat("leader lease \"", path(), "\" is held by ", record.name, " (process ",
                     record.pid, ") with the fencing number ", record.fencing, ", since ",
                     absl::FormatTime(absl::FromUnixNanos(record.acquired_wall_ns))));
  }
  return Held(ns_, id, record.fencing);
}

absl::StatusOr<std::optional<LeaderLease::Held>> LeaderLease::TryAcquire() const {
  COMMY_ASSIGN_OR_RETURN(const HolderId id, coordination::NewHolder(ns_));
  COMMY_ASSIGN_OR_RETURN(const coordination::Person person, coordination::ThisProcess(ns_));
  COMMY_ASSIGN_OR_RETURN(const Record record, Take(ns_, id, person));
  std::optional<Held> held;
  if (record.holder == id) {
    held = Held(ns_, id, record.fencing);
  }
  return held;
}

absl::StatusOr<std::optional<LeaderLease::HolderInfo>> LeaderLease::Holder() const {
  COMMY_ASSIGN_OR_RETURN(const Record record, Read(ns_));
  COMMY_ASSIGN_OR_RETURN(const bool held, IsHeld(ns_, record));
  std::optional<HolderInfo> info;
  if (held) {
    info = HolderInfo{.process_name = record.name,
                      .pid = record.pid,
                      .fencing = record.fencing,
                      .acquired = absl::FromUnixNanos(record.acquired_wall_ns)};
  }
  return info;
}

}  // namespace commy
