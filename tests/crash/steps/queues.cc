#include <algorithm>
#include <utility>
#include <vector>

#include "crash/queue_steps.h"
#include "sequences/queue_state.h"
#include "sequences/root.h"

namespace commy::test {
namespace {

using Jobs = SharedDeque<std::string>;
using Queue = Model::Queue;

std::string WordOf(const absl::Status& status) {
  return absl::IsResourceExhausted(status) ? "full" : Word(status);
}

Step OnQueue(std::string name, std::function<std::string(Actor&, const Jobs&)> real,
             std::function<std::string(Model&, Queue&)> ideal,
             std::function<std::string(Model&, Queue&)> also = nullptr) {
  const auto on_model = [](std::function<std::string(Model&, Queue&)> use) {
    return [use = std::move(use)](Model& model) { return use(model, model.names[kJobs].queue); };
  };
  return {std::move(name),
          [=](Actor& actor) {
            const absl::StatusOr<Jobs> jobs =
                actor.store().OpenShared<Jobs>(kJobs, {.create_if_missing = false});
            return jobs.ok() ? real(actor, *jobs) : Word(jobs.status());
          },
          on_model(std::move(ideal)),
          also == nullptr ? std::function<std::string(Model&)>() : on_model(std::move(also))};
}

bool IsLeased(const Queue& queue, const std::string& element) {
  return std::find(queue.leased.begin(), queue.leased.end(), element) != queue.leased.end();
}
std::size_t Free(const Queue& queue) {
  return queue.elements.size() - queue.leased.size();
}
std::string First(const Queue& queue, bool even_leased) {
  for (const std::string& element : queue.elements) {
    if (even_leased || !IsLeased(queue, element)) {
      return element;
    }
  }
  return "";
}
void Remove(Queue& queue, const std::string& element) {
  std::erase(queue.elements, element);
  std::erase(queue.leased, element);
}
std::string Push(Queue& queue, const std::string& element) {
  if (Free(queue) >= queue.capacity) {
    return "full";
  }
  queue.elements.push_back(element);
  return "ok";
}
std::string Pop(Queue& queue, bool even_leased) {
  const std::string element = First(queue, even_leased);
  Remove(queue, element);
  return element.empty() ? "no key" : "=" + element;
}
std::string Lease(Queue& queue, bool even_leased) {
  const std::string element = First(queue, even_leased);
  std::erase(queue.leased, element);
  if (!element.empty()) {
    queue.leased.push_back(element);
  }
  return element.empty() ? "no key" : "=" + element;
}
std::string PutInA(Model& model, const std::string& key) {
  Model::Content* const a = model.ById(kA);
  if (a != nullptr) {
    a->keys.Edit()[key] = "with the queue";
  }
  return "ok";
}
absl::Status PutInA(Actor& actor, Transaction& txn, const std::string& key) {
  return txn.Put(*actor.ns(kA), key, "with the queue");
}
std::string LeaseOf(Actor& actor, const Jobs& jobs) {
  auto lease = jobs.LeaseFront();
  if (!lease.ok()) {
    return Word(lease.status());
  }
  actor.leases.push_back(*std::move(lease));
  return "=" + actor.leases.back().value();
}

std::string Limits(std::uint64_t capacity, std::uint32_t max_deliveries) {
  return absl::StrCat(" of ", capacity, ", ", max_deliveries, " times");
}

}  // namespace

std::string QueueText(const Queue& queue) {
  std::string text;
  for (const std::string& element : queue.elements) {
    absl::StrAppend(&text, " ", element);
  }
  return text + Limits(queue.capacity, queue.max_deliveries);
}

std::string QueueText(const ModelKeys::Map& records, const SnapshotDeque<std::string>& at) {
  sequences::RootView root;
  sequences::QueueState queue;
  const auto found = records.find("");
  if (found != records.end() && (!sequences::ParseRoot(found->second, &root).ok() ||
                                 !sequences::ParseQueue(root.queue, &queue))) {
    return "a damaged queue";
  }
  std::vector<sequences::Item> items = queue.returned;
  items.insert(items.end(), queue.leases.begin(), queue.leases.end());
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.order < b.order; });
  std::string text;
  std::size_t nodes = root.entries.size() / sizeof(sequences::Entry);
  for (const sequences::Item& item : items) {
    if (item.node == 0) {
      text += " " + std::string(item.bytes);
      continue;
    }
    ++nodes;
    const auto node = records.find(std::string(sequences::NodeKey(item.node).view()));
    absl::StrAppend(&text, " ", node == records.end() ? "a node that is gone" : node->second);
  }
  const auto all = at.ToVector();
  if (!all.ok()) {
    return Word(all.status());
  }
  for (std::size_t i = queue.returned.size(); i < all->size(); ++i) {
    absl::StrAppend(&text, " ", (*all)[i]);
  }
  if (root.height == 0 && found != records.end() && records.size() != nodes + 1) {
    absl::StrAppend(&text, " and ", records.size(), " records for ", nodes, " nodes");
  }
  return text + Limits(queue.capacity, queue.max_deliveries);
}

Step OpenQueue(const std::string& path) {
  return {"open queue",
          [=](Actor& actor) { return Word(actor.store().OpenShared<Jobs>(path).status()); },
          [=](Model& model) {
            if (model.names.find(path) == model.names.end()) {
              model.names[path].id = model.next_id++;
              model.names[path].type = Jobs::kDescriptor;
            }
            return std::string("ok");
          }};
}

Step QueuePush(const std::string& element) {
  return OnQueue(
      "push " + element.substr(0, 20),
      [=](Actor&, const Jobs& jobs) { return WordOf(jobs.PushBack(element)); },
      [=](Model&, Queue& queue) { return Push(queue, element); });
}

Step QueuePop() {
  return OnQueue(
      "pop", [](Actor&, const Jobs& jobs) { return Word(jobs.PopFront()); },
      [](Model&, Queue& queue) { return Pop(queue, false); },
      [](Model&, Queue& queue) { return Pop(queue, true); });
}

Step QueuePopBack() {
  return OnQueue(
      "pop back", [](Actor&, const Jobs& jobs) { return Word(jobs.PopBack()); },
      [](Model&, Queue& queue) {
        for (auto at = queue.elements.rbegin(); at != queue.elements.rend(); ++at) {
          if (!IsLeased(queue, *at)) {
            const std::string element = *at;
            Remove(queue, element);
            return "=" + element;
          }
        }
        return std::string("no key");
      });
}

Step QueueLease() {
  return OnQueue(
      "lease", LeaseOf, [](Model&, Queue& queue) { return Lease(queue, false); },
      [](Model&, Queue& queue) { return Lease(queue, true); });
}

Step QueueReturn() {
  return OnQueue(
      "return",
      [](Actor& actor, const Jobs&) {
        const absl::Status status = actor.leases.back().Return();
        actor.leases.pop_back();
        return Word(status);
      },
      [](Model&, Queue& queue) {
        queue.leased.pop_back();
        return std::string("ok");
      });
}

Step QueueAcknowledge() {
  return OnQueue(
      "acknowledge",
      [](Actor& actor, const Jobs&) {
        const absl::Status status = actor.leases.back().Acknowledge();
        actor.leases.pop_back();
        return Word(status);
      },
      [](Model&, Queue& queue) {
        Remove(queue, std::string(queue.leased.back()));
        return std::string("ok");
      });
}

Step QueueAcknowledgeIn(const std::string& key) {
  return OnQueue(
      "acknowledge in a transaction",
      [=](Actor& actor, const Jobs&) {
        return Word(actor.store().Transact([&](Transaction& txn) {
          const absl::Status put = PutInA(actor, txn, key);
          return put.ok() ? actor.leases.back().AcknowledgeIn(txn) : put;
        }));
      },
      [=](Model& model, Queue& queue) {
        Remove(queue, std::string(queue.leased.back()));
        return PutInA(model, key);
      });
}

Step QueuePushIn(const std::string& key, const std::string& element) {
  return OnQueue(
      "push in a transaction",
      [=](Actor& actor, const Jobs& jobs) {
        return WordOf(actor.store().Transact([&](Transaction& txn) {
          const absl::Status put = PutInA(actor, txn, key);
          return put.ok() ? jobs.In(txn).PushBack(element) : put;
        }));
      },
      [=](Model& model, Queue& queue) {
        const std::string pushed = Push(queue, element);
        return pushed == "ok" ? PutInA(model, key) : pushed;
      });
}

Step QueuePopIn(const std::string& key) {
  return OnQueue(
      "pop in a transaction",
      [=](Actor& actor, const Jobs& jobs) {
        std::string popped;
        const absl::Status done = actor.store().Transact([&](Transaction& txn) -> absl::Status {
          const absl::StatusOr<std::string> element = jobs.In(txn).PopFront();
          popped = Word(element);
          return element.ok() ? PutInA(actor, txn, key) : element.status();
        });
        return done.ok() ? popped : Word(done);
      },
      [=](Model& model, Queue& queue) {
        const std::string popped = Pop(queue, false);
        (void)PutInA(model, key);
        return popped;
      });
}

Step QueueLeaseAfterDead() {
  const auto move = [](Model& model, Queue& queue) {
    const std::string dead = First(queue, false);
    Remove(queue, dead);
    model.names[kDeadJobs].queue.elements.push_back(dead);
  };
  return OnQueue(
      "lease after a dead letter", LeaseOf,
      [=](Model& model, Queue& queue) {
        move(model, queue);
        return Lease(queue, false);
      },
      [=](Model& model, Queue& queue) {  // Of one that was killed before the lease.
        move(model, queue);
        return std::string("moved");
      });
}

Step QueueClear() {
  return OnQueue(
      "clear queue", [](Actor&, const Jobs& jobs) { return Word(jobs.Clear()); },
      [](Model&, Queue& queue) {
        std::erase_if(queue.elements,
                      [&](const std::string& element) { return !IsLeased(queue, element); });
        return std::string("ok");
      });
}

Step QueueLimit(std::uint64_t capacity, std::uint32_t max_deliveries) {
  return OnQueue(
      "set limits",
      [=](Actor&, const Jobs& jobs) {
        return Word(jobs.SetLimits(
            {.capacity = capacity, .max_deliveries = max_deliveries, .dead_letters = kDeadJobs}));
      },
      [=](Model&, Queue& queue) {
        queue.capacity = capacity;
        queue.max_deliveries = max_deliveries;
        return std::string("ok");
      });
}

}  // namespace commy::test
