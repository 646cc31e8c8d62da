#include "sequences/queue_steps.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace commy::sequences {
namespace {

using Kind = QueueStep::Kind;

absl::Status DamagedQueue() {
  return base::DataLoss("the queue's part of the root is damaged");
}

std::uint64_t Room(const QueueState& queue, std::uint64_t size) {
  return queue.capacity > size ? queue.capacity - size : 0;
}

bool IsGoneOwner(const QueueStep& step, std::uint64_t owner) {
  return std::find(step.gone.begin(), step.gone.end(), owner) != step.gone.end();
}

bool WasLeasedTooOften(const QueueState& queue) {
  return queue.max_deliveries != 0 && !queue.returned.empty() &&
         queue.returned[0].deliveries >= queue.max_deliveries;
}

// Where any number has room, nothing waits for it.
void TellRoomIfBounded(const QueueStep& step, const QueueState& queue, QueueResult* result) {
  if (queue.capacity == UINT64_MAX && step.kind != Kind::kSetLimits) {
    result->room = 0;
  }
}

// Gives an item, which is in no list, to a consumer.
void LeaseTo(const QueueStep& step, Item item, QueueState& queue, QueueResult* result) {
  if (queue.store != step.holder.store) {
    while (!queue.leases.empty()) {
      queue.Return(0);  // Their holders are of the store that this one was recovered from.
    }
    queue.store = step.holder.store;
  }
  item.ticket = queue.next_ticket++;
  item.owner = step.holder.owner;
  item.since_wall_ns = step.holder.now_wall_ns;
  ++item.deliveries;
  if (item.order == 0) {
    item.order = item.ticket;
  }
  result->taken.ticket = item.ticket;
  result->taken.deliveries = item.deliveries;
  queue.leases.push_back(item);
}

// Steps that change nothing but the queue's part.
Got Settle(const QueueStep& step, QueueState& queue, QueueResult* result) {
  if (step.kind == Kind::kReturnGone) {
    for (std::size_t i = 0; i < queue.leases.size();) {
      if (queue.store == step.gone_store && IsGoneOwner(step, queue.leases[i].owner)) {
        queue.Return(i);
        ++result->come;
      } else {
        ++i;
      }
    }
    return result->come != 0 ? Got::kDone : Got::kNone;
  }
  if (step.kind == Kind::kSetLimits) {
    queue.capacity = step.capacity;
    queue.max_deliveries = step.max_deliveries;
    queue.dead_letters = step.dead_letters;
    result->room = UINT32_MAX;
    return Got::kDone;
  }
  const std::size_t lease = queue.Find(step.ticket);
  if (lease == queue.leases.size()) {
    return Got::kNone;
  }
  if (step.kind == Kind::kReturn) {
    queue.Return(lease);
    result->come = 1;
    return Got::kDone;
  }
  if (queue.leases[lease].node != 0) {
    return Got::kMore;  // Its node goes, too.
  }
  queue.leases.erase(queue.leases.begin() + static_cast<std::ptrdiff_t>(lease));
  return Got::kDone;
}

// --- In the root alone ---------------------------------------------------------------------------

RootChange PushIn(RootView& root, const QueueStep& step, std::uint64_t most_bytes,
                  const QueueState& queue, QueueResult* result) {
  if (step.run.count > Room(queue, root.count() + queue.returned.size())) {
    result->got = Got::kNone;
    return {};
  }
  if (!step.back && !queue.returned.empty()) {
    result->got = Got::kMore;
    return {};
  }
  RootChange change = AddAt(root, step.back, step.run, most_bytes);
  result->got = change.changes ? Got::kDone : Got::kMore;
  result->come = step.run.count;
  return change;
}

RootChange PopIn(RootView& root, const QueueStep& step, const QueueState& queue,
                 QueueResult* result) {
  const bool of_returned = !queue.returned.empty() && (!step.back || root.count() == 0);
  if (root.count() == 0 && !of_returned) {
    result->got = Got::kNone;
    return {};
  }
  if (of_returned || (step.back && step.most > 1 && !queue.returned.empty()) ||
      !TakeAt(root, step.back, step.most, [result](std::string_view element) {
        result->taken.elements.emplace_back(element);
      })) {
    result->got = Got::kMore;
    return {};
  }
  result->got = Got::kDone;
  result->room = result->taken.elements.size();
  return AsItIs(root);
}

RootChange LeaseIn(RootView& root, const QueueStep& step, QueueState& queue, QueueResult* result) {
  if (root.count() == 0 && queue.returned.empty()) {
    result->got = Got::kNone;
    return {};
  }
  std::string& element = result->taken.elements.emplace_back();
  if (!queue.returned.empty() ||
      !TakeAt(root, false, 1, [&element](std::string_view taken) { element.assign(taken); }) ||
      element.size() > kItemBytesMax) {
    result->got = Got::kMore;
    return {};
  }
  Item item;
  item.bytes = element;
  LeaseTo(step, item, queue, result);
  result->got = Got::kDone;
  result->room = 1;
  return AsItIs(root);
}

}  // namespace

absl::Status StepInRoot(const engine::NamespaceState& ns, const QueueStep& step,
                        std::uint64_t most_bytes, QueueResult* result) {
  if (step.kind == Kind::kClear || step.kind == Kind::kPopDead || step.kind == Kind::kPutReturned) {
    result->got = Got::kMore;
    return absl::OkStatus();
  }
  std::string queue_bytes;
  bool damaged = false;
  COMMY_RETURN_IF_ERROR(ChangeRoot(ns, step.frees(), [&](RootView& root) -> RootChange {
    *result = QueueResult();
    QueueState queue;
    damaged = !ParseQueue(root.queue, &queue);
    if (damaged) {
      return {};
    }
    if (root.queue.empty()) {
      queue.next_ticket = root.next_node;  // Above those of a queue that was here before a clear.
    }
    result->leased = !queue.leases.empty();
    result->capacity = queue.capacity;
    result->next_ticket = queue.next_ticket;
    if (step.kind == Kind::kPush) {
      return PushIn(root, step, most_bytes, queue, result);
    }
    if (step.kind == Kind::kPop) {
      RootChange change = PopIn(root, step, queue, result);
      TellRoomIfBounded(step, queue, result);
      return change;
    }
    RootChange change;
    if (step.kind == Kind::kLease) {
      change = LeaseIn(root, step, queue, result);
    } else {
      result->got = Settle(step, queue, result);
      change = result->got == Got::kDone ? AsItIs(root) : RootChange();
    }
    TellRoomIfBounded(step, queue, result);
    if (change.changes) {
      EncodeQueue(queue, &queue_bytes);
      root.queue = queue_bytes;
    }
    return change;
  }));
  return damaged ? DamagedQueue() : absl::OkStatus();
}

// --- Of a whole sequence -------------------------------------------------------------------------

namespace {

// The first or last returned item, which goes from the list.
absl::Status TakeReturned(Edit& edit, bool back, QueueState& queue, std::string* element) {
  const auto at = back ? queue.returned.end() - 1 : queue.returned.begin();
  const Item item = *at;
  queue.returned.erase(at);
  if (item.node == 0) {
    element->assign(item.bytes);
    return absl::OkStatus();
  }
  COMMY_RETURN_IF_ERROR(edit.ReadItem(item.node, element));
  return edit.DropItem(item.node);
}

// Takes elements from an end of the sequence itself, at most `most`, and at least one.
absl::Status TakeFrom(Edit& edit, bool back, std::uint64_t most,
                      std::vector<std::string>* elements) {
  COMMY_RETURN_IF_ERROR(edit.Refill(back));
  const std::uint64_t from = back ? edit.size() - 1 : 0;
  std::uint64_t count = 0;
  COMMY_RETURN_IF_ERROR(edit.Find(from, [&](const ElementRun& run) {
    count = back ? 1 : std::min(most, run.count);
    for (std::uint64_t i = 0; i < count; ++i) {
      elements->emplace_back(*ElementOf(run, i));
    }
  }));
  return edit.Splice(from, count, {});
}

absl::Status PushAll(Edit& edit, const QueueStep& step, QueueState& queue, QueueResult* result,
                     std::vector<std::string>* kept) {
  if (step.run.count > Room(queue, edit.size() + queue.returned.size())) {
    result->got = Got::kNone;
    return absl::OkStatus();
  }
  result->got = Got::kDone;
  result->come = step.run.count;
  if (step.back || queue.returned.empty()) {
    return edit.Splice(step.back ? edit.size() : 0, 0, step.run);
  }
  // Before what was returned, which is before all else.
  std::vector<Item> items;
  kept->reserve(step.run.count);
  for (std::uint64_t i = 0; i < step.run.count; ++i) {
    Item item;
    // Each its own, so that they keep their order if they are leased and returned.
    item.order = queue.returned[0].order - (step.run.count - i);
    const std::string& element = kept->emplace_back(*ElementOf(step.run, i));
    if (element.size() > kItemBytesMax) {
      item.node = edit.AddItem(element);
    } else {
      item.bytes = element;
    }
    items.push_back(item);
  }
  queue.returned.insert(queue.returned.begin(), items.begin(), items.end());
  return absl::OkStatus();
}

void PutReturned(Edit& edit, const QueueStep& step, QueueState& queue, QueueResult* result,
                 std::vector<std::string>* kept) {
  Item item;
  item.order = queue.next_ticket++;  // Behind all others.
  item.deliveries = step.deliveries;
  const std::string& element = kept->emplace_back(*ElementOf(step.run, 0));
  if (element.size() > kItemBytesMax) {
    item.node = edit.AddItem(element);
  } else {
    item.bytes = element;
  }
  queue.returned.push_back(item);
  result->got = Got::kDone;
  result->come = 1;
}

absl::Status PopAll(Edit& edit, const QueueStep& step, QueueState& queue, QueueResult* result) {
  std::vector<std::string>& elements = result->taken.elements;
  while (elements.size() < step.most && edit.size() + queue.returned.size() > 0) {
    const bool of_returned = !queue.returned.empty() && (!step.back || edit.size() == 0);
    COMMY_RETURN_IF_ERROR(of_returned
                              ? TakeReturned(edit, step.back, queue, &elements.emplace_back())
                              : TakeFrom(edit, step.back, step.most - elements.size(), &elements));
  }
  result->got = elements.empty() ? Got::kNone : Got::kDone;
  result->room = elements.size();
  return absl::OkStatus();
}

absl::Status LeaseFirst(Edit& edit, const QueueStep& step, QueueState& queue, QueueResult* result) {
  if (edit.size() == 0 && queue.returned.empty()) {
    result->got = Got::kNone;
    return absl::OkStatus();
  }
  if (WasLeasedTooOften(queue) && !step.holder.even_dead) {
    result->got = Got::kDead;
    return absl::OkStatus();
  }
  Item item;
  std::vector<std::string>& elements = result->taken.elements;
  if (!queue.returned.empty()) {
    item = queue.returned[0];
    queue.returned.erase(queue.returned.begin());
    std::string& element = elements.emplace_back(item.bytes);
    if (item.node != 0) {
      COMMY_RETURN_IF_ERROR(edit.ReadItem(item.node, &element));
    }
  } else {
    COMMY_RETURN_IF_ERROR(TakeFrom(edit, false, 1, &elements));
    if (elements[0].size() > kItemBytesMax) {
      item.node = edit.AddItem(elements[0]);
    } else {
      item.bytes = elements[0];
    }
  }
  LeaseTo(step, item, queue, result);
  result->got = Got::kDone;
  result->room = 1;
  return absl::OkStatus();
}

absl::Status ClearAll(Edit& edit, QueueState& queue, QueueResult* result) {
  result->got = Got::kDone;
  result->room = UINT32_MAX;
  for (const Item& item : queue.returned) {
    if (item.node != 0) {
      COMMY_RETURN_IF_ERROR(edit.DropItem(item.node));
    }
  }
  queue.returned.clear();
  return edit.Splice(0, edit.size(), {});
}

absl::Status SettleAll(Edit& edit, const QueueStep& step, QueueState& queue, QueueResult* result) {
  result->got = Settle(step, queue, result);
  if (result->got == Got::kMore) {
    const std::size_t lease = queue.Find(step.ticket);
    COMMY_RETURN_IF_ERROR(edit.DropItem(queue.leases[lease].node));
    queue.leases.erase(queue.leases.begin() + static_cast<std::ptrdiff_t>(lease));
    result->got = Got::kDone;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status StepInEdit(Edit& edit, const QueueStep& step, QueueResult* result) {
  *result = QueueResult();
  const std::string before = edit.queue();  // The items refer to it.
  QueueState queue;
  if (!ParseQueue(before, &queue)) {
    return DamagedQueue();
  }
  if (before.empty()) {
    queue.next_ticket = edit.next_node();
  }
  result->leased = !queue.leases.empty();
  result->capacity = queue.capacity;
  result->next_ticket = queue.next_ticket;
  std::vector<std::string> kept;  // So do new items to this.
  switch (step.kind) {
    case Kind::kPush:
      COMMY_RETURN_IF_ERROR(PushAll(edit, step, queue, result, &kept));
      break;
    case Kind::kPutReturned:
      PutReturned(edit, step, queue, result, &kept);
      break;
    case Kind::kPop:
      COMMY_RETURN_IF_ERROR(PopAll(edit, step, queue, result));
      break;
    case Kind::kLease:
      COMMY_RETURN_IF_ERROR(LeaseFirst(edit, step, queue, result));
      break;
    case Kind::kPopDead:
      if (WasLeasedTooOften(queue)) {
        COMMY_RETURN_IF_ERROR(
            TakeReturned(edit, false, queue, &result->taken.elements.emplace_back()));
        result->got = Got::kDone;
        result->room = 1;
      }
      break;
    case Kind::kClear:
      COMMY_RETURN_IF_ERROR(ClearAll(edit, queue, result));
      break;
    case Kind::kAcknowledge:
    case Kind::kReturn:
    case Kind::kReturnGone:
    case Kind::kSetLimits:
      COMMY_RETURN_IF_ERROR(SettleAll(edit, step, queue, result));
      break;
  }
  TellRoomIfBounded(step, queue, result);
  if (result->got == Got::kDone &&
      (!before.empty() || step.kind == Kind::kLease || step.kind == Kind::kSetLimits ||
       step.kind == Kind::kPutReturned)) {
    std::string after;
    EncodeQueue(queue, &after);
    edit.SetQueue(std::move(after));
  }
  return absl::OkStatus();
}

}  // namespace commy::sequences
