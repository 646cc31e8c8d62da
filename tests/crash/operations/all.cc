#include <iterator>
#include <utility>

#include "crash/operations.h"

namespace commy::test {
namespace {

void Append(std::vector<Operation>* all, std::vector<Operation> more) {
  all->insert(all->end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<Operation> AllOperations() {
  std::vector<Operation> all;
  for (auto* const part : {KeyOperations, NamespaceOperations, InnerOperations, AttachOperations,
                           EarlierVictimOperations, RaceOperations,
                           NamespaceOperationsBesideStopped, OrderedOperations}) {
    Append(&all, part());
  }
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    Append(&all, SnapshotOperations(order));
  }
  Append(&all, TransactionOperations(Order::kHash));
  Append(&all, ExpiryOperations(Order::kHash));
  Append(&all, WaitingOperations());
  Append(&all, TypedOperations());
  Append(&all, VectorOperations());
  Append(&all, TransactionOperations(Order::kOrdered));
  Append(&all, ExpiryOperations(Order::kOrdered));
  Append(&all, QueueOperations());
  Append(&all, SpaceOperations());
  return all;
}

MakeSteps Once(MakeStep make) {
  return [make = std::move(make)](const std::string& key) { return std::vector<Step>{make(key)}; };
}

Step PutAfter(const std::string& key) {
  return Put(kA, key, Padded("after"));
}

Step PutLarge(const std::string& key) {
  return Put(kA, key, std::string(9500, 'N'));
}

Step DeleteKey(const std::string& key) {
  return Delete(kA, key);
}

Step ClearA(const std::string& /*key*/) {
  return Clear(kA);
}

Step DropA(const std::string& /*key*/) {
  return DropNs("a", kA);
}

Step CreateNew(const std::string& /*key*/) {
  return CreateNs("c/new");
}

Step RenameA(const std::string& /*key*/) {
  return RenameNs("a", "z/moved");
}

std::string Kind(Order order) {
  return order == Order::kOrdered ? "ordered " : "";
}

std::vector<Operation> WithOrder(std::vector<Operation> operations, Order order) {
  for (Operation& operation : operations) {
    operation.order = order;
  }
  return operations;
}

}  // namespace commy::test
