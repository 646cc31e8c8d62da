#include "stress_typed.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/hash.h"
#include "base/status.h"
#include "stress_value.h"
#include "stress_worker.h"

namespace commy::stress {
namespace {

constexpr std::uint64_t kElements = 300;  // Of the set.
constexpr std::uint64_t kLoanKeys = 20;

std::uint64_t NextSeq(SlotLog& mine) {
  return mine.begun_seq.fetch_add(1, std::memory_order_release) + 1;
}

}  // namespace

Signed Sign(std::uint64_t key, std::uint64_t writer, std::uint64_t seq) {
  const std::uint64_t parts[3] = {key, writer, seq};
  return {writer, seq, base::Checksum(parts, sizeof(parts))};
}

bool IsSigned(std::uint64_t key, const Signed& value) {
  return value.check == Sign(key, value.writer, value.seq).check;
}

TypedPart::TypedPart(Map map, Set set, SharedBox<Twin> box, SharedCounter counter, Namespace loans)
    : map_(std::move(map)),
      set_(std::move(set)),
      box_(std::move(box)),
      counter_(std::move(counter)),
      loans_(std::move(loans)) {}

absl::StatusOr<TypedPart> TypedPart::Open(const Store& store) {
  COMMY_ASSIGN_OR_RETURN(Map map, store.OpenShared<Map>("stress/typed/map"));
  COMMY_ASSIGN_OR_RETURN(Set set, store.OpenShared<Set>("stress/typed/set"));
  COMMY_ASSIGN_OR_RETURN(SharedBox<Twin> box,
                         store.OpenShared<SharedBox<Twin>>("stress/typed/box"));
  COMMY_ASSIGN_OR_RETURN(SharedCounter counter,
                         store.OpenShared<SharedCounter>("stress/typed/counter"));
  COMMY_ASSIGN_OR_RETURN(Namespace loans, store.OpenNamespace("stress/loans"));
  return TypedPart(std::move(map), std::move(set), std::move(box), std::move(counter),
                   std::move(loans));
}

absl::Status TypedPart::Step(StressLog& log, std::size_t slot, std::mt19937_64& random) const {
  SlotLog& mine = log.slots[slot];
  switch (random() % 8) {
    case 0:
    case 1:
    case 2:
      return UseMap(log, slot, random);
    case 3:
      return UseSet(random);
    case 4:
      return UseBox(mine);
    case 5:
    case 6:
      return UseCounter(mine);
    default:
      return UseLoan(log, slot, random);
  }
}

absl::Status TypedPart::CheckSigned(std::uint64_t key, const Signed& value,
                                    const StressLog& log) const {
  const bool known = IsSigned(key, value) && value.writer < kSlotsMax &&
                     value.seq <= log.slots[value.writer].begun_seq.load(std::memory_order_acquire);
  return known ? absl::OkStatus()
               : base::DataLoss("the typed key ", key, " has a value of writer ", value.writer,
                                ", number ", value.seq, ", that no process wrote there");
}

absl::Status TypedPart::UseMap(StressLog& log, std::size_t slot, std::mt19937_64& random) const {
  SlotLog& mine = log.slots[slot];
  const std::uint64_t key = random() % log.key_count.load(std::memory_order_relaxed);
  const Signed fresh = Sign(key, slot, NextSeq(mine));
  mine.values_verified.fetch_add(1, std::memory_order_relaxed);
  switch (random() % 8) {
    case 0:
      return map_.Put(key, fresh);
    case 1:
      return map_.Emplace(key, [&](Signed& value) { value = fresh; });
    case 2:
      return map_.Insert(key, fresh).status();
    case 3:
      return map_.Erase(key).status();
    case 4: {
      absl::Status found;
      COMMY_RETURN_IF_ERROR(map_.Update(key, [&](std::optional<Signed> value) {
        if (value.has_value()) {
          found.Update(CheckSigned(key, *value, log));
        }
        return std::optional<Signed>(fresh);
      }));
      return found;
    }
    case 5: {
      const absl::StatusOr<Signed> seen = map_.Get(key);
      if (!seen.ok() && !absl::IsNotFound(seen.status())) {
        return seen.status();
      }
      return map_
          .CompareAndSwap(key, seen.ok() ? std::optional<Signed>(*seen) : std::nullopt, fresh)
          .status();
    }
    case 6: {
      const auto view = map_.GetView(key);
      if (!view.ok()) {
        return absl::IsNotFound(view.status()) ? absl::OkStatus() : view.status();
      }
      COMMY_RETURN_IF_ERROR(map_.Put(key, fresh));  // The viewed value stays as it is.
      return CheckSigned(key, **view, log);
    }
    default: {
      absl::Status all;
      COMMY_RETURN_IF_ERROR(map_.ForEach([&](std::uint64_t each, const Signed& value) {
        all.Update(CheckSigned(each, value, log));
      }));
      return all;
    }
  }
}

absl::Status TypedPart::CheckSet() const {
  std::optional<std::uint64_t> last;
  auto range = set_.Range();
  for (const std::uint64_t element : range) {
    if (element >= kElements || (last.has_value() && *last >= element)) {
      return base::DataLoss("the set has ", element, " behind ", last.value_or(0));
    }
    last = element;
  }
  return range.status();
}

absl::Status TypedPart::UseSet(std::mt19937_64& random) const {
  const std::uint64_t element = random() % kElements;
  switch (random() % 8) {
    case 0: {
      const absl::StatusOr<std::uint64_t> popped = set_.PopFirst();
      return popped.ok() || absl::IsNotFound(popped.status()) ? absl::OkStatus() : popped.status();
    }
    case 1:
      return set_.Erase(element).status();
    case 2:
      return CheckSet();
    default:
      return set_.Insert(element).status();
  }
}

absl::Status TypedPart::UseBox(SlotLog& mine) const {
  Twin seen;
  COMMY_RETURN_IF_ERROR(box_.Update([&](std::optional<Twin> value) {
    seen = value.value_or(Twin{});
    return std::optional<Twin>({seen.count + 1, seen.again + 1});
  }));
  const std::uint64_t before = mine.box_acknowledged.load(std::memory_order_relaxed);
  mine.box_acknowledged.store(before + 1, std::memory_order_release);
  return seen.count == seen.again && seen.count >= before
             ? absl::OkStatus()
             : base::DataLoss("the box has ", seen.count, " and ", seen.again,
                              "; this process alone added ", before);
}

absl::Status TypedPart::UseCounter(SlotLog& mine) const {
  const std::uint64_t before = mine.sum_acknowledged.load(std::memory_order_relaxed);
  COMMY_RETURN_IF_ERROR(counter_.Add(1));
  mine.sum_acknowledged.store(before + 1, std::memory_order_release);
  COMMY_ASSIGN_OR_RETURN(const std::int64_t value, counter_.Value());
  return value >= 0 && static_cast<std::uint64_t>(value) > before
             ? absl::OkStatus()
             : base::DataLoss("the typed counter is ", value, "; this process alone added ",
                              before + 1);
}

absl::Status TypedPart::UseLoan(StressLog& log, std::size_t slot, std::mt19937_64& random) const {
  const std::string key = absl::StrCat(random() % kLoanKeys);
  std::string bytes;
  const std::uint64_t filler = random() % 64 == 0 ? random() % 200'000 : random() % 2000;
  MakeValue(key, {slot, NextSeq(log.slots[slot])}, filler, bytes);
  COMMY_ASSIGN_OR_RETURN(Loan loan, loans_.Reserve(key, bytes.size()));
  std::memcpy(loan.bytes().data(), bytes.data(), bytes.size() / 2);
  // The key is what it was, however much of the room is written.
  absl::Status found;
  const absl::Status read = loans_.ReadWith(
      key, [&](std::string_view value) { found = CheckSharedValue(key, value, log); });
  if (!read.ok() && !absl::IsNotFound(read)) {
    return read;
  }
  COMMY_RETURN_IF_ERROR(found);
  std::memcpy(loan.bytes().data() + bytes.size() / 2, bytes.data() + bytes.size() / 2,
              bytes.size() - bytes.size() / 2);
  return random() % 4 == 0 ? absl::OkStatus() : std::move(loan).Publish();
}

absl::Status TypedPart::CheckAtTheEnd(const StressLog& log, std::uint64_t kills) const {
  COMMY_ASSIGN_OR_RETURN(const std::int64_t sum, counter_.Value());
  COMMY_RETURN_IF_ERROR(
      CheckSum("the typed counter", sum, Sum(log, &SlotLog::sum_acknowledged), kills));
  COMMY_ASSIGN_OR_RETURN(const Twin twin, box_.LoadOr({}));
  if (twin.count != twin.again) {
    return base::DataLoss("the box has ", twin.count, " and ", twin.again);
  }
  COMMY_RETURN_IF_ERROR(CheckSum("the box", static_cast<std::int64_t>(twin.count),
                                 Sum(log, &SlotLog::box_acknowledged), kills));
  COMMY_RETURN_IF_ERROR(CheckSet());
  absl::Status all;
  COMMY_RETURN_IF_ERROR(map_.ForEach(
      [&](std::uint64_t key, const Signed& value) { all.Update(CheckSigned(key, value, log)); }));
  COMMY_RETURN_IF_ERROR(all);
  ScanRange scan = loans_.Scan();
  for (const Entry& entry : scan) {
    COMMY_RETURN_IF_ERROR(CheckSharedValue(entry.key(), entry.value(), log));
  }
  return scan.status();
}

}  // namespace commy::stress
