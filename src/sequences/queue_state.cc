#include "sequences/queue_state.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace commy::sequences {
namespace {

constexpr std::uint32_t kQueueMagic = 0x31555143;

struct QueueHead {
  std::uint32_t magic = kQueueMagic;
  std::uint32_t max_deliveries = 0;
  std::uint64_t capacity = 0;
  std::uint64_t next_ticket = 0;
  std::uint32_t returned = 0;
  std::uint32_t leases = 0;
  std::uint32_t path_bytes = 0;
  std::uint32_t store = 0;
};
static_assert(sizeof(QueueHead) == 0x28);

struct ItemHead {
  std::uint64_t ticket = 0;
  std::uint64_t owner = 0;
  std::int64_t since_wall_ns = 0;
  std::uint64_t order = 0;
  std::uint64_t node = 0;
  std::uint32_t deliveries = 0;
  std::uint32_t bytes = 0;
};
static_assert(sizeof(ItemHead) == 0x30);

// Takes the next part, whose end is at a multiple of 8.
bool TakePart(std::string_view* rest, std::uint64_t size, std::string_view* part) {
  const std::uint64_t whole = base::AlignUp(size, 8);
  if (rest->size() < whole) {
    return false;
  }
  *part = rest->substr(0, size);
  rest->remove_prefix(whole);
  return true;
}

bool TakeItems(std::string_view* rest, std::uint32_t count, std::vector<Item>* items) {
  if (count > rest->size() / sizeof(ItemHead)) {
    return false;
  }
  items->clear();
  items->reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    ItemHead head;
    std::string_view part;
    if (!TakePart(rest, sizeof(head), &part)) {
      return false;
    }
    std::memcpy(&head, part.data(), sizeof(head));
    if (!TakePart(rest, head.bytes, &part)) {
      return false;
    }
    items->push_back({head.ticket, head.owner, head.since_wall_ns, head.order, head.node,
                      head.deliveries, part});
  }
  return true;
}

void PutPart(std::string_view part, std::string* bytes) {
  bytes->append(part);
  bytes->resize(base::AlignUp(bytes->size(), 8));
}

void PutItems(const std::vector<Item>& items, std::string* bytes) {
  for (const Item& item : items) {
    const ItemHead head{item.ticket,
                        item.owner,
                        item.since_wall_ns,
                        item.order,
                        item.node,
                        item.deliveries,
                        static_cast<std::uint32_t>(item.bytes.size())};
    PutPart({reinterpret_cast<const char*>(&head), sizeof(head)}, bytes);
    PutPart(item.bytes, bytes);
  }
}

}  // namespace

std::size_t QueueState::Find(std::uint64_t ticket) const {
  return static_cast<std::size_t>(
      std::find_if(leases.begin(), leases.end(),
                   [ticket](const Item& item) { return item.ticket == ticket; }) -
      leases.begin());
}

void QueueState::Return(std::size_t lease) {
  const auto at = leases.begin() + static_cast<std::ptrdiff_t>(lease);
  Item item = *at;
  leases.erase(at);
  item.ticket = 0;
  item.owner = 0;
  const auto before = std::find_if(returned.begin(), returned.end(),
                                   [&item](const Item& each) { return each.order > item.order; });
  returned.insert(before, item);
}

bool ParseQueue(std::string_view bytes, QueueState* queue) {
  *queue = QueueState();
  if (bytes.empty()) {
    return true;
  }
  QueueHead head;
  if (bytes.size() < sizeof(head)) {
    return false;
  }
  std::memcpy(&head, bytes.data(), sizeof(head));
  bytes.remove_prefix(sizeof(head));
  queue->max_deliveries = head.max_deliveries;
  queue->capacity = head.capacity;
  queue->next_ticket = head.next_ticket;
  queue->store = head.store;
  return head.magic == kQueueMagic && TakePart(&bytes, head.path_bytes, &queue->dead_letters) &&
         TakeItems(&bytes, head.returned, &queue->returned) &&
         TakeItems(&bytes, head.leases, &queue->leases) && bytes.empty();
}

void EncodeQueue(const QueueState& queue, std::string* bytes) {
  const QueueHead head{kQueueMagic,
                       queue.max_deliveries,
                       queue.capacity,
                       queue.next_ticket,
                       static_cast<std::uint32_t>(queue.returned.size()),
                       static_cast<std::uint32_t>(queue.leases.size()),
                       static_cast<std::uint32_t>(queue.dead_letters.size()),
                       queue.store};
  bytes->clear();
  PutPart({reinterpret_cast<const char*>(&head), sizeof(head)}, bytes);
  PutPart(queue.dead_letters, bytes);
  PutItems(queue.returned, bytes);
  PutItems(queue.leases, bytes);
}

std::uint64_t ReturnedCount(std::string_view bytes) {
  QueueHead head;
  if (bytes.size() < sizeof(head)) {
    return 0;
  }
  std::memcpy(&head, bytes.data(), sizeof(head));
  return head.returned;
}

ElementRun RunOf(std::string_view element, std::string* room) {
  if (!element.empty()) {
    return {static_cast<std::uint32_t>(element.size()), 1, element};
  }
  room->assign(kLengthBytes, '\0');  // Elements of no bytes have a length before them.
  return {0, 1, *room};
}

}  // namespace commy::sequences
