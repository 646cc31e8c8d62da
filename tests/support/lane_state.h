// The state of a lane without an owner.
#pragma once

#include <cstddef>
#include <iterator>

#include <gtest/gtest.h>

#include "process/op_word.h"
#include "region/layout.h"

namespace commy::test {

// Whether the lane has no owner, and its last owner left no operation, armed counter, note or pin
// in it. (An advancer skips lanes without an owner, so a pin that is left shows only when the next
// owner finds the epoch held.)
inline testing::AssertionResult IsIdle(const region::LaneLayout& lane) {
  const process::OpWord op = process::UnpackOp(lane.op.load(std::memory_order_acquire));
  if (lane.owner.load(std::memory_order_acquire) != 0) {
    return testing::AssertionFailure() << "it has an owner";
  }
  if (op.kind != process::OpKind::kNone || op.armed ||
      lane.op_object.load(std::memory_order_acquire) != 0) {
    return testing::AssertionFailure()
           << "its operation " << static_cast<int>(op.kind) << " is left";
  }
  for (std::size_t i = 0; i < std::size(lane.notes); ++i) {
    if (lane.notes[i].load(std::memory_order_acquire) != 0) {
      return testing::AssertionFailure() << "note " << i << " is left";
    }
  }
  for (std::size_t i = 0; i < std::size(lane.pins); ++i) {
    if (lane.pins[i].load(std::memory_order_acquire) != 0) {
      return testing::AssertionFailure() << "pin " << i << " is left";
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace commy::test
