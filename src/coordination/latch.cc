// Latch. The record, under the empty key: tag u32, initial u64, left u64.
#include "commy/latch.h"

#include "base/status.h"
#include "coordination/only_record.h"
#include "coordination/record.h"
#include "coordination/wait.h"

namespace commy {
namespace {

constexpr std::uint32_t kTag = coordination::Tag('l', 't', 'c', 1);
constexpr std::uint64_t kCountMax = INT64_MAX;
constexpr std::string_view kLacks = "count";

struct Record {
  std::uint64_t initial = 0;
  std::uint64_t left = 0;
};

std::string ToBytes(const Record& record) {
  return coordination::RecordWriter().Add(kTag).Add(record.initial).Add(record.left).Take();
}

absl::StatusOr<Record> FromBytes(std::string_view path, std::string_view bytes) {
  coordination::RecordReader reader(bytes);
  const auto tag = reader.Take<std::uint32_t>();
  Record record;
  record.initial = reader.Take<std::uint64_t>();
  record.left = reader.Take<std::uint64_t>();
  if (tag != kTag || !reader.WasWhole()) {
    return coordination::BadRecord(path, Latch::kDescriptor, bytes,
                                   "its head is not that of a latch");
  }
  if (record.initial > kCountMax || record.left > record.initial) {
    return coordination::BadRecord(path, Latch::kDescriptor, bytes,
                                   "more are left than there were");
  }
  return record;
}

absl::StatusOr<Record> Read(const Namespace& ns) {
  const absl::StatusOr<std::string> bytes = ns.Get("");
  if (absl::IsNotFound(bytes.status())) {
    return coordination::NoRecord(ns.path(), Latch::kDescriptor, kLacks);
  }
  COMMY_RETURN_IF_ERROR(bytes.status());
  return FromBytes(ns.path(), *bytes);
}

}  // namespace

absl::StatusOr<Latch> Latch::Open(const Store& store, std::string_view path, std::uint64_t count,
                                  const SharedOptions& options) {
  if (count > kCountMax) {
    return base::InvalidArgument("latch \"", base::ToAbsl(path), "\": a count of ", count,
                                 " is out of its range, 0 to ", kCountMax);
  }
  const auto agrees = [path, count](std::string_view bytes) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const Record record, FromBytes(path, bytes));
    return record.initial == count ? absl::OkStatus()
                                   : base::InvalidArgument("latch \"", base::ToAbsl(path),
                                                           "\" was created with a count of ",
                                                           record.initial, ", not ", count);
  };
  COMMY_ASSIGN_OR_RETURN(Namespace ns, coordination::OpenOnlyRecord(
                                           store,
                                           {.path = path,
                                            .kind = kDescriptor,
                                            .lacks = kLacks,
                                            .initial = ToBytes({.initial = count, .left = count})},
                                           options, agrees));
  return Latch(std::move(ns));
}

absl::StatusOr<Latch> Latch::Open(const Store& store, std::string_view path,
                                  const SharedOptions& options) {
  const auto agrees = [path](std::string_view bytes) { return FromBytes(path, bytes).status(); };
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns,
      coordination::OpenOnlyRecord(
          store, {.path = path, .kind = kDescriptor, .lacks = kLacks, .initial = std::nullopt},
          options, agrees));
  return Latch(std::move(ns));
}

absl::Status Latch::CountDown(std::uint64_t n) const {
  return coordination::UpdateRecord(
      ns_, "", [&](std::optional<std::string_view> present) -> absl::StatusOr<Change> {
        if (!present.has_value()) {
          return coordination::NoRecord(path(), kDescriptor, kLacks);
        }
        COMMY_ASSIGN_OR_RETURN(Record record, FromBytes(path(), *present));
        if (n == 0 || n > record.left) {
          return base::InvalidArgument("latch \"", path(), "\": ", n, " cannot be taken from a ",
                                       "count of ", record.left);
        }
        record.left -= n;
        return coordination::PutRecord(ToBytes(record));
      });
}

absl::Status Latch::Wait(absl::Duration timeout) const {
  Record record;
  COMMY_ASSIGN_OR_RETURN(const bool open,
                         coordination::WaitUntil(ns_, timeout, [&]() -> absl::StatusOr<bool> {
                           COMMY_ASSIGN_OR_RETURN(record, Read(ns_));
                           return record.left == 0;
                         }));
  return open ? absl::OkStatus()
              : absl::DeadlineExceededError(absl::StrCat("latch \"", path(), "\": ", record.left,
                                                         " of ", record.initial, " are left"));
}

absl::StatusOr<std::uint64_t> Latch::Count() const {
  COMMY_ASSIGN_OR_RETURN(const Record record, Read(ns_));
  return record.left;
}

}  // namespace commy
