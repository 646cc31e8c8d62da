// Commit words and the statuses of transactions.
//
// A record's commit is 0 (undecided), a time, kAborted, or a reference to the status of a
// transaction: the record is then that transaction's intent. A status is kActive, kCommitting,
// kPrepared with a time, a time, or kAborted.
#pragma once

#include "model/lib/words.h"

namespace commy::model {

constexpr U8 kFirstTime = 1;
constexpr U8 kPrepared = 0x40;  // With a time.
constexpr U8 kReference = 0x80;
constexpr U8 kActive = 0xfc;
constexpr U8 kCommitting = 0xfd;
constexpr U8 kAborted = 0xfe;

constexpr U8 ReferenceTo(int transaction) {
  return static_cast<U8>(kReference | transaction);
}
constexpr bool IsReference(U8 commit) {
  return commit >= kReference && commit < kActive;
}
// The transaction that a reference names.
constexpr int OwnerOf(U8 reference) {
  return reference & 3;
}
constexpr bool IsPrepared(U8 status) {
  return (status & 0xc0) == kPrepared;
}
constexpr bool IsTime(U8 word) {
  return word >= kFirstTime && word < kPrepared;
}

// A record's commit, or the status that it refers to.
template <typename State, typename Record>
U8 TimeOf(const State& state, const Record& record) {
  return IsReference(record.commit) ? state.status[OwnerOf(record.commit)] : record.commit;
}

// The key of a transaction's step: the second transaction goes through the keys in reverse order.
constexpr int KeyOfStep(int transaction, int step, int keys) {
  return transaction == 1 ? keys - 1 - step : step;
}

}  // namespace commy::model
