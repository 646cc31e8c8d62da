// The operations that the kill and stop harness kills and stops: one row of its table each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "crash/preparer.h"
#include "crash/steps.h"
#include "support/hook_runtime.h"

namespace commy::test {

using MakeStep = std::function<Step(const std::string& key)>;
using MakeSteps = std::function<std::vector<Step>(const std::string& key)>;

struct Operation {
  std::string name;
  std::function<std::string(Preparer&)> prepare;  // Returns the key.
  MakeSteps steps;                                // Of the victim.
  MakeStep prior = nullptr;                       // Of an earlier victim.
  hooks::Action prior_fate = hooks::Action::kKill;
  bool prior_inside = false;   // Its step needs the store from inside.
  bool attaches = false;       // The victim attaches as part of the operation.
  bool inside = false;         // Its steps need the store from inside.
  bool calls = false;          // Function entries are points too.
  bool no_store = false;       // The victim makes the store.
  bool alone = false;          // No other participant is attached; so the victim is only killed.
  MakeSteps beside = nullptr;  // Of the survivor, in place of the general scripts.
  bool waits = false;          // The victim is attached before the earlier one ends.
  // The earlier victim ends at one of its last points, and at each of these.
  bool prior_tail = false;
  bool prior_swaps = false;  // The earlier victim ends before each of its atomic operations.
  // The victim is stopped before each of its atomic operations, finds the changes of the survivor,
  // and is then killed at each store of its second attempt.
  bool again = false;
  bool stop_swaps = false;  // It is stopped before each of its atomic operations, and there alone.
  std::uint64_t victim_tail = 0;  // Positive: just this many last points of the victim.
  Order order = Order::kHash;     // Of the namespace "a".
  std::uint64_t max_bytes = 0;    // Of the store, if it is not the usual size.
  bool large = false;             // It repeats itself; only a full run takes every point.
};

// Every row, in the order in which the harness runs them.
std::vector<Operation> AllOperations();

// --- The parts of the table, a file of operations/ each ----------------------------------------

std::vector<Operation> KeyOperations();
std::vector<Operation> NamespaceOperations();
std::vector<Operation> InnerOperations();   // Growth, epochs, blocks and spans.
std::vector<Operation> AttachOperations();  // And detach.
// A victim has died before this one's operation, or is stopped meanwhile.
std::vector<Operation> EarlierVictimOperations();
// Two participants meet at points chosen for both.
std::vector<Operation> RaceOperations();
std::vector<Operation> NamespaceOperationsBesideStopped();
std::vector<Operation> OrderedOperations();
std::vector<Operation> SnapshotOperations(Order order);
std::vector<Operation> TransactionOperations(Order order);
std::vector<Operation> ExpiryOperations(Order order);
std::vector<Operation> WaitingOperations();
std::vector<Operation> TypedOperations();
std::vector<Operation> VectorOperations();
std::vector<Operation> QueueOperations();
std::vector<Operation> SpaceOperations();

// --- Shared by them ----------------------------------------------------------------------------

// The one step that `make` returns.
MakeSteps Once(MakeStep make);
Step PutAfter(const std::string& key);  // "after", padded, into "a".
Step PutLarge(const std::string& key);
Step DeleteKey(const std::string& key);
Step ClearA(const std::string& key);
Step DropA(const std::string& key);
Step CreateNew(const std::string& key);
Step RenameA(const std::string& key);
// The beginning of the names of rows of that order: "ordered ", or nothing.
std::string Kind(Order order);
std::vector<Operation> WithOrder(std::vector<Operation> operations, Order order);

}  // namespace commy::test
