#include "stress_worker.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "stress_sequences.h"
#include "stress_typed.h"
#include "stress_value.h"

namespace commy::stress {
namespace {

constexpr std::string_view kSharedPrefix = "shared/";

std::string SharedKey(std::uint64_t number) {
  return absl::StrCat(base::ToAbsl(kSharedPrefix), number);
}

// A step, or its absence, as text for messages.
std::string Describe(std::optional<std::uint64_t> seq) {
  return seq.has_value() ? absl::StrCat("step ", *seq) : "absent";
}

class Worker {
 public:
  Worker(Store store, Namespace ns, TypedPart typed, SequencePart sequences, StressLog& log,
         std::size_t slot, std::uint64_t incarnation)
      : store_(std::move(store)),
        ns_(std::move(ns)),
        typed_(std::move(typed)),
        sequences_(std::move(sequences)),
        log_(log),
        mine_(log.slots[slot]),
        slot_(slot),
        random_(log.seed.load(std::memory_order_relaxed) * 1000003 + incarnation * 4099 + slot) {}

  absl::Status Run();

 private:
  absl::Status Resume();
  absl::Status Step();
  absl::Status GetShared();
  absl::Status ViewShared();
  absl::Status PutShared();
  absl::Status DeleteShared();
  absl::Status PutIfAbsentShared();
  absl::Status SwapShared();
  absl::Status UpdateShared();
  absl::Status StepOwn();
  absl::Status ReadOwnOfOther();
  absl::Status AddToCounter();
  absl::Status ScanShared();
  absl::Status ScanOwn();
  absl::Status UseNamespaceOfOwn();

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  std::string RandomSharedKey() {
    return SharedKey(Below(log_.key_count.load(std::memory_order_relaxed)));
  }
  // A fresh value for a shared key, announced in the log.
  const std::string& NextValue(std::string_view key);
  std::uint64_t FillerBytes();
  absl::Status Check(std::string_view key, std::string_view value) {
    mine_.values_verified.fetch_add(1, std::memory_order_relaxed);
    return CheckSharedValue(key, value, log_);
  }

  const Store store_;
  const Namespace ns_;
  const TypedPart typed_;
  const SequencePart sequences_;
  StressLog& log_;
  SlotLog& mine_;
  const std::size_t slot_;
  std::mt19937_64 random_;
  std::string value_;
};

std::uint64_t Worker::FillerBytes() {
  const std::uint64_t kind = Below(4096);
  if (kind == 0) {
    return Below(std::uint64_t{300} << 10U);  // Blocks of whole spans.
  }
  return kind < 64 ? Below(std::uint64_t{8} << 10U) : Below(256);
}

const std::string& Worker::NextValue(std::string_view key) {
  const std::uint64_t seq = mine_.begun_seq.fetch_add(1, std::memory_order_release) + 1;
  MakeValue(key, {slot_, seq}, FillerBytes(), value_);
  return value_;
}

absl::Status Worker::GetShared() {
  const std::string key = RandomSharedKey();
  const absl::StatusOr<std::string> value = ns_.Get(key);
  if (absl::IsNotFound(value.status())) {
    return absl::OkStatus();
  }
  COMMY_RETURN_IF_ERROR(value.status());
  return Check(key, *value);
}

absl::Status Worker::ViewShared() {
  const std::string key = RandomSharedKey();
  const absl::StatusOr<View> view = ns_.GetView(key);
  if (absl::IsNotFound(view.status())) {
    return absl::OkStatus();
  }
  COMMY_RETURN_IF_ERROR(view.status());
  // While the value is held, other processes replace the key and reuse blocks.
  for (int i = 0; i < 4; ++i) {
    COMMY_RETURN_IF_ERROR(PutShared());
  }
  return Check(key, view->value());
}

absl::Status Worker::PutShared() {
  const std::string key = RandomSharedKey();
  return ns_.Put(key, NextValue(key));
}

absl::Status Worker::DeleteShared() {
  return ns_.Delete(RandomSharedKey()).status();
}

absl::Status Worker::PutIfAbsentShared() {
  const std::string key = RandomSharedKey();
  return ns_.PutIfAbsent(key, NextValue(key)).status();
}

absl::Status Worker::SwapShared() {
  const std::string key = RandomSharedKey();
  const absl::StatusOr<std::string> expected = ns_.Get(key);
  Swap swap;
  if (expected.ok()) {
    swap.expected = *expected;
  } else if (!absl::IsNotFound(expected.status())) {
    return expected.status();
  }
  swap.desired = NextValue(key);
  return ns_.CompareAndSwap(key, swap).status();
}

absl::Status Worker::UpdateShared() {
  const std::string key = RandomSharedKey();
  absl::Status verified;
  const absl::StatusOr<bool> updated = ns_.Update(key, [&](std::optional<std::string_view> value) {
    if (value.has_value()) {
      verified.Update(Check(key, *value));
    }
    return Below(4) == 0 ? Change::Delete() : Change::Put(NextValue(key));
  });
  COMMY_RETURN_IF_ERROR(updated.status());
  return verified;
}

absl::Status Worker::StepOwn() {
  const std::size_t number = Below(kOwnKeys);
  OwnKeyLog& life = mine_.own[number];
  const std::string key = OwnKey(slot_, number);
  const std::uint64_t seq = life.begun.load(std::memory_order_relaxed) + 1;
  life.begun.store(seq, std::memory_order_release);
  if (IsDelete(seq)) {
    COMMY_RETURN_IF_ERROR(ns_.Delete(key).status());
  } else {
    MakeValue(key, {slot_, seq}, FillerBytes(), value_);
    COMMY_RETURN_IF_ERROR(ns_.Put(key, value_));
  }
  life.acknowledged.store(seq, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Worker::ReadOwnOfOther() {
  const std::size_t slots = log_.slot_count.load(std::memory_order_relaxed);
  mine_.values_verified.fetch_add(1, std::memory_order_relaxed);
  return CheckOwnKey(ns_, log_, Below(slots), Below(kOwnKeys));
}

absl::Status Worker::AddToCounter() {
  const std::uint64_t before = mine_.adds_acknowledged.load(std::memory_order_relaxed);
  const absl::StatusOr<std::int64_t> sum = ns_.Add(kCounterKey, 1);
  COMMY_RETURN_IF_ERROR(sum.status());
  mine_.adds_acknowledged.store(before + 1, std::memory_order_release);
  if (*sum <= 0 || static_cast<std::uint64_t>(*sum) <= before) {
    return base::DataLoss("the counter is ", *sum, ", but this process alone added ", before);
  }
  return absl::OkStatus();
}

// Other processes delete keys and put them again during the scan: it may miss those, but must not
// return a key twice.
absl::Status Worker::ScanShared() {
  absl::flat_hash_set<std::string> seen;
  ScanRange scan = ns_.Scan({.prefix = std::string(kSharedPrefix)});
  for (const Entry& entry : scan) {
    COMMY_RETURN_IF_ERROR(Check(entry.key(), entry.value()));
    if (!seen.insert(entry.key()).second) {
      return base::DataLoss("a scan gave the key ", entry.key(), " twice");
    }
  }
  return scan.status();
}

// No other process writes own keys: the scan returns each existing one exactly once.
absl::Status Worker::ScanOwn() {
  std::vector<std::string> expected;
  for (std::size_t number = 0; number < kOwnKeys; ++number) {
    const std::uint64_t seq = mine_.own[number].acknowledged.load(std::memory_order_relaxed);
    if (seq != 0 && !IsDelete(seq)) {
      expected.push_back(OwnKey(slot_, number));
    }
  }
  std::vector<std::string> found;
  ScanRange scan = ns_.Scan({.prefix = absl::StrCat("own/", slot_, "/")});
  for (const Entry& entry : scan) {
    found.push_back(entry.key());
  }
  COMMY_RETURN_IF_ERROR(scan.status());
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  if (found != expected) {
    return base::DataLoss("a scan gave ", found.size(), " own keys of process ", slot_, ", not ",
                          expected.size(), ": ", absl::StrJoin(found, " "));
  }
  return absl::OkStatus();
}

absl::Status Worker::UseNamespaceOfOwn() {
  const std::string path = absl::StrCat("stress/of/", slot_);
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, store_.OpenNamespace(path));
  const std::uint64_t keys = 1 + Below(200);
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string key = SharedKey(i);
    COMMY_RETURN_IF_ERROR(ns.Put(key, NextValue(key)));
  }
  // Counted by a scan, since Size() lacks the puts of a killed predecessor until that one has been
  // recovered.
  std::uint64_t size = 0;
  ScanRange all = ns.Scan();
  for ([[maybe_unused]] const Entry& entry : all) {
    ++size;
  }
  COMMY_RETURN_IF_ERROR(all.status());
  if (size < keys) {
    return base::DataLoss("a namespace of its own has ", size, " keys of ", keys);
  }
  if (Below(2) == 0) {
    COMMY_RETURN_IF_ERROR(ns.Clear());
  }
  return Below(2) == 0 ? store_.DropNamespace(path) : absl::OkStatus();
}

absl::Status Worker::Step() {
  const std::uint64_t kind = Below(1024);
  if (kind < 100) {
    return typed_.Step(log_, slot_, random_);
  }
  if (kind < 200) {
    return sequences_.Step(log_, slot_, random_);
  }
  if (kind < 350) {
    return GetShared();
  }
  if (kind < 370) {
    return ViewShared();
  }
  if (kind < 560) {
    return PutShared();
  }
  if (kind < 620) {
    return DeleteShared();
  }
  if (kind < 650) {
    return PutIfAbsentShared();
  }
  if (kind < 680) {
    return SwapShared();
  }
  if (kind < 710) {
    return UpdateShared();
  }
  if (kind < 830) {
    return StepOwn();
  }
  if (kind < 950) {
    return ReadOwnOfOther();
  }
  if (kind < 1020) {
    return AddToCounter();
  }
  switch (Below(3)) {
    case 0:
      return ScanShared();
    case 1:
      return ScanOwn();
    default:
      return UseNamespaceOfOwn();
  }
}

// After a kill, each own key is either as acknowledged or as the interrupted step would have left
// it, and stays so. From here on that state is the acknowledged one.
absl::Status Worker::Resume() {
  for (std::size_t number = 0; number < kOwnKeys; ++number) {
    COMMY_RETURN_IF_ERROR(CheckOwnKey(ns_, log_, slot_, number));
    const std::string key = OwnKey(slot_, number);
    OwnKeyLog& life = mine_.own[number];
    const absl::StatusOr<std::string> value = ns_.Get(key);
    if (value.ok()) {
      life.acknowledged.store(VerifyValue(key, *value).value_or(Author{}).seq,
                              std::memory_order_release);
    } else if (!absl::IsNotFound(value.status())) {
      return value.status();
    } else if (IsDelete(life.begun.load(std::memory_order_relaxed))) {
      life.acknowledged.store(life.begun.load(std::memory_order_relaxed),
                              std::memory_order_release);
    }
  }
  return absl::OkStatus();
}

absl::Status Worker::Run() {
  COMMY_RETURN_IF_ERROR(Resume());
  mine_.ready.store(1, std::memory_order_release);
  using Clock = std::chrono::steady_clock;
  for (Clock::time_point last = Clock::now(); log_.stop.load(std::memory_order_acquire) == 0;) {
    COMMY_RETURN_IF_ERROR(Step());
    mine_.operations.fetch_add(1, std::memory_order_relaxed);
    const Clock::time_point now = Clock::now();
    const auto elapsed_ns = static_cast<std::uint64_t>((now - last).count());
    if (elapsed_ns > mine_.slowest_ns.load(std::memory_order_relaxed)) {
      mine_.slowest_ns.store(elapsed_ns, std::memory_order_relaxed);
    }
    last = now;
  }
  return absl::OkStatus();
}

}  // namespace

std::string OwnKey(std::size_t slot, std::size_t number) {
  return absl::StrCat("own/", slot, "/", number);
}

absl::Status CheckSharedValue(std::string_view key, std::string_view value, const StressLog& log) {
  const std::optional<Author> author = VerifyValue(key, value);
  if (!author.has_value()) {
    return base::DataLoss(
        "key ", base::ToAbsl(key), ": a value of ", value.size(),
        " bytes does not verify: ", absl::BytesToHexString(base::ToAbsl(value.substr(0, 64))));
  }
  const bool known =
      author->writer < kSlotsMax &&
      author->seq <= log.slots[author->writer].begun_seq.load(std::memory_order_acquire);
  if (!known) {
    return base::DataLoss("key ", base::ToAbsl(key), ": writer ", author->writer,
                          " has not yet written its value ", author->seq);
  }
  return absl::OkStatus();
}

absl::Status CheckOwnKey(const Namespace& ns, const StressLog& log, std::size_t slot,
                         std::size_t number) {
  const OwnKeyLog& life = log.slots[slot].own[number];
  const std::string key = OwnKey(slot, number);
  const std::uint64_t acknowledged = life.acknowledged.load(std::memory_order_acquire);
  const absl::StatusOr<std::string> value = ns.Get(key);
  const std::uint64_t begun = life.begun.load(std::memory_order_acquire);
  std::optional<std::uint64_t> found;
  if (value.ok()) {
    const std::optional<Author> author = VerifyValue(key, *value);
    if (!author.has_value() || author->writer != slot) {
      return base::DataLoss("key ", key, ": a value of ", value->size(), " bytes does not verify: ",
                            absl::BytesToHexString(value->substr(0, 64)));
    }
    found = author->seq;
  } else if (!absl::IsNotFound(value.status())) {
    return value.status();
  }
  if (!IsPossible(found, acknowledged, begun)) {
    return base::DataLoss("key ", key, " is ", Describe(found), ", but step ", acknowledged,
                          " was acknowledged and step ", begun, " was the last begun");
  }
  return absl::OkStatus();
}

absl::Status RunWorker(const std::string& path, StressLog& log, std::size_t slot,
                       std::uint64_t incarnation) {
  Options options;
  options.create_if_missing = false;
  options.process_name = absl::StrCat("stress ", slot);
  COMMY_ASSIGN_OR_RETURN(Store store, Store::Open(path, options));
  COMMY_ASSIGN_OR_RETURN(Namespace ns, store.OpenNamespace(kNamespace));
  COMMY_ASSIGN_OR_RETURN(TypedPart typed, TypedPart::Open(store));
  COMMY_ASSIGN_OR_RETURN(SequencePart sequences, SequencePart::Open(store));
  return Worker(std::move(store), std::move(ns), std::move(typed), std::move(sequences), log, slot,
                incarnation)
      .Run();
}

}  // namespace commy::stress
