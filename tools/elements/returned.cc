#include "elements/returned.h"

#include "base/status.h"
#include "sequences/queue_state.h"
#include "sequences/root.h"

namespace commy::tools {

absl::StatusOr<QueueOfDump> ReadQueue(const Elements& elements, const Snapshot& then) {
  QueueOfDump read;
  const Namespace& ns = elements.sequence().ns();
  const absl::StatusOr<std::string> bytes = ns.Get("", {.snapshot = &then});
  if (!bytes.ok()) {
    return absl::IsNotFound(bytes.status()) ? absl::StatusOr<QueueOfDump>(read)
                                            : elements.Explained(bytes.status());
  }
  sequences::RootView root;
  sequences::QueueState queue;
  COMMY_RETURN_IF_ERROR(elements.Explained(sequences::ParseRoot(*bytes, &root)));
  if (!sequences::ParseQueue(root.queue, &queue)) {
    return elements.Explained(base::DataLoss("the deque's part of the root is damaged"));
  }
  read.limits = {queue.capacity, queue.max_deliveries, std::string(queue.dead_letters)};
  read.leased = queue.leases.size();
  read.skip = queue.returned.size();
  while (!queue.leases.empty()) {
    queue.Return(0);  // To its place among the others.
  }
  for (const sequences::Item& item : queue.returned) {
    ReturnedElement& element = read.returned.emplace_back();
    element.bytes = item.bytes;
    element.deliveries = item.deliveries;
    if (item.node != 0) {
      absl::StatusOr<std::string> large =
          ns.Get(sequences::NodeKey(item.node).view(), {.snapshot = &then});
      COMMY_RETURN_IF_ERROR(elements.Explained(large.status()));
      element.bytes = *std::move(large);
    }
  }
  return read;
}

}  // namespace commy::tools
