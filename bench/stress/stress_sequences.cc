#include "stress_sequences.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace commy::stress {
namespace {

constexpr std::uint64_t kJobKey = 7;  // Of their signatures.
constexpr std::uint64_t kCapacity = 500;
constexpr std::uint64_t kBatch = 4;
constexpr std::uint64_t kBalanceCount = 700;
constexpr std::int64_t kBalance = 1000;
constexpr std::uint64_t kTextBytes = 6000;
constexpr char kWord[] = "žluťoučký ";  // Characters of one and two bytes.

// What is no fault of the store: there was nothing to take, or no room.
absl::Status Expected(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status) || absl::IsAborted(status) ||
                 absl::IsDeadlineExceeded(status)
             ? absl::OkStatus()
             : status;
}

void Count(std::atomic<std::uint64_t>& word, std::uint64_t more) {
  word.store(word.load(std::memory_order_relaxed) + more, std::memory_order_release);
}

absl::Status CheckJob(const Signed& job, const StressLog& log) {
  const bool known = IsSigned(kJobKey, job) && job.writer < kSlotsMax &&
                     job.seq <= log.slots[job.writer].begun_seq.load(std::memory_order_acquire);
  return known ? absl::OkStatus()
               : base::DataLoss("the queue has an element of writer ", job.writer, ", number ",
                                job.seq, ", that no process pushed");
}

}  // namespace

SequencePart::SequencePart(Store store, Jobs jobs, Balances balances, SharedString text)
    : store_(std::move(store)),
      jobs_(std::move(jobs)),
      balances_(std::move(balances)),
      text_(std::move(text)) {}

absl::StatusOr<SequencePart> SequencePart::Open(const Store& store) {
  COMMY_ASSIGN_OR_RETURN(Jobs jobs, store.OpenShared<Jobs>("stress/jobs", {.capacity = kCapacity}));
  COMMY_ASSIGN_OR_RETURN(Balances balances, store.OpenShared<Balances>("stress/balances"));
  COMMY_ASSIGN_OR_RETURN(SharedString text, store.OpenShared<SharedString>("stress/text"));
  return SequencePart(store, std::move(jobs), std::move(balances), std::move(text));
}

absl::Status SequencePart::Step(StressLog& log, std::size_t slot, std::mt19937_64& random) const {
  switch (random() % 4) {
    case 0:
      return UseBalances(random);
    case 1:
      return UseText(random);
    default:
      return UseQueue(log, slot, random);
  }
}

// --- The queue -----------------------------------------------------------------------------------

absl::Status SequencePart::Push(StressLog& log, std::size_t slot) const {
  SlotLog& mine = log.slots[slot];
  const std::uint64_t seq = mine.begun_seq.fetch_add(1, std::memory_order_release) + 1;
  const absl::Status pushed = jobs_.PushBack(Sign(kJobKey, slot, seq), absl::Milliseconds(1));
  if (pushed.ok()) {
    Count(mine.jobs_pushed, 1);
  }
  return Expected(pushed);
}

absl::Status SequencePart::Lease(StressLog& log, std::size_t slot, std::mt19937_64& random) const {
  absl::StatusOr<Leased<Signed>> job = jobs_.LeaseFront(absl::Milliseconds(1));
  if (!job.ok()) {
    return Expected(job.status());
  }
  COMMY_RETURN_IF_ERROR(CheckJob(job->value(), log));
  if (random() % 8 == 0) {
    return random() % 2 == 0 ? absl::OkStatus() : job->Return();
  }
  COMMY_RETURN_IF_ERROR(random() % 2 == 0 ? job->Acknowledge()
                                          : store_.Transact([&job](Transaction& txn) {
                                              return job->AcknowledgeIn(txn);
                                            }));
  Count(log.slots[slot].jobs_taken, 1);
  return absl::OkStatus();
}

absl::Status SequencePart::UseQueue(StressLog& log, std::size_t slot,
                                    std::mt19937_64& random) const {
  const std::uint64_t kind = random() % 8;
  if (kind < 4) {
    return Push(log, slot);
  }
  if (kind < 6) {
    return Lease(log, slot, random);
  }
  const auto popped = jobs_.PopFrontMany(1 + random() % kBatch, absl::Milliseconds(1));
  if (!popped.ok()) {
    return Expected(popped.status());
  }
  Count(log.slots[slot].jobs_taken, popped->size());
  for (const Signed& job : *popped) {
    COMMY_RETURN_IF_ERROR(CheckJob(job, log));
  }
  return absl::OkStatus();
}

// --- The vector: numbers whose sum stays ---------------------------------------------------------

absl::Status SequencePart::CheckBalances() const {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  COMMY_RETURN_IF_ERROR(balances_.ForEachPiece([&](std::span<const std::int64_t> piece) {
    for (const std::int64_t each : piece) {
      sum += each;
    }
    count += static_cast<std::int64_t>(piece.size());
  }));
  return sum == count * kBalance ? absl::OkStatus()
                                 : base::DataLoss("the vector's ", count, " numbers are ", sum,
                                                  " together, not ", count * kBalance);
}

absl::Status SequencePart::Move(std::mt19937_64& random) const {
  return store_.Transact([&](Transaction& txn) -> absl::Status {
    const TransactionVec<std::int64_t> in = balances_.In(txn);
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, in.Size());
    if (size == 0) {
      return absl::OkStatus();
    }
    const auto amount = static_cast<std::int64_t>(random() % 100);
    COMMY_RETURN_IF_ERROR(in.Update(random() % size, [&](std::int64_t& each) { each -= amount; }));
    return in.Update(random() % size, [&](std::int64_t& each) { each += amount; });
  });
}

absl::Status SequencePart::UseBalances(std::mt19937_64& random) const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, balances_.Size());
  if (size < kBalanceCount) {
    return random() % 2 == 0 ? balances_.PushBack(kBalance)
                             : balances_.Append(std::vector<std::int64_t>(random() % 50, kBalance));
  }
  switch (random() % 8) {
    case 0:
      return Expected(balances_.Insert(random() % size, kBalance));
    case 1:
      return CheckBalances();
    case 2: {  // What is taken away is made whole first.
      const std::uint64_t at = random() % size;
      return Expected(store_.Transact([&](Transaction& txn) -> absl::Status {
        const TransactionVec<std::int64_t> in = balances_.In(txn);
        COMMY_ASSIGN_OR_RETURN(const std::int64_t each, in.At(at));
        COMMY_RETURN_IF_ERROR(in.Erase(at));
        return in.Update(0, [&](std::int64_t& first) { first += each - kBalance; });
      }));
    }
    case 3: {
      COMMY_ASSIGN_OR_RETURN(VecEdit<std::int64_t> edit, balances_.Edit());
      COMMY_RETURN_IF_ERROR(Expected(edit.Swap(random() % size, random() % size)));
      COMMY_RETURN_IF_ERROR(edit.PushFront(kBalance));
      return Expected(edit.Publish());
    }
    default:
      return Expected(Move(random));
  }
}

// --- The text: a word, again and again -----------------------------------------------------------

absl::Status SequencePart::CheckText() const {
  COMMY_ASSIGN_OR_RETURN(const std::string text, text_.Get());
  const std::string word = kWord;
  for (std::size_t at = 0; at < text.size(); at += word.size()) {
    if (text.compare(at, word.size(), word) != 0) {
      return base::DataLoss("the text has other bytes than its word at ", at);
    }
  }
  return absl::OkStatus();
}

absl::Status SequencePart::UseText(std::mt19937_64& random) const {
  const std::string word = kWord;
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t bytes, text_.ByteCount());
  switch (random() % 8) {
    case 0:
      return CheckText();
    case 1:
      return Expected(text_.Insert(random() % (bytes / word.size() + 1) * word.size(), word));
    case 2:
      return bytes < kTextBytes
                 ? absl::OkStatus()
                 : Expected(text_.EraseRange(0, random() % (bytes / word.size()) * word.size()));
    default:
      return text_.Append(word);
  }
}

// --- The end -------------------------------------------------------------------------------------

absl::Status SequencePart::CheckAtTheEnd(const StressLog& log, std::uint64_t kills) const {
  COMMY_RETURN_IF_ERROR(CheckBalances());
  COMMY_RETURN_IF_ERROR(CheckText());
  // Also those whose holders are gone.
  std::uint64_t left = 0;
  while (true) {
    const auto job = jobs_.PopFront();
    if (absl::IsNotFound(job.status())) {
      break;
    }
    COMMY_RETURN_IF_ERROR(job.status());
    COMMY_RETURN_IF_ERROR(CheckJob(*job, log));
    ++left;
  }
  const std::uint64_t pushed = Sum(log, &SlotLog::jobs_pushed);
  const std::uint64_t taken = Sum(log, &SlotLog::jobs_taken);
  std::printf("queue: %llu pushed, %llu taken, %llu left\n",
              static_cast<unsigned long long>(pushed), static_cast<unsigned long long>(taken),
              static_cast<unsigned long long>(left));
  // A killed process may have pushed one element, or taken a batch, that it did not log.
  if (left + taken > pushed + kills || left + taken + kills * kBatch < pushed) {
    return base::DataLoss("the queue: ", pushed, " were pushed, ", taken, " taken, and ", left,
                          " are left, after ", kills, " kills");
  }
  return absl::OkStatus();
}

}  // namespace commy::stress
