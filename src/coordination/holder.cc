#include "coordination/holder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "api/handle_access.h"
#include "base/status.h"
#include "process/holders.h"

namespace commy::coordination {
namespace {

// Numbers that were let go without room for it. Never destroyed: holders may outlive statics.
struct Abandoned {
  std::mutex mutex;
  std::vector<std::uint64_t> numbers;
};
Abandoned& AllAbandoned() {
  static auto* const all = new Abandoned;
  return *all;
}
std::atomic<bool> some_abandoned{false};

bool IsAbandoned(std::uint64_t number) {
  if (!some_abandoned.load(std::memory_order_acquire)) {
    return false;
  }
  Abandoned& all = AllAbandoned();
  const std::lock_guard lock(all.mutex);
  return std::find(all.numbers.begin(), all.numbers.end(), number) != all.numbers.end();
}

std::uint64_t StoreOf(const region::Region& region) {
  std::array<std::uint64_t, 2> halves{};
  static_assert(sizeof(halves) == sizeof(region.header().uuid));
  std::memcpy(halves.data(), region.header().uuid, sizeof(halves));
  return halves[0] ^ halves[1];
}

process::Session& SessionOf(const Namespace& ns) {
  return api::HandleAccess::StateOf(ns)->engine().session;
}

}  // namespace

absl::StatusOr<HolderId> NewHolder(const Namespace& ns) {
  static std::atomic<std::uint64_t> last{0};
  process::Session& session = SessionOf(ns);
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  return HolderId{.store = StoreOf(session.region()),
                  .owner = session.owner_word(),
                  .number = last.fetch_add(1, std::memory_order_relaxed) + 1};
}

absl::StatusOr<bool> IsGone(const Namespace& ns, const HolderId& holder) {
  process::Session& session = SessionOf(ns);
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  const std::uint64_t own = session.owner_word();
  return holder.store != StoreOf(session.region()) ||
         process::IsGone(session.region(), holder.owner, own) ||
         (holder.owner == own && IsAbandoned(holder.number));
}

void Abandon(const HolderId& holder) {
  Abandoned& all = AllAbandoned();
  const std::lock_guard lock(all.mutex);
  all.numbers.push_back(holder.number);
  some_abandoned.store(true, std::memory_order_release);
}

absl::StatusOr<Person> ThisProcess(const Namespace& ns) {
  process::Session& session = SessionOf(ns);
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  const region::ParticipantEntry& entry =
      session.region().participant(session.region().slot_index());
  std::array<char, sizeof(entry.name)> name{};
  for (std::size_t i = 0; i < std::size(entry.name); ++i) {
    const std::uint64_t piece = entry.name[i].load(std::memory_order_relaxed);
    std::memcpy(name.data() + i * sizeof(piece), &piece, sizeof(piece));
  }
  return Person{.name = std::string(name.data(), strnlen(name.data(), name.size())),
                .pid = entry.pid.load(std::memory_order_relaxed)};
}

}  // namespace commy::coordination
