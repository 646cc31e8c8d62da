#include "namespaces/write_op.h"

#include "base/check.h"

namespace commy::namespaces {
namespace {

Decision PutOrDelete(const WriteOp& op) {
  return op.deletes ? Decision{Decision::Kind::kDelete, {}, 0, false}
                    : Decision{Decision::Kind::kPut, op.value, op.expiry_ns, false};
}

}  // namespace

Decision Decide(const WriteOp& op, const versions::RecordView& view, bool live, bool* matched) {
  *matched = true;
  switch (op.kind) {
    case WriteOp::Kind::kPut:
      return {Decision::Kind::kPut, op.value, op.expiry_ns, false};
    case WriteOp::Kind::kDelete:
      return {Decision::Kind::kDelete, {}, 0, false};
    case WriteOp::Kind::kPutIfAbsent:
      return live ? Decision() : PutOrDelete(op);
    case WriteOp::Kind::kSwap:
      *matched =
          live ? op.expected.has_value() && *op.expected == view.value : !op.expected.has_value();
      return *matched ? PutOrDelete(op) : Decision();
    case WriteOp::Kind::kIfVersion:
      *matched = op.seen_commit == (live ? view.record->commit.load(std::memory_order_acquire) : 0);
      return *matched ? PutOrDelete(op) : Decision();
    case WriteOp::Kind::kDeleteExpired:
      return live ? Decision() : Decision{Decision::Kind::kDelete, {}, 0, false};
    case WriteOp::Kind::kCompute:
      COMMY_DCHECK(op.compute != nullptr);
      return (*op.compute)(live ? &view : nullptr);
  }
  return {};
}

}  // namespace commy::namespaces
