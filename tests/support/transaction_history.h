// Histories of transactions by several processes, and the question whether an isolation level
// allows them.
//
// A key's value is a list. Each transaction reads whole lists and appends values to some, and no
// value is appended twice, to any key: so a transaction's reads tell which ones came before it, and
// in which order (Elle's way: Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from
// Experimental Observations", 2020). A history should end with a transaction that reads all keys.
//
// A transaction that never returned (its process was killed) has committed if any other has read a
// value of it, and else counts for its reads only. So does one that was aborted: its reads are of
// one moment as well. Linear in the length of the lists that were read, if the history is right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "commy/transaction.h"

namespace commy::test {

enum class Outcome : std::uint8_t { kUnknown, kCommitted, kAborted };

struct ListOp {
  enum class Kind : std::uint8_t { kRead, kAppend };
  Kind kind = Kind::kRead;
  std::uint32_t key = 0;
  std::vector<std::uint64_t> values;  // Of a read the whole list, of an append the one value.
};

struct ListTransaction {
  // The transactions of a session came one after the other.
  std::uint32_t session = 0;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;  // 0: it never returned.
  // A call on one key, or a read by a snapshot, is serializable.
  Isolation isolation = Isolation::kSerializable;
  Outcome outcome = Outcome::kUnknown;
  std::vector<ListOp> ops;
};

enum class Anomaly : std::uint8_t {
  kGarbage,            // A value that was never appended to this key, or not yet.
  kDuplicate,          // A value twice in one list.
  kInternal,           // Differs from what the transaction itself read or appended before.
  kAbortedRead,        // G1a.
  kIntermediateRead,   // G1b: a list to which a transaction that it saw appended once more.
  kIncompatibleOrder,  // Two lists of a key of which none is the beginning of the other.
  kLostUpdate,         // Two transactions that appended to the same list.
  kG0,                 // The rest are circles: see dependency_graph.h.
  kG1c,
  kGSingle,
  kGNonadjacent,
  kG2,
};

struct Finding {
  // The order that it needs beside the data: that in sessions, or in real time.
  enum class Needs : std::uint8_t { kNothing, kSessions, kRealTime };
  Anomaly anomaly = Anomaly::kGarbage;
  Needs needs = Needs::kNothing;
  std::string text;
};

struct HistoryReport {
  std::vector<Finding> findings;  // At most one circle, the plainest.
  std::uint64_t committed = 0;    // Transactions that are known to have committed.
  std::uint64_t proven = 0;       // Transactions that never returned, but were seen.
  std::uint64_t aborted = 0;
  std::uint64_t appends_seen = 0;
  // Groups of transactions in a circle that only serializability forbids.
  std::uint64_t write_skews = 0;

  // The findings, a few of them.
  [[nodiscard]] std::string Told() const;
};

HistoryReport Examine(const std::vector<ListTransaction>& history);

std::string Describe(const ListTransaction& transaction);

}  // namespace commy::test
