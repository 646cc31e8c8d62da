// Histories of calls on one key by several threads or processes, and the question whether they are
// linearizable: whether there is an order of the calls, each at one moment between its begin and
// its end, in which every answer is right.
//
// A key's value is a number, or nothing. A call that never returned (its process was killed) may
// have had its effect at any moment after its begin, or never.
//
// The search is that of Wing and Gong with Lowe's memory of visited states: depth first over the
// calls that may come next, and no pair of {calls done, value} is visited twice. It is exponential
// in the number of calls at one time, so keep that small: some ten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace commy::test {

inline constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::min();

enum class CallKind : std::uint8_t {
  kGet,          // Answer: the value, or kNothing.
  kPut,          // Of `value`. No answer.
  kDelete,       // Answer: 1 it was there, or 0.
  kPutIfAbsent,  // Of `value`. Answer: 1 it was not there, or 0.
  kSwap,         // `expected` for `value`, either may be kNothing. Answer: 1 done, or 0.
  kAdd,          // Of `value`; to 0 if the key is absent. Answer: the new value.
  kClear,        // No answer.
};

struct Call {
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;  // 0: it never returned.
  std::uint32_t key = 0;
  CallKind kind = CallKind::kGet;
  std::int64_t value = 0;
  std::int64_t expected = 0;
  std::int64_t answer = 0;
};

// On one clock for all processes of the machine.
std::uint64_t HistoryNow();

// Whether the calls on one key, which was absent at first, are linearizable.
bool IsLinearizable(const std::vector<Call>& calls);

// The same for all keys of a history; the first key that is not, with its calls, or "". A kClear
// counts for each key.
std::string FindNonLinearizable(const std::vector<Call>& calls);

std::string Describe(const Call& call);

}  // namespace commy::test
